"""The queues as an operator sees them: how many wait, what was given up and why, and sending that on again.

Dead letters that are only looked at stay unconfirmed, so they go back to their place when the connection is closed:
`rabbit.connected` gives one for each of these calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from faststream.rabbit import RabbitBroker

from vertice.kernel.bus.dead_letter import DeadLetter, revive, told
from vertice.kernel.bus.rabbit import CONFIRM_SECONDS
from vertice.kernel.bus.topology import Queue, Topology, declare

__all__ = ["Depth", "dead_letters", "depths", "replay"]


@dataclass(frozen=True, slots=True)
class Depth:
    """How full a queue is."""

    ready: int
    consumers: int
    dead: int


async def depths(broker: RabbitBroker, topology: Topology) -> Sequence[tuple[Queue, Depth]]:
    """Return how full each queue is; those that are not there yet are made."""
    await declare(broker, topology)
    found = []
    for queue in topology.queues:
        alive = await (await broker.declare_queue(topology.declared(queue))).declare(timeout=CONFIRM_SECONDS)
        dead = await (await broker.declare_queue(topology.dead(queue))).declare(timeout=CONFIRM_SECONDS)
        depth = Depth(alive.message_count or 0, alive.consumer_count or 0, dead.message_count or 0)
        found.append((queue, depth))
    return found


async def dead_letters(broker: RabbitBroker, topology: Topology, queue: Queue, *, limit: int) -> Sequence[DeadLetter]:
    """Return the oldest dead letters of a queue; they stay where they are.

    All are looked at, whatever the `limit`: a quorum queue puts those that come back behind those that did not leave.
    """
    await declare(broker, topology)
    dead = await broker.declare_queue(topology.dead(queue))
    there = (await dead.declare(timeout=CONFIRM_SECONDS)).message_count or 0
    found: list[DeadLetter] = []
    for _ in range(there):
        message = await _next(dead)
        if message is None:
            break
        if len(found) < limit:
            found.append(told(message))
    return found


async def replay(broker: RabbitBroker, topology: Topology, queue: Queue, *, message_id: str = "", limit: int) -> int:
    """Put dead letters back into their queue, oldest first, at most `limit`; return how many.

    Each is confirmed in its queue before it leaves the dead letters: who is killed between the two leaves it in both,
    with the same id. Those that die again meanwhile are not taken a second time.
    """
    await declare(broker, topology)
    dead = await broker.declare_queue(topology.dead(queue))
    there = (await dead.declare(timeout=CONFIRM_SECONDS)).message_count or 0
    done = 0
    for _ in range(there):
        if done == limit or (message := await _next(dead)) is None:
            break
        if message_id in {"", message.message_id}:
            await revive(broker, queue, message)
            await message.ack()
            done += 1
    return done


async def _next(queue: AbstractQueue) -> AbstractIncomingMessage | None:
    return await queue.get(no_ack=False, fail=False, timeout=CONFIRM_SECONDS)
