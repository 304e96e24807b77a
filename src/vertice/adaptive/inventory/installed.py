"""An installed environment, read from its files: the interpreter is never run."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vertice.adaptive.inventory.assembly import Ground, Node, Reading, assemble
from vertice.adaptive.inventory.graph import Edge, Graph, Key
from vertice.adaptive.inventory.model import ManifestKind
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.files import read_bytes
from vertice.kernel.text import printable

__all__ = ["read_installed", "site_packages"]

_MINOR = re.compile(r"python(\d+\.\d+)t?")
_SETTING = re.compile(r"^([A-Za-z-]+)\s*=\s*(.*?)\s*$", re.MULTILINE)
_LARGEST = 4 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.!+_-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class _Distribution:
    """One `.dist-info` or `.egg-info`."""

    key: Key
    requires: tuple[str, ...]
    requested: bool
    elsewhere: str
    """Why no index has it, `""` when one does."""
    own: bool
    """It is a project under development, installed in place."""


def read_installed(python: Path) -> Reading:
    """Return what is installed in the environment of an interpreter, or in a virtual environment's folder.

    Raises InputError when `python` is neither.
    """
    folders, version = site_packages(python)
    found: dict[str, _Distribution] = {}
    warnings: list[str] = []
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix in {".dist-info", ".egg-info"}:
                one = _distribution(path)
                if one is None:
                    warnings.append(f"{path} has no readable name and version and was left out")
                else:
                    found.setdefault(one.key[0], one)
    for one in found.values():
        if one.elsewhere:
            what = "was left out" if one.own else "is checked by its version, but no index has it"
            warnings.append(f"{one.key[0]} {one.key[1]} {what}: {one.elsewhere}")
    source = str(python)
    nodes = {
        one.key: Node(one.key, ((source, 0),), marker="", component=not one.own, locked=not one.elsewhere)
        for one in found.values()
    }
    graph = _graph(found, version)
    manifest = assemble(ManifestKind.installed, (source,), nodes, graph, Ground(python_version=version))
    return Reading(replace(manifest, files=(source,)), tuple(warnings))


def site_packages(python: Path) -> tuple[list[Path], str]:
    """Return the folders that hold its packages, the first one wins, and the version `3.11`."""
    if not python.exists():
        raise InputError("no such file or directory", where=str(python), todo="Name an interpreter or its environment.")
    prefix = python if python.is_dir() else python.parent.parent
    settings = _settings(prefix / "pyvenv.cfg")
    named = "" if python.is_dir() else python.name
    if settings is None and not python.is_dir():
        real = python.resolve()
        prefix, named = real.parent.parent, real.name
    match = _MINOR.fullmatch(named)
    folders = _below(prefix, match[1] if match else "")
    if settings is not None and settings.get("include-system-site-packages", "").lower() == "true":
        home = Path(settings.get("home", ""))
        folders += _below(home.parent, "") if home.is_absolute() else []
    if not folders:
        raise InputError(
            "no installed packages were found there",
            where=str(python),
            todo="Name a virtual environment's folder or its bin/python (a pyenv shim will not do).",
        )
    versions = [found[1] for folder in folders if (found := _MINOR.fullmatch(folder.parent.name))]
    declared = re.match(r"\d+\.\d+", (settings or {}).get("version", "") or (settings or {}).get("version_info", ""))
    return folders, declared[0] if declared else next(iter(versions), match[1] if match else "")


def _settings(path: Path) -> dict[str, str] | None:
    """Return the settings of a pyvenv.cfg, None when there is none."""
    if not path.is_file():
        return None
    return dict(_SETTING.findall(read_bytes(path, limit=_LARGEST).decode("utf-8", "replace")))


def _below(prefix: Path, minor: str) -> list[Path]:
    """Return the site-packages folders of an installation: sysconfig's, Debian's and Windows' layout."""
    version = minor or "3*"
    patterns = (
        f"lib/python{version}/site-packages",
        f"lib64/python{version}/site-packages",
        f"local/lib/python{version}/dist-packages",
        "lib/python3/dist-packages",
        "Lib/site-packages",
    )
    found = [path for pattern in patterns for path in sorted(prefix.glob(pattern)) if path.is_dir()]
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _distribution(path: Path) -> _Distribution | None:
    """Return what the metadata says; None when it has no usable name and version."""
    places = (path / "METADATA", path / "PKG-INFO") if path.is_dir() else (path,)
    metadata = next((place for place in places if place.is_file()), None)
    if metadata is None:
        return None
    try:
        fields = _headers(read_bytes(metadata, limit=_LARGEST).decode("utf-8", "replace"))
    except VerticeError:
        return None
    name, version = fields.get("name", [""])[0], fields.get("version", [""])[0]
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return None
    from packaging.utils import canonicalize_name

    elsewhere, own = _origin(path / "direct_url.json")
    return _Distribution(
        (canonicalize_name(name), version),
        tuple(fields.get("requires-dist", ())),
        (path / "REQUESTED").is_file(),
        elsewhere,
        own,
    )


def _headers(text: str) -> dict[str, list[str]]:
    """Return the fields of core metadata, names in lower case; the description below is skipped."""
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            fields.setdefault(name.lower(), []).append(value.strip())
    return fields


def _origin(path: Path) -> tuple[str, bool]:
    """Return why no index has it (PEP 610) and whether it is the project itself, installed in place."""
    if not path.is_file():
        return "", False
    try:
        data = json.loads(read_bytes(path, limit=_LARGEST))
    except (VerticeError, ValueError, RecursionError):
        return "its direct_url.json cannot be read", False
    data = data if isinstance(data, dict) else {}
    folder = data.get("dir_info")
    if isinstance(folder, dict):
        own = folder.get("editable") is True
        return ("it is an editable project" if own else "it was installed from a local path"), own
    url = re.sub(r"(?<=://)[^/@\s]*@", "", str(data.get("url", "")))
    return f"it was installed from {printable(url, limit=120)}", False


def _graph(found: Mapping[str, _Distribution], version: str) -> Graph:
    """Return who requires whom; direct is what was asked for by name, and what nothing else requires.

    The REQUESTED mark (PEP 376) tells nothing where an installer puts it on everything, as `uv sync` does.
    """
    edges = {one.key: _edges(one, found, version) for one in found.values()}
    needed = _needed(edges)
    marked = any(not found[name].requested for name, _ in needed)
    own = {one.key for one in found.values() if one.own}
    roots = {one.key for one in found.values() if one.key not in needed or (marked and one.requested)}
    roots |= {edge.target for key in own for lists in edges[key].values() for edge in lists}
    return Graph(tuple(Edge(key) for key in sorted(roots - own)), edges)


def _needed(edges: Mapping[Key, Mapping[str, list[Edge]]]) -> set[Key]:
    """Return what packages require, also through the extras that they ask of one another."""
    plain = [edge for lists in edges.values() for edge in lists[""]]
    through = [more for edge in plain for extra in edge.extras for more in edges[edge.target].get(extra, ())]
    return {edge.target for edge in (*plain, *through)}


def _edges(one: _Distribution, found: Mapping[str, _Distribution], version: str) -> dict[str, list[Edge]]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    edges: dict[str, list[Edge]] = {"": []}
    for text in one.requires:
        try:
            wanted = Requirement(text)
        except (InvalidRequirement, RecursionError, ValueError):
            continue
        target = found.get(canonicalize_name(wanted.name))
        if target is None:
            continue
        edge = Edge(target.key, tuple(sorted(canonicalize_name(extra) for extra in wanted.extras)))
        marker = str(wanted.marker or "")
        for extra in _extras(marker):
            if not marker or wanted.marker is None or wanted.marker.evaluate(_environment(version, extra)):
                edges.setdefault(canonicalize_name(extra) if extra else "", []).append(edge)
    return edges


def _extras(marker: str) -> Iterable[str]:
    """Return the extras that a marker names, `""` for none."""
    return re.findall(r"""extra\s*==\s*["']([^"']*)["']""", marker) or [""]


def _environment(version: str, extra: str) -> dict[str, str | frozenset[str]]:
    version = version or f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python_version": version, "python_full_version": f"{version}.0", "extra": extra}
