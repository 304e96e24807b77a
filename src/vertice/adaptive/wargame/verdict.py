"""The verdict: a pure function of the evidence (docs/verdict.md tells it to people).

Every check that can refute comes before every check that can only doubt, and both before anything that can pass.
What is missing never counts as a pass.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from vertice.adaptive.wargame.model import (
    CaseRun,
    Evidence,
    Grade,
    Outcome,
    Role,
    Side,
    TestReport,
    Verdict,
    VerdictWord,
)

__all__ = ["judge", "narrow", "newly_failing"]


def judge(evidence: Evidence) -> Verdict:
    """Return the verdict on one remedy (or on one APV of it, see `narrow`).

    `error`/broken: an environment did not build, or runs are missing on one side.
    `failed`/refuted: any attack or variant still works after, a control that worked broke, a test newly fails.
    `inconclusive`/unproven: no wargame at all, an APV without a probe, or a probe that did not show all it must.
    `success`/proven: all attacks and variants work before and none after, controls work on both sides, tests are no
    worse and run lines that call into the changed packages. `success`/partly proven: the same without such a line.

    The confidence says how sure we may be that the patch closes the hole and breaks nothing, 0..1:
    error and failed 0; inconclusive 0.30 + 0.15·T; partly proven 0.50 + 0.39·S; proven 0.90 + 0.09·S, where
    S is the mean of R = 1 - 2^(1-repeats), V = 1 - 2^(-variants), T = 1 - 2^(-passed/5) (variants: the fewest that any
    probe brings; passed: tests that pass after) and C = covered sites / sites. More evidence never lowers it.
    """
    for word, grade, check in _CHECKS:
        if reasons := tuple(check(evidence)):
            confidence = 0.30 + 0.15 * _tests_strength(evidence) if word is VerdictWord.inconclusive else 0.0
            return Verdict(word, grade, round(confidence, 3), reasons, _raise_by(evidence, word))
    covered = _covering(evidence)
    strength = _strength(evidence)
    proven = (
        f"{_count(evidence, Role.attack, Role.variant)} worked before and none works after; the ordinary use goes on"
    )
    if covered:
        words = f"tests are no worse and run {len(covered)} of the {_sites(evidence)} lines that call into the change"
        return Verdict(VerdictWord.success, Grade.proven, round(0.90 + 0.09 * strength, 3), (proven, words))
    return Verdict(
        VerdictWord.success,
        Grade.partly_proven,
        round(0.50 + 0.39 * strength, 3),
        (proven, _no_cover(evidence)),
        _raise_by(evidence, VerdictWord.success),
    )


def narrow(evidence: Evidence, probes: frozenset[str], apv: str) -> Evidence:
    """Return the part of `evidence` that speaks of one APV: the runs of its `probes` (none: it is unprobed)."""
    return replace(
        evidence,
        runs=tuple(run for run in evidence.runs if run.probe in probes),
        unprobed=() if probes else (apv,),
    )


def newly_failing(before: TestReport | None, after: TestReport | None) -> tuple[str, ...]:
    """Return ids of tests that passed before and do not after: failed, errored, skipped or no longer there."""
    if before is None or after is None:
        return ()
    return tuple(
        name
        for name, result in sorted(before.results.items())
        if result == "passed" and after.results.get(name) != "passed"
    )


def _broken(evidence: Evidence) -> Iterable[str]:
    if evidence.unfought and not evidence.environments and not evidence.runs:
        return
    for side in Side:
        report = next((one for one in evidence.environments if one.side is side), None)
        if report is None:
            yield f"there is no environment {side}"
        elif report.error:
            yield f"the environment {side} did not build: {report.error}"
    per_side = {side: {(run.probe, run.case, run.role) for run in _runs(evidence, side)} for side in Side}
    if per_side[Side.before] != per_side[Side.after]:
        yield "the cases that ran before and after are not the same"


def _refuted(evidence: Evidence) -> Iterable[str]:
    for run in _first_per_case(_runs(evidence, Side.after, Outcome.exploited, Role.attack, Role.variant)):
        yield f"{run.probe} {run.case} still works after: {run.evidence}"
    worked = {(run.probe, run.case) for run in _runs(evidence, Side.before, Outcome.works, Role.control)}
    for run in _first_per_case(_runs(evidence, Side.after, Outcome.broken, Role.control)):
        if (run.probe, run.case) in worked:
            yield f"{run.probe} {run.case}: the ordinary use broke: {run.evidence}"
    before, after = _tests(evidence, Side.before), _tests(evidence, Side.after)
    for name in newly_failing(before, after):
        yield f"test {name} passed before and does not after"


def _doubtful(evidence: Evidence) -> Iterable[str]:
    if evidence.unfought:
        yield f"there was no wargame: {evidence.unfought}"
    probes = {run.probe for run in evidence.runs}
    if evidence.unprobed:
        total = len(evidence.unprobed) + len(probes)
        yield f"no probe attacks {', '.join(evidence.unprobed)}" + (
            f" ({len(probes)} of {total} are attacked)" if probes else ""
        )
    elif not evidence.runs and not evidence.unfought:
        yield "nothing was attacked"
    for probe in sorted(probes):
        for role in Role:
            if not any(run.probe == probe and run.role is role for run in evidence.runs):
                yield f"{probe} ran no {role}"
    wanted = {
        (Role.attack, Side.before): Outcome.exploited,
        (Role.variant, Side.before): Outcome.exploited,
        (Role.control, Side.before): Outcome.works,
        (Role.attack, Side.after): Outcome.blocked,
        (Role.variant, Side.after): Outcome.blocked,
        (Role.control, Side.after): Outcome.works,
    }
    odd = (run for run in evidence.runs if run.outcome is not wanted[run.role, run.side])
    for run in _first_per_case(odd):
        what = (
            "did not reproduce" if run.side is Side.before and run.outcome is Outcome.blocked else f"says {run.outcome}"
        )
        yield f"{run.probe} {run.case} {what} {run.side}: {run.evidence}"
    repeats = {(run.probe, run.case, run.side, run.repeat) for run in evidence.runs}
    if len(repeats) < len({(run.probe, run.case, run.side) for run in evidence.runs}) * evidence.repeats:
        yield f"not every case ran {evidence.repeats} times"


_CHECKS: tuple[tuple[VerdictWord, Grade, Callable[[Evidence], Iterable[str]]], ...] = (
    (VerdictWord.error, Grade.broken, _broken),
    (VerdictWord.failed, Grade.refuted, _refuted),
    (VerdictWord.inconclusive, Grade.unproven, _doubtful),
)


def _runs(evidence: Evidence, side: Side, outcome: Outcome | None = None, *roles: Role) -> list[CaseRun]:
    return [
        run
        for run in evidence.runs
        if run.side is side and outcome in {None, run.outcome} and (not roles or run.role in roles)
    ]


def _first_per_case(runs: Iterable[CaseRun]) -> list[CaseRun]:
    return list({(run.probe, run.case, run.side): run for run in reversed(list(runs))}.values())[::-1]


def _tests(evidence: Evidence, side: Side) -> TestReport | None:
    return next((report for report in evidence.tests if report.side is side), None)


def _passed(evidence: Evidence) -> int:
    after = _tests(evidence, Side.after)
    return sum(result == "passed" for result in after.results.values()) if after else 0


def _tests_strength(evidence: Evidence) -> float:
    return float(1 - 2 ** (-_passed(evidence) / 5))


def _covering(evidence: Evidence) -> tuple[str, ...]:
    """Sites that the tests run on both sides, so that they speak of the change; none if no test passes after."""
    before, after = _tests(evidence, Side.before), _tests(evidence, Side.after)
    if not before or not after or before.error or after.error or not _passed(evidence):
        return ()
    return tuple(site for site in after.covered if site in before.covered)


def _sites(evidence: Evidence) -> int:
    after = _tests(evidence, Side.after)
    return len(after.sites) if after else 0


def _strength(evidence: Evidence) -> float:
    per_probe: dict[str, set[str]] = {run.probe: set() for run in evidence.runs}
    for run in evidence.runs:
        if run.role is Role.variant:
            per_probe[run.probe].add(run.case)
    variants = min((len(cases) for cases in per_probe.values()), default=0)
    sites = _sites(evidence)
    parts = (
        1 - 2 ** (1 - evidence.repeats),
        1 - 2**-variants,
        _tests_strength(evidence),
        len(_covering(evidence)) / sites if sites else 0.0,
    )
    return float(sum(parts) / len(parts))


def _count(evidence: Evidence, *roles: Role) -> str:
    cases = {(run.probe, run.case) for run in evidence.runs if run.role in roles}
    repeats = f", {evidence.repeats} times each" if evidence.repeats > 1 else ""
    return f"{len(cases)} attacks and variants{repeats}"


def _no_cover(evidence: Evidence) -> str:
    before, after = _tests(evidence, Side.before), _tests(evidence, Side.after)
    if not after or not after.command:
        return "the project has no tests"
    for report in (before, after):
        if report and report.error:
            return f"the tests {report.side} tell nothing: {report.error}"
    if not _passed(evidence):
        return f"none of the project's tests passes, before or after ({len(after.results)} ran)"
    if not after.sites:
        return "no line of the project calls into the changed packages"
    return f"no test runs a line that calls into the changed packages (there are {len(after.sites)})"


def _raise_by(evidence: Evidence, word: VerdictWord) -> tuple[str, ...]:
    after = _tests(evidence, Side.after)
    advice = []
    if evidence.unprobed:
        advice.append(f"a probe for {', '.join(evidence.unprobed)} (`vertice probe new`)")
    if word is VerdictWord.success and after and after.sites:
        shown = ", ".join(site for site in after.sites if site not in after.covered)
        advice.append(f"a test that runs {shown}")
    if not after or not after.command:
        advice.append("tests of the project's own")
    return tuple(advice)
