"""From packages and who requires whom to a manifest: components with their paths, and the lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vertice.adaptive.inventory.graph import Graph, Key, Reach, reach
from vertice.adaptive.inventory.model import Component, Lock, Manifest, ManifestKind

__all__ = ["Ground", "Node", "Reading", "assemble"]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the whole folder says about the Python it runs on."""

    requires_python: str = ""
    python_version: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One package at one version, with every place of the manifest that names it."""

    key: Key
    places: tuple[tuple[str, int], ...]
    """`(file, line)`, the most telling first."""
    hashes: tuple[str, ...] = ()
    marker: str | None = None
    """Where the manifest itself says when the package is needed; None: work it out from the ways to it."""
    extras: tuple[str, ...] = ()
    dev: bool | None = None
    """Where the manifest itself says so; None: work it out."""
    component: bool = True
    """False for the project itself and for what has no release: a checkout, a local path."""
    locked: bool = True
    """False where an index has no such release, though the version is known."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One manifest, and what was left out of it and why."""

    manifest: Manifest
    warnings: tuple[str, ...] = ()


def assemble(
    kind: ManifestKind,
    files: Sequence[str],
    nodes: Mapping[Key, Node],
    graph: Graph,
    ground: Ground,
    *,
    indexes: tuple[str, ...] = (),
    resolved: bool = False,
    complete: bool = True,
) -> Manifest:
    """Return the manifest of `files` (the root one first)."""
    reached = reach(graph)
    components: set[Component] = set()
    requirements: set[str] = set()
    hashes: dict[str, tuple[str, ...]] = {}
    for key, node in nodes.items():
        if not node.component:
            continue
        way = reached.get(key, Reach((key,), dev=False, direct=False, marker="", extras=(), dependencies=()))
        found = _components(node, way)
        components.update(found)
        if node.locked:
            requirements.add(_requirement(found[0]))
            if node.hashes:
                hashes[_pin(found[0])] = tuple(sorted(set(node.hashes)))
    return Manifest(
        kind=kind,
        path=files[0],
        files=tuple(files),
        components=tuple(sorted(components)),
        lock=Lock(
            requirements=tuple(sorted(requirements)),
            hashes=hashes,
            requires_python=ground.requires_python,
            python_version=ground.python_version,
            indexes=indexes,
        ),
        resolved=resolved,
        complete=complete,
    )


def _components(node: Node, way: Reach) -> list[Component]:
    name, version = node.key
    return [
        Component(
            name=name,
            version=version,
            source=source,
            line=line,
            direct=way.direct,
            dev=way.dev if node.dev is None else node.dev,
            dependency_path=tuple(name for name, _ in way.path),
            dependencies=way.dependencies,
            extras=tuple(sorted({*node.extras, *way.extras})),
            marker=way.marker if node.marker is None else node.marker,
        )
        for source, line in node.places
    ]


def _pin(component: Component) -> str:
    return f"{component.name}=={component.version}"


def _requirement(component: Component) -> str:
    extras = f"[{','.join(component.extras)}]" if component.extras else ""
    marker = f" ; {component.marker}" if component.marker else ""
    return f"{component.name}{extras}=={component.version}{marker}"
