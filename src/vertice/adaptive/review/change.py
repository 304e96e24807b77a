"""One write transaction on the reviews: the change, its audit entry, and who is told of it, all or nothing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, or_, select

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.messages.live import ReviewFacts
from vertice.adaptive.review import rows
from vertice.adaptive.review.announcements import announce
from vertice.adaptive.review.audit import Head, NewEntry, append_all
from vertice.adaptive.review.decide import UNDECIDED, ConflictError
from vertice.adaptive.review.documents import FORM, rendered
from vertice.adaptive.review.limits import promised
from vertice.adaptive.review.model import DecisionState, NewReview, Status
from vertice.adaptive.review.reading import listed
from vertice.adaptive.review.tables import ApvReview, HitlDecision, ReviewApv
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.bus.events import Event, told
from vertice.kernel.bus.outbox import post
from vertice.kernel.database import Table, WriteSession
from vertice.kernel.origin import Origin, here
from vertice.kernel.text import printable

__all__ = ["CHANNELS", "Change", "propose", "review_channel"]

_Child = TypeVar("_Child", ReviewApv, HitlDecision)

CHANNELS = ("reviews", "decisions", "stats", "wargames")
"""Of the live events, besides one for each review."""


_EVENTS = {
    "review.created": ("reviews", "new_review"),
    "review.revised": ("reviews", "new_review"),
    "review.superseded": ("reviews", "review_updated"),
    "review.claimed": ("reviews", "review_updated"),
    "review.released": ("reviews", "review_updated"),
    "review.assigned": ("reviews", "review_updated"),
    "review.brought_forward": ("reviews", "review_updated"),
    "review.overdue": ("reviews", "review_updated"),
    "decision.waiting": ("decisions", "decision_waiting"),
    "decision.recorded": ("decisions", "decision_made"),
    "decision.made_elsewhere": ("decisions", "decision_made"),
    "decision.postponed": ("decisions", "decision_postponed"),
    "decision.carried_out": ("decisions", "decision_carried_out"),
    "decision.not_carried_out": ("decisions", "decision_not_carried_out"),
}
"""Action of an audit entry -> channel and type of the event that tells of it."""


def review_channel(code: str) -> str:
    """Return the channel of the live events about one review."""
    return f"review:{code}"


@dataclass(frozen=True, slots=True)
class _Sealed:
    """One change: what its audit entry says, but for the digests, and whom it is told to."""

    actor: str
    action: str
    review: ApvReview
    written: tuple[Table, ...]
    gone: tuple[Table, ...]
    payload: Mapping[str, object]
    rendered: bool
    """The review itself was changed."""
    origin: Origin


class Change:
    """One write transaction, the audit entries it makes, and what it tells.

    What `seal` and `note` are given is entered and told by `finish`, in their order, at the end of the transaction.
    """

    def __init__(self, session: WriteSession, actor: str, clock: Callable[[], datetime]) -> None:
        self.session = session
        self.head: Head | None = None
        self.clock = clock
        self.actor = actor
        """Who does what is sealed next."""
        self._sealed: list[_Sealed] = []

    def seal(
        self, action: str, review: ApvReview, *others: Table, gone: Collection[Table] = (), **payload: object
    ) -> None:
        """Count the review's version up and enter the change, with the digests of every row it wrote or removed."""
        review.version += 1
        review.updated_at = self.clock()
        self._enter(action, review, (review, *others), gone, payload, rendered=True)

    def note(self, action: str, review: ApvReview, *written: Table, **payload: object) -> None:
        """Enter what leaves the review as it was, and tell it."""
        self._enter(action, review, written, (), payload, rendered=False)

    def notify(self, notice: str, review: ApvReview, decision: HitlDecision) -> None:
        """Leave a notification that no change calls for."""
        data = _facts(review, decision)
        post(self.session, "notifications", notice, subject=review.apv_code, data=data, at=self.clock())

    async def finish(self) -> None:
        """Enter all changes and tell of them."""
        if not self._sealed:
            return
        await self._render([one for one in self._sealed if one.rendered])
        await self.session.flush()
        heads = await append_all(
            self.session,
            [
                NewEntry(one.actor, one.action, one.review.apv_code, {**one.payload, "rows": _digests(one)})
                for one in self._sealed
            ],
            self.clock,
        )
        self.head = heads[-1]
        events: list[Event] = []
        for one, head in zip(self._sealed, heads, strict=True):
            with one.origin.continued():
                events += self._tell(one, head.seq)
        await told(self.session, tuple(events))
        self._sealed = []

    def _enter(
        self,
        action: str,
        review: ApvReview,
        written: Sequence[Table],
        gone: Collection[Table],
        payload: Mapping[str, object],
        *,
        rendered: bool,
    ) -> None:
        whole = {**payload, "status": review.status, "version": review.version}
        self._sealed.append(_Sealed(self.actor, action, review, tuple(written), tuple(gone), whole, rendered, here()))

    async def _render(self, sealed: Sequence[_Sealed]) -> None:
        """Keep the reviews as others read them, with the rows that are written and without those that are removed."""
        reviews = {one.review.id: one.review for one in sealed}
        if not reviews:
            return
        others = [row for one in sealed for row in one.written]
        gone = [row for one in sealed for row in one.gone]
        with self.session.no_autoflush:
            apvs = await self._children(ReviewApv, ReviewApv.review_id.in_(listed(reviews)), others, gone)
            decisions = await self._children(HitlDecision, HitlDecision.apv_id.in_(listed(reviews)), others, gone)
            for review in reviews.values():
                later = await self.session.get(ApvReview, review.superseded_by) if review.superseded_by else None
                whole = rows.to_review(
                    review,
                    sorted((apv for apv in apvs if apv.review_id == review.id), key=lambda apv: apv.position),
                    sorted(
                        (made for made in decisions if made.apv_id == review.id), key=lambda made: made.review_version
                    ),
                    later.apv_code if later else "",
                )
                review.line, review.document = rendered(whole)
                review.form = FORM

    async def _children(
        self, kind: type[_Child], mine: ColumnElement[bool], others: Sequence[Table], gone: Collection[Table]
    ) -> list[_Child]:
        found = list(await self.session.scalars(select(kind).where(mine)))
        found += [row for row in others if isinstance(row, kind) and row not in found]
        return [row for row in found if row not in gone]

    def _tell(self, sealed: _Sealed, seq: int) -> list[Event]:
        action, review = sealed.action, sealed.review
        decision = next((row for row in sealed.written if isinstance(row, HitlDecision)), None)
        at, data = self.clock(), _facts(review, decision)
        channel, kind = _EVENTS.get(action, ("", action.replace(".", "_")))
        announce(self.session, action, review, decision, at)
        for notice in _notices(action, review):
            post(self.session, "notifications", notice, subject=review.apv_code, data=data, at=at)
        # The audit chain's lock orders all writers, so its number serves as the events' too.
        told_to = [review_channel(review.apv_code), *([channel] if channel else [])]
        return [Event(one, seq, kind, review.apv_code, data, at) for one in told_to]


def _digests(sealed: _Sealed) -> Mapping[str, str]:
    digests = {rows.name_of(row): rows.digest(row) for row in sealed.written}
    return digests | {rows.name_of(row): "" for row in sealed.gone}


async def propose(change: Change, new: NewReview, due_at: Callable[[datetime], datetime | None]) -> UUID:
    """Make or revise the review of a proposal whose key is new, and return its id. See `ReviewStore.create`.

    `due_at`: until when policy wants it decided if its time counts from a moment.
    """
    session = change.session
    row, others = await _concerned(session, new)
    action = "review.created" if row is None else "review.revised"
    old: Sequence[ReviewApv] = ()
    if row is None:
        row = ApvReview(id=uuid4(), created_at=change.clock(), version=0, revision=0)
    else:
        if not _same_project(row, new):
            raise ConflictError(
                f"the code belongs to another project ({printable(row.project_root, limit=200)})",
                where=row.apv_code,
                todo="Two homes number their findings by themselves: give each a database of its own.",
            )
        old = (await session.scalars(select(ReviewApv).where(ReviewApv.review_id == row.id))).all()
    superseded = await _covered(session, others, new)
    rows.fill(row, new)
    row.status, row.superseded_by, row.revision, row.updated_at = Status.pending, None, row.revision + 1, change.clock()
    session.add(row)
    await session.flush()
    children = [await session.merge(child) for child in rows.apv_rows(row, new)]
    gone = [child for child in old if child not in children]
    for child in gone:
        await session.delete(child)
    revision = rows.revision_row(row, new)
    session.add(revision)
    runs = [] if new.run is None else [rows.run_row(row, new, new.run)]
    session.add_all(runs)
    await session.flush()
    row.due_at = await promised(session, row, due_at)
    change.seal(
        action,
        row,
        revision,
        *children,
        *runs,
        *(await _lapse(change, row)),
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
    for other in superseded:
        other.status, other.superseded_by = Status.superseded, row.id
        change.seal("review.superseded", other, *(await _lapse(change, other)), by=row.apv_code)
    return row.id


def _same_project(row: ApvReview, new: NewReview) -> bool:
    """A registered project's files may lie elsewhere from one scan to the next."""
    return row.project_root == str(new.project_root) or (
        new.project_id is not None and row.project_id == new.project_id
    )


async def _concerned(session: WriteSession, new: NewReview) -> tuple[ApvReview | None, list[ApvReview]]:
    """Return the review of the most urgent APV, and the undecided ones of the same manifest that share an APV.

    Nobody else can change them until the transaction ends; they are taken in the order of their codes, as always.
    """
    code = new.apvs[0].code
    touched = select(ReviewApv.review_id).where(ReviewApv.apv_code.in_([apv.code for apv in new.apvs]))
    shares = and_(
        ApvReview.id.in_(touched),
        ApvReview.project_root == str(new.project_root)
        if new.project_id is None
        else ApvReview.project_id == new.project_id,
        ApvReview.manifest == new.remedy.manifest,
        ApvReview.status.in_(UNDECIDED),
    )
    query = select(ApvReview).where(or_(ApvReview.apv_code == code, shares)).order_by(ApvReview.apv_code)
    found = (await session.scalars(query.with_for_update())).all()
    own = next((row for row in found if row.apv_code == code), None)
    return own, [row for row in found if row is not own]


async def _covered(session: WriteSession, others: Sequence[ApvReview], new: NewReview) -> list[ApvReview]:
    """Return those of which the new proposal has every APV."""
    covered = {apv.code for apv in new.apvs}
    found = []
    for row in others:
        codes = await session.scalars(select(ReviewApv.apv_code).where(ReviewApv.review_id == row.id))
        if covered.issuperset(codes):
            found.append(row)
    return found


async def _lapse(change: Change, review: ApvReview) -> Sequence[HitlDecision]:
    """End the approvals that wait for a second person's; return them."""
    waiting = (
        await change.session.scalars(
            select(HitlDecision).where(HitlDecision.apv_id == review.id, HitlDecision.state == DecisionState.waiting)
        )
    ).all()
    for row in waiting:
        row.state = DecisionState.lapsed
    return waiting


def _facts(review: ApvReview, decision: HitlDecision | None) -> dict[str, Any]:
    """What is told of a change, as plain JSON values."""
    facts = ReviewFacts.model_validate(
        {
            "code": review.apv_code,
            "cve": review.cve_id,
            "severity": str(review.severity),
            "package": review.package_name,
            "package_change": review.package_change,
            "project": review.project_name,
            "verdict": str(review.wargame_verdict or VerdictWord.inconclusive),
            "grade": str(review.grade),
            "confidence": review.wargame_confidence or 0.0,
            "status": str(review.status),
            "priority": review.priority,
            "assignee": review.assignee,
            "due_at": review.due_at,
            "version": review.version,
            "revision": review.revision,
            "decision": None if decision is None else _decision(decision),
        }
    )
    return facts.model_dump(mode="json")


def _decision(decision: HitlDecision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "kind": str(decision.decision),
        "reviewer": decision.reviewer_name,
        "state": str(decision.state),
        "action": None if decision.action_taken is None else str(decision.action_taken),
        "detail": decision.detail,
        "wanted": decision.wanted,
    }


def _notices(action: str, review: ApvReview) -> tuple[str, ...]:
    """Which notifications a change calls for."""
    match action:
        case "review.created" | "review.revised":
            critical = ("review.critical",) if review.severity == Severity.critical else ()
            return (*critical, *(("verdict.failed",) if review.wargame_verdict == "failed" else ()))
        case "review.overdue":
            return ("review.overdue",)
        case "decision.not_carried_out":
            return ("execution.failed",)
    return ()
