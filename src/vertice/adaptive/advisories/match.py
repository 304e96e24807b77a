"""Which version is affected: OSV's evaluation algorithm over PyPI versions (ossf.github.io/osv-schema#evaluation).

A version is affected when the record lists it or one of the ranges holds it. In a range the events are put in version
order and walked; where several stand at one version, `fixed` comes before `introduced` (three real records end one
interval and begin the next at the same version, which is affected) and `introduced` before `last_affected` (an
interval may be a single version). Versions that PEP 440 cannot read: see `order`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vertice.adaptive.advisories.model import Advisory, AdvisorySource, Range
from vertice.adaptive.advisories.order import START, Key, order_key, public_key
from vertice.adaptive.inventory.model import Component

__all__ = ["is_affected", "match"]

_AT_ONE_VERSION = {"fixed": 0, "introduced": 1, "last_affected": 2}


def is_affected(version: str, advisory: Advisory) -> bool:
    """Say whether `advisory` affects `version` of its package. Any text is a version; none raises."""
    return _holds(_timelines(advisory), advisory.versions, _asked(version))


def match(components: Iterable[Component], source: AdvisorySource) -> tuple[tuple[Component, Advisory], ...]:
    """Return every (component, advisory that affects it), sorted by component, then advisory id.

    Advisories that share an alias are different records and are all returned.
    """
    wanted = sorted(set(components))
    versions: dict[str, set[str]] = {}
    for component in wanted:
        versions.setdefault(component.name, set()).add(component.version)
    known = source.for_packages(versions.keys())
    found = {
        (name, version): hits
        for name, advisories in known.items()
        for version, hits in _affected(sorted(versions[name]), advisories).items()
    }
    return tuple((part, advisory) for part in wanted for advisory in found.get((part.name, part.version), ()))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A version that is asked about."""

    text: str
    key: Key
    public: Key
    """The key without local label."""


@dataclass(frozen=True, slots=True)
class _Timeline:
    """One range, made ready: its changes in version order, and its limits."""

    changes: tuple[tuple[Key, int, bool], ...]
    """(key, place among changes at one version, the version stands without a local label)"""
    limits: tuple[Key, ...]


def _affected(versions: Sequence[str], advisories: Iterable[Advisory]) -> dict[str, list[Advisory]]:
    hits: dict[str, list[Advisory]] = {version: [] for version in versions}
    asked = [(version, _asked(version)) for version in versions]
    for advisory in sorted(advisories, key=lambda one: one.id):
        timelines = _timelines(advisory)
        for version, one in asked:
            if _holds(timelines, advisory.versions, one):
                hits[version].append(advisory)
    return hits


def _asked(version: str) -> _Asked:
    text = version.strip()
    return _Asked(text, order_key(text), public_key(text))


def _timelines(advisory: Advisory) -> tuple[_Timeline, ...]:
    return tuple(_timeline(span) for span in advisory.ranges)


def _timeline(span: Range) -> _Timeline:
    changes = []
    limits = []
    for event in span.events:
        if event.kind == "limit":
            if "*" not in event.version:
                limits.append(order_key(event.version))
            continue
        from_start = event.kind == "introduced" and event.version == "0"
        key = START if from_start else order_key(event.version)
        changes.append((key, _AT_ONE_VERSION[event.kind], key == public_key(event.version)))
    endless = any(event.kind == "limit" and "*" in event.version for event in span.events)
    return _Timeline(tuple(sorted(changes)), () if endless else tuple(limits))


def _holds(timelines: Iterable[_Timeline], listed: tuple[str, ...], asked: _Asked) -> bool:
    if asked.text in listed:
        return True
    for timeline in timelines:
        if _in_range(asked, timeline):
            return True
    return asked.key[0] == 1 and not {asked.key, asked.public}.isdisjoint(_keys(listed))


def _in_range(asked: _Asked, timeline: _Timeline) -> bool:
    if timeline.limits and not any(asked.key < limit for limit in timeline.limits):
        return False
    affected = False
    for at, kind, plain in timeline.changes:
        if kind == _AT_ONE_VERSION["last_affected"]:
            if (asked.public if plain else asked.key) > at:
                affected = False
        elif asked.key >= at:
            affected = kind == _AT_ONE_VERSION["introduced"]
    return affected


@lru_cache(maxsize=4096)
def _keys(versions: tuple[str, ...]) -> frozenset[Key]:
    return frozenset(order_key(version) for version in versions)
