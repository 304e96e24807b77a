"""The CPython interpreters on this machine, and which of them a project gets."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.text import printable

__all__ = ["Interpreter", "choose", "find_interpreters", "running_interpreter"]

_OLDEST = Version("3.6")
"""The oldest that uv makes environments for."""
_MINORS = range(6, 20)
_PROBE = (
    "import sys, platform; "
    "print(sys.implementation.name); print(platform.python_version()); print(sys.base_prefix); print(sys.executable)"
)
_PROBE_SECONDS = 10
_FOLDERS = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "~/.pyenv/versions/*/bin",
    "~/.asdf/installs/python/*/bin",
    "~/.local/share/uv/python/*/bin",
    "~/.local/share/mise/installs/python/*/bin",
)
"""Beside PATH: where the system and the common version managers keep interpreters."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One CPython: no virtual environment, but what environments are made from."""

    path: Path
    """The program itself, links resolved."""
    version: str
    """`3.11.7`."""
    prefix: Path
    """Folder that holds it and its standard library."""

    @property
    def minor(self) -> str:
        """`3.11`."""
        return ".".join(self.version.split(".")[:2])


def find_interpreters() -> tuple[Interpreter, ...]:
    """Return every CPython ≥ 3.6 found, the running one first, then the newest first.

    Each is started once per process to ask for its version. Scripts that stand in for an interpreter (the shims of
    version managers) are not followed: what they lead to is found in its own place.
    """
    found = {running_interpreter().path: running_interpreter()}
    for candidate in _candidates():
        real = Path(os.path.realpath(candidate))
        if real in found:
            continue
        probed = _probe(str(real), _changed(real))
        if probed is not None and Version(probed.version) >= _OLDEST:
            found[real] = probed
    running, *others = found.values()
    others.sort(key=lambda each: (Version(each.version), str(each.path)), reverse=True)
    return (running, *others)


@lru_cache(maxsize=1)
def running_interpreter() -> Interpreter:
    """Return the interpreter this process runs on, not the virtual environment it may be in."""
    version = sys.version_info
    executable = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    return Interpreter(executable, f"{version.major}.{version.minor}.{version.micro}", Path(sys.base_prefix).resolve())


def choose(found: Iterable[Interpreter], *, requires_python: str = "", python_version: str = "") -> Interpreter:
    """Return the interpreter a project gets.

    `python_version` (from `.python-version`: `3.11`, `3.11.4`, `cpython-3.11`) decides when given: the very version,
    else another patch release of the same minor. Else `requires_python` (a PEP 440 specifier) decides: the running
    minor when it is allowed, since wheels for it exist most surely, else the newest allowed. Raises InputError when
    either cannot be read and UnfinishedError when no interpreter fits.
    """
    candidates = [(Version(each.version), each) for each in found]
    if python_version.strip():
        fitting = _with_version(candidates, python_version.strip())
        asked = python_version.strip()
    else:
        fitting = _allowed(candidates, requires_python)
        asked = requires_python
    if not fitting:
        have = ", ".join(sorted({each.version for _, each in candidates})) or "none"
        raise UnfinishedError(
            f"no interpreter on this machine fits Python {printable(asked, limit=80)}",
            where=f"found: {have}",
            todo="Install one, for example with `uv python install`, and run it again.",
        )
    running = running_interpreter().minor
    return max(fitting, key=lambda pair: (pair[1].minor == running, not pair[0].is_prerelease, pair[0]))[1]


def _with_version(candidates: list[tuple[Version, Interpreter]], asked: str) -> list[tuple[Version, Interpreter]]:
    number = asked.splitlines()[0].strip().removeprefix("cpython").lstrip("-@=")
    try:
        wanted = Version(number)
    except InvalidVersion as error:
        raise InputError(
            f"asks for {printable(asked, limit=80)!r}, which is no CPython version",
            where="the Python asked for (--python, vertice.toml or .python-version)",
            todo="Name a version such as 3.11.",
        ) from error
    same_minor = [pair for pair in candidates if pair[0].release[: len(wanted.release)][:2] == wanted.release[:2]]
    exact = [pair for pair in same_minor if pair[0].release[: len(wanted.release)] == wanted.release]
    return exact or same_minor


def _allowed(candidates: list[tuple[Version, Interpreter]], specifier: str) -> list[tuple[Version, Interpreter]]:
    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier as error:
        raise InputError(
            f"{printable(specifier, limit=80)!r} is no PEP 440 version specifier",
            where="requires-python",
            todo="Write it such as >=3.9,<3.13.",
        ) from error
    return [pair for pair in candidates if allowed.contains(pair[0], prereleases=True)]


def _candidates() -> Iterator[Path]:
    names = ["python3", *(f"python3.{minor}" for minor in _MINORS)]
    for on_path in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        yield from _in_folder(Path(on_path), names)
    for pattern in _FOLDERS:
        expanded = Path(pattern).expanduser()
        folders = Path(expanded.anchor).glob(str(expanded.relative_to(expanded.anchor)))
        for folder in sorted(folders):
            yield from _in_folder(folder, names)


def _in_folder(folder: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        path = folder / name
        if os.access(path, os.X_OK) and path.is_file() and not _is_script(path):
            yield path


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(2) == b"#!"
    except OSError:
        return True


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=256)
def _probe(path: str, changed: int) -> Interpreter | None:
    """Ask the interpreter what it is; `changed` makes a replaced program be asked again."""
    del changed
    try:
        answer = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=True, env={}
        )
        implementation, version, prefix, executable = answer.stdout.splitlines()
        Version(version)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if implementation != "cpython" or not executable:
        return None
    return Interpreter(Path(path), version, Path(prefix).resolve())
