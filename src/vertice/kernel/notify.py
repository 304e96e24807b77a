"""Telling people outside: each notice to each place once, whatever dies between.

    delivery = Delivery(database, open_notifiers(urls), notice_of)
    broker = InProcess(delivery.takers, otherwise=...)

A message for `notifications` becomes one message for each place (`notifications/<id>`), in one transaction with the
note of its key: the same key again is told nobody. From there every place has its own order and its own tries, so that
one which cannot be reached holds up itself alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Protocol

from sqlalchemy.dialects import postgresql, sqlite

from vertice.kernel.bus.message import Message, MessageRefusedError, Taker
from vertice.kernel.bus.outbox import post
from vertice.kernel.bus.tables import InboxRow
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import UnfinishedError

__all__ = ["DESTINATION", "Delivery", "Level", "Notice", "Notifier"]

DESTINATION = "notifications"
"""Where in the outbox those wait that are to be told."""


class Level(StrEnum):
    """How it is shown."""

    info = "info"
    warning = "warning"
    failure = "failure"


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told, as plain text: whatever came from outside is made harmless in it."""

    key: str
    """The same key again is told nobody. At most 200 characters."""
    title: str
    """One line."""
    body: str
    level: Level = Level.info


class Notifier(Protocol):
    """One place where people hear of things."""

    @property
    def id(self) -> str:
        """Tells places apart, the same in every process; at most 60 characters, no secret."""
        ...

    @property
    def name(self) -> str:
        """What it is, for people, without anything secret: `Slack`."""
        ...

    async def send(self, notice: Notice) -> None:
        """Tell it there, in bounded time. Raises UnfinishedError when it could not be."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class Delivery:
    """Hands every notice to every place. `notice_of` says what is told of a message, None for nothing."""

    def __init__(
        self,
        database: Database,
        notifiers: Sequence[Notifier],
        notice_of: Callable[[Message], Notice | None],
        *,
        clock: Callable[[], datetime] = _now,
        patience: timedelta = timedelta(days=1),
    ) -> None:
        self._database = database
        self._notifiers = {_destination(notifier): notifier for notifier in notifiers}
        self._notice_of = notice_of
        self._clock = clock
        self._patience = patience

    @property
    def takers(self) -> Mapping[str, Taker]:
        """What takes the messages, by their destination in the outbox."""
        places = {name: partial(self._tell, notifier) for name, notifier in self._notifiers.items()}
        return {DESTINATION: self._spread, **places}

    async def _spread(self, message: Message) -> None:
        notice = self._notice_of(message)
        if notice is None or not self._notifiers:
            return
        async with self._database.write() as session:
            if not await _first_time(session, notice.key, self._clock()):
                return
            for name in self._notifiers:
                post(session, name, message.type, subject=message.subject, data=asdict(notice), at=message.at)

    async def _tell(self, notifier: Notifier, message: Message) -> None:
        data = json.loads(message.data)
        notice = Notice(data["key"], data["title"], data["body"], Level(data["level"]))
        try:
            await notifier.send(notice)
        except UnfinishedError as error:
            if self._clock() - message.at > self._patience:
                raise MessageRefusedError(error.what, where=error.where, todo=error.todo) from error
            raise


def _destination(notifier: Notifier) -> str:
    return f"{DESTINATION}/{notifier.id}"


async def _first_time(session: WriteSession, key: str, at: datetime) -> bool:
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    note = insert(InboxRow).values(source=DESTINATION, id=key[:200], at=at, outcome="told")
    done = await session.execute(note.on_conflict_do_nothing().returning(InboxRow.id))
    return done.first() is not None
