"""Advisories that live in memory, and the facts of probes joined to those of the feed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from vertice.adaptive.advisories.model import Advisory, AdvisorySource, SourceInfo

__all__ = ["ONLY_PROBES", "MemorySource", "combine"]

ONLY_PROBES = "the shipped probes' own advisories (no feed synced)"
"""What `info().source` says when there is no feed."""


class MemorySource:
    """An `AdvisorySource` over advisories that are already here."""

    def __init__(self, advisories: Iterable[Advisory], info: SourceInfo) -> None:
        self._info = info
        packages: dict[str, list[Advisory]] = {}
        for advisory in advisories:
            packages.setdefault(advisory.package, []).append(advisory)
        self._packages = {
            name: tuple(sorted(found, key=lambda one: one.id)) for name, found in sorted(packages.items())
        }

    def info(self) -> SourceInfo:
        """Say what this source is."""
        return self._info

    def for_packages(self, names: Collection[str]) -> dict[str, tuple[Advisory, ...]]:
        """Return every advisory of each of the PEP 503 `names`, sorted by id; absent where there is none."""
        return {name: self._packages[name] for name in names if name in self._packages}


def combine(feed: AdvisorySource | None, probes: Iterable[Advisory]) -> AdvisorySource:
    """Return a source that answers with the feed's advisories and, where the feed has none, with those of probes.

    An advisory of a probe (`source` becomes "probe") is used where no record of the feed for that package shares its
    id or an alias. A record that does gains the probe's symbols, and its score and CWE where it has none itself.
    """
    facts = tuple(replace(advisory, source="probe") for advisory in probes)
    if feed is None:
        return MemorySource(facts, SourceInfo(ONLY_PROBES, len({advisory.id for advisory in facts})))
    return _Combined(feed, MemorySource(facts, feed.info()))


@dataclass(frozen=True, slots=True)
class _Combined:
    feed: AdvisorySource
    probes: MemorySource

    def info(self) -> SourceInfo:
        return self.feed.info()

    def for_packages(self, names: Collection[str]) -> Mapping[str, tuple[Advisory, ...]]:
        found = dict(self.feed.for_packages(names))
        for name, facts in self.probes.for_packages(names).items():
            found[name] = _joined(found.get(name, ()), facts)
        return found


def _joined(records: tuple[Advisory, ...], facts: tuple[Advisory, ...]) -> tuple[Advisory, ...]:
    known = {name for record in records for name in record.ids}
    gained = [
        _gained(record, [fact for fact in facts if not set(record.ids).isdisjoint(fact.ids)]) for record in records
    ]
    alone = [fact for fact in facts if known.isdisjoint(fact.ids)]
    return tuple(sorted([*gained, *alone], key=lambda one: one.id))


def _gained(record: Advisory, facts: Iterable[Advisory]) -> Advisory:
    for fact in facts:
        symbols = tuple(dict.fromkeys((*record.symbols, *fact.symbols)))
        record = replace(record, symbols=symbols, cwe=record.cwe or fact.cwe)
        if record.cvss is None and fact.cvss is not None:
            record = replace(record, severity=fact.severity, cvss=fact.cvss, cvss_vector=fact.cvss_vector)
    return record
