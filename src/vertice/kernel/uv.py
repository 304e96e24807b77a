"""uv as a program, always in the sandbox, with the way to the package index as its only network.

Who may write the cache. uv is fast because of its cache, but code that runs while uv holds a writable cache (the
build of an sdist) could alter what others install later. So there are two kinds of run:

- with the *shared* cache no foreign code runs at all: building is switched off (`--no-build`), the interpreter is a
  base interpreter, and nothing of the caller's makes uv build despite that (it builds editable projects even then);
- when a build is needed, uv runs again with building allowed and a cache that belongs to the caller's `domain` alone,
  or that is thrown away after the run when no domain is named. Such code can spoil nothing but its own domain.

No setting of the host's user gets in (empty home, empty environment); the index does, without credentials.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from vertice.kernel.builds import constraint_attempts, runs_no_foreign_code
from vertice.kernel.errors import UnfinishedError, from_os_error
from vertice.kernel.interpreters import Interpreter, running_interpreter
from vertice.kernel.sandbox.gateway import PYPI, endpoint_of
from vertice.kernel.sandbox.model import Ended, Endpoint, Job, Limits, Mount, Network, Sandbox
from vertice.kernel.text import printable

__all__ = [
    "STORE",
    "UV",
    "UV_LIMITS",
    "Uv",
    "UvResult",
    "index_settings",
    "interpreter_mounts",
    "needs_build",
    "wheelless",
]

UV = "/opt/vertice/uv"
"""The program's path inside."""
STORE = "/store"
"""Where the shared cache is mounted, as `cache`."""
UV_LIMITS = Limits(
    seconds=600.0,
    memory_bytes=4 * 1024**3,
    processes=256,
    output_bytes=1024**2,
    disk_bytes=2 * 1024**3,
)

_USER_SETTINGS = "/tmp/.config/uv/uv.toml"  # noqa: S108 - inside the sandbox
"""uv's settings of a user, below those of a project and of the environment."""
_PYPI_SETTINGS = b"""\
[[index]]
url = "https://pypi.org/simple"
default = true
cache-control = { api = "max-age=600", files = "max-age=365000000, immutable" }
"""
"""What PyPI itself says of its pages and files. Proxies lose it, and then every resolution fetches every page again."""
_FILE_LIMIT = 64 * 1024 * 1024
_SCRATCH_AGE_SECONDS = 24 * 3600.0
_NO_BUILD = re.compile(r"building from source is disabled|Building source distributions .{0,80}is disabled", re.DOTALL)
_WHEELLESS = re.compile(r"Wheels are required for `([A-Za-z0-9._-]+)`")
_BUILD_FAILED = re.compile(r"Failed to build|build backend|Failed to prepare distributions|setup\.py|egg_info")
_UNREACHABLE = re.compile(
    r"error sending request|client error \(Connect\)|dns error|tunnel error|operation timed out"
    r"|returned a 40[13] |HTTP status server error|Network connectivity is disabled|invalid peer certificate"
)
_DISK_FULL = "(os error 28)"
"""How uv itself says ENOSPC; the build of an sdist says it in other words."""
_FETCHED = re.compile(r"https?://[^\s`)\"']+")


@dataclass(frozen=True, slots=True)
class UvResult:
    """How a run of uv ended and what it wrote."""

    returncode: int
    stdout: str
    stderr: str
    files: Mapping[str, bytes]
    """Relative path -> content of the files that were changed or added."""


class Uv:
    """Runs uv; keeps its caches under `home`. Threads and processes may share one home."""

    def __init__(self, sandbox: Sandbox, home: Path, indexes: Sequence[str] = ()) -> None:
        """Take the index URLs the person configured (the first is the default index; none: PyPI).

        Raises InputError for an index URL that carries credentials or is no URL.
        """
        self.sandbox = sandbox
        self.home = home.resolve()
        self.indexes = tuple(indexes)
        self._own = tuple(endpoint_of(index, private=True) for index in indexes)
        self._version = ""

    def run(
        self,
        args: Sequence[str],
        *,
        files: Mapping[str, bytes] | None = None,
        interpreter: Interpreter | None = None,
        mounts: Sequence[Mount] = (),
        indexes: Sequence[str] = (),
        build_constraints: Sequence[str] = (),
        domain: str = "",
        limits: Limits = UV_LIMITS,
    ) -> UvResult:
        """Run `uv ARGS` in a folder that holds `files` (relative path -> content) and return what it changed there.

        `indexes` are URLs that a project names: they are reached, but not at private addresses unless the person
        configured the same host. With building allowed (second run, see the module) a failed build is tried again
        with `constraint_attempts`. A failure of uv is a result, for the caller to read; UnfinishedError is raised
        when the index cannot be reached or uv did not come to its end. While building is switched off, uv passes over
        releases without a wheel when the versions leave it the choice.
        """
        given = dict(files or {})
        python = interpreter or running_interpreter()
        if runs_no_foreign_code(args, given) and not mounts:
            shared = self._prepared(self.home / "store" / "cache")
            result = self._once(args, given, python, shared, (), indexes, (), limits, no_build=True)
            if result.returncode == 0 or not needs_build(result):
                return result
        with self._private_cache(domain) as cache:
            for constraints in constraint_attempts(build_constraints):
                result = self._once(args, given, python, cache, mounts, indexes, constraints, limits, no_build=False)
                if result.returncode == 0 or not _BUILD_FAILED.search(result.stderr):
                    break
        return result

    def job(
        self,
        argv: Sequence[str],
        *,
        interpreter: Interpreter,
        mounts: Sequence[Mount] = (),
        files: Mapping[str, bytes] | None = None,
        env: Mapping[str, str] | None = None,
        indexes: Sequence[str] = (),
        limits: Limits = UV_LIMITS,
        offline: bool = False,
    ) -> Job:
        """Return a job in which `argv` finds uv at `UV`, the interpreter, the index, and settings that keep uv
        predictable."""
        settings = {
            "HOME": "/tmp",  # noqa: S108 - inside the sandbox
            "UV_PYTHON": str(interpreter.path),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "UV_HTTP_RETRIES": "2",
            "UV_HTTP_TIMEOUT": "30",
            "NO_COLOR": "1",
            **index_settings(indexes or self.indexes),
            **({"UV_OFFLINE": "1"} if offline else {}),
            **(env or {}),
        }
        return Job(
            argv=tuple(argv),
            mounts=(Mount(_uv_program(), UV), *interpreter_mounts(interpreter), *mounts),
            files={_USER_SETTINGS: _PYPI_SETTINGS, **(files or {})},
            env=settings,
            network=Network.none if offline else Network.package_index,
            endpoints=self._endpoints(indexes),
            limits=limits,
        )

    @property
    def version(self) -> str:
        """The version of uv, `0.13.9`."""
        if not self._version:
            outcome = self.sandbox.run(Job(argv=(UV, "--version"), mounts=(Mount(_uv_program(), UV),)))
            words = outcome.stdout.decode("utf-8", "replace").split()
            self._version = printable(words[1], limit=40) if len(words) > 1 else "unknown"
        return self._version

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder under home that is gone after the block; what a killed run left is swept after a day."""
        folder = self._prepared(self.home / "scratch")
        for old in folder.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > _SCRATCH_AGE_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
        path = Path(tempfile.mkdtemp(dir=folder))
        path.chmod(0o755)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _once(
        self,
        args: Sequence[str],
        files: Mapping[str, bytes],
        interpreter: Interpreter,
        cache: Path,
        mounts: Sequence[Mount],
        indexes: Sequence[str],
        constraints: Sequence[str],
        limits: Limits,
        *,
        no_build: bool,
    ) -> UvResult:
        env = {"UV_CACHE_DIR": f"{STORE}/cache"}
        laid = {f"/work/{path}": data for path, data in files.items()}
        if constraints:
            laid["/tmp/build-constraints.txt"] = "\n".join(constraints).encode()  # noqa: S108 - inside the sandbox
            env["UV_BUILD_CONSTRAINT"] = "/tmp/build-constraints.txt"  # noqa: S108 - inside the sandbox
        with self.scratch() as work:
            job = self.job(
                (UV, *args, *(("--no-build",) if no_build else ())),
                interpreter=interpreter,
                mounts=(Mount(cache, f"{STORE}/cache", True), Mount(work, "/work", True), *mounts),
                files=laid,
                env=env,
                indexes=indexes,
                limits=limits,
            )
            return replace(self.finish(job), files=dict(_changed_files(work, files)))

    def finish(self, job: Job) -> UvResult:
        """Run a job made by `job` and return its result, without files.

        Raises UnfinishedError when it was stopped, the disk is full, or the index, if it had a network, could not be
        reached.
        """
        outcome = self.sandbox.run(job)
        stdout, stderr = (text.decode("utf-8", "replace") for text in (outcome.stdout, outcome.stderr))
        if outcome.ended is not Ended.exited or outcome.returncode is None:
            reason = outcome.ended.value.replace("_", " ")
            raise UnfinishedError(
                f"uv was stopped after {outcome.seconds:.0f} s ({reason})",
                where=printable(" ".join(job.argv)[:200], limit=200),
                todo="Run it again; if it stops there again, the limits of the sandbox are too low for this project.",
            )
        if outcome.returncode != 0 and _DISK_FULL in stderr:
            raise UnfinishedError(
                "no space left while uv worked", where=str(self.home), todo="Free some space and run it again."
            )
        if outcome.returncode != 0 and job.network is not Network.none and _UNREACHABLE.search(stderr):
            raise self._unreachable(stderr, outcome.unreached)
        return UvResult(outcome.returncode, stdout, stderr, {})

    def _unreachable(self, stderr: str, reason: str) -> UnfinishedError:
        url = _FETCHED.search(stderr)
        where = url[0] if url else (self.indexes or ("https://pypi.org/simple",))[0]
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        reason = reason or lines[-1].removeprefix("cause: ").removeprefix("hint: ")
        return UnfinishedError(
            f"the package index cannot be reached ({printable(reason, limit=160)})",
            where=printable(where, limit=200),
            todo="Check the network and the index settings (UV_DEFAULT_INDEX), then run it again.",
        )

    def _endpoints(self, indexes: Sequence[str]) -> tuple[Endpoint, ...]:
        named = tuple(endpoint_of(index) for index in indexes)
        known = {(endpoint.host, endpoint.port) for endpoint in self._own}
        ends = self._own + tuple(end for end in named if (end.host, end.port) not in known)
        uses_pypi = not ends or any(end.host == PYPI[0].host for end in ends)
        return (*(end for end in ends if end.host != PYPI[0].host), *PYPI) if uses_pypi else ends

    @contextlib.contextmanager
    def _private_cache(self, domain: str) -> Iterator[Path]:
        if not domain:
            with self.scratch() as folder:
                yield folder
            return
        name = hashlib.sha256(domain.encode()).hexdigest()[:32]
        yield self._prepared(self.home / "domains" / name)

    @staticmethod
    def _prepared(folder: Path) -> Path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, "making the folder of the package cache") from error
        return folder


def index_settings(indexes: Sequence[str]) -> dict[str, str]:
    """Return the environment that makes uv use `indexes`, the first as its default; empty: uv's own default."""
    if not indexes:
        return {}
    first, *others = indexes
    return {"UV_DEFAULT_INDEX": first} | ({"UV_INDEX": " ".join(others)} if others else {})


def needs_build(result: UvResult) -> bool:
    """Tell whether uv failed only because building was switched off."""
    return result.returncode != 0 and bool(_NO_BUILD.search(result.stderr))


def wheelless(result: UvResult) -> tuple[str, ...]:
    """Return the PEP 503 names of the packages that uv says it found no wheel for, sorted."""
    return tuple(sorted({canonicalize_name(name) for name in _WHEELLESS.findall(result.stderr)}))


def _uv_program() -> Path:
    import uv  # here, so that a scan does not pay for it

    try:
        return Path(uv.find_uv_bin()).resolve()
    except FileNotFoundError as error:
        raise UnfinishedError(
            "uv is not installed beside this program", where="uv", todo="Install it: `pip install uv`."
        ) from error


def interpreter_mounts(interpreter: Interpreter) -> tuple[Mount, ...]:
    """Return the interpreter at its own path, since environments point there; `/usr` is there anyway."""
    if interpreter.prefix.is_relative_to("/usr"):
        return ()
    return (Mount(interpreter.prefix, str(interpreter.prefix)),)


def _changed_files(folder: Path, before: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files that differ; links and devices are passed over, for foreign code may have made them."""
    total = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".venv")
        for name in sorted(names):
            path = Path(parent, name)
            facts = path.lstat()
            relative = path.relative_to(folder).as_posix()
            if not stat.S_ISREG(facts.st_mode):
                continue
            total += facts.st_size
            if total > _FILE_LIMIT:
                raise UnfinishedError(
                    f"uv wrote more than {_FILE_LIMIT:,} bytes",
                    where=printable(relative),
                    todo="Is this the right folder?",
                )
            data = path.read_bytes()
            if before.get(relative) != data:
                yield relative, data
