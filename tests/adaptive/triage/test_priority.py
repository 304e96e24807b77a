"""The priority formula."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.triage.model import Reachability, ReachabilityLevel, Site
from vertice.adaptive.triage.priority import priority

HERE = (Site("app/io.py", 12, "yaml.load"),)
LEVELS = list(ReachabilityLevel)
MOST_SEVERE_LAST = list(Severity)[::-1]


def reached(level: str, *, tests_only: bool = False) -> Reachability:
    sites = () if level == "present" else HERE
    return Reachability(ReachabilityLevel(level), sites, "pyyaml" if sites else "", tests_only)


@pytest.mark.parametrize(
    ("cvss", "level", "expected"),
    [
        (9.8, "present", 4),
        (9.8, "imported", 3),
        (9.8, "referenced", 2),
        (9.8, "exploited", 1),
        (7.5, "present", 6),
        (7.5, "imported", 5),
        (7.5, "referenced", 4),
        (7.5, "exploited", 2),
        (5.5, "present", 7),
        (5.5, "exploited", 3),
        (3.0, "present", 8),
        (0.0, "present", 10),
        (10.0, "exploited", 1),
    ],
)
def test_score_and_reachability(cvss: float, level: str, expected: int) -> None:
    assert priority(severity=Severity.high, cvss=cvss, reachability=reached(level))[0] == expected


def test_kev_epss_and_development_move_it() -> None:
    def of(*, epss: float | None = None, kev: bool = False, dev: bool = False) -> int:
        return priority(
            severity=Severity.medium, cvss=5.5, epss=epss, kev=kev, reachability=reached("present"), dev=dev
        )[0]

    assert (of(), of(kev=True), of(epss=0.84), of(epss=0.01), of(dev=True)) == (7, 4, 5, 7, 9)


def test_reasons_are_in_words_the_weightiest_first() -> None:
    _, reasons = priority(
        severity=Severity.critical, cvss=9.8, epss=0.84, kev=True, reachability=reached("referenced"), dev=True
    )
    assert reasons == (
        "CVSS 9.8 critical",
        "known to be exploited (KEV)",
        "vulnerable symbol used at app/io.py:12",
        "development only",
        "EPSS 84 %: chance of exploitation within 30 days",
    )


def test_no_score_is_said_and_counts_as_the_severity() -> None:
    urgency, reasons = priority(severity=Severity.medium, cvss=None, reachability=reached("present"))
    assert (urgency, reasons) == (
        7,
        ("no score published: counted as medium", "not imported by the project's own code"),
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            Reachability(ReachabilityLevel.imported, (*HERE, *HERE)),
            "used by the project's own code at app/io.py:12 and 1 more",
        ),
        (Reachability(ReachabilityLevel.imported, HERE, "x", True), "used only in tests, at app/io.py:12"),
        (
            Reachability(ReachabilityLevel.present, HERE, "fastapi"),
            "not imported by the project's own code, but through fastapi at app/io.py:12",
        ),
        (Reachability(ReachabilityLevel.exploited, ()), "exploited in the arena"),
    ],
)
def test_reachability_is_said(found: Reachability, words: str) -> None:
    assert words in priority(severity=Severity.low, cvss=1.0, reachability=found)[1]


@pytest.mark.parametrize(("epss", "shown"), [(0.84, "84 %"), (0.021, "2.1 %"), (0.00043, "0.043 %"), (1.0, "100 %")])
def test_a_small_chance_is_not_rounded_to_nothing(epss: float, shown: str) -> None:
    reasons = priority(severity=Severity.low, cvss=0.0, epss=epss, reachability=reached("present"))[1]
    assert f"EPSS {shown}: chance of exploitation within 30 days" in reasons


scores = st.none() | st.floats(0, 10)
chances = st.none() | st.floats(0, 1)
findings = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(Severity),
        "cvss": scores,
        "epss": chances,
        "kev": st.booleans(),
        "reachability": st.sampled_from([reached(level) for level in LEVELS] + [reached("imported", tests_only=True)]),
        "dev": st.booleans(),
    }
)


def urgency(finding: dict[str, object], **worse: object) -> int:
    return priority(**{**finding, **worse})[0]  # type: ignore[arg-type]


@given(findings)
def test_it_is_one_to_ten_with_reasons(finding: dict[str, object]) -> None:
    value, reasons = priority(**finding)  # type: ignore[arg-type]
    assert 1 <= value <= 10
    assert len(reasons) >= 2


@given(findings, st.floats(0, 10), st.floats(0, 10))
def test_a_higher_score_is_never_less_urgent(finding: dict[str, object], one: float, other: float) -> None:
    assert urgency(finding, cvss=max(one, other)) <= urgency(finding, cvss=min(one, other))


@given(findings, st.sampled_from(MOST_SEVERE_LAST), st.sampled_from(MOST_SEVERE_LAST))
def test_a_higher_severity_is_never_less_urgent(finding: dict[str, object], one: Severity, other: Severity) -> None:
    low, high = sorted((one, other), key=MOST_SEVERE_LAST.index)
    assert urgency(finding, severity=high, cvss=None) <= urgency(finding, severity=low, cvss=None)


@given(findings, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_chance_is_never_less_urgent(finding: dict[str, object], one: float, other: float) -> None:
    assert (
        urgency(finding, epss=max(one, other)) <= urgency(finding, epss=min(one, other)) <= urgency(finding, epss=None)
    )


@given(findings)
def test_more_reach_kev_and_production_are_never_less_urgent(finding: dict[str, object]) -> None:
    steps = ["present", "imported", "referenced", "exploited"]
    values = [urgency(finding, reachability=reached(level)) for level in steps]
    values.insert(1, urgency(finding, reachability=reached("imported", tests_only=True)))
    assert values == sorted(values, reverse=True)
    assert urgency(finding, kev=True) <= urgency(finding, kev=False)
    assert urgency(finding, dev=False) <= urgency(finding, dev=True)


def test_the_documented_examples_are_true() -> None:
    text = (Path(__file__).parents[3] / "docs" / "priority.md").read_text()
    rows = re.findall(r"^\| CVSS ([\d.]+)[^|]*\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert len(rows) == 4
    for cvss, *expected in rows:
        found = [
            priority(severity=Severity.medium, cvss=float(cvss), reachability=reached(level))[0] for level in LEVELS
        ]
        assert [str(value) for value in found] == expected
