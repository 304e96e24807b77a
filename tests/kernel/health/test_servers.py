"""Checks of real servers: well, hung, gone, back again, and refusing."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

import aio_pika
import pytest
import redis.asyncio
from sqlalchemy import make_url

from tests.servers import PASSWORD, Postgres, RabbitMq, Redis
from vertice.kernel.database import Database
from vertice.kernel.health.interface import Check
from vertice.kernel.health.model import Component, Level, Limits, Report
from vertice.kernel.health.monitor import Health
from vertice.kernel.health.postgres import PostgresCheck
from vertice.kernel.health.rabbitmq import RabbitMqCheck
from vertice.kernel.health.redis import RedisCheck
from vertice.kernel.health.sqlite import SqliteCheck


@asynccontextmanager
async def looking_at(check: Check) -> AsyncIterator[Health]:
    health = Health([check], version="1", fresh_seconds=0)
    try:
        yield health
    finally:
        await health.close()


async def state(health: Health) -> Component:
    """The state of the one component; told within a second, and without anything of where it is."""
    started = perf_counter()
    report: Report = await health.report()
    assert perf_counter() - started < 1
    said = json.dumps(report.to_dict())
    for hidden in (PASSWORD, quote(PASSWORD, safe=""), "127.0.0.1", "localhost", "/tmp", "/home"):
        assert hidden not in said
    return report.components[0]


async def until(health: Health, level: Level) -> Component:
    async with asyncio.timeout(30):
        while True:
            component = await state(health)
            if component.status is level:
                return component
            await asyncio.sleep(0.1)


def driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://")


def wrong_password(url: str) -> str:
    return make_url(url).set(password="wrong").render_as_string(hide_password=False)


async def test_postgres_tells_its_version_size_and_use(postgres_url: str):
    async with looking_at(PostgresCheck(postgres_url)) as health:
        component = await state(health)
    assert (component.name, component.critical, component.status) == ("postgres", True, Level.healthy)
    details = component.result.details
    assert list(details) == ["latency_ms", "version", "db_size_mb", "active_connections", "active_queries"]
    assert details["version"].startswith("15.")
    assert details["db_size_mb"] > 5
    assert (details["active_connections"], details["active_queries"]) == (1, 0)


async def test_postgres_counts_connections_and_running_queries_and_shows_the_use_of_the_pool(postgres_url: str):
    async with Database.open(postgres_url) as database, database.read() as session:
        connection = await session.connection()
        sleeping = asyncio.create_task(connection.exec_driver_sql("SELECT pg_sleep(30)"))
        async with looking_at(PostgresCheck(postgres_url, pool=lambda: connection.engine.pool)) as health:
            async with asyncio.timeout(10):
                while True:
                    details = (await state(health)).result.details
                    if details["active_queries"]:
                        break
                    await asyncio.sleep(0.02)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
    assert (details["active_connections"], details["active_queries"], details["pool_in_use"]) == (2, 1, 1)


async def test_a_latency_above_the_threshold_is_degraded(postgres_url: str):
    async with looking_at(PostgresCheck(postgres_url, limits=Limits(slow_after_ms=0.001))) as health:
        component = await state(health)
    assert component.status is Level.degraded
    assert component.result.details["message"] == "slow: above 0.001 ms"


async def test_redis_tells_its_version_and_uptime(redis_url: str):
    async with looking_at(RedisCheck(redis_url)) as health:
        component = await state(health)
    assert (component.name, component.status) == ("redis", Level.healthy)
    assert list(component.result.details) == ["latency_ms", "redis_version", "uptime_seconds"]
    assert component.result.details["redis_version"].startswith("7.")
    assert isinstance(component.result.details["uptime_seconds"], int)


async def test_rabbitmq_tells_its_version_and_what_waits_in_the_queues(rabbitmq_url: str):
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        for name in ("a", "b"):
            await channel.declare_queue(name)
        await channel.default_exchange.publish(aio_pika.Message(b"x"), "a")
        async with looking_at(RabbitMqCheck(rabbitmq_url, queues=["a", "b"])) as health:
            component = await state(health)
            assert (await state(health)).status is Level.healthy
    assert (component.name, component.status) == ("rabbitmq", Level.healthy)
    details = component.result.details
    assert (details["queues"], details["messages_ready"]) == (2, 1)
    assert details["version"].startswith("3.")


async def test_a_missing_queue_is_named_and_the_others_are_still_looked_at(rabbitmq_url: str):
    async with await aio_pika.connect(rabbitmq_url) as connection:
        await (await connection.channel()).declare_queue("there")
        async with looking_at(RabbitMqCheck(rabbitmq_url, queues=["gone", "there"])) as health:
            for _ in range(2):
                component = await state(health)
                assert component.status is Level.unhealthy
                assert component.result.details["message"] == "missing queues: gone"
                assert component.result.details["queues"] == 1


AnyServer = Postgres | Redis | RabbitMq


@pytest.fixture(scope="module", params=[Postgres, Redis, RabbitMq])
def kept(request: pytest.FixtureRequest) -> Iterator[AnyServer]:
    with request.param() as server:
        yield server


@pytest.fixture
def server(kept: AnyServer) -> Iterator[AnyServer]:
    """A server that only these tests use, one after the other; each leaves it running."""
    yield kept
    kept.resume()


def check_of(server: AnyServer, url: str | None = None, *, time_limit_ms: int = 800) -> Check:
    url, limits = url or server.url, Limits(time_limit_ms=time_limit_ms)
    if isinstance(server, Postgres):
        return PostgresCheck(driver(url), limits=limits)
    return RedisCheck(url, limits=limits) if isinstance(server, Redis) else RabbitMqCheck(url, limits=limits)


async def test_a_server_that_hangs_is_unhealthy_within_a_second_and_well_when_it_goes_on(server):
    async with looking_at(check_of(server, time_limit_ms=400)) as health:
        await until(health, Level.healthy)
        server.pause()
        for _ in range(3):
            component = await state(health)
            assert component.status is Level.unhealthy
            assert component.result.details["message"] == "no answer in time"
        server.resume()
        await until(health, Level.healthy)


async def test_a_server_that_hangs_from_the_start_is_unhealthy_within_a_second(server):
    server.pause()
    async with looking_at(check_of(server, time_limit_ms=400)) as health:
        assert (await state(health)).status is Level.unhealthy
        server.resume()
        await until(health, Level.healthy)


async def test_a_server_that_is_gone_is_unhealthy_and_well_when_it_is_back(server):
    async with looking_at(check_of(server)) as health:
        await until(health, Level.healthy)
        server.stop()
        component = await until(health, Level.unhealthy)
        server.start()
        assert component.result.details["message"] in {"cannot connect", "no answer in time"} or (
            component.result.details["message"].startswith("the check failed")
        )
        await until(health, Level.healthy)
        assert (await state(health)).status is Level.healthy


async def test_a_restart_between_two_looks_is_not_seen(server):
    async with looking_at(check_of(server)) as health:
        await until(health, Level.healthy)
        server.stop()
        server.start()
        assert (await state(health)).status is Level.healthy


async def test_a_refused_login_is_said_so(server):
    async with looking_at(check_of(server, wrong_password(server.url))) as health:
        component = await until(health, Level.unhealthy)
        assert component.result.details["message"] == "the login was refused"


async def test_a_redis_that_cannot_be_written_to_is_unhealthy(private_redis: Callable[[], Redis]):
    server = private_redis()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.config_set("maxmemory", "1")
    async with looking_at(RedisCheck(server.url)) as health:
        component = await state(health)
    assert (component.status, component.result.details["message"]) == (
        Level.unhealthy,
        "it refuses to be written to",
    )


def sqlite_path(url: str) -> Path:
    return Path(url.partition("///")[2])


async def test_sqlite_tells_its_size(sqlite_url: str):
    async with looking_at(SqliteCheck(sqlite_path(sqlite_url))) as health:
        component = await state(health)
    assert (component.name, component.critical, component.status) == ("sqlite", True, Level.healthy)
    assert component.result.details["db_size_mb"] > 0


async def test_a_sqlite_that_is_gone_is_unhealthy_and_not_made_anew(tmp_path: Path):
    async with looking_at(SqliteCheck(tmp_path / "gone.db")) as health:
        component = await state(health)
    assert component.result.details["message"] == "the database is missing, or may not be opened"
    assert list(tmp_path.iterdir()) == []


async def test_a_damaged_sqlite_is_unhealthy(tmp_path: Path):
    (tmp_path / "x.db").write_bytes(b"nonsense" * 1000)
    async with looking_at(SqliteCheck(tmp_path / "x.db")) as health:
        component = await state(health)
    assert (component.status, component.result.details["message"]) == (Level.unhealthy, "the database is damaged")


async def test_a_sqlite_that_a_long_write_holds_is_degraded(sqlite_url: str):
    with sqlite3.connect(sqlite_path(sqlite_url), isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with looking_at(SqliteCheck(sqlite_path(sqlite_url))) as health:
            component = await state(health)
            writer.execute("ROLLBACK")
            assert (await state(health)).status is Level.healthy
    writer.close()
    assert component.status is Level.degraded
