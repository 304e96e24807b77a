"""Rows of reviews found and put together, within a session."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select

from vertice.adaptive.review import rows
from vertice.adaptive.review.decide import ConflictError
from vertice.adaptive.review.model import DecisionKind, DecisionState, Review
from vertice.adaptive.review.tables import ApvReview, HitlDecision, ReviewApv
from vertice.kernel.database import ReadSession, WriteSession
from vertice.kernel.errors import UnknownError
from vertice.kernel.text import printable

__all__ = ["decided", "expect", "find", "held", "held_many", "join", "listed", "load"]

_T = TypeVar("_T")


def listed(values: Collection[_T]) -> list[_T]:
    """Return the values for an SQL `IN`, some of them repeated: as many as a power of two.

    Lists of every length would each be another statement to parse, to plan and to keep.
    """
    whole = list(values)
    return whole + whole[-1:] * ((1 << (len(whole) - 1).bit_length()) - len(whole)) if whole else []


async def held(session: WriteSession, code: str, expected_version: int | None) -> tuple[ApvReview, Review]:
    """Return the review, which nobody else can change until the transaction ends."""
    row = await find(session, code, hold=True)
    review = (await load(session, [row]))[0]
    expect(review, expected_version)
    return row, review


async def held_many(session: WriteSession, codes: Sequence[str]) -> Mapping[str, tuple[ApvReview, Review]]:
    """Return the reviews with these codes (which there are), which nobody else can change until the transaction ends.

    Whoever holds several takes them in the order of their codes: so two never wait for each other.
    """
    query = (
        select(ApvReview).where(ApvReview.apv_code.in_(listed(codes))).order_by(ApvReview.apv_code).with_for_update()
    )
    found = (await session.scalars(query)).all()
    held_now = zip(found, await load(session, found), strict=True)
    return {row.apv_code: (row, review) for row, review in held_now}


def expect(review: Review, version: int | None) -> None:
    """Raise ConflictError when a version is expected and the review is at another."""
    if version is not None and review.version != version:
        last = f" by {review.decisions[-1].reviewer.name}" if review.decisions else ""
        raise ConflictError(
            f"was changed{last} while you decided (version {review.version}, you saw {version})",
            where=review.code,
            todo="Look at it again and decide on what it says now.",
        )


async def join(session: WriteSession, review: Review, kind: DecisionKind) -> Sequence[HitlDecision]:
    """End the approvals of a held review that waited for this decision: another one seconds them, else they lapse."""
    if not any(made.state is DecisionState.waiting for made in review.decisions):
        return ()
    query = select(HitlDecision).where(HitlDecision.apv_id == review.id, HitlDecision.state == DecisionState.waiting)
    waiting = (await session.scalars(query)).all()
    for row in waiting:
        row.state = DecisionState.seconded if kind is DecisionKind.approve else DecisionState.lapsed
    return waiting


async def find(session: ReadSession | WriteSession, name: str, *, hold: bool = False) -> ApvReview:
    """Return the row of the review with this code or id, or of the newest that covers the APV. Raises UnknownError."""
    row: ApvReview | None
    try:
        row = await session.get(ApvReview, UUID(name), with_for_update=hold)
    except ValueError:
        query = select(ApvReview).where(ApvReview.apv_code == name)
        row = (await session.scalars(query.with_for_update() if hold else query)).one_or_none()
    if row is None:
        covering = select(ReviewApv.review_id).where(ReviewApv.apv_code == name)
        query = select(ApvReview).where(ApvReview.id.in_(covering)).order_by(ApvReview.created_at.desc())
        row = (await session.scalars(query.with_for_update() if hold else query)).first()
    if row is None:
        raise UnknownError(
            f"there is no review {printable(name, limit=80)}", where="reviews", todo="See the list of reviews."
        )
    return row


async def decided(session: WriteSession, decision_id: UUID) -> tuple[HitlDecision, ApvReview]:
    """Return a decision and its review, which nobody else can change until the transaction ends."""
    made = await session.get(HitlDecision, decision_id)
    row = None if made is None else await session.get(ApvReview, made.apv_id, with_for_update=True)
    if made is None or row is None:
        raise UnknownError(f"there is no decision {decision_id}", where="reviews")
    await session.refresh(made)  # as it is now that its review is held
    return made, row


async def load(session: ReadSession | WriteSession, found: Iterable[ApvReview]) -> tuple[Review, ...]:
    """Return the reviews with their findings and decisions."""
    reviews = tuple(found)
    ids = listed([row.id for row in reviews])
    later = [row.superseded_by for row in reviews if row.superseded_by is not None]
    apvs = (
        await session.scalars(select(ReviewApv).where(ReviewApv.review_id.in_(ids)).order_by(ReviewApv.position))
    ).all()
    decisions = (
        await session.scalars(
            select(HitlDecision).where(HitlDecision.apv_id.in_(ids)).order_by(HitlDecision.review_version)
        )
    ).all()
    by_id: dict[UUID, str] = {}
    if later:
        codes = await session.execute(select(ApvReview.id, ApvReview.apv_code).where(ApvReview.id.in_(later)))
        by_id = {row[0]: row[1] for row in codes}
    return tuple(
        rows.to_review(
            row,
            [apv for apv in apvs if apv.review_id == row.id],
            [decision for decision in decisions if decision.apv_id == row.id],
            by_id[row.superseded_by] if row.superseded_by else "",
        )
        for row in reviews
    )
