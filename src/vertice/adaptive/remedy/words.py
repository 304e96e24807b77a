"""Says in words why a change was chosen. Pure."""

from collections.abc import Collection, Mapping, Sequence

from packaging.version import Version

from vertice.adaptive.remedy.candidates import Tier
from vertice.adaptive.remedy.documents.model import Written
from vertice.adaptive.remedy.model import Strategy
from vertice.adaptive.remedy.search import Proposal
from vertice.adaptive.remedy.verify import Checked

__all__ = ["why"]


def why(
    proposal: Proposal,
    checked: Checked,
    tiers: Mapping[str, Tier],
    written: Written,
    others: Sequence[Proposal],
    refuted: Collection[tuple[str, str]] = (),
) -> str:
    """Return one sentence: why this change and no smaller one."""
    targets = [change for change in checked.changes if change.package in proposal.move.targets]
    lowest = " and ".join(f"{name} {proposal.move.changes[name][1]}" for name in sorted(proposal.move.targets))
    verb = "is" if len(proposal.move.targets) == 1 else "are"
    clean = not any(tier.remaining or tier.new for tier in tiers.values())
    known = "no known advisory matches" if clean else "the fewest known advisories match"
    parts = [f"{lowest} {verb} the lowest that {known} and that resolves"]
    passed = sorted((release for release in refuted if release[0] in proposal.move.targets), key=_order)
    if passed:
        parts.append(f"passed over, since an attack still works on it: {', '.join(' '.join(one) for one in passed)}")
    today = [one for one in targets if one.after and one.after != proposal.move.changes[one.package][1]]
    if today:
        parts.append(f"{' and '.join(f'{one.package} {one.after}' for one in today)} is what the range gives today")
    parts += _strategy(proposal, checked, written, others)
    moved = [one for one in checked.changes if one.package not in proposal.move.targets and one.before and one.after]
    rest = [one for one in moved if one.package not in proposal.capping]
    if rest:
        parts.append("moving along: " + ", ".join(f"{one.package} {one.before} -> {one.after}" for one in rest))
    for name, tier in sorted(tiers.items()):
        if tier.remaining:
            parts.append(f"no release of {name} is free of {', '.join(one.id for one in tier.remaining)}")
    if checked.new:
        parts.append(f"{', '.join(checked.new)} matches anew, which no release avoids")
    return "; ".join(parts) + "."


def _order(release: tuple[str, str]) -> tuple[str, Version]:
    return release[0], Version(release[1])


def _strategy(proposal: Proposal, checked: Checked, written: Written, others: Sequence[Proposal]) -> list[str]:
    match proposal.strategy:
        case Strategy.upgrade if len(checked.changes) == len(proposal.move.targets):
            return ["nothing else changes"]
        case Strategy.upgrade:
            return []
        case Strategy.relax:
            return [f"the project's own constraint excluded it and is moved ({written.constraints} changed)"]
        case Strategy.parent:
            moved = {change.package: change for change in checked.changes}
            parents = [moved[name] for name in proposal.capping if name in moved]
            caps = " and ".join(f"{one.package} {one.before}" for one in parents)
            to = " and ".join(one.after or "nothing" for one in parents)
            return [f"{caps} does not allow it, so it goes to {to}, the lowest that does", *_against(proposal, others)]
        case Strategy.override:
            cap = " and ".join(proposal.capping) or "a parent"
            reason = "that is the smaller change" if others else "no release of it that lets it in resolves"
            return [f"an override: {cap} excludes it, and {reason}", *_against(proposal, others)]


def _against(proposal: Proposal, others: Sequence[Proposal]) -> list[str]:
    if not others:
        return []
    other = min(others, key=lambda one: one.size)
    return [f"its size is {proposal.size}, against {other.size} by {other.strategy.value}"]
