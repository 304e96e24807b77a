"""Who requires whom: the shortest way to every package, under which marker, and whether only for development."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Edge", "Graph", "Key", "Reach", "either", "reach"]

Key = tuple[str, str]
"""(PEP 503 name, version): one package may be locked at several versions."""

_State = tuple[Key, str]
"""A package with one of its extras; `""` for the package alone."""
_Clause = frozenset[str]
"""Markers that must all hold."""

_MOST_CLAUSES = 12
"""Ways to reach a package that are kept apart; of more, those with the fewest conditions are kept."""
_MOST_CHANGES = 24
"""Times that what is known of one package may grow; then it counts as always needed, so that the work stays bounded."""
_OPPOSITES = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
_COMPARISON = re.compile(r"([a-z_]+) (<|>=|>|<=|==|!=) ('[^']*'|\"[^\"]*\")")


@dataclass(frozen=True, slots=True)
class Edge:
    """One requirement: of the project when it is a root, of a package otherwise."""

    target: Key
    extras: tuple[str, ...] = ()
    marker: str = ""
    dev: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """What the project asks for, and what every package asks for: alone (`""`) and with each extra."""

    roots: tuple[Edge, ...]
    edges: Mapping[Key, Mapping[str, Sequence[Edge]]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How one package is reached."""

    path: tuple[Key, ...]
    dev: bool
    direct: bool
    marker: str
    extras: tuple[str, ...]
    dependencies: tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    order: list[_State] = field(default_factory=list)
    before: dict[_State, _State | None] = field(default_factory=dict)
    dev: set[Key] = field(default_factory=set)


def reach(graph: Graph) -> dict[Key, Reach]:
    """Return how each package that can be reached is reached; ways without development dependencies come first."""
    seen = _Seen()
    for dev in (False, True):
        _walk(graph, [edge for edge in graph.roots if edge.dev is dev], seen, dev=dev)
    markers = _markers(graph)
    direct = {edge.target for edge in graph.roots}
    extras: dict[Key, set[str]] = {}
    needs: dict[Key, set[str]] = {}
    first: dict[Key, _State] = {}
    for state in seen.order:
        key, extra = state
        first.setdefault(key, state)
        extras.setdefault(key, set()).update({extra} - {""})
        needs.setdefault(key, set()).update(edge.target[0] for edge in _out(graph, state))
    return {
        key: Reach(
            path=(key,) if key in direct else _path(seen, state),
            dev=key in seen.dev,
            direct=key in direct,
            marker=markers.get(key, ""),
            extras=tuple(sorted(extras[key])),
            dependencies=tuple(sorted(needs[key] - {key[0]})),
        )
        for key, state in first.items()
    }


def either(markers: Iterable[str]) -> str:
    """Return the marker that holds when any of `markers` does; `""` (always) as soon as one of them is."""
    return _written({frozenset({marker}) if marker else frozenset() for marker in markers})


def _walk(graph: Graph, roots: list[Edge], seen: _Seen, *, dev: bool) -> None:
    """Go breadth first from `roots`, so that the first way found is a shortest one."""
    queue: deque[_State] = deque()

    def enter(edge: Edge, before: _State | None) -> None:
        for extra in ("", *edge.extras):
            state = (edge.target, extra)
            if state not in seen.before:
                if dev and extra == "":
                    seen.dev.add(edge.target)
                seen.before[state] = before
                seen.order.append(state)
                queue.append(state)

    for edge in sorted(roots, key=lambda edge: edge.target):
        enter(edge, None)
    while queue:
        state = queue.popleft()
        for edge in sorted(_out(graph, state), key=lambda edge: edge.target):
            enter(edge, state)


def _out(graph: Graph, state: _State) -> Sequence[Edge]:
    key, extra = state
    return graph.edges.get(key, {}).get(extra, ())


def _path(seen: _Seen, state: _State) -> tuple[Key, ...]:
    keys: list[Key] = []
    current: _State | None = state
    while current is not None:
        if not keys or keys[-1] != current[0]:
            keys.append(current[0])
        current = seen.before[current]
    return tuple(reversed(keys))


def _markers(graph: Graph) -> dict[Key, str]:
    """Return under which marker each package is needed: any way to it, and on a way every edge's marker."""
    ways: dict[_State, set[_Clause]] = {}
    changes: Counter[_State] = Counter()
    queue: deque[_State] = deque()
    waiting: set[_State] = set()

    def arrive(edge: Edge, clauses: Iterable[_Clause]) -> None:
        more = frozenset({edge.marker} - {""})
        reached = {clause | more for clause in clauses}
        for extra in ("", *edge.extras):
            state = (edge.target, extra)
            old = ways.get(state)
            new = _smallest((old or set()) | reached)
            if new == old:
                continue
            changes[state] += 1
            ways[state] = new if changes[state] <= _MOST_CHANGES else {frozenset()}
            if state not in waiting:
                waiting.add(state)
                queue.append(state)

    for edge in graph.roots:
        arrive(edge, (frozenset(),))
    while queue:
        state = queue.popleft()
        waiting.discard(state)
        for edge in _out(graph, state):
            arrive(edge, tuple(ways[state]))
    return {key: _written(clauses) for (key, extra), clauses in ways.items() if extra == ""}


def _smallest(clauses: set[_Clause]) -> set[_Clause]:
    """Drop every clause that another one implies, and the longest ones beyond the limit."""
    kept: list[_Clause] = []
    for clause in sorted(clauses, key=lambda clause: (len(clause), sorted(clause))):
        if not any(other <= clause for other in kept):
            kept.append(clause)
    return set(kept[:_MOST_CLAUSES])


def _written(clauses: set[_Clause]) -> str:
    merged = _merged(_smallest(clauses))
    if not merged or frozenset() in merged:
        return ""
    several = len(merged) > 1
    return " or ".join(
        " and ".join(
            f"({marker})" if " or " in marker and (several or len(clause) > 1) else marker for marker in sorted(clause)
        )
        for clause in sorted(merged, key=sorted)
    )


def _merged(clauses: set[_Clause]) -> set[_Clause]:
    """Join clauses that differ in one marker and its opposite: `a and x < 1` or `a and x >= 1` is `a`."""
    for clause in sorted(clauses, key=sorted):
        for marker in sorted(clause):
            rest = clause - {marker}
            twin = _opposite(marker)
            if twin and rest | {twin} in clauses:
                return _merged(_smallest(clauses - {clause, rest | {twin}} | {rest}))
    return clauses


def _opposite(marker: str) -> str:
    if not (match := _COMPARISON.fullmatch(marker)):
        return ""
    variable, operator, value = match.groups()
    return f"{variable} {_OPPOSITES[operator]} {value}"
