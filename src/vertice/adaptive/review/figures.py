"""The queries behind the statistics. PostgreSQL adds up by itself; on SQLite one narrow query brings the rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

from sqlalchemy import (
    ColumnElement,
    Double,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    case,
    cast,
    extract,
    func,
    select,
    tuple_,
)

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.decide import UNDECIDED
from vertice.adaptive.review.model import DecisionKind, DecisionState, Status
from vertice.adaptive.review.statistics import (
    AUTOMATIC,
    Counts,
    Decided,
    Delay,
    Durations,
    Pending,
    Statistics,
    agreement_of,
    beginning_of_day,
    beginning_of_week,
    delay_of,
    durations_of,
)
from vertice.adaptive.review.tables import ApvReview, HitlDecision, ReviewRevision
from vertice.kernel.database import ReadSession

__all__ = ["counts", "statistics"]

_Columns = TypeVarTuple("_Columns")
_Word = TypeVar("_Word", bound=StrEnum)
_Moment: TypeAlias = SQLColumnExpression[datetime] | SQLColumnExpression[datetime | None]

_MOST_PROJECTS = 50
_FINAL = (DecisionKind.approve, DecisionKind.reject)
_BINDING = (DecisionState.recorded, DecisionState.done)


async def counts(session: ReadSession, now: datetime) -> Counts:
    """Return what waits for a decision; cheap enough for every change."""
    query = (
        select(ApvReview.severity, func.count(), func.count(case((ApvReview.due_at < now, 1))))
        .where(_WAITS)
        .group_by(ApvReview.severity)
    )
    rows = (await session.execute(query)).all()
    return Counts(
        total=sum(count for _, count, _ in rows),
        overdue=sum(late for _, _, late in rows),
        by_severity=_each(Severity, {severity: count for severity, count, _ in rows}),
    )


async def statistics(session: ReadSession, now: datetime, *, project: str | None = None, days: int = 30) -> Statistics:
    """Return every figure as of `now`, of one project (by name) or of all; `days`: the window of the decisions."""
    window = _Window(now, now - timedelta(days=days), project)
    add_up = _added_up if session.get_bind().dialect.name == "postgresql" else _one_by_one
    made = await add_up(session, window)
    today, this_week = await _lately(session, window)
    return Statistics(
        at=now,
        days=days,
        pending=await _pending(session, window),
        decided=Decided(
            today=today,
            this_week=this_week,
            total=made.groups.total(),
            automatic=sum(count for group, count in made.groups.items() if group.automatic),
            not_carried_out=sum(count for group, count in made.groups.items() if group.state == DecisionState.failed),
            by_decision=_each(DecisionKind, _sum((group.decision, count) for group, count in made.groups.items())),
            by_severity=_each(Severity, _sum((group.severity, count) for group, count in made.groups.items())),
        ),
        time_to_decide=made.time_to_decide,
        agreement=agreement_of(
            (group.decision, group.verdict, count) for group, count in made.groups.items() if not group.automatic
        ),
        advisory_to_decision=made.advisory_to_decision,
        advisory_to_fix=made.advisory_to_fix,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    now: datetime
    since: datetime
    project: str | None

    @property
    def reviews(self) -> tuple[ColumnElement[bool], ...]:
        return () if self.project is None else (ApvReview.project_name == self.project,)

    @property
    def decisions(self) -> tuple[ColumnElement[bool], ...]:
        return (HitlDecision.created_at > self.since, HitlDecision.created_at <= self.now, *self.reviews)


@dataclass(frozen=True, slots=True)
class _Group:
    decision: str
    severity: str
    verdict: str
    state: str
    automatic: bool


@dataclass(frozen=True, slots=True)
class _Made:
    """The decisions of a window, added up."""

    groups: Counter[_Group]
    time_to_decide: Durations
    advisory_to_decision: Delay
    advisory_to_fix: Delay


# Written into the query's text, so that the database can use the index of what waits.
_WAITS = ApvReview.status.in_(bindparam("waiting", sorted(UNDECIDED), expanding=True, literal_execute=True))
_AUTOMATIC = func.coalesce(HitlDecision.reviewer_id, "") == AUTOMATIC
_BINDS = and_(HitlDecision.decision.in_(_FINAL), HitlDecision.state.in_(_BINDING))
_FIXED = and_(HitlDecision.decision == DecisionKind.approve, HitlDecision.state == DecisionState.done)


async def _pending(session: ReadSession, window: _Window) -> Pending:
    late = func.count(case((ApvReview.due_at < window.now, 1)))
    columns = (ApvReview.status, ApvReview.severity, ApvReview.project_name)
    query = select(*columns, func.count(), late).where(_WAITS, *window.reviews)
    rows = (await session.execute(query.group_by(*columns))).all()
    projects = _sum((project, count) for _, _, project, count, _ in rows)
    return Pending(
        total=sum(count for *_, count, _ in rows),
        overdue=sum(overdue for *_, overdue in rows),
        by_status=_each(
            (status for status in Status if status in UNDECIDED), _sum((status, count) for status, *_, count, _ in rows)
        ),
        by_severity=_each(Severity, _sum((severity, count) for _, severity, _, count, _ in rows)),
        by_project=dict(sorted(projects.items(), key=lambda item: (-item[1], item[0]))[:_MOST_PROJECTS]),
    )


async def _lately(session: ReadSession, window: _Window) -> tuple[int, int]:
    """Decisions of today and of this week."""
    today, monday = beginning_of_day(window.now), beginning_of_week(window.now)
    query = select(func.count(case((HitlDecision.created_at >= today, 1))), func.count())
    if window.project is not None:
        query = query.join(ApvReview, ApvReview.id == HitlDecision.apv_id)
    row = (
        await session.execute(
            query.where(HitlDecision.created_at >= monday, HitlDecision.created_at <= window.now, *window.reviews)
        )
    ).one()
    return row[0], row[1]


async def _added_up(session: ReadSession, window: _Window) -> _Made:
    """Let PostgreSQL add up, the groups and the whole in one pass."""
    taken = case((~_AUTOMATIC, _seconds(ReviewRevision.created_at, HitlDecision.created_at)))
    decided = case((_BINDS, _seconds(ApvReview.published_at, HitlDecision.created_at)))
    fixed = case((_FIXED, _seconds(ApvReview.published_at, HitlDecision.carried_out_at)))
    automatic = _AUTOMATIC.label("automatic")
    columns = (HitlDecision.decision, ApvReview.severity, ReviewRevision.verdict, HitlDecision.state, automatic)
    query = select(
        *columns,
        func.count(),
        *(func.count(taken), func.avg(taken)),
        *(func.percentile_cont(share).within_group(taken) for share in (0.5, 0.95)),
        *(func.count(decided), func.avg(decided)),
        *(func.count(fixed), func.avg(fixed)),
    ).group_by(func.grouping_sets(tuple_(*columns), tuple_()))
    rows = (await session.execute(_with_reviews(query, window))).all()
    whole = next(row for row in rows if row.decision is None)
    seconds = [None if value is None else float(value) for value in whole]
    return _Made(
        Counter({_Group(*row[:5]): row[5] for row in rows if row is not whole}),
        Durations(whole[6], *seconds[7:10]),
        Delay(whole[10], seconds[11]),
        Delay(whole[12], seconds[13]),
    )


async def _one_by_one(session: ReadSession, window: _Window) -> _Made:
    """Add up here: SQLite knows no percentiles."""
    query = select(
        *(HitlDecision.decision, ApvReview.severity, ReviewRevision.verdict, HitlDecision.state, _AUTOMATIC),
        *(HitlDecision.created_at, HitlDecision.carried_out_at, ReviewRevision.created_at, ApvReview.published_at),
        *(_BINDS, _FIXED),
    )
    groups: Counter[_Group] = Counter()
    taken, decided, fixed = [], [], []
    for row in await session.execute(_with_reviews(query, window)):
        group, (made, done, proposed, published, binds, fixes) = _Group(*row[:5]), row[5:]
        groups[group] += 1
        if not group.automatic:
            taken.append((made - proposed).total_seconds())
        if published is not None and binds:
            decided.append((made - published).total_seconds())
        if published is not None and done is not None and fixes:
            fixed.append((done - published).total_seconds())
    return _Made(groups, durations_of(taken), delay_of(decided), delay_of(fixed))


def _with_reviews(query: Select[*_Columns], window: _Window) -> Select[*_Columns]:
    """Put the decisions of the window beside their review, and the remedy they were made on."""
    decided_on = and_(
        ReviewRevision.review_id == HitlDecision.apv_id, ReviewRevision.number == HitlDecision.review_revision
    )
    return (
        query.select_from(HitlDecision)
        .join(ApvReview, ApvReview.id == HitlDecision.apv_id)
        .join(ReviewRevision, decided_on)
        .where(*window.decisions)
    )


def _seconds(since: _Moment, until: _Moment) -> ColumnElement[Any]:
    return cast(extract("epoch", until - since), Double)  # decimal numbers take three times as long


def _sum(pairs: Iterable[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in pairs:
        found[name] += count
    return found


def _each(words: Iterable[_Word], found: Mapping[str, int]) -> dict[_Word, int]:
    return {word: found.get(word, 0) for word in words}
