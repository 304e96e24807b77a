"""Messages for the broker, written with the change they tell of and sent on in their order when they can be.

A row waits until it was sent. One that cannot be sent is parked after `ATTEMPTS` tries, with the reason, so that those
behind it go on; `release` lets it try again.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from vertice.kernel.bus.message import Message
from vertice.kernel.bus.tables import OutboxRow
from vertice.kernel.codec import canonical
from vertice.kernel.database import ReadSession, WriteSession
from vertice.kernel.origin import here
from vertice.kernel.text import printable

__all__ = [
    "ATTEMPTS",
    "POSTED",
    "Parked",
    "Standing",
    "Waiting",
    "forget",
    "forget_parked",
    "not_sent",
    "parked",
    "post",
    "post_once",
    "release",
    "sent",
    "standing",
    "waiting",
]

ATTEMPTS = 5
"""A message that failed so often is parked."""
POSTED = "outbox"
"""Key in the `info` of a session that left a message: whoever listens for commits looks there."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits, and its place in the order."""

    seq: int
    message: Message


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that could not be sent."""

    message: Message
    why: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with one destination."""

    waiting: int
    parked: int
    oldest: datetime | None
    """When the oldest of those that wait was left."""


def post(
    session: WriteSession,
    destination: str,
    kind: str,
    *,
    subject: str,
    data: Mapping[str, Any],
    at: datetime,
) -> str:
    """Leave a message for `destination` (a queue) in the caller's transaction; return its id.

    It carries the trace and the id of the request that it is left for (`origin.here`).
    """
    message_id = str(uuid4())
    columns = _columns(message_id, destination, kind, subject, data, at)
    session.add(OutboxRow(**columns))
    session.info[POSTED] = True
    return message_id


async def post_once(
    session: WriteSession,
    destination: str,
    kind: str,
    *,
    name: str,
    subject: str,
    data: Mapping[str, Any],
    at: datetime,
) -> str:
    """Leave a message as `post` does, unless one of that `name` was left before; return its id.

    For what may be repeated because a process died: the name (of a step, say) gives the id, which is the same ever
    after.
    """
    message_id = str(uuid5(NAMESPACE_URL, f"vertice:{destination}:{kind}:{name}"))
    columns = _columns(message_id, destination, kind, subject, data, at)
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    await session.execute(insert(OutboxRow).values(columns).on_conflict_do_nothing())
    session.info[POSTED] = True
    return message_id


async def waiting(
    session: ReadSession, source: str, *, limit: int, apart_from: Collection[str] = ()
) -> Sequence[Waiting]:
    """Return the next messages to send, oldest first, but for the destinations `apart_from`."""
    query = select(OutboxRow).where(OutboxRow.sent_at.is_(None), OutboxRow.attempts < ATTEMPTS)
    if apart_from:
        query = query.where(OutboxRow.destination.not_in(apart_from))
    rows = await session.scalars(query.order_by(OutboxRow.seq).limit(limit))
    return [Waiting(row.seq, _message(row, source)) for row in rows]


async def sent(session: WriteSession, seqs: Collection[int], at: datetime) -> None:
    """Say that these messages are with the broker."""
    await session.execute(
        update(OutboxRow).where(OutboxRow.seq.in_(seqs), OutboxRow.sent_at.is_(None)).values(sent_at=at, error="")
    )


async def not_sent(session: WriteSession, seq: int, why: str, *, final: bool) -> None:
    """Count a failed try; a `final` one parks the message at once."""
    attempts = ATTEMPTS if final else OutboxRow.attempts + 1
    await session.execute(
        update(OutboxRow)
        .where(OutboxRow.seq == seq, OutboxRow.sent_at.is_(None))
        .values(attempts=attempts, error=printable(why, limit=500))
    )


async def parked(session: ReadSession, destination: str, *, limit: int) -> Sequence[Parked]:
    """Return the parked messages of a destination, oldest first."""
    query = select(OutboxRow).where(_PARKED, OutboxRow.destination == destination)
    rows = await session.scalars(query.order_by(OutboxRow.seq).limit(limit))
    return [Parked(_message(row, ""), row.error) for row in rows]


async def release(session: WriteSession, destination: str, *, message_id: str = "", limit: int) -> int:
    """Let parked messages of a destination try again, at most `limit` of them, oldest first; return how many."""
    query = select(OutboxRow.seq).where(_PARKED, OutboxRow.destination == destination)
    if message_id:
        query = query.where(OutboxRow.id == message_id)
    seqs = (await session.scalars(query.order_by(OutboxRow.seq).limit(limit))).all()
    await session.execute(update(OutboxRow).where(OutboxRow.seq.in_(seqs)).values(attempts=0, error=""))
    session.info[POSTED] = True
    return len(seqs)


async def standing(session: ReadSession) -> Mapping[str, Standing]:
    """Return, for each destination with messages that were not sent, how many wait and how many are parked."""
    is_parked = case((OutboxRow.attempts >= ATTEMPTS, 1), else_=0)
    oldest = func.min(case((OutboxRow.attempts < ATTEMPTS, OutboxRow.at), else_=None), type_=OutboxRow.at.type)
    query = (
        select(OutboxRow.destination, func.count(), func.sum(is_parked), oldest)
        .where(OutboxRow.sent_at.is_(None))
        .group_by(OutboxRow.destination)
    )
    rows = await session.execute(query.order_by(OutboxRow.destination))
    return {name: Standing(waiting=count - stuck, parked=stuck, oldest=at) for name, count, stuck, at in rows}


async def forget(session: WriteSession, before: datetime) -> None:
    """Delete the messages that were sent before then."""
    await session.execute(delete(OutboxRow).where(OutboxRow.sent_at < before))


async def forget_parked(session: WriteSession, before: datetime) -> Mapping[str, int]:
    """Delete the parked messages that were left before then; return how many of each destination."""
    gone = delete(OutboxRow).where(_PARKED, OutboxRow.at < before).returning(OutboxRow.destination)
    return Counter((await session.scalars(gone)).all())


_PARKED = OutboxRow.sent_at.is_(None) & (OutboxRow.attempts >= ATTEMPTS)


def _columns(
    message_id: str, destination: str, kind: str, subject: str, data: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    origin = here()
    return {
        "id": message_id,
        "destination": destination,
        "type": kind,
        "subject": subject[:200],
        "data": canonical(data).decode(),
        "traceparent": origin.traceparent,
        "correlation_id": origin.correlation_id,
        "at": at,
        "sent_at": None,
        "attempts": 0,
        "error": "",
    }


def _message(row: OutboxRow, source: str) -> Message:
    return Message(
        id=row.id,
        source=source,
        destination=row.destination,
        type=row.type,
        subject=row.subject,
        data=row.data,
        at=row.at,
        traceparent=row.traceparent,
        correlation_id=row.correlation_id,
    )
