"""Whoever else is on the broker: sends and reads as a stranger does, with nothing of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

__all__ = ["channel", "depth", "drain", "send"]


@asynccontextmanager
async def channel(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url) as connection, connection.channel(on_return_raises=True) as opened:
        yield opened


async def send(url: str, queue: str, *bodies: bytes, exchange: str = "", **properties: Any) -> None:
    """Publish to a queue, each message confirmed."""
    async with channel(url) as opened:
        target = await opened.get_exchange(exchange) if exchange else opened.default_exchange
        for body in bodies:
            await target.publish(aio_pika.Message(body, **properties), queue)


async def depth(url: str, queue: str) -> int:
    """How many messages of a queue are ready."""
    async with channel(url) as opened:
        return (await opened.declare_queue(queue, passive=True)).declaration_result.message_count or 0


async def drain(url: str, queue: str, count: int) -> list[AbstractIncomingMessage]:
    """Wait for `count` messages of a queue, and take them."""
    taken: list[AbstractIncomingMessage] = []
    async with channel(url) as opened:
        found = await opened.get_queue(queue, ensure=False)
        while len(taken) < count:
            message = await found.get(no_ack=True, fail=False)
            if message is None:
                await asyncio.sleep(0.05)
            else:
                taken.append(message)
    return taken
