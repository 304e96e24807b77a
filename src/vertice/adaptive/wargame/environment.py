"""The environments in which probes and tests run: one per distinct lock, built by uv in the sandbox.

Security model. Building is done in two kinds of sandbox job. Releases without a wheel are built one by one by the
`Wheelhouse`, where their code runs alone. Then one job installs wheels only: no code of any package runs there, so it
may write the shared cache and hard-link from it. A hard link is the very file in the cache; that is safe because every
later job, in which the packages' code does run, sees the environment on a read-only mount and the cache not at all.

An environment is made in a staging folder and renamed into place, and only then named complete: what a kill leaves
half-built is never used. Whoever asks for a lock that is just being built, in another thread or process, waits and
takes that one.
"""

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.wargame.bytecode import compile_modules
from vertice.kernel.errors import UnfinishedError, from_os_error
from vertice.kernel.files import write_atomic
from vertice.kernel.interpreters import Interpreter, choose, find_interpreters
from vertice.kernel.locks import exclusive
from vertice.kernel.sandbox.model import Mount
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
_STAGING_AGE_SECONDS = 24 * 3600.0
_PIN = re.compile(r"===?([^,;\s*]+)")
_INSTALL = f"""
set -e
root={STORE}/staging/$1
mkdir -p "$root/tools"
{UV} venv -q --relocatable --no-project "$root/env"
if [ -s /work/requirements.txt ]; then
  {UV} pip install -q --no-build --no-deps --python "$root/env/bin/python" $REQUIRE_HASHES $FIND_LINKS \\
    -r /work/requirements.txt
fi
if [ -s /work/tools.txt ]; then
  {UV} pip install -q --no-build --target "$root/tools" -c /work/pins.txt -r /work/tools.txt $FIND_LINKS \\
    || {UV} pip install -q --no-build --target "$root/tools" -r /work/tools.txt $FIND_LINKS
fi
for site in "$root"/env/lib/python3*/site-packages; do
  rm -f "$site/zzz-vertice-tools.pth"
  echo {TOOLS} > "$site/zzz-vertice-tools.pth"
done
find "$root" -path '*/__pycache__/*.pyc' -type f -delete
"""
"""$1 is the staging folder. Compiled modules that wheels bring along go: all there are, are made by us (see
`bytecode`)."""


class EnvironmentFailed(UnfinishedError):  # noqa: N818 - says what happened, as the branch it derives from does
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

    def build(self, lock: Lock, *, tools: tuple[str, ...] = (), build_constraints: Sequence[str] = ()) -> Environment:
        """Return the environment of `lock`, built now unless it was before.

        `tools` are requirements (`pytest`, `coverage`) that are importable after the lock's own packages, which win
        over them. Raises EnvironmentFailed when it cannot be built and UnfinishedError when no interpreter fits or
        the index cannot be reached.
        """
        interpreter = choose(
            find_interpreters(), requires_python=lock.requires_python, python_version=lock.python_version
        )
        digest = _digest(lock, interpreter, tools, build_constraints, self._uv.indexes)
        root = self._home / "environments" / digest
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
                compile_modules(self._uv, staging, self._latest(interpreter), interpreter)
                packages = _installed(staging / "env")
                seconds = time.monotonic() - started
                facts = {"packages": packages, "python": str(interpreter.path), "seconds": seconds}
                _place(staging, root)
                write_atomic(root / "built.json", json.dumps(facts).encode())
            finally:
                shutil.rmtree(staging, ignore_errors=True)
            return Environment(digest, root, interpreter, packages, seconds, reused=False)

    def remove_old(self, *, keep: int = 40, days: float = 30.0) -> int:
        """Remove environments beyond the `keep` last used and those not used for `days`; return how many went."""
        limit = time.time() - days * 86400
        for path in _entries(self._store / "staging"):
            if path.stat().st_mtime < time.time() - _STAGING_AGE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        folder = self._home / "environments"
        aged = sorted(((_used(path), path) for path in _entries(folder)), reverse=True)
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

    def _latest(self, interpreter: Interpreter) -> Path | None:
        """Return the environment last used with the same interpreter: most of its modules are those of a new one."""
        aged = sorted(((_used(path), path) for path in _entries(self._home / "environments")), reverse=True)
        return next((path for used, path in aged if used and _facts(path).get("python") == str(interpreter.path)), None)

    def _install(
        self, lock: Lock, interpreter: Interpreter, tools: tuple[str, ...], constraints: tuple[str, ...]
    ) -> Path:
        """Install into a new staging folder, with wheels built for what has none; return the folder."""
        self._store.mkdir(parents=True, exist_ok=True)
        wheels = self._known_wheels(lock, interpreter, constraints)
        # Warm caches hold all that a lock needs: the first attempt has no network at all.
        offline = True
        staging = self._store / "staging" / f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
        for _ in range(len(lock.requirements) + len(tools) + 2):
            shutil.rmtree(staging, ignore_errors=True)
            try:
                result = self._attempt(staging.name, lock, interpreter, tools, wheels, offline=offline)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
            if result.returncode == 0:
                return staging
            if offline:
                offline = False
                continue
            missing = [each for each in wheelless(result) if each not in wheels] if needs_build(result) else []
            if not missing:
                break
            wheels.update(self._build_wheels(missing, lock, interpreter, constraints))
        shutil.rmtree(staging, ignore_errors=True)
        raise EnvironmentFailed(
            f"the environment cannot be built: {output_tail(result.stderr)}",
            where=f"Python {interpreter.version}",
            todo="Install the same lock by hand to see whether it ever installs with this Python.",
        )

    def _known_wheels(
        self, lock: Lock, interpreter: Interpreter, constraints: tuple[str, ...]
    ) -> dict[str, BuiltWheel]:
        """Return the wheels that were built for pins of this lock before."""
        found = {
            name: self._wheelhouse.kept(
                name,
                version,
                interpreter=interpreter,
                hashes=hashes,
                build_constraints=constraints,
                indexes=lock.indexes,
            )
            for name, version, hashes in _pinned(lock)
        }
        return {name: wheel for name, wheel in found.items() if wheel is not None}

    def _attempt(
        self,
        name: str,
        lock: Lock,
        interpreter: Interpreter,
        tools: tuple[str, ...],
        wheels: dict[str, BuiltWheel],
        *,
        offline: bool,
    ) -> UvResult:
        lines, all_hashed = _requirement_lines(lock, wheels)
        wheelhouse = ("--find-links /wheels",) if wheels else ()
        job = self._uv.job(
            ("/bin/sh", "-c", _INSTALL, "sh", name),
            interpreter=interpreter,
            mounts=(
                # One mount for cache and staging, since hard links do not cross mounts; finished environments are
                # elsewhere.
                Mount(self._store, STORE, True),
                *(Mount(wheel.path, f"/wheels/{wheel.path.name}") for wheel in wheels.values()),
            ),
            files={
                "/work/requirements.txt": _text(lines),
                "/work/tools.txt": _text(tools),
                "/work/pins.txt": _text(_pins(lock)),
            },
            env={
                "UV_CACHE_DIR": f"{STORE}/cache",
                "UV_LINK_MODE": "hardlink",
                "REQUIRE_HASHES": "--require-hashes" if all_hashed else "",
                "FIND_LINKS": " ".join(wheelhouse),
            },
            indexes=lock.indexes,
            offline=offline,
        )
        return self._uv.finish(job)

    def _build_wheels(
        self, names: Sequence[str], lock: Lock, interpreter: Interpreter, constraints: tuple[str, ...]
    ) -> dict[str, BuiltWheel]:
        """Build the wheels of `names` at the versions of the lock, two at a time."""
        pinned = {name: (version, hashes) for name, version, hashes in _pinned(lock)}
        unknown = [name for name in names if name not in pinned]
        if unknown:
            raise EnvironmentFailed(
                f"{printable(', '.join(unknown), limit=200)} has no wheel for Python {interpreter.minor}",
                where="the tools beside the lock",
                todo="Name a release that has one.",
            )

        def build(name: str) -> BuiltWheel:
            version, hashes = pinned[name]
            return self._wheelhouse.wheel(
                name,
                version,
                interpreter=interpreter,
                hashes=hashes,
                build_constraints=constraints,
                indexes=lock.indexes,
            )

        try:
            with ThreadPoolExecutor(_BUILDERS) as pool:
                return dict(zip(names, pool.map(build, names), strict=True))
        except BuildFailed as error:
            raise EnvironmentFailed(error.what, where=error.where, todo=error.todo) from error


def _digest(
    lock: Lock, interpreter: Interpreter, tools: Sequence[str], constraints: Sequence[str], indexes: Sequence[str]
) -> str:
    parts = (lock.digest, interpreter.version, str(interpreter.path), *tools, "", *constraints, "", *indexes, _FORMAT)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _complete(root: Path, digest: str, interpreter: Interpreter) -> Environment | None:
    """Return the finished environment at `root` and note that it was used."""
    facts = _facts(root)
    if not facts:
        return None
    os.utime(root / "built.json")
    return Environment(digest, root, interpreter, tuple(facts["packages"]), 0.0, reused=True)


def _facts(root: Path) -> dict[str, Any]:
    """Return what was written down when the environment was complete; empty when it is not."""
    try:
        found: dict[str, Any] = json.loads((root / "built.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _place(staging: Path, root: Path) -> None:
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        if root.exists():
            shutil.rmtree(root)
        staging.rename(root)
    except OSError as error:
        raise from_os_error(error, "putting an environment into place") from error


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _used(path: Path) -> float:
    try:
        return (path / "built.json").stat().st_mtime
    except OSError:
        return 0.0


def _installed(environment: Path) -> tuple[str, ...]:
    """Read what is installed from the names of the `.dist-info` folders; nothing of the environment is run for it."""
    found = []
    for folder in environment.glob("lib/python3*/site-packages/*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        found.append(f"{canonicalize_name(name)}=={printable(version, limit=100)}")
    return tuple(sorted(found))


def _pinned(lock: Lock) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (PEP 503 name, version, hashes) of every pinned requirement."""
    by_pin = {_normal(pin): hashes for pin, hashes in lock.hashes.items()}
    for line in lock.requirements:
        requirement = _parsed(line)
        version = _PIN.fullmatch(str(requirement.specifier))
        if version is None:
            raise EnvironmentFailed("is not pinned", where=printable(line, limit=200), todo="Pin it with ==.")
        name = canonicalize_name(requirement.name)
        yield name, version[1], by_pin.get(f"{name}=={version[1]}", ())


def _requirement_lines(lock: Lock, wheels: dict[str, BuiltWheel]) -> tuple[list[str], bool]:
    """Return the lines of the requirements file and whether every one has a hash.

    A wheel built here has a hash of its own, which joins those of the lock; theirs was checked on the sdist.
    """
    lines = []
    all_hashed = bool(lock.requirements)
    for line, (name, _, hashes) in zip(lock.requirements, _pinned(lock), strict=True):
        wheel = wheels.get(name)
        accepted = (*hashes, f"sha256:{wheel.sha256}") if wheel and hashes else hashes
        all_hashed = all_hashed and bool(hashes)
        lines.append(" ".join([line, *(f"--hash={value}" for value in accepted)]))
    return lines, all_hashed


def _pins(lock: Lock) -> list[str]:
    return [f"{name}=={version}" for name, version, _ in _pinned(lock)]


def _parsed(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise EnvironmentFailed(
            "is no requirement", where=printable(line, limit=200), todo="Write it as PEP 508 says: name==version."
        ) from error


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name.partition('[')[0].strip())}=={version.strip()}"


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
