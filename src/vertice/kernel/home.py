"""Vértice's home: the one folder for its database, keys, caches and exported evidence."""

import os
from pathlib import Path

from vertice.kernel.environment import home_of
from vertice.kernel.errors import InputError, from_os_error

__all__ = ["home_from_environment", "make_private"]


def home_from_environment() -> Path:
    """Return the home of this process (`VERTICE_HOME`, else the XDG data home + `/vertice`). It may not exist yet."""
    return home_of(os.environ)


def make_private(folder: Path) -> Path:
    """Create `folder`, readable by its owner alone (0700), and return it. Parents that are missing are private too."""
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
        if not folder.is_dir():
            raise InputError("is a file, not a folder", where=str(folder), todo="Name a folder.")
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise from_os_error(error, f"making {folder}") from error
    return folder
