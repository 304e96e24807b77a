"""From (component, advisory) matches to judged findings, the most urgent first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeAlias

from vertice.adaptive.advisories.model import Advisory, Severity
from vertice.adaptive.inventory.model import Component, Project
from vertice.adaptive.triage.codes import CodeKey, Codes
from vertice.adaptive.triage.imports import ImportIndex, index_imports
from vertice.adaptive.triage.model import Apv, Reachability
from vertice.adaptive.triage.modules import modules_of
from vertice.adaptive.triage.priority import priority
from vertice.adaptive.triage.reachability import Footprint, ModulesOf, footprint, modules_of_interest, reach_in
from vertice.adaptive.triage.sources import read_own_code

__all__ = ["Match", "at_or_above", "index_project", "parents_of", "rejudged", "triage"]

Match: TypeAlias = tuple[Component, Advisory]

_SEVERITIES = tuple(Severity)


def index_project(project: Project, matches: Sequence[Match], *, modules_of: ModulesOf = modules_of) -> ImportIndex:
    """Read the project's own code and index what it uses of the matched packages and what stands above them."""
    if not matches:
        return ImportIndex()
    components = {component for component, _ in matches}
    modules = modules_of_interest(_with_ancestors(project, components), modules_of=modules_of)
    return index_imports(read_own_code(project.root), modules)


def triage(
    project: Project,
    matches: Sequence[Match],
    *,
    index: ImportIndex,
    codes: Codes,
    today: date,
    symbols: Mapping[str, Sequence[str]] | None = None,
    modules_of: ModulesOf = modules_of,
    project_key: str = "",
) -> tuple[Apv, ...]:
    """Return one finding for each (advisory, package, version), sorted by priority, severity, then name.

    `symbols` (advisory id or alias -> dotted names) adds to the advisories' own. `project_key` tells projects apart in
    `codes`; the default is the project's absolute path. New codes are numbered in the order of the result.
    """
    merged: dict[CodeKey, list[Match]] = {}
    for component, advisory in matches:
        merged.setdefault(CodeKey(advisory.id, component.name, component.version), []).append((component, advisory))
    parents = parents_of(project)
    shown: dict[Component, Footprint] = {}
    judged: list[tuple[CodeKey, Apv]] = []
    for key, group in merged.items():
        component = min((component for component, _ in group), key=_nearness)
        advisory = group[0][1]
        if component not in shown:
            shown[component] = footprint(index, component, modules_of=modules_of, parents=parents)
        known = [*advisory.symbols, *(name for each in advisory.ids for name in (symbols or {}).get(each, ()))]
        apv = Apv("", advisory, component, _locations(component for component, _ in group))
        judged.append((key, rejudged(apv, reach_in(shown[component], known))))
    judged.sort(key=lambda pair: _urgency(pair[1]))
    numbered = codes.codes_for(project_key or str(project.root.resolve()), [key for key, _ in judged], today)
    return tuple(replace(apv, code=code) for (_, apv), code in zip(judged, numbered, strict=True))


def rejudged(apv: Apv, reachability: Reachability) -> Apv:
    """Return the finding with another reachability (as after the wargame) and the priority that follows from it."""
    advisory = apv.advisory
    urgency, reasons = priority(
        severity=advisory.severity,
        cvss=advisory.cvss,
        epss=advisory.epss,
        kev=advisory.kev,
        reachability=reachability,
        dev=apv.component.dev,
    )
    return replace(apv, reachability=reachability, priority=urgency, reasons=reasons)


def at_or_above(apvs: Iterable[Apv], severity: Severity) -> bool:
    """Say whether any finding is at least as severe as `severity`."""
    return any(_SEVERITIES.index(apv.advisory.severity) <= _SEVERITIES.index(severity) for apv in apvs)


def parents_of(project: Project) -> dict[str, tuple[str, ...]]:
    """Return package -> names of the packages that require it, over every manifest, sorted."""
    found: dict[str, set[str]] = {}
    for component in project.components:
        for name in component.dependencies:
            found.setdefault(name, set()).add(component.name)
    return {name: tuple(sorted(parents)) for name, parents in found.items()}


def _with_ancestors(project: Project, components: Iterable[Component]) -> list[Component]:
    """Return `components` and every component of the project that requires one of them, however far up."""
    parents = parents_of(project)
    wanted = {component.name for component in components}
    level = set(wanted)
    while level:
        level = {above for name in level for above in parents.get(name, ())} - wanted
        wanted |= level
    return [*components, *(component for component in project.components if component.name in wanted)]


def _nearness(component: Component) -> tuple[bool, bool, int, Component]:
    """Order the components of one package so that the one that matters most comes first."""
    return component.dev, not component.direct, len(component.dependency_path), component


def _locations(components: Iterable[Component]) -> tuple[str, ...]:
    places = {(component.source, component.line) for component in components}
    return tuple(f"{source}:{line}" if line else source for source, line in sorted(places))


def _urgency(apv: Apv) -> tuple[int, int, str, str, str]:
    rank = _SEVERITIES.index(apv.advisory.severity)
    return apv.priority, rank, apv.component.name, apv.component.version, apv.advisory.id
