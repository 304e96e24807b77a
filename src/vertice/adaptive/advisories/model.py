"""An OSV record as far as matching and judging need it (schema: ossf.github.io/osv-schema)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias

__all__ = ["Advisory", "AdvisorySource", "Event", "EventKind", "Range", "Severity", "SourceInfo"]


class Severity(StrEnum):
    """The contract's four severities, most severe first; rated by score as in CVSS v3.1 §5 (none counts as low)."""

    critical = "critical"
    high = "high"
    medium = "medium"
    low = "low"


EventKind: TypeAlias = Literal["introduced", "fixed", "last_affected", "limit"]
"""What OSV knows of a version in a range."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an OSV range."""

    kind: EventKind
    version: str
    """As the record has it; usually, not always, a PEP 440 version."""


@dataclass(frozen=True, slots=True)
class Range:
    """One ECOSYSTEM range, its events in the record's order (which is not always version order)."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Advisory:
    """One record for one package: a record that names several packages gives several of these."""

    id: str
    """As its source names it: `GHSA-…`, `PYSEC-…`, `CVE-…`."""
    package: str
    """PEP 503 normalised."""
    aliases: tuple[str, ...] = ()
    """Its ids elsewhere."""
    summary: str = ""
    """One line; the first sentence of `details` where the record has no summary. Untrusted text."""
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    """Affected beside the ranges."""
    severity: Severity = Severity.medium
    cvss: float | None = None
    """Base score 0..10 computed from the newest vector (v4 over v3 over v2); None when the record has none."""
    cvss_vector: str = ""
    """That the score was computed from, "" when there is none."""
    cwe: tuple[str, ...] = ()
    """`("CWE-502",)`"""
    fixed_versions: tuple[str, ...] = ()
    """Versions of `fixed` events that are PEP 440, in version order."""
    symbols: tuple[str, ...] = ()
    """Dotted names of vulnerable functions or classes, where known: `("yaml.load", "yaml.FullLoader")`."""
    epss: float | None = None
    """Probability of exploitation in 30 days, 0..1 (EPSS), the highest over the alias group."""
    kev: bool = False
    """Known to be exploited (CISA KEV), over the alias group."""
    published: str = ""
    """RFC 3339; "" when the record does not say."""
    modified: str = ""
    """RFC 3339; "" when the record does not say."""
    references: tuple[str, ...] = ()
    """URLs: untrusted text."""
    source: Literal["osv", "probe"] = "osv"
    """`osv` for a record of the feed, `probe` for facts that only a probe carries."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The id and its aliases."""
        return (self.id, *self.aliases)

    @property
    def cve(self) -> str:
        """The CVE id among the ids, or the advisory's own id when it has none."""
        return next((name for name in self.ids if name.startswith("CVE-")), self.id)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where the advisories came from, how many records, and how old (`updated_at`: RFC 3339, "" when unknown)."""

    source: str
    records: int
    updated_at: str = ""


class AdvisorySource(Protocol):
    """Something that knows advisories."""

    def info(self) -> SourceInfo:
        """Say what this source is."""
        ...

    def for_packages(self, names: Collection[str]) -> Mapping[str, tuple[Advisory, ...]]:
        """Return every advisory that is not withdrawn for each of the PEP 503 `names`; absent where there is none."""
        ...
