"""Edits name paths relative to the project; hostile ones must not lead anywhere else."""

import os.path
from pathlib import Path

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["inside", "refuse_absent"]


def refuse_absent(folder: Path) -> None:
    """Raise InputError when the project's folder is not on this machine: a folder cannot be worked on from another."""
    if not folder.is_dir():
        raise InputError(
            "the project's folder is not on this machine",
            where=str(folder),
            todo="Have it at this path wherever Vértice serves and works, or register its GitHub repository.",
        )


def inside(root: Path, folder: Path, path: str) -> str:
    """Return `path`, which is relative to `folder`, relative to `root`. `..` may be in it, but may not leave `root`.

    Raises InputError when it is absolute, leaves `root`, or lies in a `.git` folder.
    """
    joined = os.path.normpath(folder / path)
    relative = os.path.relpath(joined, root)
    parts = Path(relative).parts
    outside = not parts or parts[0] == ".." or Path(path).is_absolute() or "\0" in path
    if outside or any(part.lower() == ".git" for part in parts):
        raise InputError("lies outside the project", where=printable(path, limit=200), todo="Move it into the project.")
    return relative
