"""One write transaction on the reviews, and putting a proposal into it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select

from vertice.adaptive.review import rows
from vertice.adaptive.review.audit import Head, append
from vertice.adaptive.review.decide import ConflictError
from vertice.adaptive.review.model import NewReview, Status
from vertice.adaptive.review.tables import ApvReview, ReviewApv
from vertice.kernel.database import Table, WriteSession
from vertice.kernel.text import printable

__all__ = ["Change", "propose"]

_UNDECIDED = (Status.pending, Status.changes_requested, Status.escalated)


class Change:
    """One write transaction and the audit entries it makes."""

    def __init__(self, session: WriteSession, actor: str, clock: Callable[[], datetime]) -> None:
        self.session = session
        self.head: Head | None = None
        self._actor = actor
        self.clock = clock

    async def seal(
        self, action: str, review: ApvReview, *others: Table, gone: Collection[Table] = (), **payload: object
    ) -> None:
        """Count the review's version up and enter the change, with the digests of every row it wrote or removed."""
        review.version += 1
        review.updated_at = self.clock()
        await self.session.flush()
        digests = {rows.name_of(row): rows.digest(row) for row in (review, *others)}
        digests |= {rows.name_of(row): "" for row in gone}
        self.head = await append(
            self.session,
            actor=self._actor,
            action=action,
            subject=review.apv_code,
            payload={**payload, "status": review.status, "version": review.version, "rows": digests},
            clock=self.clock,
        )


async def propose(change: Change, new: NewReview) -> UUID:
    """Make or revise the review of a proposal whose key is new, and return its id. See `ReviewStore.create`."""
    session = change.session
    row = (
        await session.scalars(select(ApvReview).where(ApvReview.apv_code == new.apvs[0].code).with_for_update())
    ).one_or_none()
    action = "review.created" if row is None else "review.revised"
    old: Sequence[ReviewApv] = ()
    if row is None:
        row = ApvReview(id=uuid4(), created_at=change.clock(), version=0, revision=0)
        session.add(row)
    else:
        if row.project_root != str(new.project_root):
            raise ConflictError(
                f"the code belongs to another project ({printable(row.project_root, limit=200)})",
                where=row.apv_code,
                todo="Two homes number their findings by themselves: give each a database of its own.",
            )
        old = (await session.scalars(select(ReviewApv).where(ReviewApv.review_id == row.id))).all()
    rows.fill(row, new)
    row.status, row.superseded_by, row.revision, row.updated_at = Status.pending, None, row.revision + 1, change.clock()
    await session.flush()
    children = [await session.merge(child) for child in rows.apv_rows(row, new)]
    gone = [child for child in old if child not in children]
    for child in gone:
        await session.delete(child)
    revision = rows.revision_row(row, new)
    session.add(revision)
    await session.flush()
    await change.seal(
        action,
        row,
        revision,
        *children,
        gone=gone,
        key=new.key,
        revision=row.revision,
        project=str(new.project_root),
        apvs=[apv.code for apv in new.apvs],
        verdict=new.verdict.word,
        grade=new.verdict.grade,
        evidence=new.evidence_digest,
        patch=new.proposal,
    )
    await _supersede(change, row, new)
    return row.id


async def _supersede(change: Change, by: ApvReview, new: NewReview) -> None:
    session = change.session
    covered = {apv.code for apv in new.apvs}
    touched = select(ReviewApv.review_id).where(ReviewApv.apv_code.in_(covered))
    query = select(ApvReview).where(
        ApvReview.id.in_(touched),
        ApvReview.project_root == by.project_root,
        ApvReview.manifest == by.manifest,
        ApvReview.status.in_(_UNDECIDED),
        ApvReview.id != by.id,
    )
    for row in (await session.scalars(query.order_by(ApvReview.apv_code))).all():
        codes = await session.scalars(select(ReviewApv.apv_code).where(ReviewApv.review_id == row.id))
        if covered.issuperset(codes):
            row.status, row.superseded_by = Status.superseded, by.id
            await change.seal("review.superseded", row, by=by.apv_code)
