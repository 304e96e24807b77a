"""Live events, kept in the database in the order of each channel, so that whoever was away can read on.

A channel's sequence numbers rise in the order of commits. Who holds a lock that orders the writers already (the audit
chain's) gives the number: `record`. Who holds none takes the next one of the channel: `emit` locks the channel until
the transaction ends.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from vertice.kernel.bus.tables import EventHeadRow, EventRow
from vertice.kernel.codec import canonical
from vertice.kernel.database import ReadSession, WriteSession

__all__ = ["Event", "emit", "forget", "head", "kept", "since", "told"]


@dataclass(frozen=True)
class Event:
    """One event. `data` is plain JSON values."""

    channel: str
    seq: int
    type: str
    subject: str
    """What it is about: a review's code, a scan's id."""
    data: Mapping[str, Any]
    at: datetime

    @cached_property
    def text(self) -> str:
        """The event as a JSON object, made once for all who get it."""
        return canonical(
            {
                "type": self.type,
                "channel": self.channel,
                "seq": self.seq,
                "subject": self.subject,
                "at": self.at,
                "data": self.data,
            }
        ).decode()


async def emit(
    session: WriteSession, channel: str, kind: str, *, subject: str, data: Mapping[str, Any], at: datetime
) -> int:
    """Add one event in the caller's transaction with the channel's next number, which is returned."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    counted = dialect.insert(EventHeadRow).values(channel=channel, seq=1, at=at)
    counted = counted.on_conflict_do_update(
        index_elements=[EventHeadRow.channel], set_={"seq": EventHeadRow.seq + 1, "at": at}
    )
    seq: int = (await session.execute(counted.returning(EventHeadRow.seq))).scalar_one()
    await told(session, (Event(channel, seq, kind, subject, data, at),))
    return seq


async def told(session: WriteSession, events: tuple[Event, ...]) -> None:
    """Add events whose numbers the caller gives, in its transaction."""
    rows = [
        {
            "channel": event.channel,
            "seq": event.seq,
            "type": event.type,
            "subject": event.subject[:200],
            "data": canonical(event.data).decode(),
            "at": event.at,
        }
        for event in events
    ]
    await session.execute(insert(EventRow), rows)


async def since(session: ReadSession, seen: Mapping[str, int], *, limit: int) -> tuple[Event, ...]:
    """Return at most `limit` events that came after `seen` (channel -> number), by channel, oldest first."""
    if not seen:
        return ()
    later = or_(*(and_(EventRow.channel == channel, EventRow.seq > seq) for channel, seq in seen.items()))
    columns = (EventRow.channel, EventRow.seq, EventRow.type, EventRow.subject, EventRow.data, EventRow.at)
    rows = await session.execute(select(*columns).where(later).order_by(EventRow.channel, EventRow.seq).limit(limit))
    return tuple(Event(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5]) for row in rows)


async def head(session: ReadSession, channel: str) -> int:
    """Return the number of the channel's last event, 0 where there is none."""
    query = select(EventRow.seq).where(EventRow.channel == channel).order_by(EventRow.seq.desc()).limit(1)
    return (await session.execute(query)).scalar() or 0


async def kept(session: ReadSession, channel: str, seq: int) -> bool:
    """Say whether everything that came after `seq` is still there, where `seq` is 0 or the number of an event."""
    query = select(EventRow.seq).where(EventRow.channel == channel, EventRow.seq == seq)
    return seq == 0 or (await session.execute(query)).scalar() is not None


async def forget(session: WriteSession, before: datetime) -> None:
    """Delete the events that are older than `before`."""
    await session.execute(delete(EventRow).where(EventRow.at < before))
