"""poetry.lock, lock versions 1 and 2."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vertice.adaptive.inventory.assembly import Ground, Node, Reading, assemble
from vertice.adaptive.inventory.graph import Edge, Graph, Key, either
from vertice.adaptive.inventory.indexes import DEFAULT_INDEX, indexes_of
from vertice.adaptive.inventory.markers import always_chosen
from vertice.adaptive.inventory.model import ManifestKind
from vertice.adaptive.inventory.poetry_constraint import python_marker, specifier
from vertice.adaptive.inventory.pyproject import Pyproject
from vertice.adaptive.inventory.syntax import extras_of, hash_of, marker_of, name_of, specifier_of, version_of
from vertice.adaptive.inventory.toml import Table, header_lines, read_toml
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["read_poetry_lock"]

_NO_RELEASE = {
    "git": "it is a version-control checkout",
    "directory": "it is a local project",
    "file": "it is a local path",
    "url": "it is a direct URL",
}
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def read_poetry_lock(root: Path, file: str, ground: Ground, pyproject: Pyproject) -> Reading:
    """Return the manifest of the lock at `root / file`; `pyproject` says what is direct and what is for development."""
    lock, text = read_toml(root / file)
    metadata = lock.table("metadata")
    _check_version(lock, metadata)
    packages = lock.tables("package")
    lines = header_lines(text, "package")
    if len(lines) != len(packages):
        lines = (0,) * len(packages)
    nodes: dict[Key, Node] = {}
    warnings: list[str] = []
    for package, line in zip(packages, lines, strict=True):
        node = _node(package, file, line, metadata)
        nodes[node.key] = node
        if not node.component:
            why = _NO_RELEASE[package.table("source").text("type")]
            warnings.append(f"{file}:{line}: {node.key[0]} was left out: {why}")
    by_name: dict[str, list[Key]] = {}
    for key in nodes:
        by_name.setdefault(key[0], []).append(key)
    edges = {_key(package): _edges(package, by_name) for package in packages}
    roots, told = _roots(nodes, edges, by_name, pyproject, file)
    indexes, more = indexes_of(_indexes(packages), file)
    requires = ground.requires_python or _requires_python(metadata)
    ground = Ground(requires, ground.python_version)
    manifest = assemble(ManifestKind.poetry_lock, (file,), nodes, Graph(roots, edges), ground, indexes=indexes)
    return Reading(manifest, (*warnings, *told, *more))


def _check_version(lock: Table, metadata: Table) -> None:
    if "metadata" not in lock:
        raise lock.wrong("metadata", "is missing, so the lock was cut short or is not Poetry's")
    version = metadata.text_or("lock-version", "1.0")
    if version.split(".")[0] not in {"1", "2"}:
        raise InputError(
            f"is a poetry.lock of version {printable(version, limit=40)}, and only versions 1 and 2 are known",
            where=lock.where,
            todo="Write it again with `poetry lock` of Poetry 1 or 2.",
        )


def _key(package: Table) -> Key:
    return name_of(package.text("name"), package.where), version_of(package.text("version"), package.where)


def _node(package: Table, file: str, line: int, metadata: Table) -> Node:
    name, version = key = _key(package)
    source = package.table("source").text_or("type", "legacy")
    files = package.tables("files") or _files_of_old_locks(metadata.table("files"), name, version)
    groups = package.texts("groups")
    dev = "main" not in groups if groups else None
    if not groups and "category" in package:
        dev = package.text("category") != "main"
    return Node(
        key,
        ((file, line),),
        hashes=tuple(hash_of(found.text("hash"), package.where) for found in files),
        marker=_marker(package, groups) if groups else None,
        dev=dev,
        component=source not in _NO_RELEASE,
    )


def _files_of_old_locks(files: Table, name: str, version: str) -> list[Table]:
    """Return the files of one version from `[metadata.files]`, where all versions of a package stand together."""
    listed = next((files.tables(key) for key in files if name_of(key, files.where) == name), ())
    return [found for found in listed if f"-{version}" in found.text("file")]


def _marker(package: Table, groups: Sequence[str]) -> str:
    """Return the marker that the lock (2.1 and later) gives: one for all groups, or one for each."""
    if not isinstance(package.raw("markers"), dict):
        return always_chosen(marker_of(package.text_or("markers", ""), package.where))
    table = package.table("markers")
    return either(always_chosen(marker_of(table.text_or(group, ""), package.where)) for group in groups)


def _edges(package: Table, by_name: Mapping[str, list[Key]]) -> dict[str, list[Edge]]:
    dependencies, extras = package.table("dependencies"), package.table("extras")
    offered: dict[str, list[str]] = {}
    for extra in extras:
        for asked in extras.texts(extra):
            if match := _NAME.match(asked):
                offered.setdefault(name_of(match[1].rstrip("._-"), package.where), []).append(
                    name_of(extra, package.where)
                )
    edges: dict[str, list[Edge]] = {}
    for name in dependencies:
        key = name_of(name, package.where)
        for entry in _entries(dependencies, name):
            places = offered.get(key, []) if entry.flag("optional") else [""]
            for place in places:
                edges.setdefault(place, []).extend(_targets(entry, by_name.get(key, ())))
    return edges


def _entries(dependencies: Table, name: str) -> tuple[Table, ...]:
    value = dependencies.raw(name)
    if isinstance(value, str):
        return (Table({"version": value}, dependencies.where, dependencies.name),)
    return (dependencies.table(name),) if isinstance(value, dict) else dependencies.tables(name)


def _targets(entry: Table, keys: Sequence[Key]) -> list[Edge]:
    marks = [always_chosen(marker_of(entry.text_or("markers", ""), entry.where))]
    marks.append(python_marker(entry.text_or("python", "")))
    marker = " and ".join(f"({mark})" if " or " in mark else mark for mark in marks if mark)
    extras = extras_of(entry.texts("extras"), entry.where)
    wanted = specifier(entry.text_or("version", "*")) or ""
    return [Edge(key, extras, marker) for key in _matching(keys, wanted)]


def _matching(keys: Sequence[Key], wanted: str) -> Sequence[Key]:
    """Return those of several versions that `wanted` (PEP 440) allows; all of them when that cannot be told."""
    if len(keys) < 2 or not wanted:
        return keys
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        allowed = SpecifierSet(wanted, prereleases=True)
        return [key for key in keys if allowed.contains(key[1])] or keys
    except (InvalidSpecifier, InvalidVersion):
        return keys


def _roots(
    nodes: Mapping[Key, Node],
    edges: Mapping[Key, Mapping[str, Sequence[Edge]]],
    by_name: Mapping[str, list[Key]],
    pyproject: Pyproject,
    file: str,
) -> tuple[tuple[Edge, ...], list[str]]:
    """Return what pyproject.toml asks for, and local projects; without it, whatever no other package asks for."""
    wanted = {edge.target for lists in edges.values() for found in lists.values() for edge in found}
    asked = [one for one in pyproject.gathered.requirements if one.name in by_name]
    if not asked:
        told = [f"{file}: pyproject.toml names none of its packages, so what nothing else requires counts as direct"]
        return tuple(Edge(key) for key in nodes if key not in wanted), told if nodes else []
    roots = [
        Edge(key, one.extras, one.marker, one.dev)
        for one in asked
        for key in _matching(by_name[one.name], one.specifier)
    ]
    local = [Edge(key) for key, node in nodes.items() if not node.component and key not in wanted]
    return (*roots, *local), []


def _indexes(packages: Iterable[Table]) -> list[str]:
    sources = [package.table("source") for package in packages]
    named = [source.text("url") for source in sources if source.text_or("type", "") == "legacy"]
    return [DEFAULT_INDEX, *dict.fromkeys(named)] if named else []


def _requires_python(metadata: Table) -> str:
    wanted = specifier(metadata.text_or("python-versions", ""))
    return specifier_of(wanted, metadata.where) if wanted else ""
