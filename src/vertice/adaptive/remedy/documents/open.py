"""Reads the files of a manifest and gives them to the module that knows the format."""

import posixpath
import tomllib
from pathlib import Path

from vertice.adaptive.inventory.model import Manifest, ManifestKind
from vertice.adaptive.inventory.pyproject import Pyproject, read_pyproject
from vertice.adaptive.remedy.documents.model import Document
from vertice.adaptive.remedy.documents.poetry_lock import PoetryLockDocument
from vertice.adaptive.remedy.documents.pylock import PylockDocument
from vertice.adaptive.remedy.documents.pyproject import PYPROJECT, PyprojectDocument
from vertice.adaptive.remedy.documents.requirements import open_requirements
from vertice.adaptive.remedy.documents.uv_lock import member_files, open_uv_lock
from vertice.adaptive.remedy.requirements import includes
from vertice.adaptive.remedy.resolver import Asked
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_bytes
from vertice.kernel.text import printable

__all__ = ["open_document"]


def open_document(root: Path, manifest: Manifest, *, python: str, universal: bool) -> Document | str:
    """Return the manifest's document, or why its format cannot be edited. Raises InputError on unreadable files."""
    files = {path: _read(root, path) for path in manifest.files}
    if manifest.kind is ManifestKind.requirements:
        _add_sources(root, files)
        return open_requirements(manifest.path, files, python=python, universal=universal)
    try:
        return _of_toml(root, manifest, files, python)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"cannot be edited: {printable(str(error), limit=200)}",
            where=str(root / manifest.path),
            todo="Write the lock again with its own tool.",
        ) from error


def _of_toml(root: Path, manifest: Manifest, files: dict[str, str], python: str) -> Document | str:
    match manifest.kind:
        case ManifestKind.uv_lock:
            files |= {path: _read(root, path) for path in member_files(root, files[manifest.path])}
            files |= {path: _read(root, path) for path in ("uv.toml", ".python-version") if (root / path).is_file()}
            return open_uv_lock(files)
        case ManifestKind.pyproject:
            return PyprojectDocument(files, _asked(read_pyproject(root)))
        case ManifestKind.poetry_lock:
            files |= _project(root)
            asked = _asked(read_pyproject(root)) or _every(manifest)
            return PoetryLockDocument(files, asked, python)
        case ManifestKind.pylock:
            asked = _asked(read_pyproject(root))
            known = {component.name for component in manifest.components}
            if not any(one.name in known for one in asked):
                return PylockDocument(files, manifest.path, _every(manifest), python)
            return PylockDocument(files | _project(root), manifest.path, asked, python)
        case _:
            return f"{manifest.kind.value} files are not edited"


def _project(root: Path) -> dict[str, str]:
    return {PYPROJECT: _read(root, PYPROJECT)} if (root / PYPROJECT).is_file() else {}


def _every(manifest: Manifest) -> tuple[Asked, ...]:
    """Return every package as asked for, where nothing says which the project asks for itself."""
    return tuple(dict.fromkeys(Asked(one.name, "", one.extras, one.marker) for one in manifest.components))


def _asked(pyproject: Pyproject) -> tuple[Asked, ...]:
    return tuple(Asked(one.name, one.specifier, one.extras, one.marker) for one in pyproject.gathered.requirements)


def _add_sources(root: Path, files: dict[str, str]) -> None:
    """Add the `.in` file beside each `.txt`, and what it includes."""
    waiting = [path[:-4] + ".in" for path in files if path.endswith(".txt")]
    while waiting:
        path = waiting.pop()
        if path in files or not (root / path).is_file():
            continue
        files[path] = _read(root, path)
        waiting += [
            posixpath.normpath(posixpath.join(posixpath.dirname(path), named)) for _, named in includes(files[path])
        ]


def _read(root: Path, path: str) -> str:
    r"""Return the file's text as it is: a BOM stays the first character, `\r\n` stays."""
    try:
        return read_bytes(root / path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", where=str(root / path), todo="Save the file as UTF-8.") from error
