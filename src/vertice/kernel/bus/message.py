"""A message on its way out, and the small port to whatever carries it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vertice.kernel.errors import InputError, UnfinishedError

__all__ = ["Broker", "InProcess", "Message", "MessageRefusedError", "Taker", "UnclaimedError", "Unheard"]


class MessageRefusedError(InputError):
    """Catch me for a message that is at fault itself: sending or taking it again would end the same way."""

    code = "message-refused"


class UnclaimedError(UnfinishedError):
    """Catch me for a message that nobody takes here: another process may, or this one when it is set up to."""

    code = "message-unclaimed"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the outbox keeps it. The same `id` again is the same message again."""

    id: str
    source: str
    """Who sends, as a URI-reference: `/vertice/adaptive`."""
    destination: str
    """Queue, or name of a taker in this process."""
    type: str
    subject: str
    data: str
    """JSON text."""
    at: datetime
    traceparent: str = ""
    correlation_id: str = ""


class Broker(Protocol):
    """Carries messages away."""

    async def publish(self, message: Message) -> None:
        """Return when the message is safe on the other side; it may arrive more than once.

        Raises MessageRefusedError when it never can be sent, UnclaimedError when it is not for us to send,
        UnfinishedError when it cannot be sent now.
        """


Taker = Callable[[Message], Awaitable[None]]
"""Takes one message in this process; raises as `Broker.publish` does."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """Gives messages to whoever takes them in this process, the others to `otherwise`."""

    takers: Mapping[str, Taker]
    otherwise: Broker

    async def publish(self, message: Message) -> None:
        """Hand the message over and wait until it is taken."""
        taker = self.takers.get(message.destination)
        if taker is not None:
            await taker(message)
        else:
            await self.otherwise.publish(message)


@dataclass(frozen=True, slots=True)
class Unheard:
    """Stands where no broker is set up: for its queues there is nobody to be told, so their messages count as sent."""

    queues: Collection[str] = ()

    async def publish(self, message: Message) -> None:
        """Pass over the message."""
        if message.destination not in self.queues:
            raise UnclaimedError("nobody takes these messages here", where=message.destination)
