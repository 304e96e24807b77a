"""pylock.toml (PEP 751, packaging.python.org/specifications/pylock-toml)."""

from pathlib import Path

from vertice.adaptive.inventory.assembly import Ground, Node, Reading, assemble
from vertice.adaptive.inventory.graph import Edge, Graph, Key
from vertice.adaptive.inventory.indexes import indexes_of
from vertice.adaptive.inventory.markers import always_chosen, only_in_groups
from vertice.adaptive.inventory.model import ManifestKind
from vertice.adaptive.inventory.pyproject import Pyproject
from vertice.adaptive.inventory.syntax import hash_of, marker_of, name_of, specifier_of, version_of
from vertice.adaptive.inventory.toml import Table, header_lines, read_toml
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["read_pylock"]

_NO_RELEASE = {
    "vcs": "it is a version-control checkout",
    "directory": "it is a local project",
    "archive": "it is a direct URL or path",
}


def read_pylock(root: Path, file: str, ground: Ground, pyproject: Pyproject) -> Reading:
    """Return the manifest of the lock at `root / file`; what is direct comes from `pyproject` where it says so."""
    lock, text = read_toml(root / file)
    _check_version(lock)
    packages = lock.tables("packages")
    lines = header_lines(text, "packages")
    if len(lines) != len(packages):
        lines = (0,) * len(packages)
    nodes: dict[Key, Node] = {}
    warnings = []
    for package, line in zip(packages, lines, strict=True):
        node = _node(package, file, line, lock.texts("default-groups"))
        nodes[node.key] = node
        if not node.component:
            why = next((why for kind, why in _NO_RELEASE.items() if kind in package), "it has no version")
            warnings.append(f"{file}:{line}: {node.key[0]} was left out: {why}")
    edges = {_key(package): {"": _edges(package, nodes)} for package in packages}
    roots, told = _roots(nodes, edges, pyproject, file)
    indexes, more = indexes_of(dict.fromkeys(package.text("index") for package in packages if "index" in package), file)
    if lock.text_or("requires-python", ""):
        ground = Ground(specifier_of(lock.text("requires-python"), lock.where), ground.python_version)
    manifest = assemble(ManifestKind.pylock, (file,), nodes, Graph(roots, edges), ground, indexes=indexes)
    return Reading(manifest, (*warnings, *told, *more))


def _check_version(lock: Table) -> None:
    version = lock.text("lock-version")
    if version.split(".")[0] != "1":
        raise InputError(
            f"is a lock of version {printable(version, limit=40)}, and only version 1 is known",
            where=lock.where,
            todo="Write it again with a tool that writes version 1.0 (PEP 751).",
        )


def _key(package: Table) -> Key:
    version = package.text_or("version", "")
    return name_of(package.text("name"), package.where), version_of(version, package.where) if version else ""


def _node(package: Table, file: str, line: int, default_groups: tuple[str, ...]) -> Node:
    key = _key(package)
    marker = marker_of(package.text_or("marker", ""), package.where)
    archives = [*package.tables("wheels"), *([package.table("sdist")] if "sdist" in package else [])]
    return Node(
        key,
        ((file, line),),
        hashes=tuple(digest for archive in archives for digest in _hashes(archive)),
        marker=always_chosen(marker),
        dev=only_in_groups(marker, default_groups) if marker else None,
        component=bool(key[1]) and not any(kind in package for kind in _NO_RELEASE),
    )


def _hashes(archive: Table) -> list[str]:
    hashes = archive.table("hashes")
    return [hash_of(f"{algorithm}:{hashes.text(algorithm)}", archive.where) for algorithm in hashes]


def _edges(package: Table, nodes: dict[Key, Node]) -> list[Edge]:
    """Return the edges of the optional `dependencies`, each of which names a package as far as is needed."""
    edges = []
    for wanted in package.tables("dependencies"):
        name, version = name_of(wanted.text("name"), wanted.where), wanted.text_or("version", "")
        edges += [Edge(key) for key in nodes if key[0] == name and (not version or key[1] == version)]
    return edges


def _roots(
    nodes: dict[Key, Node], edges: dict[Key, dict[str, list[Edge]]], pyproject: Pyproject, file: str
) -> tuple[tuple[Edge, ...], list[str]]:
    """Return what the project asks for: as pyproject.toml says, else whatever nothing in the lock asks for."""
    asked = pyproject.names
    if any(key[0] in asked for key in nodes):
        return tuple(Edge(key, dev=asked[key[0]]) for key in nodes if key[0] in asked), []
    wanted = {edge.target for found in edges.values() for edge in found[""]}
    told = [] if wanted else [f"{file}: does not say what requires what, so every package is shown as direct"]
    return tuple(Edge(key) for key in nodes if key not in wanted), told
