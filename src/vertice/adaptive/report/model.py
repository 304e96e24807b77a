"""What a scan found, ready to be written in any format."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from vertice.adaptive.advisories.model import SourceInfo
from vertice.adaptive.config import Waiver
from vertice.adaptive.inventory.model import Component
from vertice.adaptive.triage.model import Apv

__all__ = ["Format", "ScanResult", "rfc3339"]


class Format(StrEnum):
    """The formats of a scan report."""

    table = "table"
    json = "json"
    sarif = "sarif"
    cyclonedx = "cyclonedx"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """One scan of one project. Equal results give equal bytes in every format."""

    project: str
    scanned_at: datetime
    """With a time zone."""
    source: SourceInfo
    components: tuple[Component, ...] = ()
    apvs: tuple[Apv, ...] = ()
    """Not waived, in the order they are shown: the most urgent first."""
    waived: tuple[tuple[Apv, Waiver], ...] = ()
    expired: tuple[Waiver, ...] = ()
    unused: tuple[Waiver, ...] = ()
    warnings: tuple[str, ...] = ()
    path: str = "."
    """The path as the person gave it, for the command that is proposed next."""


def rfc3339(moment: datetime) -> str:
    """Return a time with a zone as RFC 3339 in UTC, to the second: `2026-11-21T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
