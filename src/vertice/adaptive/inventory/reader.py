"""A folder, a manifest file or an environment to a Project: the one way into the inventory."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vertice.adaptive.inventory.assembly import Ground, Reading
from vertice.adaptive.inventory.model import ManifestKind, Project
from vertice.adaptive.inventory.pyproject import PYPROJECT, Pyproject, read_pyproject
from vertice.kernel.errors import InputError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertice.adaptive.inventory.resolution import Resolver

__all__ = ["read_project"]

_PYLOCK = re.compile(r"pylock(?:\.[^.]+)?\.toml")
_LOCKS = (ManifestKind.uv_lock, ManifestKind.poetry_lock, ManifestKind.pylock)
_LOOKED_FOR = (
    "uv.lock, poetry.lock, pylock.toml, requirements*.txt, requirements/*.txt, and a pyproject.toml with dependencies"
)


def read_project(
    root: Path,
    *,
    uv: "Callable[[], Resolver] | None" = None,
    python: Path | None = None,
    resolve: bool = True,
) -> Project:
    """Return the project in the folder `root`, or of the one manifest file it names.

    `uv` gives the resolver for what is not pinned; without it, or without `resolve`, nothing is resolved and a warning
    says what was not seen. `python`, an interpreter or a virtual environment, is read instead of the manifests.
    Raises InputError for bad input, UnfinishedError when something has to be resolved and the index cannot be reached.
    """
    if python is not None:
        from vertice.adaptive.inventory.installed import read_installed

        reading = read_installed(python)
        return Project(_name(root, Pyproject()), root, (reading.manifest,), reading.warnings)
    try:
        is_folder, is_file = root.is_dir(), root.is_file()
        if not root.exists():
            raise InputError("no such file or directory", where=str(root), todo="Check the path.")
    except (OSError, ValueError) as error:
        raise _unreadable(root, error) from error
    if not is_folder and not is_file:
        raise InputError("is neither a folder nor a file", where=str(root), todo="Name a project's folder or manifest.")
    folder, only = (root, "") if is_folder else _split(root)
    return _read_folder(folder, only, uv if resolve else None)


def _unreadable(root: Path, error: OSError | ValueError) -> Exception:
    if isinstance(error, OSError):
        return from_os_error(error, "looking at it")
    return InputError("is not a path", where=ascii(str(root)), todo="Check the path.")


def _split(path: Path) -> tuple[Path, str]:
    """Return the project's folder and the manifest below it: files in requirements/ belong to the folder above."""
    if path.parent.name == "requirements" and path.suffix == ".txt":
        return path.parent.parent, f"requirements/{path.name}"
    return path.parent, path.name


def _read_folder(root: Path, only: str, uv: "Callable[[], Resolver] | None") -> Project:
    from vertice.adaptive.inventory.python_version import python_version

    pyproject = read_pyproject(root)
    version, warnings = python_version(root)
    ground = Ground(pyproject.requires_python, version)
    readings = _read_file(root, only, ground, pyproject, uv) if only else _read_all(root, ground, pyproject, uv)
    if not readings:
        raise InputError(
            "there is nothing to scan in this folder" if not pyproject.dynamic else "its dependencies are dynamic",
            where=str(root),
            todo=f"Looked for {_LOOKED_FOR}." if not pyproject.dynamic else "Lock them (`uv lock`), and scan again.",
        )
    told = dict.fromkeys((*warnings, *(warning for reading in readings for warning in reading.warnings)))
    return Project(_name(root, pyproject), root, tuple(reading.manifest for reading in readings), tuple(told))


def _name(root: Path, pyproject: Pyproject) -> str:
    from vertice.kernel.text import printable

    return printable(pyproject.name or root.resolve().name or "project", limit=200)


def _kind(name: str) -> ManifestKind | None:
    """Return how a file of this name is read."""
    if name in {"uv.lock", "poetry.lock", PYPROJECT}:
        return ManifestKind(name)
    if _PYLOCK.fullmatch(name):
        return ManifestKind.pylock
    return ManifestKind.requirements if name.endswith((".txt", ".in")) else None


def _read_all(root: Path, ground: Ground, pyproject: Pyproject, uv: "Callable[[], Resolver] | None") -> list[Reading]:
    """Read every lock and every group of requirements files; pyproject.toml only when none of them has what it asks."""
    from vertice.adaptive.inventory.requirements_files import groups

    try:
        names = sorted(path.name for path in root.iterdir())
    except OSError as error:
        raise from_os_error(error, "listing the folder") from error
    locks = [name for kind in _LOCKS for name in names if _kind(name) is kind and (root / name).is_file()]
    readings = [found for name in locks for found in _read_file(root, name, ground, pyproject, uv)]
    for group in groups(root):
        readings += _read_requirements(root, group, ground, uv)
    seen = {component.name for reading in readings for component in reading.manifest.components}
    if not locks and not pyproject.names.keys() <= seen:
        readings += _read_file(root, PYPROJECT, ground, pyproject, uv)
    return readings


def _read_file(
    root: Path, name: str, ground: Ground, pyproject: Pyproject, uv: "Callable[[], Resolver] | None"
) -> list[Reading]:
    match _kind(name):
        case ManifestKind.uv_lock:
            from vertice.adaptive.inventory.uv_lock import read_uv_lock

            return [read_uv_lock(root, name, ground)]
        case ManifestKind.poetry_lock:
            from vertice.adaptive.inventory.poetry_lock import read_poetry_lock

            return [read_poetry_lock(root, name, ground, pyproject)]
        case ManifestKind.pylock:
            from vertice.adaptive.inventory.pylock import read_pylock

            return [read_pylock(root, name, ground, pyproject)]
        case ManifestKind.pyproject if not pyproject.names:
            return []
        case ManifestKind.pyproject:
            from vertice.adaptive.inventory.pinning import manifest_of

            where = str(root / PYPROJECT)
            return [manifest_of(ManifestKind.pyproject, pyproject.gathered, ground, uv, where=where)]
        case ManifestKind.requirements:
            return _read_requirements(root, (name,), ground, uv)
    raise InputError("is not a manifest that can be read", where=str(root / name), todo=f"These can: {_LOOKED_FOR}.")


def _read_requirements(
    root: Path, files: tuple[str, ...], ground: Ground, uv: "Callable[[], Resolver] | None"
) -> list[Reading]:
    from vertice.adaptive.inventory.pinning import manifest_of
    from vertice.adaptive.inventory.requirements_files import gather

    gathered = gather(root, files)
    return [manifest_of(ManifestKind.requirements, gathered, ground, uv, where=str(root / files[0]))]
