"""How far a vulnerable package can be reached, by evidence from the project's own code. Pure, on an ImportIndex.

The levels, weakest first:

- `present`: it is installed. Where only another package imports it, `through` names the nearest ancestor that the
  project imports and the sites are the imports of that ancestor, so that the reviewer sees the way.
- `imported`: the project's own code imports it, starts it from a command file, or uses a name of another package that
  brings it into use (`fastapi.File` needs python-multipart: see USED_THROUGH and FACADES in modules.py).
- `referenced`: the project's own code names a vulnerable symbol; the sites are those lines.
- `exploited` is shown by the wargame, never here.

Code in tests counts only when there is no other: then the level is `imported` at most and `tests_only` is set.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vertice.adaptive.inventory.model import Component
from vertice.adaptive.triage.imports import FileUse, ImportIndex
from vertice.adaptive.triage.model import Reachability, ReachabilityLevel, Site
from vertice.adaptive.triage.modules import COMMANDS, FACADES, USED_THROUGH, modules_of

__all__ = ["Footprint", "ModulesOf", "footprint", "modules_of_interest", "reach", "reach_in", "sites_calling"]

ModulesOf: TypeAlias = Callable[[str], tuple[str, ...]]
"""PEP 503 name -> dotted import names."""

_Named: TypeAlias = tuple[FileUse, str]

_IMPORTED = ReachabilityLevel.imported


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where one package shows in the project's own code, before any advisory is looked at."""

    found: Reachability
    """At most `imported`."""
    named: Mapping[str, tuple[FileUse, ...]]
    """Dotted name of the package's own -> its uses outside of tests."""


def modules_of_interest(components: Iterable[Component], *, modules_of: ModulesOf = modules_of) -> frozenset[str]:
    """Return every module whose uses `reach` may ask for: of the components, their ancestors, and the tables."""
    names = {name for component in components for name in (component.name, *component.dependency_path)}
    found = {module for name in names for module in modules_of(name)}
    lent = {key for name in names for key in USED_THROUGH.get(name, ())}
    found |= {key.split(".")[0] for key in lent}
    for facade, target in FACADES.items():
        if any(_is_under(target, module) for module in found) or any(_is_under(key, target) for key in lent):
            found.add(facade.split(".")[0])
    return frozenset(found)


def reach(
    index: ImportIndex,
    component: Component,
    symbols: Sequence[str],
    *,
    modules_of: ModulesOf = modules_of,
    parents: Mapping[str, Sequence[str]] | None = None,
) -> Reachability:
    """Return the strongest level the project's own code shows for `component` and an advisory's dotted `symbols`.

    `parents` (name -> names that require it) widens the search for an imported ancestor beyond the dependency path.
    """
    return reach_in(footprint(index, component, modules_of=modules_of, parents=parents), symbols)


def reach_in(shown: Footprint, symbols: Sequence[str]) -> Reachability:
    """Return what a footprint shows for one advisory: `referenced` when a line names one of its symbols."""
    wanted = [symbol.split(".") for symbol in symbols]
    uses = [use for name, uses in shown.named.items() if any(_names(name, symbol) for symbol in wanted) for use in uses]
    if not uses:
        return shown.found
    return Reachability(ReachabilityLevel.referenced, _sites(uses, imports=False), shown.found.through)


def footprint(
    index: ImportIndex,
    component: Component,
    *,
    modules_of: ModulesOf = modules_of,
    parents: Mapping[str, Sequence[str]] | None = None,
) -> Footprint:
    """Return where the package shows in the project's own code."""
    modules = modules_of(component.name)
    own, lent = list(_own_uses(index, modules)), list(_lent_uses(index, component.name, modules))
    started = tuple(_started(index, component.name))
    for tests in (False, True):
        mine = [use for use, _ in own if use.test is tests]
        others = [use for use, _ in lent if use.test is tests]
        if mine:
            found = Reachability(_IMPORTED, _sites(mine, imports=True), component.name, tests)
        elif others:
            found = Reachability(_IMPORTED, _sites(others, imports=False), _package(others[0]), tests)
        elif started and not tests:
            found = Reachability(_IMPORTED, started, component.name)
        else:
            continue
        named: dict[str, list[FileUse]] = {}
        for use, name in (*own, *lent):
            if not tests and not use.test:
                named.setdefault(name, []).append(use)
        return Footprint(found, {name: tuple(uses) for name, uses in named.items()})
    return Footprint(_by_ancestor(index, component, modules_of, parents or {}), {})


def sites_calling(
    index: ImportIndex,
    component: Component,
    *,
    modules_of: ModulesOf = modules_of,
    parents: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Site, ...]:
    """Return the own lines (tests left out) that use a name bound from the package, to measure what tests cover.

    A name in a function's signature or decorators counts where it takes effect: at the function's first statement.
    Lines that run when a module is imported are given only when there are no others: importing proves little. For a
    package the project does not name, the lines are those that use its nearest imported ancestor.
    """
    modules = modules_of(component.name)
    uses = [use for use, _ in (*_own_uses(index, modules), *_lent_uses(index, component.name, modules))]
    if not any(not use.test for use in uses):
        above = next((name for name in _ancestors(component, parents or {}) if _imports(index, modules_of(name))), "")
        uses = [use for use, _ in _own_uses(index, modules_of(above))] if above else []
    calls = [use for use in uses if not (use.test or use.use.imported or use.use.name.endswith("()"))]
    chosen = [use for use in calls if use.use.in_function] or calls
    lines: dict[tuple[str, int], str] = {}
    for use in sorted(chosen, key=lambda use: (use.path, use.use)):
        lines.setdefault((use.path, use.use.runs_at), use.site.symbol)
    return tuple(sorted(Site(path, line, symbol) for (path, line), symbol in lines.items()))


def _by_ancestor(
    index: ImportIndex, component: Component, modules_of: ModulesOf, parents: Mapping[str, Sequence[str]]
) -> Reachability:
    for name in _ancestors(component, parents):
        imports = _imports(index, modules_of(name))
        if imports:
            tests = all(use.test for use in imports)
            chosen = [use for use in imports if use.test is tests]
            return Reachability(ReachabilityLevel.present, _sites(chosen, imports=True), name, tests)
    return Reachability()


def _ancestors(component: Component, parents: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the names above the component, the nearest first: on its dependency path, then breadth first."""
    path = [name for name in reversed(component.dependency_path) if name != component.name]
    yield from path
    seen = {component.name}
    level: list[str] = [component.name]
    while level:
        level = [above for name in level for above in parents.get(name, ()) if above not in seen]
        level = list(dict.fromkeys(level))
        seen.update(level)
        yield from (name for name in level if name not in path)


def _imports(index: ImportIndex, modules: Sequence[str]) -> list[FileUse]:
    return [use for use, _ in _own_uses(index, modules) if use.use.imported]


def _own_uses(index: ImportIndex, modules: Sequence[str]) -> Iterator[_Named]:
    """Yield (use, name) for every use of a name below one of `modules`."""
    for top in dict.fromkeys(module.split(".")[0] for module in modules):
        below = [module for module in modules if module.split(".")[0] == top]
        for use in index.uses.get(top, ()):
            plain = use.use.name.replace("()", "")
            if any(_is_under(plain, module) for module in below):
                yield use, use.use.name


def _lent_uses(index: ImportIndex, package: str, modules: Sequence[str]) -> Iterator[_Named]:
    """Yield (use, name in the package's own words) for names of other packages that bring this one into use."""
    keys = USED_THROUGH.get(package, ())
    tops = {key.split(".")[0] for key in keys}
    for top in sorted(tops | {facade.split(".")[0] for facade in FACADES}):
        for use in index.uses.get(top, ()):
            name = _behind_facade(use.use.name)
            plain = name.replace("()", "")
            if any(_is_under(plain, key) for key in (*keys, *(modules if name != use.use.name else ()))):
                yield use, name


def _behind_facade(name: str) -> str:
    """Return the name an object has in the package that makes it, or `name` when no facade hands it out."""
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        target = FACADES.get(".".join(parts[:length]).replace("()", ""))
        if target:
            made = "()" if parts[length - 1].endswith("()") else ""
            return ".".join([target + made, *parts[length:]])
    return name


def _names(name: str, symbol: Sequence[str]) -> bool:
    """Say whether a resolved name is the symbol or something below it; an object of the symbol's class is neither."""
    parts = name.split(".")[: len(symbol)]
    return [part.removesuffix("()") for part in parts] == [*symbol] and not parts[-1].endswith("()")


def _is_under(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def _package(use: FileUse) -> str:
    return use.use.name.split(".", 1)[0].removesuffix("()").replace("_", "-").lower()


def _sites(uses: Iterable[FileUse], *, imports: bool) -> tuple[Site, ...]:
    """Return the sites of the import lines, or of the other lines; of all of them where there are none of the kind."""
    every = list(uses)
    chosen = [use for use in every if use.use.imported is imports] or every
    return tuple(sorted({use.site for use in chosen}))


def _started(index: ImportIndex, package: str) -> Iterator[Site]:
    for command in COMMANDS.get(package, ()):
        word = re.compile(rf"(?<![\w./=-]){re.escape(command)}(?![\w.=\[-])")
        for line in index.commands:
            if word.search(line.text):
                yield Site(line.path, line.line, command)
