"""Messages that come in: each takes effect once, in one transaction with the note that it was taken.

    subscription = Subscription(APV_DISPATCH, ApvDispatched, handle)
    await Inbox(database).take(subscription, body)

`handle` gets the write transaction. It raises InputError for a message that is at fault (an unknown project): that one
is refused for good. UnfinishedError means that it may be taken later (the database is away).
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from vertice.kernel.bus.cloudevents import Event, read, write
from vertice.kernel.bus.message import Message, MessageRefusedError, Taker
from vertice.kernel.bus.tables import InboxRow
from vertice.kernel.bus.topology import Queue
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError, UnfinishedError

__all__ = ["Inbox", "Subscription", "forget"]


@dataclass(frozen=True, slots=True)
class Subscription(Generic[Event]):
    """What is done with the messages of one queue."""

    queue: Queue
    kind: type[Event]
    handle: Callable[[WriteSession, Event], Awaitable[None]]
    check: Callable[[Event], Awaitable[None]] | None = None
    """Looks at a message before the transaction begins: for what takes long. It raises as `handle` does."""


def _now() -> datetime:
    return datetime.now(UTC)


class Inbox:
    """Takes messages, each once."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._clock = clock

    async def take(self, subscription: Subscription[Event], event: Event) -> bool:
        """Let the message take effect; return False when it already had.

        Raises MessageRefusedError when it is at fault, UnfinishedError when it may be taken later.
        """
        try:
            if subscription.check is not None:
                if await self._taken(event):
                    return False
                with _refusing():
                    await subscription.check(event)
            async with self._database.write() as session:
                if not await self._first_time(session, event):
                    return False
                await _handled(subscription, session, event)
        except MessageRefusedError:
            raise
        except InputError as error:  # of the database's: its address, its rights, or what it can keep
            if _cannot_be_kept(error.__cause__):
                raise MessageRefusedError(error.what, where=error.where) from error
            raise UnfinishedError(error.what, where=error.where, todo=error.todo) from error
        return True

    def taker(self, subscription: Subscription[Event]) -> Taker:
        """Return what takes the subscription's messages where no broker carries them."""

        async def take(message: Message) -> None:
            await self.take(
                subscription, read(subscription.kind, write(message), limit=subscription.queue.message_bytes)
            )

        return take

    async def _taken(self, event: Event) -> bool:
        async with self._database.read() as session:
            return await session.get(InboxRow, (event.source, event.id)) is not None

    async def _first_time(self, session: WriteSession, event: Event) -> bool:
        insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
        note = insert(InboxRow).values(source=event.source, id=event.id, at=self._clock(), outcome="taken")
        done = await session.execute(note.on_conflict_do_nothing().returning(InboxRow.id))
        return done.first() is not None


async def forget(session: WriteSession, before: datetime) -> None:
    """Delete the notes that are older than `before`: such a message would take effect again."""
    await session.execute(delete(InboxRow).where(InboxRow.at < before))


async def _handled(subscription: Subscription[Event], session: WriteSession, event: Event) -> None:
    with _refusing():
        await subscription.handle(session, event)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise MessageRefusedError(error.what, where=error.where, todo=error.todo) from error


def _cannot_be_kept(cause: BaseException | None) -> bool:
    """Whether PostgreSQL says of a value (SQLSTATE class 22) that it never will take it."""
    state = getattr(cause.orig, "sqlstate", None) if isinstance(cause, DBAPIError) else None
    return isinstance(state, str) and state.startswith("22")
