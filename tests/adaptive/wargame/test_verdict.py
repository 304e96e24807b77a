"""The verdict is the most dangerous function of the program: each rule by itself, then properties over all evidence."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.wargame.model import (
    CaseRun,
    EnvironmentReport,
    Evidence,
    Grade,
    Outcome,
    Role,
    Side,
    TestReport,
    VerdictWord,
)
from vertice.adaptive.wargame.verdict import judge, narrow, newly_failing

GOOD = {
    (Role.attack, Side.before): Outcome.exploited,
    (Role.variant, Side.before): Outcome.exploited,
    (Role.control, Side.before): Outcome.works,
    (Role.attack, Side.after): Outcome.blocked,
    (Role.variant, Side.after): Outcome.blocked,
    (Role.control, Side.after): Outcome.works,
}
CASES = (("attack", Role.attack), ("other-way", Role.variant), ("plain", Role.control))


def environment(side: Side, error: str = "") -> EnvironmentReport:
    return EnvironmentReport(side, "digest", "3.11", ("jinja2==2.11.3",), 0.1, reused=False, error=error)


def run(
    case: str, role: Role, side: Side, repeat: int = 0, outcome: Outcome | None = None, probe: str = "P-1"
) -> CaseRun:
    return CaseRun(probe, case, role, side, repeat, outcome or GOOD[role, side], "seen", 0.01, "exited")


def runs(repeats: int = 3, probe: str = "P-1", cases: tuple[tuple[str, Role], ...] = CASES) -> tuple[CaseRun, ...]:
    return tuple(
        run(case, role, side, n, probe=probe) for side, (case, role), n in product(Side, cases, range(repeats))
    )


def report(
    side: Side, results: dict[str, str] | None = None, *, covered: tuple[str, ...] = ("app.py:3",), error: str = ""
) -> TestReport:
    found = {"t::one": "passed", "t::two": "passed"} if results is None else results
    return TestReport(side, ("python", "-m", "pytest"), found, 1.0, ("app.py:3", "app.py:9"), covered, error)


PROVEN = Evidence(
    environments=(environment(Side.before), environment(Side.after)),
    runs=runs(),
    tests=(report(Side.before), report(Side.after)),
)


def swapped(evidence: Evidence, outcome: Outcome, role: Role, side: Side, repeat: int = 1) -> Evidence:
    """One single run of the evidence says something else."""
    return replace(
        evidence,
        runs=tuple(
            replace(one, outcome=outcome) if (one.role, one.side, one.repeat) == (role, side, repeat) else one
            for one in evidence.runs
        ),
    )


def test_all_that_is_wanted_and_a_covering_test_is_proven() -> None:
    verdict = judge(PROVEN)
    assert (verdict.word, verdict.grade) == (VerdictWord.success, Grade.proven)
    assert 0.9 <= verdict.confidence < 1
    assert "1 of the 2 lines" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(PROVEN, tests=()), "no tests"),
        (
            replace(PROVEN, tests=(report(Side.before, covered=()), report(Side.after, covered=()))),
            "no test runs a",
        ),
        (
            replace(PROVEN, tests=(report(Side.before, {}, error="?"), report(Side.after, {}, error="?"))),
            "nothing",
        ),
        (replace(PROVEN, tests=(report(Side.before), report(Side.after, covered=()))), "no test runs a"),
        (
            replace(PROVEN, tests=(report(Side.before, {"t": "error"}), report(Side.after, {"t": "error"}))),
            "none of the project's tests passes",
        ),
        (replace(PROVEN, tests=(TestReport(Side.before, (), {}, 0), TestReport(Side.after, (), {}, 0))), "no tests"),
    ],
)
def test_without_a_covering_test_it_is_partly_proven_below_nine_tenths(changed: Evidence, why: str) -> None:
    verdict = judge(changed)
    assert (verdict.word, verdict.grade) == (VerdictWord.success, Grade.partly_proven)
    assert verdict.confidence < 0.9
    assert why in " ".join(verdict.reasons)
    assert verdict.raise_by


@pytest.mark.parametrize("role", [Role.attack, Role.variant])
@pytest.mark.parametrize("repeat", [0, 1, 2])
def test_one_single_exploit_after_refutes(role: Role, repeat: int) -> None:
    verdict = judge(swapped(PROVEN, Outcome.exploited, role, Side.after, repeat))
    assert (verdict.word, verdict.grade, verdict.confidence) == (VerdictWord.failed, Grade.refuted, 0.0)


def test_ordinary_use_that_breaks_refutes() -> None:
    verdict = judge(swapped(PROVEN, Outcome.broken, Role.control, Side.after))
    assert verdict.word is VerdictWord.failed
    assert "ordinary use broke" in verdict.reasons[0]


@pytest.mark.parametrize("after", ["failed", "error", "skipped", None])
def test_a_test_that_no_longer_passes_refutes(after: str | None) -> None:
    results = {"t::one": "passed"} | ({} if after is None else {"t::two": after})
    verdict = judge(replace(PROVEN, tests=(report(Side.before), report(Side.after, results))))
    assert verdict.word is VerdictWord.failed
    assert "t::two" in verdict.reasons[0]


def test_a_test_run_that_breaks_off_after_refutes() -> None:
    broken_off = report(Side.after, {}, covered=(), error="the test run was stopped: timed_out")
    assert judge(replace(PROVEN, tests=(report(Side.before), broken_off))).word is VerdictWord.failed


def test_a_test_that_failed_before_may_fail_after() -> None:
    was = {"t::one": "passed", "t::two": "failed"}
    assert judge(replace(PROVEN, tests=(report(Side.before, was), report(Side.after, was)))).word is VerdictWord.success
    assert newly_failing(report(Side.before, was), report(Side.after, was)) == ()


@pytest.mark.parametrize(
    ("role", "side", "outcome"),
    [
        (Role.attack, Side.before, Outcome.blocked),
        (Role.attack, Side.before, Outcome.error),
        (Role.variant, Side.before, Outcome.blocked),
        (Role.control, Side.before, Outcome.broken),
        (Role.control, Side.before, Outcome.error),
        (Role.attack, Side.after, Outcome.error),
        (Role.variant, Side.after, Outcome.error),
        (Role.control, Side.after, Outcome.error),
    ],
)
def test_one_single_doubtful_run_is_inconclusive(role: Role, side: Side, outcome: Outcome) -> None:
    verdict = judge(swapped(PROVEN, outcome, role, side))
    assert (verdict.word, verdict.grade) == (VerdictWord.inconclusive, Grade.unproven)
    assert verdict.confidence < 0.5


@pytest.mark.parametrize(
    "changed",
    [
        replace(PROVEN, runs=()),
        replace(PROVEN, unprobed=("APV-20260101-002",)),
        replace(PROVEN, runs=runs(2)),
        replace(PROVEN, runs=runs(cases=(CASES[0], CASES[2]))),
        replace(PROVEN, runs=runs(cases=CASES[:2])),
        replace(PROVEN, runs=runs(cases=CASES[1:])),
    ],
    ids=["no run", "an APV without probe", "too few repeats", "no variant", "no control", "no attack"],
)
def test_what_is_missing_never_counts_as_a_pass(changed: Evidence) -> None:
    assert judge(changed).word is VerdictWord.inconclusive


@pytest.mark.parametrize(
    "changed",
    [
        replace(PROVEN, environments=(environment(Side.before),)),
        replace(PROVEN, environments=(environment(Side.before), environment(Side.after, "no wheel"))),
        replace(PROVEN, runs=tuple(one for one in PROVEN.runs if one.side is Side.before)),
        replace(PROVEN, runs=tuple(one for one in PROVEN.runs if (one.side, one.case) != (Side.after, "other-way"))),
    ],
    ids=["no environment", "did not build", "one side did not run", "a case ran on one side only"],
)
def test_a_broken_arena_is_an_error(changed: Evidence) -> None:
    assert (judge(changed).word, judge(changed).confidence) == (VerdictWord.error, 0.0)


def test_one_apv_of_many_is_judged_by_its_own_probes() -> None:
    both = replace(PROVEN, runs=runs() + runs(probe="P-2"), unprobed=("APV-3",))
    refuted = replace(both, runs=(*both.runs, run("attack", Role.attack, Side.after, 3, Outcome.exploited, "P-2")))
    assert judge(refuted).word is VerdictWord.failed
    assert judge(narrow(refuted, frozenset({"P-1"}), "APV-1")).word is VerdictWord.success
    assert judge(narrow(refuted, frozenset(), "APV-3")).word is VerdictWord.inconclusive


outcomes = st.sampled_from(list(Outcome))
any_runs = st.lists(
    st.builds(
        run,
        case=st.sampled_from(["attack", "other-way", "plain"]),
        role=st.sampled_from(list(Role)),
        side=st.sampled_from(list(Side)),
        repeat=st.integers(0, 2),
        outcome=outcomes,
        probe=st.sampled_from(["P-1", "P-2"]),
    ),
    max_size=30,
)
any_tests = st.builds(
    report,
    side=st.sampled_from(list(Side)),
    results=st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["passed", "failed", "error", "skipped"])
    ),
    covered=st.sampled_from([(), ("app.py:3",), ("app.py:3", "app.py:9")]),
    error=st.sampled_from(["", "stopped"]),
)


@given(
    st.builds(
        Evidence,
        environments=st.lists(
            st.builds(environment, st.sampled_from(list(Side)), st.sampled_from(["", "x"])), max_size=3
        ).map(tuple),
        runs=st.one_of(any_runs, any_runs.map(lambda odd: [*runs(), *odd])).map(tuple),
        tests=st.lists(any_tests, max_size=2).map(tuple),
        unprobed=st.sampled_from([(), ("APV-1",)]),
        repeats=st.integers(1, 4),
        unfought=st.sampled_from(["", "no runner"]),
    )
)
def test_success_implies_everything_it_claims(evidence: Evidence) -> None:
    """Whatever the evidence: a success means that each single run showed what it had to, and nothing was missing."""
    verdict = judge(evidence)
    assert 0 <= verdict.confidence <= 1
    assert verdict.reasons
    if verdict.word is VerdictWord.success:
        assert all(one.outcome is GOOD[one.role, one.side] for one in evidence.runs)
        assert {(one.role, one.side) for one in evidence.runs} == set(GOOD)
        assert not evidence.unprobed
        assert not evidence.unfought
        assert {one.side for one in evidence.environments if not one.error} == set(Side)
        assert (verdict.confidence >= 0.9) == (verdict.grade is Grade.proven)


def test_a_wargame_that_never_was_is_inconclusive_and_says_why() -> None:
    verdict = judge(Evidence((), (), (), unfought="GitHub refuses it"))
    assert (verdict.word, verdict.grade) == (VerdictWord.inconclusive, Grade.unproven)
    assert verdict.reasons == ("there was no wargame: GitHub refuses it",)


def test_what_was_seen_all_the_same_still_refutes() -> None:
    seen = swapped(PROVEN, Outcome.exploited, Role.attack, Side.after)
    assert judge(replace(seen, unfought="it says")).word is VerdictWord.failed
    assert judge(replace(PROVEN, unfought="it says")).word is VerdictWord.inconclusive
    assert judge(replace(PROVEN, environments=(), unfought="it says")).word is VerdictWord.error


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 30), st.integers(0, 2))
def test_confidence_grows_with_the_evidence(repeats: int, variants: int, passed: int, covered: int) -> None:
    def confidence(repeats: int, variants: int, passed: int, covered: int) -> float:
        cases = (CASES[0], CASES[2], *((f"way-{n}", Role.variant) for n in range(variants)))
        results = {f"t::{n}": "passed" for n in range(passed)}
        lines = ("app.py:3", "app.py:9")[:covered]
        both = (report(Side.before, results, covered=lines), report(Side.after, results, covered=lines))
        verdict = judge(replace(PROVEN, runs=runs(repeats, cases=cases), tests=both, repeats=repeats))
        assert verdict.word is VerdictWord.success
        return verdict.confidence

    base = confidence(repeats, variants, passed, covered)
    assert confidence(repeats + 1, variants, passed, covered) >= base
    assert confidence(repeats, variants + 1, passed, covered) >= base
    assert confidence(repeats, variants, passed + 1, covered) >= base
    assert confidence(repeats, variants, passed, min(covered + 1, 2)) >= base
