"""Whether what is kept of reviews is what the audit chain says of it."""

from collections.abc import AsyncIterator

from sqlalchemy import select
from sqlalchemy.orm import defer, undefer

from vertice.adaptive.review import rows
from vertice.adaptive.review.audit import AuditReport, Head, verify_chain
from vertice.adaptive.review.documents import FORM, rendered
from vertice.adaptive.review.reading import load
from vertice.adaptive.review.tables import (
    ApvReview,
    HitlDecision,
    ReviewApv,
    ReviewComment,
    ReviewRevision,
    WargameRunRow,
)
from vertice.kernel.database import ReadSession, Table
from vertice.kernel.errors import VerticeError
from vertice.kernel.text import printable

__all__ = ["check"]


async def check(session: ReadSession, anchored: Head | None) -> AuditReport:
    """Check the chain against its anchor, every row against the chain, and what is shown against the rows."""
    report, sealed = await verify_chain(session, anchored)
    if not report.ok:
        return report
    try:
        present = {rows.name_of(row): rows.digest(row) async for row in _every_row(session)}
        differing = await _differing(session)
    except (ValueError, TypeError, VerticeError) as error:
        why = f"a row cannot be read: {printable(str(error), limit=200)}"
        return AuditReport(ok=False, entries=report.entries, why=why)
    for name in sorted(present.keys() | sealed.keys()):
        seq, digest = sealed.get(name, (None, None))
        if present.get(name, "") != digest:
            why = "was removed" if name not in present else "was changed" if seq else "was added past the store"
            return AuditReport(ok=False, entries=report.entries, first_bad_seq=seq, why=f"row {name} {why}")
    if differing:
        why = f"what is shown of {differing} is not what is kept of it"
        return AuditReport(ok=False, entries=report.entries, why=why)
    return report


async def _every_row(session: ReadSession) -> AsyncIterator[Table]:
    for table in (ApvReview, ReviewApv, ReviewRevision, HitlDecision, ReviewComment):
        async for row in await session.stream_scalars(select(table).execution_options(yield_per=500)):
            yield row
    runs = select(WargameRunRow).options(defer(WargameRunRow.evidence, raiseload=True))
    async for run in await session.stream_scalars(runs.execution_options(yield_per=500)):
        yield run


async def _differing(session: ReadSession) -> str:
    """Return the code of a review whose line or document is not what its columns say, "" when there is none."""
    last, undeferred = "", undefer(ApvReview.document)
    while True:
        query = select(ApvReview).where(ApvReview.apv_code > last, ApvReview.form == FORM).order_by(ApvReview.apv_code)
        found = (await session.scalars(query.limit(500).options(undeferred))).all()
        if not found:
            return ""
        for row, review in zip(found, await load(session, found), strict=True):
            if (row.line, row.document) != rendered(review):
                return row.apv_code
        last = found[-1].apv_code
        session.expunge_all()
