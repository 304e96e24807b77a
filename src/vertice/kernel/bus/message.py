"""A message on its way out, and the small port to whatever carries it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from vertice.kernel.errors import InputError

__all__ = ["Broker", "InProcess", "Message", "MessageRefusedError", "Taker"]


class MessageRefusedError(InputError):
    """Catch me for a message that is at fault itself: sending or taking it again would end the same way."""

    code = "message-refused"


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

        Raises MessageRefusedError when it never can be sent, UnfinishedError when it cannot be sent now.
        """


Taker = Callable[[Message], Awaitable[None]]
"""Takes one message in this process; raises as `Broker.publish` does."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """Gives messages to whoever takes them in this process, the others to `otherwise`.

    Without `otherwise`, a message that nobody here takes counts as delivered: nobody waits for it.
    """

    takers: Mapping[str, Taker] = field(default_factory=dict)
    otherwise: Broker | None = None

    async def publish(self, message: Message) -> None:
        """Hand the message over and wait until it is taken."""
        taker = self.takers.get(message.destination)
        if taker is not None:
            await taker(message)
        elif self.otherwise is not None:
            await self.otherwise.publish(message)
