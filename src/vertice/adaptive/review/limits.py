"""Until when reviews are to be decided: what was promised, and what policy may bring forward."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, select

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.decide import UNDECIDED
from vertice.adaptive.review.model import DecisionKind, DecisionState
from vertice.adaptive.review.tables import ApvReview, HitlDecision, ReviewRevision
from vertice.kernel.database import ReadSession, WriteSession

__all__ = ["Limit", "limits", "promised"]

_R = ApvReview


@dataclass(frozen=True, slots=True)
class Limit:
    """The time limit of one undecided review."""

    code: str
    severity: Severity
    since: datetime
    """From when its time counts."""
    due_at: datetime | None
    """As it was promised; None: it has all the time."""
    project_id: UUID | None
    project_root: Path


async def limits(session: ReadSession, after: str, *, limit: int) -> tuple[Limit, ...]:
    """Return the limits of undecided reviews whose code comes after `after`, in the order of their codes."""
    since = func.coalesce(_since(), _R.created_at, type_=_R.created_at.type)
    columns = (_R.apv_code, _R.severity, since, _R.due_at, _R.project_id, _R.project_root)
    query = select(*columns).where(_R.status.in_([*UNDECIDED]), _R.apv_code > after).order_by(_R.apv_code).limit(limit)
    rows = await session.execute(query)
    return tuple(Limit(row[0], Severity(row[1]), row[2], row[3], row[4], Path(row[5])) for row in rows)


async def promised(
    session: WriteSession, row: ApvReview, due_at: Callable[[datetime], datetime | None]
) -> datetime | None:
    """Return until when a review that has just got a new revision is to be decided.

    Never later than was promised, unless it had been decided: then its time counts from now. `due_at`: what policy
    says for a time that counts from a moment.
    """
    since, closed = (await session.execute(select(_since(), _closed()).where(_R.id == row.id))).one()
    known = row.due_at if row.revision > closed + 1 else None
    return min((one for one in (known, due_at(since)) if one is not None), default=None)


def _since() -> ScalarSelect[datetime]:
    """When the review was made, or the first remedy that came after one that was approved or rejected."""
    return (
        select(func.min(ReviewRevision.created_at, type_=ReviewRevision.created_at.type))
        .where(ReviewRevision.review_id == _R.id, ReviewRevision.number > _closed())
        .correlate(_R)
        .scalar_subquery()
    )


def _closed() -> ColumnElement[int]:
    """Number of the last revision that was approved or rejected, 0 when none was."""
    last = (
        select(func.max(HitlDecision.review_revision))
        .where(
            HitlDecision.apv_id == _R.id,
            HitlDecision.decision.in_([DecisionKind.approve, DecisionKind.reject]),
            HitlDecision.state.in_([DecisionState.recorded, DecisionState.done]),
        )
        .correlate(_R)
        .scalar_subquery()
    )
    return func.coalesce(last, 0)
