"""A real sandbox and a way to run Python programs in it."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from vertice.kernel.interpreters import running_interpreter
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.sandbox.model import Endpoint, Job, Limits, Mount, Network, Outcome

SMALL = Limits(seconds=10.0, memory_bytes=128 * 1024**2, processes=24, output_bytes=64 * 1024, disk_bytes=16 * 1024**2)


@pytest.fixture(scope="session")
def sandbox() -> Bubblewrap:
    return Bubblewrap.find()


@pytest.fixture
def run_python(sandbox: Bubblewrap) -> Callable[..., Outcome]:
    """Run Python source in the sandbox with small limits."""
    interpreter = running_interpreter()

    def run(
        source: str,
        *,
        limits: Limits = SMALL,
        mounts: tuple[Mount, ...] = (),
        files: dict[str, bytes] | None = None,
        network: Network = Network.none,
        endpoints: tuple[Endpoint, ...] = (),
        argument: str = "",
    ) -> Outcome:
        return sandbox.run(
            Job(
                argv=(str(interpreter.path), "-I", "-S", "-c", source, argument),
                mounts=(Mount(interpreter.prefix, str(interpreter.prefix)), *mounts),
                files=files or {},
                network=network,
                endpoints=endpoints,
                limits=limits,
            )
        )

    return run


@pytest.fixture
def marker() -> str:
    """Return a word that finds the processes of this test on the host."""
    return f"vertice-test-{uuid.uuid4().hex}"


@pytest.fixture
def alive(marker: str) -> Callable[[], list[int]]:
    """Return the pids on the host whose command line holds the marker."""

    def find() -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if marker.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    return find
