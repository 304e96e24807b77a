"""One dead letter: how it is made, what it says, and how it goes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from faststream.rabbit import RabbitBroker

from vertice.kernel.bus.rabbit import CONFIRM_SECONDS
from vertice.kernel.bus.topology import Queue, Topology
from vertice.kernel.text import printable

__all__ = ["DeadLetter", "bury", "revive", "told"]

_REASON = "dead-letter-reason"
_AT = "dead-letter-at"
_BROKERS_WORDS = {
    "rejected": "rejected by its reader",
    "expired": "too old",
    "maxlen": "the queue was full",
    "delivery_limit": "delivered too often without being confirmed",
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, in words. All but `at` is as hostile as who sent it."""

    id: str
    type: str
    reason: str
    at: datetime | None
    body: bytes


def told(message: AbstractIncomingMessage) -> DeadLetter:
    """Return what a dead letter says of itself: our reason, else RabbitMQ's."""
    reason = message.headers.get(_REASON)
    deaths = message.headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    word = first.get("reason")
    if not isinstance(reason, str):
        reason = _BROKERS_WORDS.get(word, word) if isinstance(word, str) else "not said"
    at = message.headers.get(_AT, first.get("time"))
    return DeadLetter(
        id=message.message_id or "", type=message.type or "", reason=reason, at=_time(at), body=message.body
    )


async def bury(
    broker: RabbitBroker, topology: Topology, queue: Queue, message: AbstractIncomingMessage, why: str
) -> None:
    """Put a copy of the message into the dead-letter queue, with the reason; return when RabbitMQ has it."""
    headers = _simple(message.headers) | {_REASON: printable(why, limit=1000), _AT: datetime.now(UTC).isoformat()}
    await broker.publish(
        message.body,
        exchange=topology.dead_letter_exchange,
        routing_key=queue.dead_letters,
        headers=headers,
        **_options(message),
    )


async def revive(broker: RabbitBroker, queue: Queue, message: AbstractIncomingMessage) -> None:
    """Put a copy of a dead letter back into its queue; return when RabbitMQ has it."""
    headers = {name: value for name, value in _simple(message.headers).items() if name not in {_REASON, _AT}}
    await broker.publish(message.body, queue=queue.name, headers=headers, **_options(message))


def _options(message: AbstractIncomingMessage) -> dict[str, Any]:
    return {
        "persist": True,
        "message_id": message.message_id,
        "message_type": message.type,
        "content_type": message.content_type,
        "correlation_id": message.correlation_id,
        "timeout": CONFIRM_SECONDS,
    }


def _simple(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Headers that can be sent again as they are; RabbitMQ's own (`x-death`, `x-delivery-count`) are about the past."""
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith("x-") and isinstance(value, str | bool | int)
    }


def _time(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
