"""From requirements to a manifest: pins are taken as they are, and only what they leave open is resolved."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from vertice.adaptive.inventory.assembly import Ground, Node, Reading, assemble
from vertice.adaptive.inventory.graph import Edge, Graph, Key, either
from vertice.adaptive.inventory.indexes import indexes_of_options
from vertice.adaptive.inventory.model import ManifestKind
from vertice.adaptive.inventory.requirements_files import Gathered, is_dev
from vertice.adaptive.inventory.requirements_text import LeftOut, Requirement
from vertice.adaptive.inventory.resolution import Resolver, UnknownPackageError, resolve
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.text import printable

__all__ = ["COMPLETE_FROM", "left_out_warnings", "manifest_of"]

COMPLETE_FROM = 100
"""A list of so many pins and nothing else is taken for complete: nobody keeps that many by hand without their own
requirements among them, and the transitive packages of a list that a tool printed are on it."""

_OWN_SOURCE = re.compile(r"-r\s+(\S+)|.*\(.*\)")
"""`-r requirements.in`, `project (pyproject.toml)`: the project itself asks."""


class _ResolvingIsOffError(InputError):
    """Nothing may be resolved: what is pinned is all that is known."""

    code = "resolving-is-off"


def manifest_of(
    kind: ManifestKind,
    gathered: Gathered,
    ground: Ground,
    uv: Callable[[], Resolver] | None,
    *,
    where: str,
) -> Reading:
    """Return the manifest that `gathered` describes; `where` is its root file as a person would name it.

    With `uv` None nothing is resolved. Raises InputError when then no version at all is known.
    """
    asked = _with_constraint_pins(gathered)
    open_ones = [one for one in asked if not one.pin]
    indexes, told = indexes_of_options(gathered.options)
    warnings = [*left_out_warnings(gathered.left_out), *_double(asked), *told]
    found: Sequence[Requirement] = ()
    complete = not open_ones and _is_complete(asked, gathered)
    if not complete:
        try:
            found = _found(gathered, ground, uv, indexes, where)
            complete = True
        except UnknownPackageError:
            raise
        except VerticeError as error:
            if open_ones and not isinstance(error, _ResolvingIsOffError):
                raise
            warnings.append(_unseen(open_ones, gathered.files[0], error))
    if not complete and open_ones and len(open_ones) == len(asked):
        raise InputError(
            "no version is pinned, and resolving is off",
            where=where,
            todo="Pin the versions (`uv pip compile`), or let them be resolved.",
        )
    nodes, graph = _graph([one for one in asked if one.pin], open_ones, found, gathered)
    manifest = assemble(
        kind, gathered.files, nodes, graph, ground, indexes=indexes, resolved=bool(found), complete=complete
    )
    return Reading(manifest, tuple(warnings))


def left_out_warnings(left_out: Iterable[LeftOut]) -> list[str]:
    """Say what was left out and why."""
    return [
        f"{left.file}:{left.line}: `{printable(_without_credentials(left.text), limit=120)}` was left out: {left.why}"
        for left in left_out
    ]


def _without_credentials(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def _with_constraint_pins(gathered: Gathered) -> list[Requirement]:
    """Pin what a constraint pins: the version then stands on the constraint's line, which is where it is changed."""
    pins = {found.name: found for found in gathered.constraints if found.pin}
    asked = []
    for found in gathered.requirements:
        if not found.pin and (pin := pins.get(found.name)):
            asked.append(replace(found, file=pin.file, line=pin.line, end_line=pin.end_line, pin=pin.pin))
        else:
            asked.append(found)
    return asked


def _is_complete(asked: Sequence[Requirement], gathered: Gathered) -> bool:
    """Whether these pins are all that is installed: a tool wrote them, or they are too many for a person's choice."""
    if len(asked) >= COMPLETE_FROM:
        return True
    by_file: dict[str, list[Requirement]] = {}
    for found in asked:
        by_file.setdefault(found.file, []).append(found)
    return all(
        file in gathered.generated or all(one.hashes for one in ones) or any(one.via for one in ones)
        for file, ones in by_file.items()
    )


def _double(asked: Sequence[Requirement]) -> list[str]:
    first: dict[tuple[str, str], Requirement] = {}
    told = []
    for found in asked:
        other = first.setdefault((found.name, found.marker), found)
        if found.pin and other.pin and found.pin != other.pin:
            told.append(
                f"{found.where}: {found.name} is pinned to {found.pin} here and to {other.pin} at {other.where}"
            )
    return told


def _found(
    gathered: Gathered, ground: Ground, uv: Callable[[], Resolver] | None, indexes: Sequence[str], where: str
) -> Sequence[Requirement]:
    if uv is None:
        raise _ResolvingIsOffError("resolving is off")
    asked = list({one.text: one for one in gathered.requirements}.values())
    return resolve(asked, gathered.constraints, gathered.options, ground, uv, indexes=indexes, where=where)


def _unseen(open_ones: Sequence[Requirement], file: str, error: VerticeError) -> str:
    if not open_ones:
        return f"{file}: packages that these pins bring with them were not seen: {error}"
    names = ", ".join(sorted({found.name for found in open_ones}))
    return f"{file}: not seen, for no version is pinned and {error}: {printable(names, limit=300)}"


def _graph(
    pinned: Sequence[Requirement], open_ones: Sequence[Requirement], found: Sequence[Requirement], gathered: Gathered
) -> tuple[dict[Key, Node], Graph]:
    """Join what the files name with what uv found; the files' own words for a version and a marker win."""
    named: dict[Key, list[Requirement]] = {}
    for one in pinned:
        named.setdefault((one.name, one.pin), []).append(one)
    names = {name for name, _ in named}
    added = [one for one in found if one.name not in names]
    wanted: dict[str, Requirement] = {}
    for one in (*open_ones, *gathered.constraints):
        wanted.setdefault(one.name, one)
    nodes = {key: _node(key, ones) for key, ones in named.items()}
    for one in added:
        place = wanted.get(one.name)
        nodes[one.name, one.pin] = Node(
            (one.name, one.pin),
            ((place.file, place.line) if place else (gathered.files[0], 0),),
            marker=place.marker if place and not place.constraint else None,
            extras=one.extras,
        )
    versions: dict[str, list[Key]] = {}
    for key in nodes:
        versions.setdefault(key[0], []).append(key)
    roots = _roots([*pinned, *open_ones], versions, by_file=bool(found))
    annotated = found or pinned
    return nodes, Graph(roots, _edges(annotated, versions))


def _node(key: Key, ones: Sequence[Requirement]) -> Node:
    return Node(
        key,
        tuple(dict.fromkeys((one.file, one.line) for one in ones)),
        hashes=tuple(dict.fromkeys(digest for one in ones for digest in one.hashes)),
        marker=either(one.marker for one in ones),
        extras=tuple(sorted({extra for one in ones for extra in one.extras})),
    )


def _roots(asked: Sequence[Requirement], versions: dict[str, list[Key]], *, by_file: bool) -> tuple[Edge, ...]:
    """Return what the project asks for by name: every line, or in a compiled file those that came from its source."""
    roots = []
    for one in asked:
        sources = _own_sources(one, versions)
        if by_file or sources is not None:
            dev = one.dev or bool(sources and all(is_dev(source) for source in sources))
            keys = [(one.name, one.pin)] if one.pin else versions.get(one.name, [])
            roots += [Edge(key, one.extras, one.marker, dev) for key in keys]
    return tuple(roots)


def _own_sources(one: Requirement, versions: dict[str, list[Key]]) -> list[str] | None:
    """Return the source files that a `# via` names, None when it names only other packages of the list."""
    via = [part for part in one.via if not part.startswith("-c ")]
    if not via:
        return []
    own = [match[1] or "" for part in via if (match := _OWN_SOURCE.fullmatch(part))]
    known = any(_parent(part) in versions for part in via)
    return own or (None if known else [])


def _edges(annotated: Sequence[Requirement], versions: dict[str, list[Key]]) -> dict[Key, dict[str, list[Edge]]]:
    edges: dict[Key, dict[str, list[Edge]]] = {}
    for one in annotated:
        for part in one.via:
            for parent in versions.get(_parent(part), ()):
                edges.setdefault(parent, {}).setdefault("", []).extend(
                    Edge(child) for child in versions.get(one.name, ())
                )
    return edges


def _parent(part: str) -> str:
    return re.sub(r"[-_.]+", "-", part.split("[", 1)[0].strip()).lower()
