"""Live events, kept in the database in the order of each channel, so that whoever was away can read on.

    async with database.write() as session:
        ...                                     # the change itself
        await emit(session, "reviews", "new_review", subject=code, data={...}, at=now)

A channel's sequence numbers have no gap and are in the order of commits: the row of its head is locked from the first
`emit` until the transaction ends. Who writes to several channels does so in the order of `emit`'s callers everywhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from vertice.kernel.bus.tables import EventHeadRow, EventRow
from vertice.kernel.codec import canonical
from vertice.kernel.database import ReadSession, WriteSession

__all__ = ["Event", "after", "emit", "forget", "heads"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is plain JSON values; `seq` counts from 1 in each channel."""

    channel: str
    seq: int
    type: str
    subject: str
    """What it is about: a review's code, a scan's id."""
    data: Mapping[str, Any]
    at: datetime


async def emit(
    session: WriteSession, channel: str, kind: str, *, subject: str, data: Mapping[str, Any], at: datetime
) -> int:
    """Add one event in the caller's transaction and return its sequence number."""
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    counted = insert(EventHeadRow).values(channel=channel, seq=1, at=at)
    counted = counted.on_conflict_do_update(
        index_elements=[EventHeadRow.channel], set_={"seq": EventHeadRow.seq + 1, "at": at}
    )
    seq: int = (await session.execute(counted.returning(EventHeadRow.seq))).scalar_one()
    session.add(
        EventRow(channel=channel, seq=seq, type=kind, subject=subject[:200], data=canonical(data).decode(), at=at)
    )
    return seq


async def after(session: ReadSession, channel: str, seq: int, *, limit: int) -> tuple[Event, ...]:
    """Return the next events of `channel`, at most `limit`, oldest first."""
    query = select(EventRow).where(EventRow.channel == channel, EventRow.seq > seq).order_by(EventRow.seq).limit(limit)
    return tuple(
        Event(row.channel, row.seq, row.type, row.subject, json.loads(row.data), row.at)
        for row in await session.scalars(query)
    )


async def heads(session: ReadSession, channels: Sequence[str]) -> Mapping[str, int]:
    """Return the last sequence number of each of `channels`, 0 where there was never an event."""
    rows = await session.execute(
        select(EventHeadRow.channel, EventHeadRow.seq).where(EventHeadRow.channel.in_(channels))
    )
    return dict.fromkeys(channels, 0) | {row.channel: row.seq for row in rows}


async def forget(session: WriteSession, before: datetime) -> None:
    """Delete the events that are older than `before`; sequence numbers go on."""
    await session.execute(delete(EventRow).where(EventRow.at < before))
