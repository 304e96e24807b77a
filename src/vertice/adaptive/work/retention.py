"""What is forgotten, and when: everything that would else grow for as long as the service runs. See docs/service.md.

Reviews, decisions, comments, wargames with their evidence, findings, scans and the audit chain are the record: they
stay. What is forgotten here was only needed on the way to it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dbos import DBOS, WorkflowStatus
from sqlalchemy import delete, func, or_, select

from vertice.adaptive.projects.tables import ScanDocumentRow, ScanRow
from vertice.kernel.auth.tables import ApiTokenRow, LoginTokenRow, SessionRow
from vertice.kernel.bus import events, inbox, outbox
from vertice.kernel.database import Database, WriteSession, alone
from vertice.kernel.logging import get_logger

__all__ = ["forget", "forget_workflows"]

_EVENTS = timedelta(days=7)
_SENT = timedelta(days=7)
_TAKEN = timedelta(days=28)
"""Longer than any sender tries: a message that comes again after it takes effect again."""
_PARKED = timedelta(days=30)
_DOCUMENTS = timedelta(days=30)
_TOKENS = timedelta(days=90)
_WORKFLOWS = timedelta(days=30)
"""After which unchanged files are proven anew."""

_ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_GOING_ON = ("ENQUEUED", "DELAYED", "PENDING")
_BATCH = 500


async def forget(database: Database, now: datetime) -> None:
    """Delete from the tables what has had its time. Several processes may do it at once, and again."""
    async with database.write() as session:
        await alone(session, "retention")
        await events.forget(session, now - _EVENTS)
        await outbox.forget(session, now - _SENT)
        await inbox.forget(session, now - _TAKEN)
        given_up = await outbox.forget_parked(session, now - _PARKED)
        await _logins(session, now)
        await _documents(session, now - _DOCUMENTS)
    for destination, count in given_up.items():
        get_logger(__name__).warning("parked messages deleted", destination=destination, messages=count)


def forget_workflows(now: datetime) -> None:
    """Delete the workflows that ended long ago, with their steps. Blocks; DBOS is launched.

    Whoever goes on with a workflow asks for the results of those it began or joined, and those it has to find: so
    nothing goes that ended less than the time before the oldest began that has not ended yet.
    """
    oldest = DBOS.list_workflows(status=list(_GOING_ON), limit=1, load_input=False, load_output=False)
    begun = [datetime.fromtimestamp(one.created_at / 1000, UTC) for one in oldest if one.created_at]
    before = min([now, *begun]) - _WORKFLOWS
    while ended := _ended(before):
        DBOS.delete_workflows([one.workflow_id for one in ended])


def _ended(before: datetime) -> Sequence[WorkflowStatus]:
    """Return some workflows that ended before then. Those that others began come first: no result is gone alone."""
    return DBOS.list_workflows(
        status=list(_ENDED),
        completed_before=before.isoformat(),
        limit=_BATCH,
        sort_desc=True,
        load_input=False,
        load_output=False,
    )


async def _logins(session: WriteSession, now: datetime) -> None:
    await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    await session.execute(delete(LoginTokenRow).where(LoginTokenRow.expires_at <= now))
    ended = or_(ApiTokenRow.expires_at < now - _TOKENS, ApiTokenRow.revoked_at < now - _TOKENS)
    await session.execute(delete(ApiTokenRow).where(ended))


async def _documents(session: WriteSession, before: datetime) -> None:
    """Delete what old scans found, but for the newest of each kind and project: that is shown, and its policy holds."""
    rank = func.row_number().over(
        partition_by=(ScanRow.project_id, ScanDocumentRow.kind),
        order_by=(ScanRow.requested_at.desc(), ScanRow.id.desc()),
    )
    ranked = select(ScanDocumentRow.scan_id, ScanDocumentRow.kind, ScanRow.requested_at, rank.label("rank"))
    all_of_them = ranked.join(ScanRow, ScanRow.id == ScanDocumentRow.scan_id).subquery()
    old = select(all_of_them.c.scan_id, all_of_them.c.kind).where(
        all_of_them.c.rank > 1, all_of_them.c.requested_at < before
    )
    found = (await session.execute(old)).all()
    for scan, kind in found:
        gone = delete(ScanDocumentRow).where(ScanDocumentRow.scan_id == scan, ScanDocumentRow.kind == kind)
        await session.execute(gone)
