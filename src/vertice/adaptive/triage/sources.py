"""Reads the project's own code: its Python files, and the files that start its programs."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vertice.kernel.text import printable

__all__ = ["MAX_SOURCE_BYTES", "OwnCode", "SourceFile", "is_test", "read_own_code"]

MAX_SOURCE_BYTES = 1024 * 1024
"""A larger file is generated data, not code that a person wrote."""

_SKIPPED = frozenset({"venv", "node_modules", "build", "dist", "site-packages", "dist-packages", "__pycache__"})
_TEST_FOLDERS = frozenset({"test", "tests"})
_COMMAND_FILE = re.compile(
    r"(dockerfile|containerfile|procfile|makefile|justfile)(\..+)?"
    r"|(docker-)?compose.*\.ya?ml"
    r"|.+\.(sh|dockerfile|service)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the project: path relative to its root with `/` between the parts, and content."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class OwnCode:
    """What a project's own people wrote, as far as it was read."""

    sources: tuple[SourceFile, ...] = ()
    """Python files, sorted by path."""
    commands: tuple[SourceFile, ...] = ()
    """Files that start programs (Dockerfile, Procfile, Makefile, Compose, shell, systemd), sorted by path."""
    warnings: tuple[str, ...] = ()
    """Files that were left out though they look like code, and why."""


def is_test(path: str) -> bool:
    """Say whether a path relative to the project is test code, by the naming of pytest and unittest."""
    *folders, name = path.split("/")
    if _TEST_FOLDERS.intersection(folders) or name in {"conftest.py", "tests.py"}:
        return True
    return name.startswith("test_") or name.endswith("_test.py")


def read_own_code(root: Path) -> OwnCode:
    """Read every file of the project's own code below `root`; nothing when `root` is no folder.

    Left out: virtual environments, build output, hidden folders, links that lead out of `root` and linked folders;
    with a warning: files over MAX_SOURCE_BYTES and files that cannot be read.
    """
    sources: list[SourceFile] = []
    commands: list[SourceFile] = []
    notes: list[str] = []
    for path, relative in _walk(root):
        is_source = path.endswith(".py")
        if not is_source and not _COMMAND_FILE.fullmatch(os.path.basename(path)):  # noqa: PTH119 - hot loop on str
            continue
        content = _read(root, path, relative, notes)
        if content is not None:
            (sources if is_source else commands).append(SourceFile(relative, content))
    return OwnCode(tuple(sources), tuple(commands), tuple(notes))


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (full path, shown relative path) of the files below `root`, in a fixed order."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_skipped(folder, name))
        start = folder[len(str(root)) :].strip("/")
        for name in sorted(names):
            relative = f"{start}/{name}" if start else name
            yield f"{folder}/{name}", relative.encode("utf-8", "backslashreplace").decode()


def _is_skipped(folder: str, name: str) -> bool:
    if name in _SKIPPED or name.startswith(".") or name.endswith(".egg-info"):
        return True
    return Path(folder, name, "pyvenv.cfg").exists()


def _read(root: Path, path: str, relative: str, notes: list[str]) -> bytes | None:
    """Return the content, or None when the file is no code of the project's own; a warning where that is a loss."""
    try:
        if Path(path).is_symlink() and not Path(path).resolve().is_relative_to(root.resolve()):
            return None
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > MAX_SOURCE_BYTES:
            notes.append(f"{printable(relative)}: not searched, larger than {MAX_SOURCE_BYTES:,} bytes")
            return None
        return Path(path).read_bytes()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        notes.append(f"{printable(relative)}: not searched, {printable(reason)}")
        return None
