"""What was proposed, proven and decided, as lists and one by one: reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Select, select

from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review.documents import RemedyDocument, remedy_document
from vertice.adaptive.review.model import DecisionKind, DecisionRecord, DecisionState
from vertice.adaptive.review.rows import to_decision
from vertice.adaptive.review.tables import ApvReview, HitlDecision, ReviewRevision, WargameRunRow
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.codec import DESCRIBED, from_json
from vertice.kernel.database import ReadSession
from vertice.kernel.errors import UnknownError
from vertice.kernel.http.pages import Key, PageRequest, Sort
from vertice.kernel.text import printable

__all__ = [
    "RemedyRecord",
    "RunRecord",
    "decision",
    "decisions",
    "evidence_of",
    "remedies",
    "remedy",
    "run",
    "runs",
]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A wargame that ended."""

    __pydantic_config__: ClassVar = DESCRIBED

    code: str
    """`WAR-YYYYMMDD-NNN`."""
    review: str
    """Code of the review that it is for."""
    remedy: str
    """Key of the remedy that it judged."""
    verdict: VerdictWord
    grade: Grade
    confidence: float
    """Of the verdict, 0..1."""
    arena: str
    """What it ran in, with the version: `bwrap 0.8.0`, `github-actions (bwrap 0.8.0)`."""
    started_at: datetime
    finished_at: datetime
    evidence_digest: str
    """sha256 of the signed evidence."""


@dataclass(frozen=True, slots=True)
class RemedyRecord:
    """A remedy that was proposed under a review."""

    __pydantic_config__: ClassVar = DESCRIBED

    key: str
    """What it is asked for by: the same for the same proposal ever after."""
    review: str
    """Code of its review."""
    number: int
    """Counts the remedies of that review, from 1."""
    remedy: RemedyDocument
    verdict: VerdictWord
    confidence: float
    """Of the verdict, 0..1."""
    evidence_digest: str
    """sha256 of the signed evidence."""
    created_at: datetime


_BY_AGE = Sort("newest", (Key(HitlDecision.created_at, descending=True), Key(HitlDecision.id, descending=True)))
_RUNS = Sort("newest", (Key(WargameRunRow.finished_at, descending=True), Key(WargameRunRow.code, descending=True)))
_REMEDIES = Sort("newest", (Key(ReviewRevision.created_at, descending=True), Key(ReviewRevision.key, descending=True)))


async def decisions(
    session: ReadSession,
    which: PageRequest,
    *,
    kind: DecisionKind | None = None,
    state: DecisionState | None = None,
    code: str = "",
) -> tuple[tuple[DecisionRecord, ...], str | None]:
    """Return one page of the decisions, the newest first, and the cursor of the next."""
    query = select(HitlDecision)
    if kind is not None:
        query = query.where(HitlDecision.decision == kind)
    if state is not None:
        query = query.where(HitlDecision.state == state)
    if code:
        query = query.where(HitlDecision.apv_code == code)
    rows, cursor = _BY_AGE.cut(await session.scalars(_BY_AGE.page(query, which)), which)
    return tuple(to_decision(row) for row in rows), cursor


async def decision(session: ReadSession, decision_id: UUID) -> DecisionRecord:
    """Return one decision. Raises UnknownError."""
    row = await session.get(HitlDecision, decision_id)
    if row is None:
        raise UnknownError(f"there is no decision {decision_id}", where="decisions")
    return to_decision(row)


async def runs(
    session: ReadSession, which: PageRequest, *, verdict: VerdictWord | None = None, code: str = ""
) -> tuple[tuple[RunRecord, ...], str | None]:
    """Return one page of the wargames, the newest first, and the cursor of the next."""
    query = _runs()
    if verdict is not None:
        query = query.where(WargameRunRow.verdict == verdict)
    if code:
        query = query.where(ApvReview.apv_code == code)
    rows, cursor = _RUNS.cut(await session.execute(_RUNS.page(query, which)), which)
    return tuple(_run(row) for row in rows), cursor


async def run(session: ReadSession, code: str) -> RunRecord:
    """Return one wargame. Raises UnknownError."""
    row = (await session.execute(_runs().where(WargameRunRow.code == code))).one_or_none()
    if row is None:
        raise _no_run(code)
    return _run(row)


async def evidence_of(session: ReadSession, code: str) -> tuple[str, str]:
    """Return the text of a wargame's signed evidence, and its sha256 as it was recorded. Raises UnknownError."""
    query = select(WargameRunRow.evidence, WargameRunRow.evidence_digest).where(WargameRunRow.code == code)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise _no_run(code)
    return row[0], row[1]


async def remedies(
    session: ReadSession, which: PageRequest, *, code: str = ""
) -> tuple[tuple[RemedyRecord, ...], str | None]:
    """Return one page of the remedies that were ever proposed, the newest first, and the cursor of the next."""
    query = _remedies()
    if code:
        query = query.where(ApvReview.apv_code == code)
    rows, cursor = _REMEDIES.cut(await session.execute(_REMEDIES.page(query, which)), which)
    return tuple(_remedy(row) for row in rows), cursor


async def remedy(session: ReadSession, key: str) -> RemedyRecord:
    """Return one remedy. Raises UnknownError."""
    row = (await session.execute(_remedies().where(ReviewRevision.key == key))).one_or_none()
    if row is None:
        raise UnknownError(f"there is no remedy {printable(key, limit=80)}", where="remedies")
    return _remedy(row)


def _no_run(code: str) -> UnknownError:
    return UnknownError(f"there is no wargame {printable(code, limit=60)}", where="wargames")


def _runs() -> Select[*tuple[Any, ...]]:
    row = WargameRunRow
    columns = (row.code, ApvReview.apv_code, row.revision_key, row.verdict, row.grade, row.confidence, row.arena)
    query: Select[*tuple[Any, ...]] = select(*columns, row.started_at, row.finished_at, row.evidence_digest)
    return query.join(ApvReview, ApvReview.id == row.review_id)


def _run(row: Any) -> RunRecord:
    code, review, remedy_key, verdict, grade, *rest = row
    return RunRecord(code, review, remedy_key, VerdictWord(verdict), Grade(grade), *rest)


def _remedies() -> Select[*tuple[Any, ...]]:
    row = ReviewRevision
    columns = (row.key, ApvReview.apv_code, row.number, row.remedy, row.verdict, row.confidence, row.evidence_digest)
    query: Select[*tuple[Any, ...]] = select(*columns, row.created_at)
    return query.join(ApvReview, ApvReview.id == row.review_id)


def _remedy(row: Any) -> RemedyRecord:
    key, code, number, text, verdict, confidence, digest, created_at = row
    return RemedyRecord(
        key=key,
        review=code,
        number=number,
        remedy=remedy_document(from_json(Remedy, text)),
        verdict=VerdictWord(verdict),
        confidence=confidence,
        evidence_digest=digest,
        created_at=created_at,
    )
