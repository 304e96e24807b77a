"""A database, two queues, and messages left for them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from vertice.kernel.bus.outbox import post, waiting
from vertice.kernel.bus.rabbit import Address
from vertice.kernel.bus.topology import Queue, Topology
from vertice.kernel.database import Database

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

Post = Callable[..., Awaitable[list[str]]]


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    """Where the kind of database plays no part."""
    async with Database.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def topology() -> Topology:
    """`in` holds up to three messages of 4 KiB, `out` up to five."""
    return Topology(
        "dead",
        (
            Queue("in", inbound=True, message_bytes=4096, max_messages=3),
            Queue("out", inbound=False, message_bytes=4096, max_messages=5),
        ),
    )


@pytest.fixture
def address(rabbitmq_url: str) -> Address:
    return Address.parse(rabbitmq_url)


@pytest.fixture
def leave() -> Post:
    """Leave numbered messages in one transaction: `await leave(database, "out", 3)`. Returns their ids."""

    async def run(database: Database, destination: str, count: int = 1, *, start: int = 0) -> list[str]:
        async with database.write() as session:
            return [
                post(session, destination, "test.counted", subject=str(n), data={"n": n}, at=AT)
                for n in range(start, start + count)
            ]

    return run


@pytest.fixture
def unsent() -> Callable[[Database], Awaitable[list[str]]]:
    """The ids that still wait, in their order."""

    async def run(database: Database) -> list[str]:
        async with database.read() as session:
            return [one.message.id for one in await waiting(session, "/test", limit=1000)]

    return run


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Wait for something to become true; the test's own time limit ends a wait in vain."""

    async def run(true: Callable[[], Awaitable[bool]]) -> None:
        while not await true():  # noqa: ASYNC110  (nobody could set an event)
            await asyncio.sleep(0.02)

    return run
