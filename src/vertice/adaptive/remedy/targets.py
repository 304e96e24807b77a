"""Which releases of a vulnerable package are tried, and why none is."""

from dataclasses import replace

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from vertice.adaptive.remedy.candidates import Rules, Tier, parse, tiers
from vertice.adaptive.remedy.case import Case
from vertice.adaptive.remedy.releases import Release
from vertice.adaptive.remedy.search import Target
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["offered", "target"]


def target(case: Case, name: str, version: str, tier: Tier) -> Target:
    """Return the target whose release in use is `version`."""
    known = case.tools.releases.of(name) or ()
    in_use = case.tools.releases.release(name, version)
    built = in_use is not None and not in_use.wheel_for(case.python)
    return Target(name, version, tier, tuple(release.version for release in known), built)


def offered(case: Case, name: str, version: str) -> tuple[Tier, ...] | str:
    """Return what may take the place of a release in use, or why nothing may."""
    current = parse(version)
    if current is None:
        return f"{printable(version, limit=80)} is not a PEP 440 version, so no release can be called higher"
    releases = case.tools.releases.of(name)
    if releases is None:
        return f"the package index does not know {name}"
    advisories = case.advisories.get(name, ())
    rules = case.rules
    releases = _installable(releases, current, rules.python)
    found = tiers(name, current, releases, advisories, rules=rules, is_affected=case.tools.is_affected)
    asked = (rules.wanted or {}).get(name)
    if found and (asked is None or _is_least(case, name, current, releases, found[0])):
        return found
    if asked is not None:
        raise InputError(
            _why_not(case, name, current, asked),
            where=f"{name} {asked}",
            todo="Ask for another version.",
        )
    free = tiers(
        name, current, releases, advisories, rules=Rules(allow_prereleases=True), is_affected=case.tools.is_affected
    )
    if not free:
        return f"no release of {name} above {version} fixes it"
    fixed = ", ".join(str(one) for one in free[0].versions[:5])
    return (
        f"{name} {fixed} would fix it, but is refuted, too young, a pre-release or not for Python {rules.python or '?'}"
    )


def _installable(releases: tuple[Release, ...], current: Version, python: str) -> tuple[Release, ...]:
    """Leave out releases that would have to be built, if the one in use comes as a wheel and others do as well."""
    if not any(release.version == current and release.wheel_for(python) for release in releases):
        return releases
    wheels = tuple(release for release in releases if release.wheel_for(python))
    return wheels if any(release.version > current for release in wheels) else releases


def _is_least(case: Case, name: str, current: Version, releases: tuple[Release, ...], wish: Tier) -> bool:
    """Say whether a reviewer's wish leaves no more behind than the best release does."""
    rules, advisories = replace(case.rules, wanted=None), case.advisories.get(name, ())
    best = tiers(name, current, releases, advisories, rules=rules, is_affected=case.tools.is_affected)
    return len(wish.remaining) <= len(best[0].remaining)


def _why_not(case: Case, name: str, current: Version, asked: SpecifierSet) -> str:
    releases = [one for one in case.tools.releases.of(name) or () if asked.contains(one.version, prereleases=True)]
    if not releases:
        return "there is no such release"
    higher = [one for one in releases if one.version > current]
    if not higher:
        return f"would be a downgrade from {current}"
    affecting = [
        advisory.id
        for advisory in case.advisories.get(name, ())
        if case.tools.is_affected(str(higher[0].version), advisory)
    ]
    if affecting:
        return f"stays affected by {', '.join(affecting)}"
    return "is yanked, refuted, too young, a pre-release or not for this Python"
