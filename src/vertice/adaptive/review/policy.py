"""Policy as data: `[policy]` of vertice.toml. `rules` says what it allows; docs/policy.md tells it to people.

The service's policy and a project's own are joined by `stricter`, which never allows what either of them refuses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Strategy
from vertice.kernel.auth.model import Role

if TYPE_CHECKING:
    from vertice.adaptive.review.model import DecisionKind

__all__ = [
    "ALONE",
    "TEAM",
    "UNRESTRICTED",
    "AutoMerge",
    "Bulk",
    "BySeverity",
    "ChangeSize",
    "Policy",
    "Roles",
    "due_at",
    "stricter",
]

_T = TypeVar("_T")
_SEVERITIES = tuple(Severity)
"""The most severe first."""


@dataclass(frozen=True, slots=True)
class BySeverity(Generic[_T]):
    """One value for each severity."""

    critical: _T
    high: _T
    medium: _T
    low: _T

    @classmethod
    def all(cls, value: _T) -> "BySeverity[_T]":
        """Return the same value for every severity."""
        return cls(value, value, value, value)

    def of(self, severity: Severity) -> _T:
        """Return the value for this severity."""
        return {
            Severity.critical: self.critical,
            Severity.high: self.high,
            Severity.medium: self.medium,
            Severity.low: self.low,
        }[severity]


@dataclass(frozen=True, slots=True)
class Roles:
    """`[policy.roles]`: the least role that a decision asks for. Viewers never decide."""

    approve: BySeverity[Role] = BySeverity(Role.lead, Role.reviewer, Role.reviewer, Role.reviewer)
    reject: BySeverity[Role] = BySeverity(Role.lead, Role.reviewer, Role.reviewer, Role.reviewer)
    """As for an approval: it leaves the hole open."""
    modify: BySeverity[Role] = BySeverity(Role.reviewer, Role.reviewer, Role.reviewer, Role.reviewer)
    escalate: BySeverity[Role] = BySeverity(Role.reviewer, Role.reviewer, Role.reviewer, Role.reviewer)

    def of(self, kind: "DecisionKind", severity: Severity) -> Role:
        """Return the role that this decision on a review of this severity asks for."""
        by_kind = {"approve": self.approve, "reject": self.reject, "modify": self.modify, "escalate": self.escalate}
        return by_kind[kind].of(severity)


class ChangeSize(StrEnum):
    """How much a remedy changes, the least first."""

    patch = "patch"
    """Only the third part of a version, or a later one (1.2.3 -> 1.2.4)."""
    minor = "minor"
    """At most the second part (1.2 -> 1.3)."""
    any = "any"
    """A new major version too, and packages that come or go."""


@dataclass(frozen=True, slots=True)
class AutoMerge:
    """`[policy.auto-merge]`: what is approved without a person. Whatever stands here, only what is proven."""

    enabled: bool = False
    severities: tuple[Severity, ...] = (Severity.medium, Severity.low)
    strategies: tuple[Strategy, ...] = (Strategy.upgrade,)
    change: ChangeSize = ChangeSize.patch
    """The largest change of any package of the remedy."""
    confidence: float = 0.95
    """The least, 0..1."""
    minimum_age_days: int = 7
    """Of the youngest release that the remedy brings; one of unknown age counts as new."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """`[policy.bulk]`: what counts as low risk, so that many may be decided at once. Only what is proven."""

    enabled: bool = True
    severity: Severity = Severity.medium
    """The most severe that still counts."""
    confidence: float = 0.9
    """The least, 0..1."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`[policy]`."""

    hold_younger_than_days: int = 0
    """A remedy whose release is younger is held until it is this old."""
    roles: Roles = Roles()
    approvals: BySeverity[int] = BySeverity(2, 1, 1, 1)
    """How many different people have to approve."""
    proposer_may_approve: bool = True
    """Whether who asked for a remedy (its scan, or another version with modify) may approve it, too."""
    time_limits: BySeverity[timedelta | None] = BySeverity(
        timedelta(hours=24), timedelta(days=3), timedelta(days=14), timedelta(days=30)
    )
    """From the creation of a review to its decision; None for no limit."""
    escalate_to: tuple[str, ...] = ()
    """E-mail addresses of who hears of a review whose time has passed. Only the service's policy says it."""
    auto_merge: AutoMerge = AutoMerge()
    bulk: Bulk = Bulk()


TEAM = Policy()
"""The default."""

ALONE = Policy(approvals=BySeverity.all(1))
"""The default where there is one person only: nobody could give a second approval."""

UNRESTRICTED = Policy(
    roles=Roles(*(BySeverity.all(Role.reviewer) for _ in range(4))),
    approvals=BySeverity.all(1),
    time_limits=BySeverity.all(None),
    auto_merge=AutoMerge(
        enabled=True,
        severities=_SEVERITIES,
        strategies=tuple(Strategy),
        change=ChangeSize.any,
        confidence=0.0,
        minimum_age_days=0,
    ),
    bulk=Bulk(enabled=True, severity=Severity.critical, confidence=0.0),
)
"""What a project that says nothing adds to the service's policy: nothing."""


def due_at(policy: Policy, severity: Severity, created_at: datetime) -> datetime | None:
    """Return until when a review made at `created_at` is to be decided, None when it has all the time.

    A later revision of it does not start the time anew unless it was decided (`limits`): the hole has been open since.
    """
    limit = policy.time_limits.of(severity)
    return None if limit is None else created_at + limit


def stricter(service: Policy, project: Policy) -> Policy:
    """Return the policy that allows only what both allow. Who hears of escalations is the service's to say."""
    return replace(
        service,
        hold_younger_than_days=max(service.hold_younger_than_days, project.hold_younger_than_days),
        roles=_stricter_roles(service.roles, project.roles),
        approvals=_joined(service.approvals, project.approvals, max),
        proposer_may_approve=service.proposer_may_approve and project.proposer_may_approve,
        time_limits=_joined(service.time_limits, project.time_limits, _sooner),
        auto_merge=_stricter_merge(service.auto_merge, project.auto_merge),
        bulk=Bulk(
            enabled=service.bulk.enabled and project.bulk.enabled,
            severity=max(service.bulk.severity, project.bulk.severity, key=_SEVERITIES.index),
            confidence=max(service.bulk.confidence, project.bulk.confidence),
        ),
    )


def _stricter_roles(one: Roles, other: Roles) -> Roles:
    return Roles(
        approve=_joined(one.approve, other.approve, _higher),
        reject=_joined(one.reject, other.reject, _higher),
        modify=_joined(one.modify, other.modify, _higher),
        escalate=_joined(one.escalate, other.escalate, _higher),
    )


def _stricter_merge(one: AutoMerge, other: AutoMerge) -> AutoMerge:
    return AutoMerge(
        enabled=one.enabled and other.enabled,
        severities=tuple(severity for severity in one.severities if severity in other.severities),
        strategies=tuple(strategy for strategy in one.strategies if strategy in other.strategies),
        change=min(one.change, other.change, key=tuple(ChangeSize).index),
        confidence=max(one.confidence, other.confidence),
        minimum_age_days=max(one.minimum_age_days, other.minimum_age_days),
    )


def _joined(one: BySeverity[_T], other: BySeverity[_T], join: Callable[[_T, _T], _T]) -> BySeverity[_T]:
    return BySeverity(*(join(one.of(severity), other.of(severity)) for severity in _SEVERITIES))


def _higher(one: Role, other: Role) -> Role:
    return one if one.covers(other) else other


def _sooner(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    limits = [limit for limit in (one, other) if limit is not None]
    return min(limits, default=None)
