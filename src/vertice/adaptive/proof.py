"""From what both sides showed to a proof: pure functions between the wargame and the review."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vertice.adaptive.model import ApvProof, Attempt, Proof, SideReport
from vertice.adaptive.triage.model import Apv, Reachability, ReachabilityLevel, Site
from vertice.adaptive.wargame.model import CaseRun, Evidence, Outcome, Probe, Role, Side, TestReport, VerdictWord
from vertice.adaptive.wargame.verdict import judge, narrow

__all__ = ["Refutation", "evidence_of", "proof_of", "reached", "refutation_of"]

_ATTACKS = frozenset({Role.attack, Role.variant})
_BEST_FIRST = (VerdictWord.success, VerdictWord.inconclusive, VerdictWord.failed, VerdictWord.error)


def evidence_of(
    probes: Mapping[str, Sequence[Probe]],
    before: SideReport,
    after: SideReport,
    baseline: TestReport,
    sites: Sequence[Site],
    repeats: int,
) -> Evidence:
    """Put both sides together. `probes` has every APV of the remedy by code; the baseline speaks of more sites."""
    named = {f"{site.path}:{site.line}" for site in sites}
    tests_before = replace(
        baseline,
        sites=tuple(site for site in baseline.sites if site in named),
        covered=tuple(site for site in baseline.covered if site in named),
    )
    return Evidence(
        environments=(before.environment, after.environment),
        runs=before.runs + after.runs,
        tests=(tests_before, *((after.tests,) if after.tests else ())),
        unprobed=tuple(code for code, own in probes.items() if not own),
        repeats=repeats,
    )


@dataclass(frozen=True, slots=True)
class Refutation:
    """An attack that still works after the patch."""

    release: tuple[str, str]
    """(name, version) that was called fixed."""
    probe: str


def refutation_of(attempt: Attempt, probes: Mapping[str, Sequence[Probe]]) -> Refutation | None:
    """Return which release was refuted and by what, None when no other release of it could help.

    Another release helps only against a probe that attacks a package which the remedy changes: an advisory may name
    the wrong package, and then every release of that one is refuted. And no release helps where an environment did not
    build, since nothing was shown before.
    """
    if any(report.error for report in attempt.evidence.environments):
        return None
    changed = {change.package: change.after for change in attempt.remedy.changes}
    attacked = {probe.id: probe.package for own in probes.values() for probe in own}
    for run in _still_works(attempt):
        if (package := attacked[run.probe]) in changed:
            return Refutation((package, changed[package]), run.probe)
    return None


def proof_of(tried: Sequence[Attempt], apvs: Sequence[Apv], probes: Mapping[str, Sequence[Probe]]) -> Proof:
    """Return the proof of the best attempt (the earliest of equals) with one row per APV and every doubt."""
    best = min(tried, key=lambda attempt: _BEST_FIRST.index(attempt.verdict.word))
    rows = tuple(_row(best.evidence, apv, probes[apv.code]) for apv in apvs)
    doubts = tuple(doubt for apv in apvs for doubt in _doubts(tried, apv, {one.id: one for one in probes[apv.code]}))
    passed_over = tuple(_after_only(attempt.evidence) for attempt in tried if attempt is not best)
    return Proof(best.remedy, best.verdict, rows, best.evidence, doubts, passed_over, venue=best.venue)


def reached(apv: Apv, proof: ApvProof) -> Apv:
    """Raise the reachability to `exploited` where the arena showed it and the project's code uses the package."""
    if proof.before != Outcome.exploited or apv.reachability.level is ReachabilityLevel.present:
        return apv
    level: Reachability = replace(apv.reachability, level=ReachabilityLevel.exploited)
    return replace(apv, reachability=level)


def _after_only(evidence: Evidence) -> Evidence:
    return replace(
        evidence,
        environments=tuple(one for one in evidence.environments if one.side is Side.after),
        runs=tuple(run for run in evidence.runs if run.side is Side.after),
        tests=tuple(report for report in evidence.tests if report.side is Side.after),
    )


def _row(evidence: Evidence, apv: Apv, probes: Sequence[Probe]) -> ApvProof:
    part = narrow(evidence, frozenset(probe.id for probe in probes), apv.code)
    return ApvProof(apv.code, judge(part), before=_side(part, Side.before), after=_side(part, Side.after))


def _side(evidence: Evidence, side: Side) -> str:
    """One word for a column: what the attacks did on one side."""
    outcomes = [run.outcome for run in evidence.runs if run.side is side and run.role in _ATTACKS]
    if not outcomes:
        return "no probe" if evidence.unprobed else "not run"
    if side is Side.before and all(outcome is Outcome.exploited for outcome in outcomes):
        return Outcome.exploited
    if side is Side.before:
        return Outcome.error if Outcome.error in outcomes else "not reproduced"
    return next((one for one in (Outcome.exploited, Outcome.error) if one in outcomes), Outcome.blocked)


def _doubts(tried: Sequence[Attempt], apv: Apv, probes: Mapping[str, Probe]) -> Iterator[str]:
    """Say of each probe which releases that the advisory calls fixed it still works against, and how it did last."""
    worked: dict[str, dict[str, CaseRun]] = {}
    for attempt in tried:
        release = _after(attempt, apv.component.name, apv.component.version)
        for run in _still_works(attempt):
            if run.probe in probes:
                worked.setdefault(run.probe, {}).setdefault(release, run)
    for name, releases in worked.items():
        last, run = list(releases.items())[-1]
        against = f"against {', '.join(releases)}" if len(releases) > 1 else "against it"
        doubt = (
            f"{apv.advisory.id} calls {apv.component.name} {next(iter(releases))} fixed, but {name} still works "
            f"{against} ({run.case} on {last}: {run.evidence})"
        )
        if probes[name].package != apv.component.name:
            doubt += f"; the attack goes through {probes[name].package}, which this advisory does not name"
        yield doubt


def _after(attempt: Attempt, package: str, before: str) -> str:
    return next((change.after for change in attempt.remedy.changes if change.package == package), before)


def _still_works(attempt: Attempt) -> list[CaseRun]:
    return [
        run
        for run in attempt.evidence.runs
        if run.side is Side.after and run.role in _ATTACKS and run.outcome is Outcome.exploited
    ]
