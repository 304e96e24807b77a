"""Takes messages from RabbitMQ, each through the inbox.

A message is confirmed when it took effect. One that is at fault goes to the dead-letter queue with the reason, as a
copy that RabbitMQ confirmed before the message itself is: none is lost. One that cannot be taken now (the database is
away) stays with this process, unconfirmed, and is tried again; as no more than `prefetch` are handed out at a time, the
others wait in the queue.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from faststream import BaseMiddleware
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.rabbit import RabbitBroker, RabbitRouter

from vertice.kernel import tracing
from vertice.kernel.bus.backoff import pause
from vertice.kernel.bus.cloudevents import CloudEvent, read
from vertice.kernel.bus.dead_letter import bury
from vertice.kernel.bus.inbox import Inbox, Subscription
from vertice.kernel.bus.message import MessageRefusedError
from vertice.kernel.bus.rabbit import GRACE_SECONDS, Address, explained, new_broker, stop
from vertice.kernel.bus.topology import Queue, Topology, declare
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.logging import get_logger
from vertice.kernel.origin import Origin
from vertice.kernel.text import printable

__all__ = ["Consumer", "subscribe"]

_TRIES = 3
"""Of a message that brings out a fault of ours, or that came at the same moment as another of its kind."""
_PATIENCE_SECONDS = 20 * 60.0
"""RabbitMQ takes a message back by force after 30 minutes (consumer_timeout): we hand it back before."""


class Consumer:
    """Runs until it is stopped; reaches RabbitMQ again whenever it was away."""

    def __init__(
        self,
        address: Address,
        topology: Topology,
        inbox: Inbox,
        subscriptions: Sequence[Subscription[Any]],
        *,
        prefetch: int = 10,
    ) -> None:
        self._address = address
        self._topology = topology
        self._inbox = inbox
        self._subscriptions = subscriptions
        self._prefetch = prefetch
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End `run`; what is being taken is finished first, what was not begun goes back to the queue."""
        self._stopping.set()

    async def run(self) -> None:
        """Take messages until `stop`."""
        failures = 0
        while not self._stopping.is_set():
            broker = self._broker()
            try:
                with explained(self._address):
                    await broker.connect()
                    await declare(broker, self._topology)
                    await broker.start()
                failures = 0
                # From here on the client itself comes back after each loss of the connection.
                await self._stopping.wait()
            except UnfinishedError as error:
                failures += 1
                seconds = pause(failures)
                get_logger(__name__).warning("takes no messages", why=str(error), seconds=round(seconds, 1))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._stopping.wait()
            finally:
                await stop(broker, grace=GRACE_SECONDS)

    def _broker(self) -> RabbitBroker:
        broker = new_broker(self._address, prefetch=self._prefetch)
        for subscription in self._subscriptions:
            taken = partial(self._inbox.take, subscription)
            subscribe(broker, self._topology, subscription.queue, subscription.kind, taken, self._stopping)
        return broker


def subscribe(
    broker: RabbitBroker,
    topology: Topology,
    queue: Queue,
    kind: type[CloudEvent],
    taken: Callable[[Any], Awaitable[object]],
    stopping: asyncio.Event,
) -> None:
    """Let `broker` give the messages of `queue` to `taken` from when it starts, until `stopping`."""

    async def decode(message: StreamMessage[Any]) -> CloudEvent:
        return read(kind, message.body, limit=queue.message_bytes)

    async def take(event: CloudEvent) -> None:
        with tracing.continued(event.traceparent or ""), tracing.span("take", queue=queue.name, message=event.id):
            await taken(event)

    take.__annotations__["event"] = kind  # what the AsyncAPI document shows
    take.__doc__ = kind.__doc__

    place = _Place(broker, topology, queue, stopping)

    def settling(raw: Any, *, context: Any) -> BaseMiddleware:
        return _Settling(raw, context=context, place=place)

    router = RabbitRouter(middlewares=[settling])
    router.subscriber(
        topology.declared(queue), ack_policy=AckPolicy.MANUAL, decoder=decode, no_reply=True, title=queue.name
    )(take)
    broker.include_router(router)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where messages come from and go."""

    broker: RabbitBroker
    topology: Topology
    queue: Queue
    stopping: asyncio.Event


class _Settling(BaseMiddleware):
    """Sees to it that a message ends confirmed, as a dead letter, or back in its queue."""

    def __init__(self, raw: Any, /, *, context: Any, place: _Place) -> None:
        super().__init__(raw, context=context)
        self._place = place
        self._queue = place.queue

    async def consume_scope(
        self, call_next: Callable[[StreamMessage[Any]], Awaitable[Any]], msg: StreamMessage[Any]
    ) -> None:
        """Take the message, again and again while it cannot be taken, and settle it."""
        with Origin(correlation_id=msg.correlation_id or "").continued():
            await self._settle(call_next, msg)

    async def _settle(self, call_next: Callable[[StreamMessage[Any]], Awaitable[Any]], msg: StreamMessage[Any]) -> None:
        try:
            why = await self._taken(call_next, msg)
            if why:
                get_logger(__name__).warning("dead letter", queue=self._queue.name, id=msg.message_id, why=why)
                await bury(self._place.broker, self._place.topology, self._queue, msg.raw_message, why)
            await msg.ack()
        except UnfinishedError:
            await msg.nack()
        except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
            # Without a connection RabbitMQ gives the message out again by itself; with one, hand it back.
            get_logger(__name__).warning("message not settled", queue=self._queue.name, why=printable(str(error)))
            await self._stopped_within(pause(5))
            with contextlib.suppress(*CONNECTION_EXCEPTIONS):
                await msg.nack()

    async def _taken(self, call_next: Callable[[StreamMessage[Any]], Awaitable[Any]], msg: StreamMessage[Any]) -> str:
        """Return "" when the message took effect, else why it never will. Raises UnfinishedError out of patience."""
        clock = asyncio.get_running_loop().time
        started, failures = clock(), 0
        while True:
            try:
                await call_next(msg)
            except MessageRefusedError as error:
                return str(error)
            except UnfinishedError as error:
                failures += 1
                seconds = pause(failures)
                get_logger(__name__).warning(
                    "message waits", queue=self._queue.name, id=msg.message_id, why=str(error), tries=failures
                )
                if clock() - started + seconds > _PATIENCE_SECONDS or await self._stopped_within(seconds):
                    raise
            except Exception as error:  # noqa: BLE001 -- a fault of ours that this message brings out
                failures += 1
                get_logger(__name__).exception("message failed", queue=self._queue.name, id=msg.message_id)
                if failures >= _TRIES or await self._stopped_within(pause(failures)):
                    return f"a fault of the reader's own: {type(error).__name__}"
            else:
                return ""

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._place.stopping.wait()
        except TimeoutError:
            return False
        return True
