"""The queues of a service on RabbitMQ, each with its dead-letter queue, and their bounds.

Quorum queues: a classic queue lives on one node of a cluster and goes with it; a quorum queue is copied to the others,
syncs to disk before it confirms, counts deliveries, and is what RabbitMQ 3.10 (Debian's) and 4 both have.

What happens at a queue's bound depends on its direction. A queue that we read refuses what is too much (the sender is
told by a negative confirm and keeps it). One that we feed drops its oldest message into its dead-letter queue, so that
a queue which nobody reads does not hold us up; a full dead-letter queue loses its oldest.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Names of queues are wanted where no broker is, and where nothing for one is installed.
    from faststream.rabbit import RabbitBroker, RabbitExchange, RabbitQueue
    from faststream.rabbit.schemas.queue import QuorumQueueArgs

__all__ = ["Queue", "Topology", "declare"]

_DELIVERIES = 20
"""Of one message, before RabbitMQ itself takes it for the death of its reader and dead-letters it (4.0's default)."""
_LOOKS = 1_000_000_000
"""Every look at a dead letter counts as a delivery: it must never be the last."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue."""

    name: str
    inbound: bool
    """Whether this service reads it; otherwise it feeds it."""
    message_bytes: int = 256 * 1024
    """Largest message."""
    max_messages: int = 10_000
    max_bytes: int = 64 * 1024 * 1024

    @property
    def dead_letters(self) -> str:
        """Name of its dead-letter queue."""
        return f"{self.name}.dlq"


@dataclass(frozen=True, slots=True)
class Topology:
    """What a service declares on its broker."""

    exchange: str
    """The dead-letter exchange."""
    queues: tuple[Queue, ...]

    def queue(self, name: str) -> Queue | None:
        """Return the queue of that name, None when there is none."""
        return next((queue for queue in self.queues if queue.name == name), None)

    def declared(self, queue: Queue) -> "RabbitQueue":
        """Return the queue as it is declared."""
        from faststream.rabbit import QueueType, RabbitQueue

        arguments: QuorumQueueArgs = {
            "x-max-length": queue.max_messages,
            "x-max-length-bytes": queue.max_bytes,
            "x-overflow": "reject-publish" if queue.inbound else "drop-head",
            "x-delivery-limit": _DELIVERIES,
            "x-dead-letter-exchange": self.exchange,
            "x-dead-letter-routing-key": queue.dead_letters,
        }
        if queue.inbound:  # at least once needs a queue that refuses
            arguments["x-dead-letter-strategy"] = "at-least-once"
        return RabbitQueue(queue.name, queue_type=QueueType.QUORUM, arguments=arguments)

    def dead(self, queue: Queue) -> "RabbitQueue":
        """Return the queue's dead-letter queue as it is declared."""
        from faststream.rabbit import QueueType, RabbitQueue

        arguments: QuorumQueueArgs = {
            "x-max-length": queue.max_messages,
            "x-max-length-bytes": queue.max_bytes,
            "x-overflow": "drop-head",
            "x-delivery-limit": _LOOKS,
        }
        return RabbitQueue(
            queue.dead_letters, queue_type=QueueType.QUORUM, arguments=arguments, routing_key=queue.dead_letters
        )

    @property
    def dead_letter_exchange(self) -> "RabbitExchange":
        """The exchange that leads each dead letter to its queue."""
        from faststream.rabbit import ExchangeType, RabbitExchange

        return RabbitExchange(self.exchange, type=ExchangeType.DIRECT, durable=True)


async def declare(broker: "RabbitBroker", topology: Topology) -> None:
    """Make what is not there yet."""
    exchange = await broker.declare_exchange(topology.dead_letter_exchange)
    for queue in topology.queues:
        dead = await broker.declare_queue(topology.dead(queue))
        await dead.bind(exchange, routing_key=queue.dead_letters)
        await broker.declare_queue(topology.declared(queue))
