"""From what both sides showed to one proof: each rule by itself."""

from dataclasses import replace

import pytest

from tests.adaptive.world import CASES, a_probe, a_remedy, an_apv
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.model import ApvProof, Attempt, SideReport
from vertice.adaptive.proof import Refutation, evidence_of, proof_of, reached, refutation_of
from vertice.adaptive.triage.model import ReachabilityLevel, Site
from vertice.adaptive.wargame.model import (
    CaseRun,
    EnvironmentReport,
    Evidence,
    Outcome,
    Probe,
    Role,
    Side,
    TestReport,
    VerdictWord,
)
from vertice.adaptive.wargame.verdict import judge

BEFORE = Lock(("a==1", "b==1"))
A, B = an_apv("a"), an_apv("b")
P, Q = a_probe("P-a", "a"), a_probe("Q-b", "b")
PROBES = {A.code: (P,), B.code: (Q,)}
GOOD = {
    (Side.before, False): Outcome.exploited,
    (Side.after, False): Outcome.blocked,
    (Side.before, True): Outcome.works,
    (Side.after, True): Outcome.works,
}


def environment(side: Side, error: str = "") -> EnvironmentReport:
    return EnvironmentReport(side, f"digest-{side}", "3.11", (), 0.1, reused=False, error=error)


def runs_of(probe: Probe, side: Side, repeats: int = 1, **outcomes: Outcome) -> tuple[CaseRun, ...]:
    """Every case of a probe on one side, as a good patch shows it but for `outcomes` by case."""
    return tuple(
        CaseRun(
            probe=probe.id,
            case=case.name,
            role=case.role,
            side=side,
            repeat=repeat,
            outcome=outcomes.get(case.name, GOOD[side, case.role is Role.control]),
            evidence=f"{case.name} was seen",
            seconds=0.1,
            ended="exited",
        )
        for case in CASES
        for repeat in range(repeats)
    )


def attempt(version: str, after: tuple[CaseRun, ...], before: tuple[CaseRun, ...] = (), error: str = "") -> Attempt:
    before = before or tuple(run for name in {run.probe for run in after} for run in runs_of(by_id(name), Side.before))
    evidence = Evidence((environment(Side.before), environment(Side.after, error)), before + after, (), repeats=1)
    return Attempt(a_remedy("a", version, before=BEFORE), evidence, judge(evidence))


def by_id(name: str) -> Probe:
    return {"P-a": P, "Q-b": Q}[name]


def refuted(version: str, probe: Probe = P, case: str = "attack") -> Attempt:
    return attempt(version, runs_of(probe, Side.after, **{case: Outcome.exploited}))


def held(version: str) -> Attempt:
    return attempt(version, runs_of(P, Side.after))


# evidence_of


def baseline() -> TestReport:
    sites = ("app.py:3", "app.py:5", "other.py:1")
    return TestReport(Side.before, ("pytest",), {"t": "passed"}, 1.0, sites=sites, covered=("app.py:5", "other.py:1"))


def test_the_baseline_speaks_only_of_the_lines_of_this_remedy() -> None:
    before = SideReport(environment(Side.before), runs_of(P, Side.before))
    after = SideReport(environment(Side.after), runs_of(P, Side.after), TestReport(Side.after, (), {}, 0.0))
    sites = (Site("app.py", 3, "a.x"), Site("app.py", 5, "a.y"), Site("app.py", 5, "a.z"))
    evidence = evidence_of({A.code: (P,), B.code: ()}, before, after, baseline(), sites, 4)
    first, second = evidence.tests
    assert (first.sites, first.covered) == (("app.py:3", "app.py:5"), ("app.py:5",))
    assert first.results == {"t": "passed"}
    assert second == after.tests
    assert evidence.environments == (before.environment, after.environment)
    assert evidence.runs == before.runs + after.runs
    assert (evidence.unprobed, evidence.repeats) == ((B.code,), 4)


def test_a_side_that_was_not_tested_adds_no_report() -> None:
    before, after = SideReport(environment(Side.before)), SideReport(environment(Side.after))
    evidence = evidence_of({A.code: (P,)}, before, after, baseline(), (), 1)
    assert [report.side for report in evidence.tests] == [Side.before]
    assert evidence.unprobed == ()


# refutation_of


@pytest.mark.parametrize("case", ["attack", "variant"])
def test_an_attack_that_still_works_refutes_the_release_of_its_package(case: str) -> None:
    assert refutation_of(refuted("2", case=case), PROBES) == Refutation(("a", "2"), "P-a")


def test_only_a_package_that_the_remedy_changes_can_be_refuted() -> None:
    """Probe Q attacks b, which the remedy leaves as it is: no other release of a would help."""
    assert refutation_of(refuted("2", Q), PROBES) is None
    both = attempt(
        "2", runs_of(Q, Side.after, attack=Outcome.exploited) + runs_of(P, Side.after, attack=Outcome.exploited)
    )
    assert refutation_of(both, PROBES) == Refutation(("a", "2"), "P-a")


@pytest.mark.parametrize(
    "after",
    [
        runs_of(P, Side.after),
        runs_of(P, Side.after, attack=Outcome.error),
        runs_of(P, Side.after, control=Outcome.broken),
    ],
    ids=["blocked", "error", "control broke"],
)
def test_nothing_else_refutes_a_release(after: tuple[CaseRun, ...]) -> None:
    """All attacks work before, as they have to: that is no refutation."""
    assert refutation_of(attempt("2", after), PROBES) is None


def test_where_an_environment_did_not_build_no_release_is_refuted() -> None:
    tried = attempt("2", runs_of(P, Side.after, attack=Outcome.exploited))
    evidence = replace(tried.evidence, environments=(environment(Side.before, "no wheel"), environment(Side.after)))
    assert refutation_of(replace(tried, evidence=evidence), PROBES) is None


# proof_of


def test_the_best_attempt_wins() -> None:
    unclear = attempt("3", runs_of(P, Side.after, attack=Outcome.error))
    broken = attempt("5", runs_of(P, Side.after), error="no wheel")
    tried = [broken, refuted("2"), unclear, held("4")]
    assert [one.verdict.word for one in tried] == ["error", "failed", "inconclusive", "success"]
    for count, best in ((1, "5"), (2, "2"), (3, "3"), (4, "4")):
        proof = proof_of(tried[:count], [A], PROBES)
        assert proof.remedy.changes[0].after == best
        assert proof.verdict == tried[count - 1].verdict
        assert proof.evidence == tried[count - 1].evidence


def test_the_earliest_of_equals_wins() -> None:
    assert proof_of([refuted("2"), refuted("3"), refuted("4")], [A], PROBES).remedy.changes[0].after == "2"


def test_doubts_name_every_refuted_release_in_order_and_how_the_last_was_refuted() -> None:
    proof = proof_of([refuted("2"), refuted("3"), refuted("10", case="variant"), held("11")], [A], PROBES)
    assert proof.doubts == (
        "GHSA-a calls a 2 fixed, but P-a still works against 2, 3, 10 (variant on 10: variant was seen)",
    )


def test_a_doubt_about_one_release_does_not_list_it_twice() -> None:
    assert proof_of([refuted("2"), held("3")], [A], PROBES).doubts == (
        "GHSA-a calls a 2 fixed, but P-a still works against it (attack on 2: attack was seen)",
    )


def test_a_doubt_shows_the_first_attack_that_works() -> None:
    both = attempt("2", runs_of(P, Side.after, attack=Outcome.exploited, variant=Outcome.exploited))
    assert "(attack on 2: attack was seen)" in proof_of([both], [A], PROBES).doubts[0]


def test_a_doubt_says_which_package_the_attack_really_goes_through() -> None:
    probes = {A.code: (Q,)}
    (doubt,) = proof_of([refuted("2", Q)], [A], probes).doubts
    assert doubt.startswith("GHSA-a calls a 2 fixed, but Q-b still works against it (attack on 2: attack was seen)")
    assert doubt.endswith("; the attack goes through b, which this advisory does not name")


def test_an_advisory_is_not_doubted_for_the_attack_of_another() -> None:
    both = attempt("2", runs_of(P, Side.after) + runs_of(Q, Side.after, attack=Outcome.exploited))
    doubts = proof_of([both], [A, B], PROBES).doubts
    assert doubts == ("GHSA-b calls b 1 fixed, but Q-b still works against it (attack on 1: attack was seen)",)


def test_what_holds_is_not_doubted() -> None:
    assert proof_of([held("2")], [A], PROBES).doubts == ()


# the rows


def row(
    after: tuple[CaseRun, ...] = (), before: tuple[CaseRun, ...] = (), probes: tuple[Probe, ...] = (P,)
) -> ApvProof:
    evidence = Evidence((environment(Side.before), environment(Side.after)), before + after, (), repeats=1)
    one = Attempt(a_remedy("a", "2", before=BEFORE), evidence, judge(evidence))
    return proof_of([one], [A], {A.code: probes}).apvs[0]


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ({}, "exploited"),
        ({"attack": Outcome.blocked}, "not reproduced"),
        ({"variant": Outcome.blocked}, "not reproduced"),
        ({"variant": Outcome.error}, "error"),
        ({"attack": Outcome.blocked, "variant": Outcome.error}, "error"),
        ({"control": Outcome.broken}, "exploited"),
    ],
)
def test_the_word_for_before(outcomes: dict[str, Outcome], word: str) -> None:
    assert row(runs_of(P, Side.after), runs_of(P, Side.before, **outcomes)).before == word


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ({}, "blocked"),
        ({"variant": Outcome.exploited}, "exploited"),
        ({"attack": Outcome.error}, "error"),
        ({"attack": Outcome.error, "variant": Outcome.exploited}, "exploited"),
        ({"control": Outcome.broken}, "blocked"),
    ],
)
def test_the_word_for_after(outcomes: dict[str, Outcome], word: str) -> None:
    assert row(runs_of(P, Side.after, **outcomes), runs_of(P, Side.before)).after == word


def test_without_a_probe_the_row_says_so() -> None:
    """The runs of the other APV's probe do not speak of this one."""
    missing = row(runs_of(Q, Side.after), runs_of(Q, Side.before), probes=())
    assert (missing.before, missing.after) == ("no probe", "no probe")
    assert missing.verdict.word is VerdictWord.inconclusive


def test_where_nothing_ran_the_row_says_so() -> None:
    missing = row()
    assert (missing.before, missing.after) == ("not run", "not run")


def test_each_row_has_the_verdict_of_its_own_probes() -> None:
    both = attempt("2", runs_of(P, Side.after) + runs_of(Q, Side.after, attack=Outcome.exploited))
    rows = proof_of([both], [A, B], PROBES).apvs
    assert [(one.apv, one.verdict.word, one.after) for one in rows] == [
        ("APV-20261121-097", VerdictWord.success, "blocked"),
        ("APV-20261121-098", VerdictWord.failed, "exploited"),
    ]


# reached


@pytest.mark.parametrize(
    ("level", "before", "after"),
    [
        (ReachabilityLevel.present, "exploited", ReachabilityLevel.present),
        (ReachabilityLevel.imported, "exploited", ReachabilityLevel.exploited),
        (ReachabilityLevel.referenced, "exploited", ReachabilityLevel.exploited),
        (ReachabilityLevel.imported, "not reproduced", ReachabilityLevel.imported),
        (ReachabilityLevel.referenced, "no probe", ReachabilityLevel.referenced),
        (ReachabilityLevel.referenced, "error", ReachabilityLevel.referenced),
    ],
)
def test_only_what_is_used_and_was_shown_is_raised(
    level: ReachabilityLevel, before: str, after: ReachabilityLevel
) -> None:
    apv = an_apv("a", level=level)
    shown = reached(apv, ApvProof(apv.code, held("2").verdict, before=before, after="blocked"))
    assert shown == replace(apv, reachability=replace(apv.reachability, level=after))
