"""uv.lock, version 1 (docs.astral.sh/uv/concepts/projects/layout)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from vertice.adaptive.inventory.assembly import Ground, Node, Reading, assemble
from vertice.adaptive.inventory.graph import Edge, Graph, Key
from vertice.adaptive.inventory.indexes import indexes_of
from vertice.adaptive.inventory.markers import always_chosen, asks_for_extra
from vertice.adaptive.inventory.model import ManifestKind
from vertice.adaptive.inventory.syntax import extras_of, hash_of, marker_of, name_of, specifier_of, version_of
from vertice.adaptive.inventory.toml import Table, header_lines, read_toml
from vertice.kernel.errors import InputError

__all__ = ["read_uv_lock"]

_LEFT_OUT = {
    "git": "it is a version-control checkout",
    "url": "it is a direct URL",
    "path": "it is a local path",
    "directory": "it is a local project",
    "editable": "it is a local project",
    "virtual": "it is a local project",
}
_OWN = frozenset({"editable", "virtual", "directory"})


def read_uv_lock(root: Path, file: str, ground: Ground) -> Reading:
    """Return the manifest of the lock at `root / file`; raise InputError when it is malformed or of another version."""
    lock, text = read_toml(root / file)
    _check_version(lock)
    packages = lock.tables("package")
    lines = header_lines(text, "package")
    if len(lines) != len(packages):
        lines = (0,) * len(packages)
    own = _members(lock, packages)
    nodes: dict[Key, Node] = {}
    by_name: dict[str, list[Key]] = {}
    warnings: list[str] = []
    for package, line in zip(packages, lines, strict=True):
        node = _node(package, file, line)
        nodes[node.key] = node
        by_name.setdefault(node.key[0], []).append(node.key)
        if not node.component and node.key[0] not in own:
            warnings.append(f"{file}:{line}: {node.key[0]} was left out: {_LEFT_OUT[_source(package)]}")
    chosen, told = _one_of_each(packages, nodes, file)
    indexes, more = indexes_of(_registries(packages), file)
    missing = _missing(packages, by_name)
    if missing:
        warnings.append(f"{file}: requires {', '.join(missing)}, which it does not hold: was it cut short?")
    if requires := lock.text_or("requires-python", ""):
        ground = replace(ground, requires_python=specifier_of(requires, lock.where))
    graph = _graph(lock, packages, by_name, own)
    manifest = assemble(
        ManifestKind.uv_lock, (file,), nodes | chosen, graph, ground, indexes=indexes, complete=not missing
    )
    return Reading(manifest, (*warnings, *told, *more))


def _check_version(lock: Table) -> None:
    version = lock.raw("version")
    if version == 1 and not isinstance(version, bool):
        return
    known = f"is a uv.lock of version {version!r:.40}, and only version 1 is known"
    raise InputError(
        known if "version" in lock else "has no `version`, so it is no uv.lock, or was cut short",
        where=lock.where,
        todo="Write it again with `uv lock`.",
    )


def _graph(lock: Table, packages: Iterable[Table], by_name: Mapping[str, list[Key]], own: frozenset[str]) -> Graph:
    """Return who requires whom; what the project and its workspace's members ask for is direct."""
    edges: dict[Key, dict[str, list[Edge]]] = {}
    roots = _asked_by_workspace(lock.table("manifest"), by_name)
    for package in packages:
        key = _key(package)
        edges[key] = _edges(package, by_name)
        if key[0] in own:
            roots += _asked_by_member(package, edges[key], by_name)
    return Graph(tuple(edge for edge in roots if edge.target[0] not in own), edges)


def _key(package: Table) -> Key:
    """Return name and version; a project with a dynamic version has none in the lock."""
    version = package.text_or("version", "")
    return name_of(package.text("name"), package.where), version_of(version, package.where) if version else ""


def _source(package: Table) -> str:
    source = package.table("source")
    found = next((kind for kind in ("registry", *_LEFT_OUT) if kind in source), "")
    if not found:
        raise package.wrong("source", "has none of the known kinds")
    return found


def _members(lock: Table, packages: Iterable[Table]) -> frozenset[str]:
    """Return the names of the project and of its workspace's other members."""
    named = {name_of(name, lock.where) for name in lock.table("manifest").texts("members")}
    here = {
        name_of(package.text("name"), package.where)
        for package in packages
        if (kind := _source(package)) in _OWN and package.table("source").raw(kind) == "."
    }
    return frozenset(named | here)


def _node(package: Table, file: str, line: int) -> Node:
    key = _key(package)
    registry = _source(package) == "registry"
    if registry and not key[1]:
        raise package.wrong("version", "is missing")
    files = [*package.tables("wheels"), *([package.table("sdist")] if "sdist" in package else [])]
    hashes = tuple(hash_of(found.text("hash"), package.where) for found in files if "hash" in found)
    return Node(key, ((file, line),), hashes=hashes if registry else (), component=registry)


def _one_of_each(packages: Iterable[Table], nodes: Mapping[Key, Node], file: str) -> tuple[dict[Key, Node], list[str]]:
    """Keep one version of a package in the lock where extras that exclude each other ask for several."""
    exclusive = {name for package in packages for name in _asked_exclusively(package)}
    changed: dict[Key, Node] = {}
    told = []
    for name in sorted(exclusive):
        keys = [key for key in nodes if key[0] == name and nodes[key].component]
        if len(keys) > 1:
            told.append(
                f"{file}: {name} is locked at {', '.join(version for _, version in keys)} for extras or groups that "
                f"exclude each other; an environment is built with {keys[-1][1]}"
            )
            changed |= {key: replace(nodes[key], locked=False) for key in keys[:-1]}
    return changed, told


def _asked_exclusively(package: Table) -> set[str]:
    return {
        name_of(table.text("name"), table.where)
        for table in _all_required(package)
        if asks_for_extra(table.text_or("marker", ""))
    }


def _missing(packages: Iterable[Table], by_name: Mapping[str, list[Key]]) -> list[str]:
    names = {name_of(table.text("name"), table.where) for package in packages for table in _all_required(package)}
    return sorted(names - by_name.keys())


def _all_required(package: Table) -> Iterator[Table]:
    yield from package.tables("dependencies")
    for kind in ("optional-dependencies", "dev-dependencies", "dependency-groups"):
        for key in package.table(kind):
            yield from package.table(kind).tables(key)


def _edges(package: Table, by_name: Mapping[str, list[Key]]) -> dict[str, list[Edge]]:
    optional = package.table("optional-dependencies")
    edges = {"": _required(package.tables("dependencies"), by_name)}
    for extra in optional:
        edges[name_of(extra, package.where)] = _required(optional.tables(extra), by_name)
    return edges


def _required(tables: Iterable[Table], by_name: Mapping[str, list[Key]], *, dev: bool = False) -> list[Edge]:
    """Return the edges of one list of dependencies; an entry without a version means the only version there is."""
    edges = []
    for table in tables:
        name = name_of(table.text("name"), table.where)
        version = table.text_or("version", "")
        extras = extras_of(table.texts("extra") + table.texts("extras"), table.where)
        marker = always_chosen(marker_of(table.text_or("marker", ""), table.where))
        targets = [key for key in by_name.get(name, ()) if not version or key[1] == version]
        edges += [Edge(key, extras, marker, dev) for key in targets]
    return edges


def _asked_by_member(package: Table, edges: Mapping[str, list[Edge]], by_name: Mapping[str, list[Key]]) -> list[Edge]:
    """Return what a project of this repository asks for: itself, for every extra and for every group."""
    asked = [edge for found in edges.values() for edge in found]
    for kind in ("dev-dependencies", "dependency-groups"):
        groups = package.table(kind)
        asked += [edge for group in groups for edge in _required(groups.tables(group), by_name, dev=True)]
    return asked


def _asked_by_workspace(manifest: Table, by_name: Mapping[str, list[Key]]) -> list[Edge]:
    """Return what a workspace without a project of its own, or a script, asks for."""
    groups = manifest.table("dependency-groups")
    asked = _required(manifest.tables("requirements"), by_name)
    return asked + [edge for group in groups for edge in _required(groups.tables(group), by_name, dev=True)]


def _registries(packages: Iterable[Table]) -> list[str]:
    found = (package.table("source") for package in packages)
    return list(dict.fromkeys(source.text("registry") for source in found if "registry" in source))
