"""RabbitMQ: does it take a connection, and are our queues there?"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from time import perf_counter

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)

from vertice.kernel.health.model import USUAL, Level, Limits, Result

__all__ = ["RabbitMqCheck"]

_CLOSING_SECONDS = 2


class RabbitMqCheck:
    """The broker; messages wait in the database while it is away, so it is not critical by default."""

    name = "rabbitmq"

    def __init__(
        self,
        url: str,
        *,
        queues: Collection[str] = (),
        critical: bool = False,
        limits: Limits = USUAL,
    ) -> None:
        self.critical = critical
        self.limits = limits
        self._url = url
        self._queues = tuple(queues)
        self._connection: AbstractConnection | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> Result:
        """Return latency, version and what waits in the queues; unhealthy when a queue is missing."""
        try:
            if self._connection is not None:
                with suppress(AMQPError, ChannelInvalidStateError, OSError):
                    return await self._look(self._connection)
                self._drop()  # a server that was started again is not sick
            self._connection = await aio_pika.connect(
                self._url, client_properties={"connection_name": "vertice health"}
            )
            return await self._look(self._connection)
        except (AuthenticationError, ProbableAuthenticationError):
            return Result(Level.unhealthy, {"message": "the login was refused"})
        except BaseException:
            self._drop()  # the next look begins with a new connection
            raise

    async def close(self) -> None:
        """Give the connection back."""
        self._drop()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _look(self, connection: AbstractConnection) -> Result:
        started = perf_counter()
        channel = await connection.channel(publisher_confirms=False)
        latency = (perf_counter() - started) * 1000
        await channel.close()
        waiting = [await _waiting(connection, queue) for queue in self._queues]
        missing = [name for name, count in zip(self._queues, waiting, strict=True) if count is None]
        details = {
            "latency_ms": round(latency, 1),
            "version": _version(connection),
            "queues": len(waiting) - len(missing),
            "messages_ready": sum(count or 0 for count in waiting),
        }
        if missing:
            return Result(Level.unhealthy, {"message": f"missing queues: {', '.join(missing)}", **details})
        return Result(Level.healthy, details)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            task = asyncio.create_task(_close(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _waiting(connection: AbstractConnection, queue: str) -> int | None:
    # RabbitMQ closes the channel on which a queue was not found: each has its own.
    channel = await connection.channel(publisher_confirms=False)
    try:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0
    except ChannelNotFoundEntity:
        return None
    finally:
        await channel.close()


async def _close(connection: AbstractConnection) -> None:
    with suppress(AMQPError, OSError, RuntimeError, TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            await connection.close()


def _version(connection: AbstractConnection) -> str:
    if connection.transport is None:
        return ""
    version = connection.transport.connection.server_properties.get("version", b"")
    return version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
