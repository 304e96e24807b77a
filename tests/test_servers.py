"""The servers that tests start: they keep what they hold, they hang when told to, and nothing of them is left over."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import aio_pika
import asyncpg
import pytest
import redis

import tests.server
from tests.contained import DockerError, have
from tests.machine import ROOT
from tests.server import Server, ServerError, find, free_port
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


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are looked for: no server is in it, and no Docker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("env", "bash", "sh", "dirname", "id", "sleep", "timeout", "setpriv"):
        folder.joinpath(program).symlink_to(shutil.which(program) or "")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(tests.server, "_PLACES", ())
    return folder


@pytest.fixture(scope="module")
def docker() -> Path:
    """The Docker client, whose engine has the images or can get them."""
    try:
        for kind in (Postgres, Redis, RabbitMq):
            have(kind.image)
    except DockerError as error:
        pytest.skip(f"needs Docker and the official images: {error}")
    return Path(shutil.which("docker") or "")


@pytest.fixture(params=["installed", pytest.param("contained", marks=pytest.mark.docker)])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the test's own servers run; no container with a folder of theirs is left over."""
    if request.param == "contained":
        docker: Path = request.getfixturevalue("docker")
        folder: Path = request.getfixturevalue("open_folder")
        request.getfixturevalue("bare_path").joinpath("docker").symlink_to(docker)
        request.getfixturevalue("monkeypatch").setattr(tempfile, "tempdir", str(folder))
        yield request.param
        until(lambda: str(folder) not in _mounts())
    else:
        yield request.param


def _mounts() -> str:
    return subprocess.check_output(["docker", "ps", "--all", "--no-trunc", "--format={{.Mounts}}"], text=True)


def until(met: Callable[[], bool]) -> None:
    for _ in range(600):
        if met():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that in half a minute")


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.usefixtures("place")
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


@pytest.mark.usefixtures("place")
def test_redis_keeps_what_it_held_when_it_was_stopped(private_redis: Callable[[], Redis]) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", 7)
    server.stop()
    assert refused(server.port)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"7"


@pytest.mark.usefixtures("place")
async def test_rabbitmq_keeps_durable_queues_and_persistent_messages(private_rabbitmq: Callable[[], RabbitMq]) -> None:
    server = private_rabbitmq()
    vhosts = Vhosts(**json.loads(json.dumps(asdict(server.vhosts))))  # as another process is told
    url = vhosts.make()
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
    vhosts.remove(url)
    with pytest.raises(ServerError, match="no_such_vhost"):
        vhosts.remove(url)


@pytest.mark.usefixtures("place")
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
import tests.server
from tests.servers import Postgres, RabbitMq, Redis
tests.server._PLACES = sys.argv[2:]
server = {"postgres": Postgres, "redis": Redis, "rabbitmq": RabbitMq}[sys.argv[1]]()
print(server.port, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("postgres", "installed"),
        ("redis", "installed"),
        ("rabbitmq", "installed"),
        pytest.param("redis", "contained", marks=pytest.mark.docker),
    ],
    indirect=["place"],
)
@pytest.mark.usefixtures("place")
def test_a_server_dies_with_a_process_that_is_killed(kind: str, open_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(open_folder)}
    command = [sys.executable, "-c", MAKE, kind, *tests.server._PLACES]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as maker:
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


class Confused(Redis):
    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--no-such-setting", "1"]


@pytest.mark.parametrize("kind", [Postgres, Redis, RabbitMq])
@pytest.mark.parametrize(
    ("client", "complaint"),
    [
        (None, "no docker on PATH"),
        ("echo the engine does not answer >&2; exit 1", "the engine does not answer"),
        ('[ "$1" = version ] || { echo no such image >&2; exit 1; }', "no such image"),
    ],
    ids=["no Docker", "no engine", "no image"],
)
def test_a_server_that_cannot_be_had_says_the_three_ways(
    bare_path: Path,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Server],
    client: str | None,
    complaint: str,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder))
    if client:
        script(bare_path / "docker", client)
    with pytest.raises(ServerError) as refusal:
        kind()
    said = str(refusal.value)
    assert said.startswith(f"{kind.program} is missing: run scripts/setup-servers, or apt-get install {kind.package}, ")
    assert f"or start Docker, which would run {kind.image} (" in said
    assert complaint in said
    assert said.endswith(f"or name a server in {kind.variable}")
    assert list(open_folder.iterdir()) == []


def test_a_program_that_has_to_be_installed_says_so() -> None:
    with pytest.raises(ServerError, match="node-of-nowhere is missing: apt-get install nodejs"):
        find("node-of-nowhere", "nodejs")


@pytest.mark.parametrize(
    ("engine", "code", "said"),
    [
        (
            "exit 0",
            0,
            "setup-servers: redis-server is missing, and there is no apt-get: the tests will start it with Docker",
        ),
        ("exit 1", 3, "setup-servers: redis-server is missing, and only root can install it."),
    ],
    ids=["Docker", "no engine"],
)
def test_without_apt_the_set_up_leaves_a_server_to_docker(bare_path: Path, engine: str, code: int, said: str) -> None:
    script(bare_path / "docker", engine)
    others = {"VERTICE_TEST_POSTGRES_URL": "given", "VERTICE_TEST_RABBITMQ_URL": "given"}
    done = subprocess.run(
        [ROOT / "scripts" / "setup-servers"],
        env={"PATH": str(bare_path), **others},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (code, said)


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.usefixtures("place")
def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder))
    with pytest.raises(ServerError, match="no-such-setting"):
        Confused()
    assert list(open_folder.iterdir()) == []
