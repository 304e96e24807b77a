"""What policy allows: who may decide, how many it takes, until when, and what may go without a person. Pure.

`decide.check` says whether a review may be decided at all; this is the one place that says by whom.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.distance import distance
from vertice.adaptive.remedy.model import Change, Remedy
from vertice.adaptive.review.decide import UNDECIDED
from vertice.adaptive.review.model import Decision, DecisionKind, DecisionState, Review, Reviewer, Status
from vertice.adaptive.review.policy import ChangeSize, Policy, due_at
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.auth.model import ForbiddenError, Role

__all__ = [
    "Allowed",
    "Escalation",
    "Facts",
    "NeedsSecond",
    "Refusal",
    "Refused",
    "Ruling",
    "auto_merge",
    "facts_of",
    "low_risk",
    "may_decide",
    "overdue",
    "permit",
    "proposers_of",
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What policy looks at in a review."""

    severity: Severity
    verdict: VerdictWord
    grade: Grade
    confidence: float
    strategy: str
    changes: tuple[Change, ...]
    youngest_days: int | None
    """Age of the youngest release of the remedy when it was proven; None when that of any is not known."""
    status: Status
    created_at: datetime
    due_at: datetime | None = None
    """As it was set when the review was made; None where nobody set it."""
    approved_by: tuple[Reviewer, ...] = ()
    """Whose approvals of this very evidence and patch wait for another person's."""
    proposed_by: frozenset[str] = frozenset()
    """`Reviewer.key` or address of those who asked for this remedy: its scan, or another version with modify."""
    touched: bool = False
    """A person has decided on this review before."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The decision may be made, and binds."""


@dataclass(frozen=True, slots=True)
class NeedsSecond:
    """The approval may be given, but binds only with others': `have` of `want`, this one counted."""

    have: int
    want: int


class Refusal(StrEnum):
    """Why a person may not make a decision."""

    role = "role"
    proposer = "proposer"
    same_person = "same-person"


@dataclass(frozen=True, slots=True)
class Refused:
    """This person may not make this decision."""

    code: Refusal
    reason: str
    todo: str


Ruling: TypeAlias = Allowed | NeedsSecond | Refused


@dataclass(frozen=True, slots=True)
class Escalation:
    """A review whose time has passed."""

    to: tuple[str, ...]
    """E-mail addresses of who is to hear of it."""
    since: datetime
    """Until when it should have been decided."""


def facts_of(review: Review, proposed_by: Collection[str] = ()) -> Facts:
    """Return what policy looks at in `review`. `proposed_by`: `Reviewer.key` of who triggered its scan.

    Whoever asked for another version of it (modify) is a proposer too.
    """
    modified = [_names(made.reviewer) for made in review.decisions if made.kind is DecisionKind.modify]
    return Facts(
        severity=review.severity,
        verdict=review.verdict,
        grade=review.grade,
        confidence=review.confidence,
        strategy=review.strategy,
        changes=review.remedy.changes,
        youngest_days=_youngest(review.remedy),
        status=review.status,
        created_at=review.created_at,
        due_at=review.due_at,
        approved_by=_waiting(review),
        proposed_by=frozenset(proposed_by).union(*modified),
        touched=bool(review.decisions),
    )


def proposers_of(review: Review) -> tuple[str, ...]:
    """Return who asked for the scan that the review comes from, as `facts_of` takes it."""
    return (review.proposed_by,) if review.proposed_by else ()


def may_decide(policy: Policy, reviewer: Reviewer, role: Role, facts: Facts, kind: DecisionKind) -> Ruling:
    """Say whether this person may make this decision, and whether it binds.

    A token's decision is that of the person who made the token: one person never counts as two.
    """
    needed = policy.roles.of(kind, facts.severity)
    if role is Role.viewer or not role.covers(needed):
        return Refused(
            Refusal.role,
            f"to {kind} a review of severity {facts.severity} takes the role {needed}, you have {role}",
            f"Ask a {needed} to do it.",
        )
    if kind is not DecisionKind.approve:
        return Allowed()
    if not policy.proposer_may_approve and not facts.proposed_by.isdisjoint(_names(reviewer)):
        return Refused(Refusal.proposer, "who asked for a remedy may not approve it", "Ask another person to.")
    if any(_same(reviewer, other) for other in facts.approved_by):
        return Refused(Refusal.same_person, "you have approved it already", "Ask another person to approve it, too.")
    have, want = _different(facts.approved_by) + 1, policy.approvals.of(facts.severity)
    return Allowed() if have >= want else NeedsSecond(have, want)


def permit(policy: Policy, role: Role) -> Callable[[Review, Decision], bool]:
    """Return what `ReviewStore.record_decision` asks: whether a decision of somebody with this role binds now.

    It raises ForbiddenError when they may not decide so.
    """

    def binds(review: Review, decision: Decision) -> bool:
        ruling = may_decide(policy, decision.reviewer, role, facts_of(review, proposers_of(review)), decision.kind)
        if isinstance(ruling, Refused):
            raise ForbiddenError(ruling.reason, where=review.code, todo=ruling.todo)
        return isinstance(ruling, Allowed)

    return binds


def overdue(policy: Policy, facts: Facts, now: datetime) -> Escalation | None:
    """Return who is to hear of an undecided review whose time has passed, None while it has not or when they have."""
    if facts.status not in UNDECIDED or facts.status is Status.escalated:
        return None
    due = facts.due_at or due_at(policy, facts.severity, facts.created_at)
    return None if due is None or now < due else Escalation(policy.escalate_to, due)


def auto_merge(policy: Policy, facts: Facts) -> tuple[bool, tuple[str, ...]]:
    """Say whether the review may be approved without a person, and why: all that speaks against it, or what for."""
    rule = policy.auto_merge
    days = max(rule.minimum_age_days, policy.hold_younger_than_days)
    people = policy.approvals.of(facts.severity)
    size = _size(facts.changes)
    against = (
        (not rule.enabled, "auto-merge is off"),
        (facts.status is not Status.pending or facts.touched, "a person has decided on it before"),
        (people > 1, f"severity {facts.severity} asks for {people} people"),
        (facts.severity not in rule.severities, f"severity {facts.severity} waits for a person"),
        (not _proven(facts), f"the verdict is {facts.verdict} ({facts.grade})"),
        (not facts.confidence >= rule.confidence, f"confidence {facts.confidence:.2f}, asked {rule.confidence:.2f}"),
        (facts.strategy not in rule.strategies, f"strategy {facts.strategy} waits for a person"),
        (_rank(size) > _rank(rule.change), f"the change is larger than {rule.change}"),
        (days > 0 and facts.youngest_days is None, "the age of a release is not known"),
        ((facts.youngest_days or 0) < days, f"a release was younger than {days} days when it was proven"),
    )
    reasons = tuple(reason for speaks, reason in against if speaks)
    if reasons:
        return False, reasons
    return True, (f"proven, {facts.severity}, {facts.strategy} of size {size}, confidence {facts.confidence:.2f}",)


def low_risk(policy: Policy, facts: Facts) -> tuple[bool, str]:
    """Say whether the review may be decided together with others, and why or why not."""
    rule, order = policy.bulk, tuple(Severity)
    if not rule.enabled:
        return False, "bulk decisions are off"
    if order.index(facts.severity) < order.index(rule.severity):
        return False, f"severity {facts.severity} is above {rule.severity}"
    if not _proven(facts):
        return False, f"the verdict is {facts.verdict} ({facts.grade})"
    if not facts.confidence >= rule.confidence:
        return False, f"confidence {facts.confidence:.2f}, asked {rule.confidence:.2f}"
    return True, f"proven, {facts.severity}, confidence {facts.confidence:.2f}"


def _waiting(review: Review) -> tuple[Reviewer, ...]:
    """Whose approvals wait that were given on the evidence and the patch which the review has now."""
    proof = (review.revision, review.evidence_digest, review.proposal.head if review.proposal else "")
    return tuple(
        made.reviewer
        for made in review.decisions
        if made.kind is DecisionKind.approve
        and made.state is DecisionState.waiting
        and (made.review_revision, made.evidence_digest, made.head) == proof
    )


def _youngest(remedy: Remedy) -> int | None:
    known = {(fact.package, fact.version): fact.age_days for fact in remedy.facts}
    ages = [known.get((change.package, change.after)) for change in remedy.changes if change.after]
    days = [age for age in ages if age is not None]
    return min(days) if days and len(days) == len(ages) else None


def _names(reviewer: Reviewer) -> frozenset[str]:
    return frozenset({reviewer.key, reviewer.email.strip().casefold()} - {""})


def _same(one: Reviewer, other: Reviewer) -> bool:
    """Whether two logins are one person: a terminal knows the address only, a provider may give a new subject."""
    return not _names(one).isdisjoint(_names(other))


def _different(people: Iterable[Reviewer]) -> int:
    found: list[Reviewer] = []
    for person in people:
        if not any(_same(person, other) for other in found):
            found.append(person)
    return len(found)


def _proven(facts: Facts) -> bool:
    return facts.verdict is VerdictWord.success and facts.grade is Grade.proven


def _size(changes: Iterable[Change]) -> ChangeSize:
    sizes = [_size_of(change) for change in changes]
    return max(sizes, key=_rank, default=ChangeSize.any)


def _size_of(change: Change) -> ChangeSize:
    if not change.before or not change.after:
        return ChangeSize.any
    return {1: ChangeSize.patch, 3: ChangeSize.minor}.get(distance(change), ChangeSize.any)


def _rank(size: ChangeSize) -> int:
    return tuple(ChangeSize).index(size)
