"""Words and figures that several formats share."""

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.report.model import ScanResult
from vertice.adaptive.triage.model import Apv, Reachability, ReachabilityLevel
from vertice.kernel.text import moment, printable

__all__ = ["age", "age_days", "counted", "next_fixed", "place", "reached", "severities"]


def counted(number: int, one: str, many: str = "") -> str:
    """Return `1 package`, `1,200 packages`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def severities(apvs: Iterable[Apv]) -> str:
    """Return `3 critical, 2 low`: how many of each severity there are, the most severe first."""
    found = [apv.advisory.severity for apv in apvs]
    return ", ".join(f"{found.count(severity)} {severity}" for severity in Severity if severity in found)


def next_fixed(apv: Apv) -> str:
    """Return the lowest fixed version above the one in use, as the advisory says; "" when there is none."""
    try:
        current = Version(apv.component.version)
    except InvalidVersion:
        return ""
    above = [version for text in apv.advisory.fixed_versions if (version := _parsed(text)) and version > current]
    return str(min(above)) if above else ""


def place(path: str, line: int) -> str:
    """Return `path:line`, safe to show; the path alone where the line means nothing."""
    return printable(f"{path}:{line}" if line else path, limit=200)


def reached(found: Reachability) -> str:
    """Return in a few words how far the project's own code reaches."""
    where = place(found.sites[0].path, found.sites[0].line) if found.sites else ""
    more = f" +{len(found.sites) - 1}" if len(found.sites) > 1 else ""
    match found.level:
        case ReachabilityLevel.exploited:
            return f"exploited at {where}{more}" if where else "exploited"
        case ReachabilityLevel.referenced:
            return f"{printable(found.sites[0].symbol, limit=80)} at {where}{more}" if found.sites else "referenced"
        case ReachabilityLevel.imported:
            return f"{'only in tests, ' if found.tests_only else ''}used at {where}{more}"
    return f"through {found.through} at {where}{more}" if found.through else "not imported"


def age(result: ScanResult) -> str:
    """Return how old the advisory data was at the scan: `3 days old`; "" when it is not known."""
    days = age_days(result)
    if days is None:
        return ""
    if days * 24 < 1:
        return "less than an hour old"
    return counted(int(days * 24), "hour") + " old" if days < 2 else counted(int(days), "day") + " old"


def age_days(result: ScanResult) -> float | None:
    """Return how many days old the advisory data was at the scan, None when it is not known."""
    updated = moment(result.source.updated_at)
    return None if updated is None else (result.scanned_at - updated).total_seconds() / 86_400


def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
