"""Which releases may take the place of a vulnerable one, best first. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from vertice.adaptive.advisories.model import Advisory, Severity
from vertice.adaptive.remedy.releases import Release

__all__ = ["IsAffected", "Rules", "Tier", "old_enough", "parse", "same", "tiers", "weight"]

IsAffected = Callable[[str, Advisory], bool]

_WEIGHT: Mapping[Severity, int] = {Severity.critical: 1000, Severity.high: 100, Severity.medium: 10, Severity.low: 1}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a new release must satisfy besides not being affected."""

    refuted: frozenset[tuple[str, str]] = frozenset()
    """(PEP 503 name, version) that a wargame refuted."""
    wanted: Mapping[str, SpecifierSet] | None = None
    """PEP 503 name -> what a reviewer asked to try."""
    uploaded_before: datetime | None = None
    allow_prereleases: bool = False
    python: str = ""
    """`3.11`; "" when not known."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Releases that leave the same advisories behind."""

    versions: tuple[Version, ...]
    """Lowest first."""
    remaining: tuple[Advisory, ...]
    """Advisories of the release in use that still match."""
    new: tuple[Advisory, ...]
    """Advisories that match now and did not match the release in use."""


def parse(version: str) -> Version | None:
    """Return the PEP 440 version, None when it is none."""
    try:
        return Version(version)
    except InvalidVersion:
        return None


def same(one: str, other: str) -> bool:
    """Say whether two spellings mean the same version (`2.0` and `2.0.0`)."""
    first, second = parse(one), parse(other)
    return one == other or (first is not None and first == second)


def weight(advisories: Sequence[Advisory]) -> int:
    """Return how much is wrong: one critical outweighs any usual number of lesser ones."""
    return sum(_WEIGHT[advisory.severity] for advisory in advisories)


def tiers(
    package: str,
    current: Version,
    releases: Sequence[Release],
    advisories: Sequence[Advisory],
    *,
    rules: Rules,
    is_affected: IsAffected,
) -> tuple[Tier, ...]:
    """Return the releases above `current` that remove at least one advisory, in tiers, the cleanest tier first.

    The first tier is usually the one in which nothing is left. A tier that is no better than what is in use is dropped.
    """
    matched = [advisory for advisory in advisories if is_affected(str(current), advisory)]
    grouped: dict[tuple[tuple[Advisory, ...], tuple[Advisory, ...]], list[Version]] = {}
    for release in releases:
        if not _allowed(package, current, release, rules):
            continue
        left = [advisory for advisory in advisories if is_affected(str(release.version), advisory)]
        key = (
            tuple(advisory for advisory in left if advisory in matched),
            tuple(advisory for advisory in left if advisory not in matched),
        )
        grouped.setdefault(key, []).append(release.version)
    found = [Tier(tuple(sorted(versions)), *key) for key, versions in grouped.items()]
    better = [tier for tier in found if weight((*tier.remaining, *tier.new)) < weight(matched)]
    better.sort(key=lambda tier: (weight((*tier.remaining, *tier.new)), len(tier.remaining), tier.versions[0]))
    return tuple(tier for tier in better if len(tier.remaining) < len(matched))


def _allowed(package: str, current: Version, release: Release, rules: Rules) -> bool:
    version = release.version
    wanted = (rules.wanted or {}).get(package)
    return (
        version > current
        and not release.yanked
        and (not version.is_prerelease or current.is_prerelease or rules.allow_prereleases)
        and (package, str(version)) not in rules.refuted
        and (wanted is None or wanted.contains(version, prereleases=True))
        and release.supports(rules.python)
        and old_enough(release, rules.uploaded_before)
    )


def old_enough(release: Release, uploaded_before: datetime | None) -> bool:
    """Say whether the release was uploaded before that time; a release of unknown age is not."""
    if uploaded_before is None:
        return True
    try:
        uploaded = datetime.fromisoformat(release.uploaded_at)
    except ValueError:
        return False
    return uploaded.tzinfo is not None and uploaded <= uploaded_before
