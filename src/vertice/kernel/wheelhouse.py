"""Wheels of releases that exist as source only: each is built once, alone, and kept.

Building an sdist runs its code. So each is built in a sandbox job of its own whose cache is in memory and gone
afterwards; the one thing taken out is a wheel that bears the name and version it was built for, copied by us once
every process of the job is gone. Nothing it did can reach another package. Installing from such wheels runs no code.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from vertice.kernel.builds import constraint_attempts
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.files import write_atomic
from vertice.kernel.interpreters import Interpreter
from vertice.kernel.locks import exclusive
from vertice.kernel.sandbox.model import Mount
from vertice.kernel.text import printable
from vertice.kernel.uv import UV, Uv, UvResult

__all__ = ["BuildFailed", "BuiltWheel", "Wheelhouse", "output_tail"]

_WHEEL_LIMIT = 512 * 1024 * 1024
_BUILD = f"""
set -e
export UV_CACHE_DIR=/tmp/cache
name=$1; shift
{UV} pip install --no-deps --no-binary "$name" --target /tmp/installed -r /work/requirement.txt "$@"
find /tmp/cache/sdists-v* -name '*.whl' -type f -exec cp {{}} /out/ ';'
"""
"""Installs the one package from source and takes the wheel uv made on the way out of its cache."""


class BuildFailed(UnfinishedError):  # noqa: N818 - says what happened, as the branch it derives from does
    """Catch me for a release that has no wheel here and whose sdist does not build."""

    code = "build-failed"


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """A wheel that was built here."""

    name: str
    """PEP 503 name."""
    version: str
    path: Path
    sha256: str
    constraints: tuple[str, ...]
    """The build constraints with which it built."""


class Wheelhouse:
    """Builds and keeps wheels under `home/wheels`; threads and processes may share it."""

    def __init__(self, uv: Uv, home: Path) -> None:
        self._uv = uv
        self._home = home.resolve()

    def wheel(
        self,
        name: str,
        version: str,
        *,
        interpreter: Interpreter,
        hashes: Sequence[str] = (),
        build_constraints: Sequence[str] = (),
        indexes: Sequence[str] = (),
    ) -> BuiltWheel:
        """Return the wheel of `name==version`, built now unless it was before; `hashes` are checked on the sdist.

        Raises BuildFailed with the end of the build's output when no attempt builds.
        """
        folder = self._folder(name, version, interpreter, hashes, build_constraints, indexes)
        with exclusive(self._home / "locks" / f"wheel-{folder.name}.lock"):
            kept = _kept(folder)
            if kept is not None:
                return kept
            failed: UvResult | None = None
            for constraints in constraint_attempts(build_constraints):
                result, found = self._attempt(name, version, interpreter, hashes, constraints, indexes)
                if found is not None:
                    return _keep(folder, name, version, found, constraints)
                failed = failed or result
            raise BuildFailed(
                f"has no wheel for Python {interpreter.minor} and does not build from source: "
                f"{output_tail(failed.stderr if failed else '')}",
                where=printable(f"{name}=={version}"),
                todo="Give build constraints that suit its age, or install the compiler or library it asks for.",
            )

    def kept(
        self,
        name: str,
        version: str,
        *,
        interpreter: Interpreter,
        hashes: Sequence[str] = (),
        build_constraints: Sequence[str] = (),
        indexes: Sequence[str] = (),
    ) -> BuiltWheel | None:
        """Return the wheel when `wheel` with the same arguments built it before."""
        return _kept(self._folder(name, version, interpreter, hashes, build_constraints, indexes))

    def _folder(
        self,
        name: str,
        version: str,
        interpreter: Interpreter,
        hashes: Sequence[str],
        constraints: Sequence[str],
        indexes: Sequence[str],
    ) -> Path:
        parts = [
            name,
            version,
            interpreter.version,
            str(interpreter.path),
            *sorted(hashes),
            "",
            *constraints,
            "",
            *indexes,
        ]
        return self._home / "wheels" / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]

    def _attempt(
        self,
        name: str,
        version: str,
        interpreter: Interpreter,
        hashes: Sequence[str],
        constraints: Sequence[str],
        indexes: Sequence[str],
    ) -> tuple[UvResult, tuple[str, bytes] | None]:
        line = " ".join([f"{name}=={version}", *(f"--hash={value}" for value in hashes)])
        files = {"/work/requirement.txt": line.encode()}
        extra = ["--require-hashes"] if hashes else []
        if constraints:
            files["/work/build-constraints.txt"] = "\n".join(constraints).encode()
            extra += ["--build-constraints", "/work/build-constraints.txt"]
        with self._uv.scratch() as out:
            job = self._uv.job(
                ("/bin/sh", "-c", _BUILD, "sh", name, *extra),
                interpreter=interpreter,
                mounts=(Mount(out, "/out", True),),
                files=files,
                indexes=indexes,
            )
            result = self._uv.finish(job)
            return result, _taken(out, name, version) if result.returncode == 0 else None


def output_tail(text: str, *, lines: int = 12) -> str:
    """Return the end of uv's output in one printable line per line, the hints first that tell most."""
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    return printable("\n".join(kept[-lines:]), limit=1500, lines=True).strip()


def _taken(folder: Path, name: str, version: str) -> tuple[str, bytes] | None:
    """Return (file name, content) of the wheel for `name==version`; what else foreign code put there is passed over."""
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        facts = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _WHEEL_LIMIT:
            continue
        try:
            found_name, found_version, _, _ = parse_wheel_filename(entry.name)
            wanted = Version(version)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if found_name == canonicalize_name(name) and found_version.public == wanted.public:
            return entry.name, Path(entry.path).read_bytes()
    return None


def _keep(folder: Path, name: str, version: str, found: tuple[str, bytes], constraints: Sequence[str]) -> BuiltWheel:
    file, data = found
    wheel = BuiltWheel(
        canonicalize_name(name), version, folder / file, hashlib.sha256(data).hexdigest(), tuple(constraints)
    )
    write_atomic(wheel.path, data)
    facts = {"name": wheel.name, "version": version, "file": file, "sha256": wheel.sha256, "constraints": constraints}
    # Written last: a folder without it is one that was interrupted, and is built again.
    write_atomic(folder / "built.json", json.dumps(facts).encode())
    return wheel


def _kept(folder: Path) -> BuiltWheel | None:
    try:
        facts = json.loads((folder / "built.json").read_bytes())
    except (OSError, ValueError):
        return None
    path = folder / re.sub(r"[/\\]", "_", facts["file"])
    return BuiltWheel(facts["name"], facts["version"], path, facts["sha256"], tuple(facts["constraints"]))
