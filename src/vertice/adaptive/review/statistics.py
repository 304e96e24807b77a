"""The figures of the queue: what waits, what was decided, how long it took, and how often person and machine agree.

docs/policy.md says what each figure means. Times are UTC, weeks begin on Monday, durations are seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.model import DecisionKind, Status
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.codec import DESCRIBED

__all__ = [
    "AUTOMATIC",
    "Agreement",
    "Counts",
    "Decided",
    "Delay",
    "Durations",
    "Pending",
    "Statistics",
    "agreement_of",
    "beginning_of_day",
    "beginning_of_week",
    "delay_of",
    "durations_of",
]

AUTOMATIC = "vertice"
"""`Reviewer.id` of a decision that policy made, and no person."""

_DOUBTED = frozenset({VerdictWord.failed, VerdictWord.inconclusive})
_REFUSED = frozenset({DecisionKind.reject, DecisionKind.modify})


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits for a decision now, in short."""

    __pydantic_config__: ClassVar = DESCRIBED

    total: int = 0
    """Reviews."""
    overdue: int = 0
    """Those of `total` whose time limit has passed."""
    by_severity: Mapping[Severity, int] = field(default_factory=dict)
    """Every severity, 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for a decision now."""

    __pydantic_config__: ClassVar = DESCRIBED

    total: int
    """Reviews."""
    overdue: int
    """Those of `total` whose time limit has passed."""
    by_status: Mapping[Status, int]
    """pending, escalated, changes_requested, 0 where there is none."""
    by_severity: Mapping[Severity, int]
    """Every severity, 0 where there is none."""
    by_project: Mapping[str, int]
    """By the project's name: the 50 with the most, these first."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions made; those of the window but for today and this week."""

    __pydantic_config__: ClassVar = DESCRIBED

    today: int
    """Decisions since midnight, UTC."""
    this_week: int
    """Decisions since Monday, UTC."""
    total: int
    """Decisions in the window."""
    automatic: int
    """Those of `total` that policy made and no person."""
    not_carried_out: int
    """Those of `total` that could not be carried out, so that the review is open again."""
    by_decision: Mapping[DecisionKind, int]
    """Of `total`: every decision, 0 where there is none."""
    by_severity: Mapping[Severity, int]
    """Of `total`: every severity of the reviews, 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took."""

    __pydantic_config__: ClassVar = DESCRIBED

    count: int
    """How often it was measured."""
    mean: float | None
    """Seconds; None where there was nothing."""
    median: float | None
    """Seconds; None where there was nothing."""
    p95: float | None
    """Seconds, 95 of 100 took no longer; None where there was nothing."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long something took on average."""

    __pydantic_config__: ClassVar = DESCRIBED

    count: int
    """How often it was measured."""
    mean: float | None
    """Seconds; None where there was nothing."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often persons decided as the verdict suggests."""

    __pydantic_config__: ClassVar = DESCRIBED

    agreed: int
    """Decisions."""
    disagreed: int
    """Decisions."""
    rate: float | None
    """Share of the agreed, 0..1; None where there was nothing to agree on."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """All figures at one moment; those of decisions are over the `days` before it."""

    __pydantic_config__: ClassVar = DESCRIBED

    at: datetime
    days: int
    """Length of the window, in days."""
    pending: Pending
    decided: Decided
    time_to_decide: Durations
    """Of persons: from when the remedy was proposed to the decision on it."""
    agreement: Agreement
    advisory_to_decision: Delay
    """From the publication of the oldest advisory to the approval or rejection."""
    advisory_to_fix: Delay
    """From the publication of the oldest advisory to the fix: an approval that was carried out."""


def beginning_of_day(now: datetime) -> datetime:
    """Return midnight of the day of `now`."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def beginning_of_week(now: datetime) -> datetime:
    """Return midnight of the Monday before, or of, `now`."""
    return beginning_of_day(now) - timedelta(days=now.weekday())


def agreement_of(judged: Iterable[tuple[str, str, int]]) -> Agreement:
    """Return the agreement of the decisions of persons, given as (decision, verdict, how often).

    `approve` agrees with `success`, `reject` and `modify` agree with `failed` and `inconclusive`. Where one side
    says nothing (`escalate`, `error`) there is nothing to agree on.
    """
    agreed = disagreed = 0
    for decision, verdict, count in judged:
        if decision == DecisionKind.escalate or verdict == VerdictWord.error:
            continue
        if (decision in _REFUSED) == (verdict in _DOUBTED):
            agreed += count
        else:
            disagreed += count
    both = agreed + disagreed
    return Agreement(agreed, disagreed, agreed / both if both else None)


def durations_of(seconds: Iterable[float]) -> Durations:
    """Return mean, median and 95th percentile, interpolated as PostgreSQL's `percentile_cont` does."""
    ordered = sorted(seconds)
    if not ordered:
        return Durations(0, None, None, None)
    mean = sum(ordered) / len(ordered)
    return Durations(len(ordered), mean, _percentile(ordered, 0.5), _percentile(ordered, 0.95))


def delay_of(seconds: Iterable[float]) -> Delay:
    """Return the mean."""
    found = list(seconds)
    return Delay(len(found), sum(found) / len(found) if found else None)


def _percentile(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
