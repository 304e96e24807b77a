"""The environments in which probes and tests run: one per distinct lock, built by uv in the sandbox.

Security model. Building is done in two kinds of sandbox job. Releases without a wheel are built one by one by the
`Wheelhouse`, where their code runs alone. Then one job installs wheels only: no code of any package runs there (building is
off, the interpreter that compiles the modules is the base one and reads no `.pth` of the environment), so it may write the
shared cache and hard-link from it. A hard link is the very file in the cache; that is safe because every later job, in which
the packages' code does run, sees the environment on a read-only mount and the cache not at all.

An environment is made in a staging folder and renamed into place, and only then named complete: what a kill leaves half-built is
never used. Whoever asks for a lock that is just being built, in another thread or process, waits and takes that one.
"""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.model import Lock
from vertice.kernel.errors import UnfinishedError, from_os_error
from vertice.kernel.files import write_atomic
from vertice.kernel.interpreters import Interpreter, choose, find_interpreters
from vertice.kernel.locks import exclusive
from vertice.kernel.sandbox.model import Job, Mount
from vertice.kernel.text import printable
from vertice.kernel.uv import STORE, UV, Uv, UvResult, needs_build, wheelless
from vertice.kernel.wheelhouse import BuildFailed, BuiltWheel, Wheelhouse, output_tail

__all__ = ["ENVIRONMENT", "TOOLS", "Environment", "EnvironmentFailed", "Environments"]

ENVIRONMENT = "/env"
"""Where an environment is mounted."""
TOOLS = "/tools"
"""Where the tools beside it are mounted, last on `sys.path`."""

_FORMAT = "1"
"""Part of every digest: raise it when what is built from the same lock changes."""
_BUILDERS = 2
_INSTALL = f"""
set -e
root={STORE}/staging/$1
mkdir -p "$root/tools"
{UV} venv -q --relocatable --no-project "$root/env"
if [ -s /work/requirements.txt ]; then
  {UV} pip install -q --no-deps --python "$root/env/bin/python" -r /work/requirements.txt $REQUIRE_HASHES $FIND_LINKS
fi
if [ -s /work/tools.txt ]; then
  {UV} pip install -q --target "$root/tools" -c /work/pins.txt -r /work/tools.txt $FIND_LINKS \\
    || {UV} pip install -q --target "$root/tools" -r /work/tools.txt $FIND_LINKS
fi
for site in "$root"/env/lib/python3*/site-packages; do
  echo {TOOLS} > "$site/zzz-vertice-tools.pth"
done
"$UV_PYTHON" -I -S -m compileall -q -j 2 "$root/env/lib" "$root/tools" > /dev/null 2>&1 || true
"""
"""$1 is the staging folder. `compileall` fails on files for other Pythons, which packages do ship; that is no failure here."""


class EnvironmentFailed(UnfinishedError):
    """Catch me for a lock that no environment can be built from; the text holds the end of uv's output."""

    code = "environment-failed"


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete environment on disk."""

    digest: str
    """sha256 hex over lock, interpreter, tools and build constraints."""
    root: Path
    interpreter: Interpreter
    packages: tuple[str, ...]
    """`name==version` of everything installed from the lock, sorted; tools are not among them."""
    seconds: float
    """What building it took, 0.0 when reused."""
    reused: bool

    @property
    def python(self) -> str:
        """The interpreter's path inside the sandbox."""
        return f"{ENVIRONMENT}/bin/python"

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What a job needs to run `python`, all read-only."""
        own = (Mount(self.root / "env", ENVIRONMENT), Mount(self.root / "tools", TOOLS))
        prefix = self.interpreter.prefix
        return own if prefix.is_relative_to("/usr") else (*own, Mount(prefix, str(prefix)))


class Environments:
    """Builds environments under `home/store` and keeps them; threads and processes may share one home."""

    def __init__(self, uv: Uv, home: Path) -> None:
        self._uv = uv
        self._home = home.resolve()
        self._store = self._home / "store"
        self._wheelhouse = Wheelhouse(uv, home)

    def build(
        self, lock: Lock, *, tools: tuple[str, ...] = (), build_constraints: Sequence[str] = ()
    ) -> Environment:
        """Return the environment of `lock`, built now unless it was before.

        `tools` are requirements (`pytest`, `coverage`) that are importable after the lock's own packages, which win over
        them. Raises EnvironmentFailed when it cannot be built and UnfinishedError when no interpreter fits or the index cannot be
        reached.
        """
        interpreter = choose(
            find_interpreters(), requires_python=lock.requires_python, python_version=lock.python_version
        )
        digest = _digest(lock, interpreter, tools, build_constraints)
        root = self._store / "environments" / digest
        found = _complete(root, digest, interpreter)
        if found is not None:
            return found
        with exclusive(self._home / "locks" / f"environment-{digest}.lock"):
            found = _complete(root, digest, interpreter)
            if found is not None:
                return found
            started = time.monotonic()
            staging = self._install(lock, interpreter, tools, tuple(build_constraints))
            try:
                packages = _installed(staging / "env")
                seconds = time.monotonic() - started
                facts = {"packages": packages, "python": interpreter.version, "seconds": seconds}
                _place(staging, root)
                write_atomic(root / "built.json", json.dumps(facts).encode())
            finally:
                shutil.rmtree(staging, ignore_errors=True)
            return Environment(digest, root, interpreter, packages, seconds, reused=False)

    def remove_old(self, *, keep: int = 40, days: float = 30.0) -> int:
        """Remove environments beyond the `keep` last used and those not used for `days`; return how many went."""
        folder = self._store / "environments"
        if not folder.is_dir():
            return 0
        aged = sorted(((_used(path), path) for path in folder.iterdir()), reverse=True)
        limit = time.time() - days * 86400
        gone = 0
        for position, (used, path) in enumerate(aged):
            if position < keep and used >= limit:
                continue
            with exclusive(self._home / "locks" / f"environment-{path.name}.lock"):
                # First the mark goes: a kill in the middle leaves an environment that is rebuilt, not a broken one.
                (path / "built.json").unlink(missing_ok=True)
                shutil.rmtree(path, ignore_errors=True)
            gone += 1
        return gone

    def _install(
        self, lock: Lock, interpreter: Interpreter, tools: tuple[str, ...], constraints: tuple[str, ...]
    ) -> Path:
        """Install into a new staging folder, with wheels built for what has none; return the folder."""
        wheels: dict[str, BuiltWheel] = {}
        for _ in range(len(lock.requirements) + len(tools) + 1):
            name = f"{os.getpid()}-{time.monotonic_ns()}"
            result = self._attempt(name, lock, interpreter, tools, wheels)
            if result.returncode == 0:
                return self._store / "staging" / name
            shutil.rmtree(self._store / "staging" / name, ignore_errors=True)
            missing = [each for each in wheelless(result) if each not in wheels] if needs_build(result) else []
            if not missing:
                raise EnvironmentFailed(
                    f"the environment cannot be built: {output_tail(result.stderr)}",
                    where=f"Python {interpreter.version}",
                    todo="Install the same lock by hand to see whether it ever installs with this Python.",
                )
            wheels.update(self._build_wheels(missing, lock, interpreter, constraints))
        raise EnvironmentFailed("uv asks for the same wheel again and again", where=f"Python {interpreter.version}")

    def _attempt(
        self,
        name: str,
        lock: Lock,
        interpreter: Interpreter,
        tools: tuple[str, ...],
        wheels: dict[str, BuiltWheel],
    ) -> UvResult:
        lines = list(_requirement_lines(lock, wheels))
        mounts = [Mount(self._prepared("cache"), f"{STORE}/cache", True)]
        # One mount for both, since hard links do not cross mounts; other environments are not in it.
        mounts = [Mount(self._prepared("link"), STORE, True)]
        mounts += [Mount(wheel.path, f"/wheels/{wheel.path.name}") for wheel in wheels.values()]
        job = self._uv.job(
            ("/bin/sh", "-c", _INSTALL, "sh", name),
            interpreter=interpreter,
            mounts=mounts,
            files={
                "/work/requirements.txt": "\n".join(lines).encode(),
                "/work/tools.txt": "\n".join(tools).encode(),
                "/work/pins.txt": "\n".join(lock.requirements).encode(),
            },
            env={},
            indexes=lock.indexes,
        )
        return self._uv.finish(job)
