"""Looks for the smallest move that takes vulnerable packages up: within the constraints, past them, past a parent."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from packaging.version import Version

from vertice.adaptive.remedy.candidates import Tier, parse, same
from vertice.adaptive.remedy.case import Case, findings
from vertice.adaptive.remedy.distance import size
from vertice.adaptive.remedy.documents.model import Move
from vertice.adaptive.remedy.model import Change, Strategy
from vertice.adaptive.remedy.resolver import Conflict, Question, Solution, solve

__all__ = ["Proposal", "Search", "Target", "proposals"]

MAX_EXCLUSIONS = 8
"""How often a move is asked for anew because a package that moved along was no good."""


@dataclass(frozen=True, slots=True)
class Target:
    """A vulnerable package and the releases that may take its place."""

    name: str
    before: str
    tier: Tier
    known: tuple[Version, ...]
    """Every version on the index."""
    built: bool = False
    """The release in use has no wheel here, so the lowest one is tried though it may have none either: uv, which may
    not build where it has a choice, would pass over it."""

    @property
    def specifier(self) -> str:
        """PEP 440 specifier that lets in the tier's versions and no other."""
        low, high = self.tier.versions[0], self.tier.versions[-1]
        if low == high:
            return f"=={low}"
        between = [version for version in self.known if low < version < high and version not in self.tier.versions]
        stable = [version for version in between if not version.is_prerelease or low.is_prerelease]
        return ",".join([f">={low}", f"<={high}", *(f"!={version}" for version in stable)])


@dataclass(frozen=True, slots=True)
class Proposal:
    """A move that resolves on paper; the edited files are still to be checked."""

    move: Move
    strategy: Strategy
    size: int
    """`distance.size` of it."""
    capping: tuple[str, ...] = ()
    """Parents in use that exclude the target's new version."""


@dataclass(slots=True)
class Search:
    """What came of it: proposals, the smallest first, and what uv said where nothing fitted."""

    proposals: list[Proposal] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Attempt:
    fixed: bool
    free: frozenset[str] | None
    override: bool = False


_AS_IT_IS = _Attempt(fixed=True, free=frozenset())
"""All else stays, and no constraint is touched."""


def proposals(case: Case, targets: Mapping[str, Target], wanted: Mapping[str, str]) -> Search:
    """Return every way found. The first, where all else stays and no constraint is touched, ends the search.

    `wanted` holds what a reviewer asked of packages that are no targets (PEP 503 name -> specifier).
    """
    search = Search()
    exact = {
        name: replace(one, tier=replace(one.tier, versions=one.tier.versions[:1])) for name, one in targets.items()
    }
    attempts = [(exact, _AS_IT_IS)] if any(one.built for one in targets.values()) else []
    for tried, attempt in [*attempts, *((targets, attempt) for attempt in _attempts(case, targets))]:
        if attempt.override and search.proposals and case.document.override_last:
            break
        found = _ask(case, tried, wanted, attempt)
        if isinstance(found, str):
            search.conflicts.append(found)
        elif all(found.move != other.move for other in search.proposals):
            search.proposals.append(found)
            if attempt == _AS_IT_IS:
                break
    order = list(Strategy)
    search.proposals.sort(key=lambda one: (one.size, order.index(one.strategy)))
    return search


def _attempts(case: Case, targets: Mapping[str, Target]) -> Iterator[_Attempt]:
    mine = frozenset(targets)
    limited = {one.name for one in (*case.document.roots, *case.document.constraints) if one.specifier}
    yield _AS_IT_IS
    if mine & limited:
        yield _Attempt(fixed=True, free=mine)
    yield _Attempt(fixed=False, free=frozenset())
    if mine & limited:
        yield _Attempt(fixed=False, free=mine)
    if limited - mine:
        yield _Attempt(fixed=False, free=None)
    if case.document.overridable:
        yield _Attempt(fixed=True, free=mine, override=True)


def _ask(case: Case, targets: Mapping[str, Target], wanted: Mapping[str, str], attempt: _Attempt) -> Proposal | str:
    """Return what the attempt gives, or uv's words; ask again while a package moves to a release that is no good."""
    question = _question(case, targets, wanted, attempt)
    for _ in range(MAX_EXCLUSIONS):
        solution = solve(question, case.tools.uv)
        if isinstance(solution, Conflict):
            return solution.reason
        stray = [name for name in targets if name not in solution.versions]
        if stray:
            return f"{', '.join(stray)} would no longer be asked for by anything"
        move = _move(case, targets, solution, attempt)
        bad = tuple(_unfit(case, targets, move))
        if not bad:
            return _judged(case, move, attempt)
        question = replace(question, excluded=(*question.excluded, *bad))
    return f"no way without moving {bad[0][0]} to a release that is vulnerable or not allowed"


def _question(case: Case, targets: Mapping[str, Target], wanted: Mapping[str, str], attempt: _Attempt) -> Question:
    asked = {name: target.specifier for name, target in targets.items()} | dict(wanted)
    lines = tuple(f"{name}{target.specifier}" for name, target in targets.items()) if attempt.override else ()
    return replace(
        case.question,
        targets=asked,
        fixed=attempt.fixed,
        free=attempt.free,
        overrides=(*(line for line in case.question.overrides if _name(line) not in targets), *lines),
    )


def _name(line: str) -> str:
    return line.partition("==")[0].strip().lower()


def _move(case: Case, targets: Mapping[str, Target], solution: Solution, attempt: _Attempt) -> Move:
    changes = {
        name: (target.before, _spelled(solution.versions[name], target.tier)) for name, target in targets.items()
    }
    for name, version in solution.versions.items():
        before = case.base.versions.get(name)
        if before is not None and name not in changes and not same(before, version):
            changes[name] = (before, version)
    return Move(
        targets=frozenset(targets),
        changes=changes,
        added={name: version for name, version in solution.versions.items() if name not in case.base.versions},
        removed=frozenset(case.base.versions.keys() - solution.versions.keys()),
        parents=solution.parents,
        overridden=frozenset(targets) if attempt.override else frozenset(),
    )


def _spelled(version: str, tier: Tier) -> str:
    wanted = parse(version)
    return next((str(one) for one in tier.versions if one == wanted), version)


def _unfit(case: Case, targets: Mapping[str, Target], move: Move) -> Iterator[tuple[str, str]]:
    """Yield what moved along and brings a new advisory, is refuted, or is too young."""
    moved = {name: after for name, (_, after) in move.changes.items() if name not in targets} | dict(move.added)
    advisories = case.about(moved)
    before = findings({name: case.locked[name] for name in moved if name in case.locked}, advisories, _matcher(case))
    known = {(name, code) for name, _, code in before}
    after = findings({name: (version,) for name, version in moved.items()}, advisories, _matcher(case))
    fresh = {(name, version) for name, version, code in after if (name, code) not in known}
    for name, version in sorted(moved.items()):
        if (name, version) in fresh or case.unfit(name, version):
            yield from dict.fromkeys([(name, version), *((name, young) for young in case.young(name))])


def _matcher(case: Case) -> Callable[..., bool]:
    return case.tools.is_affected


def _judged(case: Case, move: Move, attempt: _Attempt) -> Proposal:
    constraints = case.document.excluding(move)
    capping = tuple(
        sorted(
            {parent for name in move.targets for parent in case.base.parents.get(name, ())}
            & (move.changes.keys() - move.targets)
        )
    )
    if attempt.override:
        strategy = Strategy.override
        capping = tuple(sorted({parent for name in move.targets for parent in move.parents.get(name, ())}))
    elif capping:
        strategy = Strategy.parent
    else:
        strategy = Strategy.relax if constraints else Strategy.upgrade
    overrides = len(move.overridden)
    return Proposal(move, strategy, size(_changes(move), constraints=constraints, overrides=overrides), capping)


def _changes(move: Move) -> Iterable[Change]:
    yield from (Change(name, before, after) for name, (before, after) in move.changes.items())
    yield from (Change(name, "", version) for name, version in move.added.items())
    yield from (Change(name, "removed", "") for name in move.removed)
