"""From APVs to remedies: `plan` is all that other domains need of this one."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from vertice.adaptive.advisories.match import is_affected
from vertice.adaptive.advisories.model import AdvisorySource
from vertice.adaptive.inventory.assembly import Ground
from vertice.adaptive.inventory.model import Manifest, ManifestKind, Project
from vertice.adaptive.inventory.resolution import target_python
from vertice.adaptive.remedy.candidates import Rules, Tier, parse
from vertice.adaptive.remedy.case import Case, Tools, open_case
from vertice.adaptive.remedy.diff import unified_diff
from vertice.adaptive.remedy.documents.model import Move, Written
from vertice.adaptive.remedy.facts import facts_of
from vertice.adaptive.remedy.model import Remedy, Unremedied
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.resolver import Runner, Uv
from vertice.adaptive.remedy.search import Proposal, proposals
from vertice.adaptive.remedy.targets import offered, target
from vertice.adaptive.remedy.verify import Checked, check
from vertice.adaptive.remedy.words import why
from vertice.adaptive.triage.model import Apv
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["plan"]

Group = tuple[str, str]
"""(package, version) in use."""

PARALLEL = 3
"""Packages whose remedies are looked for at once: uv waits for the index most of the time."""
MAX_AVOIDED = 5
"""How many releases a range may have to keep out."""


@dataclass(frozen=True, slots=True)
class _Solved:
    groups: tuple[Group, ...]
    proposal: Proposal
    written: Written
    checked: Checked
    tiers: Mapping[str, Tier]
    others: tuple[Proposal, ...]


def plan(
    project: Project,
    apvs: Sequence[Apv],
    *,
    uv: Uv,
    source: AdvisorySource,
    releases: Releases,
    refuted: frozenset[tuple[str, str]] = frozenset(),
    wanted: Mapping[str, str] | None = None,
    minimum_age_days: int = 0,
    allow_prereleases: bool = False,
    now: datetime,
    read: Callable[[Path], Project] | None = None,
    facts: bool = True,
) -> tuple[Remedy | Unremedied, ...]:
    """Return a remedy for all that can be remedied and a reason for all that cannot, the most urgent first.

    Every remedy was resolved by uv and read again: all of `Remedy.apvs` are gone, no advisory is new (or `why` says
    which and that it could not be helped), nothing went down. An APV in several manifests gets a remedy for each.

    `refuted`: (package, version) that a wargame refuted; the next release is tried. `wanted`: package -> version or
    specifier a reviewer asked to try. `minimum_age_days`: younger releases are not proposed. `now` has a time zone.
    `read` reads an edited copy of the project, `read_project` when None. `facts`: collect `Remedy.facts` (network).

    Raises InputError when what is `wanted` does not exist, does not resolve or stays affected; UnfinishedError when the
    index cannot be reached or uv does not run.
    """
    runner = Runner(uv, str(project.root.absolute()))
    tools = Tools(runner, source, releases, read or _reader(runner), is_affected)
    asked = _specifiers(wanted or {})
    base = Rules(
        refuted=frozenset((canonicalize_name(name), version) for name, version in refuted),
        wanted=asked,
        uploaded_before=now - timedelta(days=minimum_age_days) if minimum_age_days else None,
        allow_prereleases=allow_prereleases,
    )
    _check_known(asked, project)
    found: list[Remedy | Unremedied] = []
    for manifest in project.manifests:
        mine = _of(manifest, apvs)
        if mine:
            rules = replace(base, python=_python(manifest))
            mine_tools = replace(tools, uv=replace(runner, indexes=manifest.lock.indexes))
            found += _manifest(project, manifest, mine, rules, mine_tools)
    if facts:
        python = _python(project.manifests[0]) if project.manifests else ""
        found = _with_facts(found, releases, now, python)
    rank = {apv.code: (apv.priority, index) for index, apv in enumerate(apvs)}
    return tuple(sorted(found, key=lambda one: min(rank[code] for code in _codes(one))))


def _python(manifest: Manifest) -> str:
    """Return the Python to resolve for: the lowest a universal lock promises, else the one that is used."""
    lock = manifest.lock
    if manifest.kind in {ManifestKind.uv_lock, ManifestKind.poetry_lock} and lock.requires_python:
        accepted = SpecifierSet(lock.requires_python)
        fitting = (f"3.{minor}" for minor in range(6, 30) if accepted.contains(f"3.{minor}.99"))
        return next(fitting, "")
    return target_python(Ground(requires_python=lock.requires_python, python_version=lock.python_version))


def _codes(one: Remedy | Unremedied) -> tuple[str, ...]:
    return one.apvs if isinstance(one, Remedy) else (one.apv,)


def _reader(runner: Runner) -> Callable[[Path], Project]:
    from vertice.adaptive.inventory.reader import read_project

    return lambda root: read_project(root, uv=lambda: runner)


def _specifiers(wanted: Mapping[str, str]) -> dict[str, SpecifierSet]:
    found: dict[str, SpecifierSet] = {}
    for name, text in wanted.items():
        try:
            found[canonicalize_name(name)] = SpecifierSet(f"=={text}" if parse(text) else text)
        except InvalidSpecifier as error:
            raise InputError(
                "is neither a version nor a constraint",
                where=printable(f"{name} {text}", limit=200),
                todo="Write it like `3.1.4` or `>=3.1,<4`.",
            ) from error
    return found


def _check_known(asked: Mapping[str, SpecifierSet], project: Project) -> None:
    known = {component.name for component in project.components}
    for name, spec in asked.items():
        if name not in known:
            raise InputError(
                "the project does not use this package",
                where=printable(f"{name} {spec}", limit=200),
                todo="Name a package of the project.",
            )


def _of(manifest: Manifest, apvs: Sequence[Apv]) -> tuple[Apv, ...]:
    present = {(component.name, component.version) for component in manifest.components}
    mine = [apv for apv in apvs if (apv.component.name, apv.component.version) in present]
    return tuple(sorted(mine, key=lambda apv: apv.priority))


def _with_facts(
    found: Sequence[Remedy | Unremedied], releases: Releases, now: datetime, python: str
) -> list[Remedy | Unremedied]:
    changes = tuple(change for one in found if isinstance(one, Remedy) for change in one.changes if change.after)
    known = facts_of(changes, releases, now, python=python)
    return [
        replace(one, facts=tuple(known[change] for change in one.changes if change in known))
        if isinstance(one, Remedy)
        else one
        for one in found
    ]


def _manifest(
    project: Project, manifest: Manifest, apvs: tuple[Apv, ...], rules: Rules, tools: Tools
) -> list[Remedy | Unremedied]:
    case = open_case(project, manifest, apvs, rules, tools)
    if isinstance(case, str):
        return [Unremedied(apv.code, case) for apv in apvs]
    groups: dict[Group, list[Apv]] = {}
    for apv in apvs:
        groups.setdefault((apv.component.name, apv.component.version), []).append(apv)
    solved: list[_Solved] = []
    reasons: dict[Group, str] = {}
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        answers = list(pool.map(lambda group: _solve(case, (group,)), groups))
    for group, answer in zip(groups, answers, strict=True):
        if isinstance(answer, str):
            reasons[group] = answer
        else:
            solved.append(answer)
    remedies = [_remedy(case, one) for one in _joined(case, solved)]
    gone = {code for remedy in remedies for code in remedy.apvs}
    left = [Unremedied(apv.code, _reason(apv, reasons)) for apv in apvs if apv.code not in gone]
    return [*remedies, *left]


def _reason(apv: Apv, reasons: Mapping[Group, str]) -> str:
    group = (apv.component.name, apv.component.version)
    known = f"no release above {apv.component.version} is free of {apv.advisory.id}"
    return reasons.get(group, f"{known}; the remedy for {apv.component.name} removes what can be removed")


def _joined(case: Case, solved: Sequence[_Solved]) -> list[_Solved]:
    """Solve together what moves the same packages: a parent and its child, two children of one parent."""
    joined: list[_Solved] = []
    for cluster in _clusters(solved):
        if len(cluster) == 1:
            joined += cluster
            continue
        covering = _covering(cluster)
        if covering is not None:
            joined.append(covering)
            continue
        answer = _solve(case, tuple(group for one in cluster for group in one.groups))
        joined += cluster if isinstance(answer, str) else [answer]
    return joined


def _covering(cluster: Sequence[_Solved]) -> _Solved | None:
    """Return the one that removes every APV that any of them removes."""
    everything = {code for one in cluster for code in one.checked.removed}
    whole = [one for one in cluster if everything <= set(one.checked.removed)]
    return min(whole, key=lambda one: one.proposal.size, default=None)


def _clusters(solved: Sequence[_Solved]) -> list[list[_Solved]]:
    clusters: list[list[_Solved]] = []
    for one in solved:
        touching = [cluster for cluster in clusters if any(_moves(one) & _moves(other) for other in cluster)]
        clusters = [cluster for cluster in clusters if cluster not in touching]
        clusters.append([*(other for cluster in touching for other in cluster), one])
    return clusters


def _moves(one: _Solved) -> set[str]:
    return {change.package for change in one.checked.changes if change.before}


def _solve(case: Case, groups: tuple[Group, ...]) -> _Solved | str:
    """Return the smallest checked change that takes all `groups` up, or why there is none."""
    options = {}
    for name, version in groups:
        found = offered(case, name, version)
        if isinstance(found, str):
            return found
        options[name, version] = found
    wanted = {name: str(spec) for name, spec in (case.rules.wanted or {}).items() if name in case.locked}
    others = {name: spec for name, spec in wanted.items() if name not in {name for name, _ in groups}}
    problems: list[str] = []
    for depth in range(max(len(found) for found in options.values())):
        chosen = {name: found[min(depth, len(found) - 1)] for (name, _), found in options.items()}
        targets = {name: target(case, name, version, chosen[name]) for name, version in groups}
        search = proposals(case, targets, others)
        problems += search.conflicts
        for proposal in search.proposals:
            answer = _checked(case, groups, proposal, chosen)
            if not isinstance(answer, str):
                return replace(answer, others=tuple(one for one in search.proposals if one is not proposal))
            problems.append(answer)
    asked = {name: spec for name, spec in wanted.items() if name in others or name in dict(groups)}
    if asked:
        raise InputError(
            f"does not resolve: {problems[0]}",
            where=", ".join(f"{name} {spec}" for name, spec in sorted(asked.items())),
            todo="Ask for another version.",
        )
    names = ", ".join(name for name, _ in groups)
    return f"no release that removes it resolves with the rest ({names}): {problems[0]}"


def _checked(case: Case, groups: tuple[Group, ...], proposal: Proposal, chosen: Mapping[str, Tier]) -> _Solved | str:
    """Write the proposal and check what came out; keep out of a range what should not be in it."""
    accepted = frozenset(advisory.id for tier in chosen.values() for advisory in tier.new)
    if proposal.capping and not proposal.move.overridden:
        bare = replace(proposal, move=replace(proposal.move, bare=True))
        answer = _tried(case, groups, bare, chosen, accepted)
        if not isinstance(answer, str):
            return answer
    return _tried(case, groups, proposal, chosen, accepted)


def _tried(
    case: Case,
    groups: tuple[Group, ...],
    proposal: Proposal,
    chosen: Mapping[str, Tier],
    accepted: frozenset[str],
) -> _Solved | str:
    move, reason = proposal.move, ""
    for _ in range(MAX_AVOIDED):
        written = case.document.write(move, case.tools.releases, case.tools.uv)
        if written.problem:
            return written.problem
        checked = check(case, move, written, accepted)
        if isinstance(checked, Checked):
            if not all(_removes(case, group, chosen, checked) for group in groups):
                return "reading the edited files again shows the vulnerability still there"
            return _Solved(groups, replace(proposal, move=move), written, checked, chosen, ())
        reason = checked.reason
        if checked.avoid is None or checked.avoid[0] not in move.changes:
            break
        move = _avoiding(move, *checked.avoid)
    return reason


def _removes(case: Case, group: Group, chosen: Mapping[str, Tier], checked: Checked) -> bool:
    """Say whether every APV of the group is gone, but for those that the tier leaves behind."""
    left = {advisory.id for advisory in chosen[group[0]].remaining}
    mine = [apv for apv in case.apvs if (apv.component.name, apv.component.version) == group]
    return all(apv.code in checked.removed for apv in mine if apv.advisory.id not in left)


def _avoiding(move: Move, name: str, version: str) -> Move:
    return replace(move, avoided={**move.avoided, name: (*move.avoided.get(name, ()), version)})


def _remedy(case: Case, one: _Solved) -> Remedy:
    edits = tuple(edit for edit in one.written.edits if edit.before != edit.after)
    return Remedy(
        manifest=case.manifest.path,
        apvs=one.checked.removed,
        strategy=one.proposal.strategy,
        changes=one.checked.changes,
        edits=edits,
        diff=unified_diff(edits),
        before=case.manifest.lock,
        after=one.checked.lock,
        why=why(one.proposal, one.checked, one.tiers, one.written, one.others, case.rules.refuted),
    )
