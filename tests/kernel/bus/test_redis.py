"""Hints through a real Redis: heard by the others, never missed for ever, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis.asyncio

from tests.servers import PASSWORD, Redis
from vertice.kernel.bus.redis import RedisHints
from vertice.kernel.errors import InputError

CHANNEL = "test:hints"


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[RedisHints]:
    """Hints of a process that is subscribed."""
    hints = RedisHints(url, CHANNEL)
    running = asyncio.create_task(hints.run())
    try:
        await hints.hear()  # whoever subscribes looks once: something may have been told before
        yield hints
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await hints.close()


@asynccontextmanager
async def telling(url: str) -> AsyncIterator[RedisHints]:
    hints = RedisHints(url, CHANNEL)
    try:
        yield hints
    finally:
        await hints.close()


async def test_a_hint_is_heard_by_every_other_process(redis_url: str) -> None:
    async with listening(redis_url) as one, listening(redis_url) as other, telling(redis_url) as third:
        await third.send()
        await asyncio.gather(one.hear(), other.hear())


async def test_hints_say_that_there_is_something_new_and_not_how_much(redis_url: str) -> None:
    async with listening(redis_url) as one, telling(redis_url) as other, redis.asyncio.from_url(redis_url) as client:
        for _ in range(5):
            await other.send()
        await one.hear()
        assert await client.pubsub_numsub(CHANNEL) == [(CHANNEL.encode(), 1)]
        heard = asyncio.create_task(one.hear())
        await other.send()
        await heard


async def test_what_is_on_another_channel_is_not_heard(redis_url: str) -> None:
    async with listening(redis_url) as one, telling(redis_url) as other:
        async with redis.asyncio.from_url(redis_url) as client:
            await client.publish("test:others", b"")
            await client.publish("test:others", b"")
        heard = asyncio.create_task(one.hear())
        await asyncio.sleep(0.2)
        assert not heard.done()
        await other.send()
        await heard


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_through_an_outage_nobody_fails_and_afterwards_everybody_looks(
    private_redis: Callable[[], Redis], how: str
) -> None:
    server = private_redis()
    async with listening(server.url) as one, telling(server.url) as other:
        await other.send()
        await one.hear()
        await asyncio.to_thread(getattr(server, how))
        await other.send()
        await asyncio.to_thread(server.start)
        await one.hear()  # nobody has told anything: it looks because something may have been missed
        heard = asyncio.create_task(one.hear())
        while not heard.done():
            await other.send()
            await asyncio.sleep(0.05)


async def test_a_redis_that_hangs_holds_nobody_up(private_redis: Callable[[], Redis]) -> None:
    server = private_redis()
    async with telling(server.url) as other:
        await other.send()
        server.pause()
        async with asyncio.timeout(30):
            await other.send()
        server.resume()


@pytest.mark.parametrize("url", [f"http://:{PASSWORD}@localhost", "localhost:6379", "redis://localhost:port/0"])
def test_what_is_no_redis_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InputError, match="is not a Redis URL") as refused:
        RedisHints(url, CHANNEL)
    assert refused.value.where == "REDIS_URL"
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None
