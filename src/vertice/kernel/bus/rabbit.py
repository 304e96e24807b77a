"""RabbitMQ: reaching it, and publishing with its confirms."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AuthenticationError,
    ChannelClosed,
    ChannelPreconditionFailed,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)
from faststream.rabbit import Channel, RabbitBroker

from vertice.kernel.bus.cloudevents import CONTENT_TYPE, write
from vertice.kernel.bus.message import Message, MessageRefusedError, UnclaimedError
from vertice.kernel.bus.topology import Topology, declare
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.text import printable

__all__ = [
    "CONFIRM_SECONDS",
    "GRACE_SECONDS",
    "Address",
    "RabbitPublisher",
    "connected",
    "explained",
    "new_broker",
    "stop",
]

CONFIRM_SECONDS = 10.0
"""A message that RabbitMQ has not confirmed by then counts as not sent."""
GRACE_SECONDS = 10.0
"""What a message that is being taken has, to end, when its reader stops."""
_CONNECT_SECONDS = 5.0
_STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where RabbitMQ is."""

    url: str = field(repr=False)
    """As operators write it, password and all."""
    where: str
    """The same for people: host, port and virtual host."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address of an `amqp://` or `amqps://` URL. Raises InputError that does not show it."""
        try:
            parts = urlsplit(url)
            port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
            raise InputError(
                "is not a RabbitMQ URL", where="RABBITMQ_URL", todo="Write amqp://user:password@host:5672/vhost."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(url, printable(f"{host}:{port}/{unquote(parts.path[1:])}", limit=200))


def new_broker(address: Address, *, prefetch: int = 0, middlewares: Sequence[Any] = ()) -> RabbitBroker:
    """Return FastStream's broker for the address; not connected yet. It logs nothing: whoever uses it does."""
    return RabbitBroker(
        address.url,
        timeout=_CONNECT_SECONDS,
        fail_fast=True,
        reconnect_interval=1.0,
        graceful_timeout=GRACE_SECONDS,
        default_channel=Channel(prefetch_count=prefetch or None, publisher_confirms=True, on_return_raises=True),
        middlewares=middlewares,
        logger=None,
    )


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[RabbitBroker]:
    """Give a connection for a while. Raises UnfinishedError when RabbitMQ cannot be reached, then or later."""
    broker = new_broker(address)
    with explained(address):
        try:
            await broker.connect()
            yield broker
        finally:
            await stop(broker)


async def stop(broker: RabbitBroker, *, grace: float = 0.0) -> None:
    """Close the connection, even where the server does not answer; what is being taken has `grace` seconds to end."""
    connection = broker._connection  # noqa: SLF001  (FastStream leaves it open when a subscriber does not end well)
    with contextlib.suppress(ExceptionGroup, *CONNECTION_EXCEPTIONS, TimeoutError):
        async with asyncio.timeout(grace + _STOP_SECONDS):
            await broker.stop()
    if connection is not None:
        with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await connection.close()


@contextlib.contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turn the client's errors into one of ours."""
    try:
        yield
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        if isinstance(error, VerticeError):
            raise
        raise _explained(error, address) from error


def _explained(error: BaseException, address: Address) -> UnfinishedError:
    where, said = address.where, printable(str(error), limit=300)
    match error:
        case AuthenticationError() | ProbableAuthenticationError():
            return UnfinishedError("RabbitMQ refuses the user or the password", where=where, todo="See RABBITMQ_URL.")
        case ChannelPreconditionFailed():
            what = f"a queue or exchange is there already, made otherwise: {said}"
            return UnfinishedError(what, where=where, todo="Delete it, or give Vértice a virtual host of its own.")
        case ChannelClosed() if "ACCESS_REFUSED" in said:
            return UnfinishedError(
                f"RabbitMQ refuses: {said}", where=where, todo="Give the user the rights to configure, write and read."
            )
        case DeliveryError():
            return UnfinishedError(f"RabbitMQ did not take it: {said}", where=where, todo="Is the queue full?")
    if "Connection.Close" in said or "NOT_ALLOWED" in said:
        todo = "Is the virtual host there, and may the user enter it?"
        return UnfinishedError("RabbitMQ ends the connection at once", where=where, todo=todo)
    return UnfinishedError(
        f"cannot reach RabbitMQ ({said or type(error).__name__})", where=where, todo="Is it running?"
    )


class RabbitPublisher:
    """Publishes to a service's queues, which it declares first. One connection, made anew after each failure."""

    def __init__(self, address: Address, topology: Topology) -> None:
        self._address = address
        self._topology = topology
        self._connecting: asyncio.Task[RabbitBroker] | None = None

    async def publish(self, message: Message) -> None:
        """Return when RabbitMQ has confirmed the message: it is on disk.

        Raises UnclaimedError for a queue that is not ours, MessageRefusedError for a message that is too large,
        UnfinishedError when RabbitMQ cannot be reached or the queue is full.
        """
        queue = self._topology.queue(message.destination)
        if queue is None:
            raise UnclaimedError("there is no such queue", where=message.destination)
        body = write(message)
        if len(body) > queue.message_bytes:
            raise MessageRefusedError(
                f"is larger than {queue.message_bytes:,} bytes ({len(body):,})", where=message.destination
            )
        with explained(self._address):
            try:
                broker = await self._connected()
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await broker.publish(
                        body,
                        queue=queue.name,
                        persist=True,
                        message_id=message.id,
                        message_type=message.type,
                        content_type=CONTENT_TYPE,
                        correlation_id=message.correlation_id or message.id,
                        headers={"traceparent": message.traceparent} if message.traceparent else None,
                        timestamp=message.at,
                    )
            except PublishError:
                await self.close()  # the queue is gone: connecting again declares it
                raise
            except DeliveryError:
                raise
            except (*CONNECTION_EXCEPTIONS, TimeoutError):
                await self.close()
                raise

    async def close(self) -> None:
        """Close the connection; the next message makes another."""
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            # Not cancelled: the client would go on connecting by itself for ever.
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                await stop(await connecting)

    async def _connected(self) -> RabbitBroker:
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> RabbitBroker:
        broker = new_broker(self._address)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS + CONFIRM_SECONDS):
                await broker.connect()
                await declare(broker, self._topology)
        except BaseException:
            await stop(broker)
            raise
        return broker
