"""Severity is computed from vectors."""

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.advisories.severity import rate, score, worded

V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V30 = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        ([V2, V30, V31, V4], (6.9, V4, Severity.medium)),
        ([V2, V31, V30], (9.8, V31, Severity.critical)),
        ([V2, V30], (7.5, V30, Severity.high)),
        ([V2], (7.5, V2, Severity.high)),
        ([f"({V2})"], (7.5, f"({V2})", Severity.high)),
        (["CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", V31], (9.8, V31, Severity.critical)),
        (
            ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"],
            (0.0, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Severity.low),
        ),
        (["CVSS:3.1/AV:N", "7.5", "", "CVSS:9.9/AV:N", "nonsense"], (None, "", Severity.medium)),
        (["CVSS:4.0/broken", V31], (9.8, V31, Severity.critical)),
        ([], (None, "", Severity.medium)),
    ],
)
def test_the_newest_version_counts_and_of_it_the_highest_score(
    vectors: list[str], expected: tuple[float | None, str, Severity]
) -> None:
    assert score(vectors) == expected


@pytest.mark.parametrize(
    ("base", "severity"),
    [
        (10.0, "critical"),
        (9.0, "critical"),
        (8.9, "high"),
        (7.0, "high"),
        (6.9, "medium"),
        (4.0, "medium"),
        (3.9, "low"),
        (0.0, "low"),
    ],
)
def test_rating_scale(base: float, severity: str) -> None:
    assert rate(base) == severity


def test_words() -> None:
    assert [worded(one) for one in ("MODERATE", "Critical", "unknown", None, 7)] == [
        "medium",
        "critical",
        None,
        None,
        None,
    ]
