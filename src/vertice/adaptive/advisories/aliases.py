"""What records of one vulnerability tell about each other.

Aliases are symmetric and transitive (OSV schema): if A aliases B and B aliases C, all three are one group. PyPA's
records often have neither score nor CWE where GitHub's record of the same vulnerability has both, and EPSS and KEV
know nothing but CVE ids, so these facts are shared in the group.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from vertice.adaptive.advisories.model import Advisory, Severity

__all__ = ["Signal", "alias_groups", "share"]

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Signal:
    """What is known of the exploitation of one CVE: EPSS probability 0..1 (None: not scored), listed in KEV or not."""

    epss: float | None = None
    kev: bool = False


@dataclass(slots=True)
class _Shared:
    """What one group knows together."""

    scored: Advisory | None = None
    severity: Severity = Severity.medium
    cwe: tuple[str, ...] = ()
    epss: float | None = None
    kev: bool = False


def alias_groups(records: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Return, for every id in `records` (each its id and its aliases), one id that stands for its group."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        top = parent.setdefault(name, name)
        while parent[top] != top:
            top = parent[top]
        while parent[name] != top:
            parent[name], name = top, parent[name]
        return top

    for ids in records:
        first = root(ids[0])
        for name in ids[1:]:
            other = root(name)
            first, other = min(first, other), max(first, other)
            parent[other] = first
    return {name: root(name) for name in parent}


def share(advisories: Iterable[Advisory], signals: Mapping[str, Signal]) -> list[Advisory]:
    """Return the advisories with what their alias group knows, in the same order.

    EPSS is the highest and KEV any of the group's. A record without a vector takes score, vector and severity of the
    group's highest score; where the group has no vector at all, a more severe word. A record without CWE takes all
    of the group's.
    """
    own = list(advisories)
    groups = alias_groups(advisory.ids for advisory in own)
    shared: dict[str, _Shared] = {}
    for advisory in own:
        _add(shared.setdefault(groups[advisory.id], _Shared()), advisory)
    for name in signals.keys() & groups.keys():
        if (group := shared.get(groups[name])) is not None:
            signal = signals[name]
            group.kev = group.kev or signal.kev
            if signal.epss is not None:
                group.epss = max(signal.epss, group.epss or 0.0)
    return [_joined(advisory, shared[groups[advisory.id]]) for advisory in own]


def _add(group: _Shared, advisory: Advisory) -> None:
    if advisory.cvss is not None and (group.scored is None or advisory.cvss > (group.scored.cvss or 0.0)):
        group.scored = advisory
    group.severity = min(group.severity, advisory.severity, key=_RANK.__getitem__)
    group.cwe = tuple(sorted({*group.cwe, *advisory.cwe}, key=lambda name: int(name[4:])))


def _joined(advisory: Advisory, group: _Shared) -> Advisory:
    if advisory.cvss is None and group.scored is not None:
        scored = group.scored
        advisory = replace(advisory, cvss=scored.cvss, cvss_vector=scored.cvss_vector, severity=scored.severity)
    elif advisory.cvss is None and _RANK[group.severity] < _RANK[advisory.severity]:
        advisory = replace(advisory, severity=group.severity)
    return replace(
        advisory,
        cwe=advisory.cwe or group.cwe,
        epss=advisory.epss if group.epss is None else group.epss,
        kev=advisory.kev or group.kev,
    )
