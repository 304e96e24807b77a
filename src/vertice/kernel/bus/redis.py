"""Hints between processes through Redis' publish and subscribe. They carry nothing: the database has the events."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.exceptions import RedisError

from vertice.kernel.errors import InputError
from vertice.kernel.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio.client import PubSub

__all__ = ["CHANNEL", "RedisHints"]

CHANNEL = "vertice:events"

_AGAIN_SECONDS = 1.0
_SEND_SECONDS = 1.0


class RedisHints:
    """`Hints` over one Redis channel. While Redis is away nothing is told, and everybody looks by themselves.

    Raises InputError for what is not a Redis URL.
    """

    def __init__(self, url: str, channel: str) -> None:
        try:
            self._redis = Redis.from_url(url, socket_connect_timeout=_SEND_SECONDS, socket_timeout=None)
        except ValueError:  # it may show the password
            raise InputError(
                "is not a Redis URL", where="REDIS_URL", todo="Write redis://:password@host:6379/0."
            ) from None
        self._channel = channel
        self._heard = asyncio.Event()
        self._away = False

    async def send(self) -> None:
        """Tell the others."""
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._redis.publish(self._channel, b"")
        except (RedisError, OSError, TimeoutError) as error:
            self._say_away(error)

    async def hear(self) -> None:
        """Return when another process told something; while `serve` runs."""
        await self._heard.wait()
        self._heard.clear()

    async def run(self) -> None:
        """Stay subscribed until cancelled, through whatever happens to Redis."""
        while True:
            try:
                async with self._subscribed() as subscription:
                    self._away = False
                    self._heard.set()  # something may have been told while nobody listened
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=None)
                        if message is not None:
                            self._heard.set()
            except (RedisError, OSError) as error:
                self._say_away(error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def close(self) -> None:
        """Give the connections back."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    @contextlib.asynccontextmanager
    async def _subscribed(self) -> "AsyncIterator[PubSub]":
        subscription = self._redis.pubsub()
        try:
            await subscription.subscribe(self._channel)
            yield subscription
        finally:
            with contextlib.suppress(RedisError, OSError):
                await subscription.aclose()  # type: ignore[no-untyped-call]

    def _say_away(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            get_logger(__name__).warning(
                "redis is away: events of other processes come later", why=type(error).__name__
            )
