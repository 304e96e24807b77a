"""Shortest paths, markers and development packages in a dependency graph."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from vertice.adaptive.inventory.graph import Edge, Graph, Key, either, reach


def key(name: str) -> Key:
    return name, "1"


def graph(roots: list[Edge], **edges: list[Edge]) -> Graph:
    return Graph(tuple(roots), {key(name): {"": found} for name, found in edges.items()})


def test_the_shortest_path_wins() -> None:
    found = reach(
        graph(
            [Edge(key("a")), Edge(key("b"))],
            a=[Edge(key("c"))],
            c=[Edge(key("d"))],
            b=[Edge(key("d"))],
        )
    )
    assert found[key("d")].path == (key("b"), key("d"))
    assert found[key("d")].direct is False


def test_a_way_without_development_packages_comes_first() -> None:
    found = reach(
        graph([Edge(key("a")), Edge(key("t"), dev=True)], a=[Edge(key("b"))], b=[Edge(key("c"))], t=[Edge(key("c"))])
    )
    assert found[key("c")].path == (key("a"), key("b"), key("c"))
    assert {name for (name, _), one in found.items() if one.dev} == {"t"}


def test_an_extra_brings_its_own_requirements_only_when_asked() -> None:
    edges = {key("a"): {"": [Edge(key("b"))], "x": [Edge(key("c"))]}}
    assert set(reach(Graph((Edge(key("a")),), edges))) == {key("a"), key("b")}
    found = reach(Graph((Edge(key("a"), extras=("x",)),), edges))
    assert found[key("c")].path == (key("a"), key("c"))
    assert found[key("a")].extras == ("x",)
    assert found[key("a")].dependencies == ("b", "c")


def test_an_extra_asked_for_by_development_alone_is_for_development() -> None:
    edges = {key("a"): {"x": [Edge(key("c"))]}}
    found = reach(Graph((Edge(key("a")), Edge(key("a"), extras=("x",), dev=True)), edges))
    assert not found[key("a")].dev
    assert found[key("c")].dev


def test_circles_end() -> None:
    found = reach(graph([Edge(key("a"))], a=[Edge(key("b"))], b=[Edge(key("a")), Edge(key("b"))]))
    assert found[key("b")].path == (key("a"), key("b"))


def test_opposite_markers_cancel() -> None:
    assert either(["python_version < '3.9'", "python_version >= '3.9'"]) == ""
    assert either(["os_name == 'nt'", ""]) == ""
    assert either(["os_name == 'nt'", "os_name == 'nt'"]) == "os_name == 'nt'"
    assert either(["a == '1' or b == '2'", "c == '3'"]) == "(a == '1' or b == '2') or c == '3'"
    assert either([]) == ""


NODES = [key(name) for name in "abcdef"]
MARKERS = ["", "os_name == 'nt'", "os_name != 'nt'", "sys_platform == 'linux'", "python_version < '3.10'"]
EDGES = st.lists(
    st.tuples(st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from(MARKERS), st.booleans()), max_size=14
)
ENVIRONMENTS = [
    {"os_name": os_name, "sys_platform": platform, "python_version": version}
    for os_name, platform, version in itertools.product(("nt", "posix"), ("linux", "darwin"), ("3.9", "3.11"))
]


@given(EDGES, st.sets(st.sampled_from(NODES), min_size=1, max_size=3))
def test_a_marker_holds_exactly_where_a_way_exists(edges: list[tuple[Key, Key, str, bool]], roots: set[Key]) -> None:
    """Against the plain definition: walk the graph in each environment along the edges whose marker holds there."""
    table: dict[Key, dict[str, list[Edge]]] = {}
    for source, target, marker, _ in edges:
        table.setdefault(source, {}).setdefault("", []).append(Edge(target, marker=marker))
    found = reach(Graph(tuple(Edge(root) for root in roots), table))
    for environment in ENVIRONMENTS:
        seen, todo = set(roots), list(roots)
        while todo:
            for edge in table.get(todo.pop(), {}).get("", []):
                if edge.target not in seen and (not edge.marker or Marker(edge.marker).evaluate(environment)):
                    seen.add(edge.target)
                    todo.append(edge.target)
        assert {
            node for node, one in found.items() if not one.marker or Marker(one.marker).evaluate(environment)
        } == seen


@given(EDGES, st.sets(st.sampled_from(NODES), min_size=1, max_size=3))
def test_every_path_is_a_shortest_one(edges: list[tuple[Key, Key, str, bool]], roots: set[Key]) -> None:
    """Against Floyd and Warshall."""
    table: dict[Key, dict[str, list[Edge]]] = {}
    steps = {(a, b): 0 if a == b else 99 for a in NODES for b in NODES}
    for source, target, _, _ in edges:
        table.setdefault(source, {}).setdefault("", []).append(Edge(target))
        steps[source, target] = min(steps[source, target], 1)
    for middle, a, b in itertools.product(NODES, NODES, NODES):
        steps[a, b] = min(steps[a, b], steps[a, middle] + steps[middle, b])
    found = reach(Graph(tuple(Edge(root) for root in roots), table))
    for node in NODES:
        nearest = min(steps[root, node] for root in roots)
        assert (node in found) is (nearest < 99)
        if node in found:
            assert len(found[node].path) == nearest + 1
            assert found[node].path[0] in roots
            assert all(steps[a, b] == 1 for a, b in itertools.pairwise(found[node].path))
