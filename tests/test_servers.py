"""The servers that tests start: they keep what they hold, they hang when told to, and nothing of them is left over."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aio_pika
import asyncpg
import pytest
import redis

from tests.machine import ROOT
from tests.server import Server, ServerError, free_port
from tests.servers import ManagedVhosts, Postgres, RabbitMq, Redis, Vhosts
from tests.shared_broker import shared_vhosts


def greeted(server: Server, seconds: float = 10) -> bool:
    """Say whether the server answers a client's first words; raises OSError when nobody listens."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as client:
        client.sendall(server.hello)
        try:
            return client.recv(64).startswith(server.welcome)
        except TimeoutError:
            return False


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that a server's own account may enter: pytest's is for its owner alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def until(met: Callable[[], bool]) -> None:
    for _ in range(600):
        if met():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that in half a minute")


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill], ids=["stopped", "killed"])
async def test_postgresql_keeps_what_was_committed(
    private_postgres: Callable[[], Postgres], end: Callable[[Postgres], None]
) -> None:
    server = private_postgres()
    url = server.url
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    end(server)
    assert refused(server.port)
    connection.terminate()
    server.start()
    connection = await asyncpg.connect(server.url)
    assert (server.url, await connection.fetchval("SELECT number FROM kept")) == (url, 7)
    await connection.close()


def test_redis_keeps_what_it_held_when_it_was_stopped(private_redis: Callable[[], Redis]) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", 7)
    server.stop()
    assert refused(server.port)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"7"


async def test_rabbitmq_keeps_durable_queues_and_persistent_messages(private_rabbitmq: Callable[[], RabbitMq]) -> None:
    server = private_rabbitmq()
    url = server.vhosts.make()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(b"7", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
    server.stop()
    assert refused(server.port)
    server.start()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, passive=True)
        assert (await queue.get(no_ack=True)).body == b"7"


def test_a_paused_server_says_nothing_until_it_is_resumed(
    private_postgres: Callable[[], Postgres], private_redis: Callable[[], Redis]
) -> None:
    for server in (private_postgres(), private_redis()):
        server.pause()
        assert not greeted(server, seconds=0.3)
        server.resume()
        assert greeted(server)


MAKE = """
import sys, time
from tests.servers import Postgres, RabbitMq, Redis
server = {"postgres": Postgres, "redis": Redis, "rabbitmq": RabbitMq}[sys.argv[1]]()
print(server.port, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["postgres", "redis", "rabbitmq"])
def test_a_server_dies_with_a_process_that_is_killed(kind: str, open_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(open_folder)}
    with subprocess.Popen([sys.executable, "-c", MAKE, kind], env=environment, stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        port = int(maker.stdout.readline())
        assert not refused(port)
        maker.kill()
    until(lambda: refused(port))


async def test_virtual_hosts_do_not_know_each_other(rabbitmq_vhosts: Vhosts) -> None:
    one, two = rabbitmq_vhosts.make(), rabbitmq_vhosts.make()
    async with await aio_pika.connect(one) as here, await aio_pika.connect(two) as there:
        await (await here.channel()).declare_queue("mine")
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await there.channel()).declare_queue("mine", passive=True)
    for url in (one, two):
        rabbitmq_vhosts.remove(url)


def test_workers_of_a_run_share_one_broker_which_ends_with_the_run(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as run:
        with ThreadPoolExecutor(4) as workers:
            one, *others = workers.map(lambda _: shared_vhosts(tmp_path, run.pid), range(4))
        assert others == [one] * 3
        port = int(one.url.rpartition(":")[2])
        assert not refused(port)
        run.kill()
    until(lambda: refused(port) and refused(one.mapper_port))


class Managed(RabbitMq):
    """With the management plugin, as a broker that somebody else runs."""

    def _prepare(self) -> None:
        super()._prepare()
        self.management_port = free_port()
        self._write("plugins", "[rabbitmq_management].")
        with (self.folder / "rabbitmq.conf").open("a") as file:
            file.write(f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.management_port}\n")


async def test_virtual_hosts_of_a_broker_that_others_run_are_made_over_http() -> None:
    with Managed() as server:
        vhosts = ManagedVhosts(server.url, server.management_port)
        url = vhosts.make()
        async with await aio_pika.connect(url) as connection:
            await (await connection.channel()).declare_queue("mine")
        vhosts.remove(url)
        with pytest.raises(ServerError, match="404"):
            vhosts.remove(url)


class Nowhere(Redis):
    program = "redis-of-nowhere"


class Confused(Redis):
    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--no-such-setting", "1"]


def test_a_missing_program_says_what_to_install() -> None:
    with pytest.raises(
        ServerError, match=r"redis-of-nowhere is missing: run scripts/setup-servers, or .* redis-server"
    ):
        Nowhere()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder))
    with pytest.raises(ServerError, match="no-such-setting"):
        Confused()
    assert list(open_folder.iterdir()) == []
