"""Reviews and decisions in the database. Every call is one transaction, and every change writes its audit entry in it.

async with Database.open(settings.database) as database:
    store = ReviewStore(database, home=settings.vertice_home)
    review = await store.create(new)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import bindparam, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review import rows
from vertice.adaptive.review.audit import (
    Anchor,
    AuditEntry,
    AuditReport,
    Head,
    append,
    entries,
    is_empty,
    last_head,
    verify_chain,
)
from vertice.adaptive.review.change import Change, propose
from vertice.adaptive.review.decide import UNDECIDED, ConflictError, Standing, check_comment, next_status
from vertice.adaptive.review.documents import FORM, rendered
from vertice.adaptive.review.integrity import check as check_record
from vertice.adaptive.review.model import (
    Action,
    Comment,
    Decision,
    DecisionKind,
    DecisionRecord,
    DecisionState,
    NewReview,
    Review,
    Reviewer,
    Status,
)
from vertice.adaptive.review.reading import decided, find, held, join, listed, load
from vertice.adaptive.review.recording import Asked, Permit, actor_of, record
from vertice.adaptive.review.tables import (
    ApvReview,
    HitlDecision,
    ReviewComment,
    ReviewRevision,
    WargameRunRow,
)
from vertice.kernel.database import Database, WriteSession, alone
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.origin import here
from vertice.kernel.text import printable
from vertice.kernel.together import Together

__all__ = ["Place", "ReviewStore"]

_LONG_WAIT = timedelta(hours=1)
_SYSTEM = "vertice"
"""Actor of what no person did."""


def _now() -> datetime:
    return datetime.now(UTC)


_DOCUMENTS = select(ApvReview.apv_code, ApvReview.version, ApvReview.document, ApvReview.form).where(
    ApvReview.apv_code.in_(bindparam("codes", expanding=True))
)


_PLACE = select(ApvReview.apv_code, ApvReview.severity, ApvReview.project_id, ApvReview.project_root).where(
    ApvReview.apv_code == bindparam("code")
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a review belongs."""

    code: str
    severity: Severity
    project_id: UUID | None
    project_root: Path


def _binds(_review: Review, _decision: Decision) -> bool:
    return True


def _whatever(_review: Review) -> None:
    pass


def _never(_severity: Severity, _created_at: datetime) -> datetime | None:
    return None


def _nobody() -> None:
    pass


class ReviewStore:
    """The queue of reviews. Gives and takes frozen dataclasses only.

    `due_at` says until when policy wants a review of a severity decided; `changed` hears of every commit.
    """

    def __init__(
        self,
        database: Database,
        *,
        home: Path,
        clock: Callable[[], datetime] = _now,
        due_at: Callable[[Severity, datetime], datetime | None] = _never,
        changed: Callable[[], None] = _nobody,
    ) -> None:
        self._database = database
        self._anchor = Anchor(home, database.url)
        self._advance = Together(self._anchor_all)
        self._record = Together(self._record_all)
        self._document = Together(self._documents, at_once=4)
        self._begun = False
        self._clock = clock
        self._due_at = due_at
        self._changed = changed

    async def create(self, new: NewReview) -> Review:
        """Store a proposal and return its review.

        The same `key` again changes nothing. Another proposal for the same most urgent APV becomes the next revision
        of that APV's review, which is pending again. An undecided review of the same manifest whose APVs are all among
        the new one's is superseded.
        """
        if not new.apvs:
            raise InputError("a review needs at least one APV", where=new.key)
        async with self._change() as change:
            await alone(change.session, "reviews.propose")  # a new review has no row yet that could be held
            known = await change.session.get(ReviewRevision, new.key)
            if known is None:
                severity = new.apvs[0].advisory.severity
                review_id = await propose(change, new, partial(self._due_at, severity))
            else:
                review_id = known.review_id
        return await self.get(str(review_id))

    async def find(
        self,
        *,
        status: Collection[Status] = (),
        severity: Severity | None = None,
        project: Path | str | None = None,
    ) -> tuple[Review, ...]:
        """Return the reviews that fit, the most urgent first. `project`: root folder (Path) or name (str)."""
        query = select(ApvReview).order_by(ApvReview.priority, ApvReview.apv_code)
        if status:
            query = query.where(ApvReview.status.in_(status))
        if severity is not None:
            query = query.where(ApvReview.severity == severity)
        if isinstance(project, Path):
            query = query.where(ApvReview.project_root == str(project))
        elif project is not None:
            query = query.where(ApvReview.project_name == project)
        async with self._database.read() as session:
            return await load(session, (await session.scalars(query)).all())

    async def get(self, name: str) -> Review:
        """Return the review with this code or id, or the newest one that covers the APV with this code.

        Raises InputError when there is none.
        """
        async with self._database.read() as session:
            row = await find(session, name)
            return (await load(session, [row]))[0]

    async def document(self, name: str) -> tuple[int, str]:
        """Return the version of a review and its `documents.ReviewDocument` as JSON. Who ask at once share a query.

        Raises UnknownError when there is none.
        """
        found = await self._document(name)
        if found is not None:
            return found
        review = await self.get(name)
        return review.version, rendered(review)[1]

    async def _documents(self, codes: Sequence[str]) -> Sequence[tuple[int, str] | None]:
        async with self._database.look() as connection:
            rows = await connection.execute(_DOCUMENTS, {"codes": listed(codes)})
            made = {row[0]: (row[1], row[2]) for row in rows if row[2] is not None and row[3] == FORM}
        return [made.get(code) for code in codes]

    async def render(self, *, at_once: int = 200) -> int:
        """Make the lines and documents anew that another version of Vértice made, or none did; return how many."""
        count = 0
        stale = or_(ApvReview.form.is_(None), ApvReview.form != FORM)
        while True:
            async with self._database.write() as session:
                query = select(ApvReview).where(stale).order_by(ApvReview.apv_code).limit(at_once).with_for_update()
                found = (await session.scalars(query)).all()
                for row, review in zip(found, await load(session, found), strict=True):
                    row.line, row.document = rendered(review)
                    row.form = FORM
            count += len(found)
            if len(found) < at_once:
                return count

    async def with_key(self, key: str) -> Review | None:
        """Return the review that was proposed under `key` (`NewReview.key`), None when there is none."""
        async with self._database.read() as session:
            known = await session.get(ReviewRevision, key)
            row = None if known is None else await session.get(ApvReview, known.review_id)
            return (await load(session, [row]))[0] if row is not None else None

    async def evidence(self, review: Review) -> str | None:
        """Return the text of the evidence that the review's remedy was proposed with, None when there is none."""
        mine = (WargameRunRow.review_id == review.id, WargameRunRow.revision_key == review.key)
        async with self._database.read() as session:
            return (await session.scalars(select(WargameRunRow.evidence).where(*mine))).first()

    def exclusive(self, decision_id: UUID) -> AbstractAsyncContextManager[None]:
        """Hold the decision against every process that shares a PostgreSQL database (`Database.exclusive`)."""
        return self._database.exclusive(f"decision {decision_id}")

    async def place(self, name: str) -> Place:
        """Return where the review with this code belongs, or as `get` finds it. Raises UnknownError."""
        async with self._database.look() as connection:
            row = (await connection.execute(_PLACE, {"code": name})).first()
        if row is not None:
            return Place(row[0], Severity(row[1]), row[2], Path(row[3]))
        review = await self.get(name)
        return Place(review.code, review.severity, review.project_id, review.project_root)

    async def record_decision(
        self,
        code: str,
        decision: Decision,
        *,
        expected_version: int | None,
        standing: Standing,
        permit: Permit = _binds,
        seen: Callable[[Review], None] = _whatever,
    ) -> DecisionRecord:
        """Let the decision bind (`decide.check` and `permit` hold). What it asks for is still to be carried out.

        Where `permit` wants another person's approval too, it waits for that, and the review stays open.
        Raises ConflictError when the review is no longer at `expected_version` (None: whatever it is at), and what
        `seen` raises of the review as it is now: somebody else was faster.
        """
        return await self._record(Asked(code, decision, expected_version, standing, permit, seen, here()))

    async def _record_all(self, asked: Sequence[Asked]) -> Sequence[DecisionRecord | Exception]:
        """Record decisions in one transaction; of several on one review, the next ones in the next. Or refuse them."""
        first = {one.code: index for index, one in reversed([*enumerate(asked)])}
        now = sorted(first.values())
        answers = dict(zip(now, await self._record_once([asked[index] for index in now]), strict=True))
        later = [index for index in range(len(asked)) if index not in answers]
        if later:
            answers |= zip(later, await self._record_all([asked[index] for index in later]), strict=True)
        return [answers[index] for index in range(len(asked))]

    async def _record_once(self, asked: Sequence[Asked]) -> Sequence[DecisionRecord | Exception]:
        try:
            async with self._change() as change:
                answers = await record(change, asked)
        except Exception as error:  # noqa: BLE001  (who asked gets it)
            if len(asked) == 1 or isinstance(error, UnfinishedError):  # away is the database for all
                return [error] * len(asked)
            return [answer for one in asked for answer in await self._record_once([one])]  # it may be the fault of one
        return answers

    async def assign(self, code: str, to: Reviewer | None, *, by: Reviewer, expected_version: int | None) -> Review:
        """Give the review to somebody, or to nobody; `expected_version` None: whatever it is at.

        Raises ConflictError when it is decided, or no longer at `expected_version`.
        """
        async with self._change(actor=actor_of(by)) as change:
            row, review = await held(change.session, code, expected_version)
            if review.status not in UNDECIDED:
                raise ConflictError(f"is already {review.status}", where=review.code, todo="Nobody has to look at it.")
            if (to.key if to else None) == row.assignee:
                return review
            row.assignee, row.assignee_name = (to.key[:200], to.name[:100]) if to else (None, None)
            row.claimed_at = self._clock() if to else None
            mine = to is not None and to.key == by.key
            action = "review.claimed" if mine else "review.assigned" if to else "review.released"
            change.seal(action, row, assignee=row.assignee)
            return (await load(change.session, [row]))[0]

    async def comment(self, code: str, by: Reviewer, text: str) -> Comment:
        """Keep what a person says about a review, whatever its state."""
        check_comment(text)
        async with self._change(actor=actor_of(by)) as change:
            row = await find(change.session, code)
            made = ReviewComment(
                id=uuid4(),
                review_id=row.id,
                author=by.key[:200],
                author_name=by.name[:100],
                text=text,
                created_at=self._clock(),
            )
            change.session.add(made)
            change.note("comment.added", row, made)
            return rows.to_comment(made)

    async def comments(self, code: str) -> tuple[Comment, ...]:
        """Return what was said about a review, oldest first."""
        async with self._database.read() as session:
            row = await find(session, code)
            query = select(ReviewComment).where(ReviewComment.review_id == row.id)
            found = await session.scalars(query.order_by(ReviewComment.created_at, ReviewComment.id))
            return tuple(rows.to_comment(one) for one in found)

    async def bring_forward(self, code: str, due_at: datetime) -> None:
        """Want an undecided review decided until `due_at` if that is sooner; doing it again changes nothing."""
        async with self._change() as change:
            row, review = await held(change.session, code, None)
            if review.status in UNDECIDED and (row.due_at is None or due_at < row.due_at):
                before, row.due_at = row.due_at, due_at
                change.seal("review.brought_forward", row, before=before, due_at=due_at)

    async def mark_overdue(self, code: str, *, escalate_to: Sequence[str]) -> None:
        """Escalate a review whose time limit has passed; doing it again changes nothing."""
        async with self._change() as change:
            row, review = await held(change.session, code, None)
            if review.status not in UNDECIDED or review.status is Status.escalated:
                return
            row.status = Status.escalated
            change.seal("review.overdue", row, due_at=row.due_at, to=list(escalate_to))

    async def record_outcome(self, decision_id: UUID, action: Action, detail: str = "") -> DecisionRecord:
        """Say that the decision was carried out. Saying it again changes nothing."""
        async with self._change() as change:
            made, row = await decided(change.session, decision_id)
            if made.state == DecisionState.recorded:
                made.state, made.action_taken, made.detail = DecisionState.done, action, detail
                made.carried_out_at = self._clock()
                change.seal("decision.carried_out", row, made, done=action, detail=detail)
            return rows.to_decision(made)

    async def record_wait(self, decision_id: UUID, why: str) -> None:
        """Say why the decision is not carried out yet; it stands. The same again changes nothing.

        People are notified once when it has stood so for an hour.
        """
        async with self._change() as change:
            made, row = await decided(change.session, decision_id)
            if made.state != DecisionState.recorded:
                return
            if made.detail != why:
                made.detail = why
                change.seal("decision.postponed", row, made, why=why)
            if self._clock() - made.created_at >= _LONG_WAIT:
                change.notify("execution.waiting", row, made)

    async def record_failure(self, decision_id: UUID, why: str) -> DecisionRecord:
        """Say that the decision could not be carried out; the review is open again as it was before it."""
        async with self._change() as change:
            made, row = await decided(change.session, decision_id)
            if made.state == DecisionState.recorded:
                made.state, made.detail = DecisionState.failed, why
                if row.revision == made.review_revision:
                    row.status = made.status_before
                change.seal("decision.not_carried_out", row, made, why=why)
            return rows.to_decision(made)

    async def record_elsewhere(
        self,
        session: WriteSession,
        code: str,
        project_id: UUID,
        *,
        ref: str,
        target: str,
        merged: bool,
        by: str,
        head: str,
        place: str,
    ) -> DecisionRecord | None:
        """Note, in the caller's transaction, that somebody merged or closed the patch past us.

        `by` is who did it as `place` calls them; nobody was asked whether they may. None when there is no such review
        of this project, when it is decided, or when its patch does not go from `ref` to `target` (any more).
        """
        change = Change(session, f"{by} ({place})", self._clock)
        query = select(ApvReview.id).where(ApvReview.apv_code == code, ApvReview.project_id == project_id)
        if (await session.execute(query)).first() is None:
            return None
        row, review = await held(session, code, None)
        proposal = review.proposal
        if review.status not in UNDECIDED or proposal is None or (proposal.ref, proposal.target) != (ref, target):
            return None
        action = Action.pr_merged if merged else Action.pr_closed
        proven = proposal.head == head
        detail = f"{'merged' if merged else 'closed'} on {place}, not here"
        detail += "" if proven or not merged else f"; {printable(head, limit=64)} is not the commit that was proven"
        decision = Decision(
            DecisionKind.approve if merged else DecisionKind.reject,
            f"{'Merged' if merged else 'Closed'} on {place} by {printable(by, limit=60)}.",
            Reviewer(
                printable(by, limit=80), f"{printable(by, limit=80)}@{place.lower()}.invalid", f"{place}|{by}"[:200]
            ),
        )
        made = rows.decision_row(review, decision, self._clock())
        made.state, made.action_taken, made.detail, made.carried_out_at = (
            DecisionState.done,
            action,
            detail,
            self._clock(),
        )
        session.add(made)
        row.status = next_status(decision.kind)
        joined = await join(session, review, DecisionKind.reject)
        change.seal("decision.made_elsewhere", row, made, *joined, decision=decision.kind, detail=detail)
        await change.finish()
        return rows.to_decision(made)

    async def uncarried(self) -> tuple[DecisionRecord, ...]:
        """Return the decisions that bind but were not yet carried out, oldest first."""
        query = select(HitlDecision).where(HitlDecision.state == DecisionState.recorded)
        async with self._database.read() as session:
            found = await session.scalars(query.order_by(HitlDecision.created_at, HitlDecision.id))
            return tuple(rows.to_decision(row) for row in found)

    async def audit(self, *, after: int = 0, limit: int | None = None) -> tuple[AuditEntry, ...]:
        """Return the audit entries with seq > `after`, at most `limit`."""
        async with self._database.read() as session:
            return tuple([entry async for entry in entries(session, after=after, limit=limit)])

    async def verify(self) -> AuditReport:
        """Check the audit chain, its anchor, and that every review and decision is as the chain says.

        A chain that is whole is anchored as far as it goes now: others write to it, each with an anchor of its own.
        """
        # The anchor first: it may lag behind the chain, so the chain must be read after it, not before.
        anchored = self._anchor.read()
        async with self._database.read() as session:
            report = await check_record(session, anchored)
            head = await last_head(session) if report.ok else None
        if head is not None:
            await self._advance(head)
        return report

    async def adopt_anchor(self) -> None:
        """Anchor a chain that is whole where this home never anchored it: a new machine of the same database.

        From then on this home finds every cut. A home that has an anchor, or whose chain is broken, is left as it is.
        """
        if self._anchor.begun:
            return
        async with self._database.read() as session:
            report, _ = await verify_chain(session, Head())
            head = await last_head(session)
        if not report.ok or head is None:
            return
        self._anchor.replace(head)
        if head.seq > 0:
            get_logger(__name__).warning("audit chain anchored on this machine for the first time", entries=head.seq)

    async def reanchor(self, actor: str) -> AuditReport:
        """Trust the chain as it is now: after a restore, or on another machine of the same database. Then verify.

        That it was done, by whom and what was anchored before is an entry of the chain.
        """
        known = self._anchor.read()
        payload = {"anchored": None if known is None else {"seq": known.seq, "hash": known.hash}, "rows": {}}
        async with self._database.write() as session:
            head = await append(
                session, actor=actor, action="audit.reanchored", subject="audit", payload=payload, clock=self._clock
            )
        self._anchor.replace(head)
        return await self.verify()

    @asynccontextmanager
    async def _change(self, actor: str = _SYSTEM) -> AsyncIterator[Change]:
        if not self._begun:
            if await self._empty():
                self._anchor.begin()
            self._begun = True
        change: Change | None = None
        try:
            async with self._database.write() as session:
                change = Change(session, actor, self._clock)
                yield change
                await change.finish()
        except (IntegrityError, StaleDataError) as error:
            raise ConflictError(
                "another process changed the same review", where="reviews", todo="Look at it again."
            ) from error
        if change.head is not None:
            self._changed()
            await self._advance(change.head)

    async def _anchor_all(self, heads: Sequence[Head]) -> Sequence[None]:
        """Anchor changes: the last one for all."""
        try:
            await asyncio.to_thread(self._anchor.advance, max(heads, key=lambda one: one.seq))
        except VerticeError as error:
            # What it names is committed and the anchor may lag: the next change brings it up.
            get_logger(__name__).warning("audit anchor not written", why=str(error))
        return [None] * len(heads)

    async def _empty(self) -> bool:
        async with self._database.read() as session:
            return await is_empty(session)
