"""How urgent a finding is: a sum of points, 1 (most urgent) to 10. docs/priority.md says the same to users.

    severity      6 * CVSS base score (0..60); where none is published the severity's stand-in:
                  critical 9.5, high 8.0, medium 5.5, low 2.0
    reachability  present 0, imported 10 (only in tests: 3), referenced 20, exploited in the arena 35
    KEV           30 when it is known to be exploited
    EPSS          20 * √p (p: chance of exploitation within 30 days; the root because most are far below 10 %)
    development   -20 when only development or tests need it

    priority = 10 - points / 10, rounded to the nearest whole number (halves up, to the less urgent), held in 1..10

It is monotone in each input: more of a bad thing never makes a finding less urgent. What is not known adds nothing,
except for the severity, where nothing published must not read as harmless.
"""

import math
from typing import NamedTuple

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.triage.model import Reachability, ReachabilityLevel

__all__ = ["STAND_IN_SCORES", "priority"]

STAND_IN_SCORES = {Severity.critical: 9.5, Severity.high: 8.0, Severity.medium: 5.5, Severity.low: 2.0}
"""CVSS score that a severity without a score counts as: about the middle of its band (CVSS v3.1 §5)."""

_REACHED = {
    ReachabilityLevel.present: 0.0,
    ReachabilityLevel.imported: 10.0,
    ReachabilityLevel.referenced: 20.0,
    ReachabilityLevel.exploited: 35.0,
}
_TESTS_ONLY = 3.0
_KEV = 30.0
_EPSS = 20.0
_PER_CVSS_POINT = 6.0
_DEVELOPMENT = -20.0


class _Part(NamedTuple):
    points: float
    reason: str


def priority(
    *,
    severity: Severity,
    cvss: float | None,
    epss: float | None = None,
    kev: bool = False,
    reachability: Reachability,
    dev: bool = False,
) -> tuple[int, tuple[str, ...]]:
    """Return the priority (1 most urgent, 10 least) and the reasons in words, the weightiest first.

    `cvss` 0..10 and `epss` 0..1, None where none is published.
    """
    parts = [_severity(severity, cvss), _reachability(reachability)]
    if kev:
        parts.append(_Part(_KEV, "known to be exploited (KEV)"))
    if epss is not None:
        parts.append(_Part(_EPSS * math.sqrt(epss), f"EPSS {_percent(epss)}: chance of exploitation within 30 days"))
    if dev:
        parts.append(_Part(_DEVELOPMENT, "development only"))
    points = round(sum(part.points for part in parts), 6)
    parts.sort(key=lambda part: -abs(part.points))
    return max(1, min(10, math.floor(10.5 - points / 10))), tuple(part.reason for part in parts)


def _severity(severity: Severity, cvss: float | None) -> _Part:
    if cvss is not None:
        return _Part(_PER_CVSS_POINT * cvss, f"CVSS {cvss:.1f} {severity}")
    return _Part(_PER_CVSS_POINT * STAND_IN_SCORES[severity], f"no score published: counted as {severity}")


def _reachability(found: Reachability) -> _Part:
    points = _REACHED[found.level]
    where = _places(found)
    match found.level:
        case ReachabilityLevel.exploited:
            return _Part(points, "exploited in the arena")
        case ReachabilityLevel.referenced:
            return _Part(points, f"vulnerable symbol used at {where}")
        case ReachabilityLevel.imported if found.tests_only:
            return _Part(_TESTS_ONLY, f"used only in tests, at {where}")
        case ReachabilityLevel.imported:
            return _Part(points, f"used by the project's own code at {where}")
        case _ if found.through:
            return _Part(points, f"not imported by the project's own code, but through {found.through} at {where}")
    return _Part(points, "not imported by the project's own code")


def _places(found: Reachability) -> str:
    if not found.sites:
        return "an unknown place"
    first, more = found.sites[0], len(found.sites) - 1
    return f"{first.path}:{first.line}" + (f" and {more} more" if more else "")


def _percent(share: float) -> str:
    """Write a share so that a small one is not rounded to nothing: 84 %, 2.1 %, 0.04 %."""
    value = share * 100
    text = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
    return f"{text} %"
