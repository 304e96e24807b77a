"""Real PostgreSQL, Redis and RabbitMQ for tests.

with Postgres() as server:
    server.url      # as an operator writes it
    server.stop()   # and start(): same port, data kept
"""

import os
import signal
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

import httpx

from tests.server import Server, ServerError, find, free_port

__all__ = ["PASSWORD", "ManagedVhosts", "Postgres", "RabbitMq", "Redis", "Server", "ServerError", "Vhosts"]

PASSWORD = "s3nha:de/teste@%"
"""Of every server: with the characters that a URL has to escape, as real passwords have."""

_QUOTED = quote(PASSWORD, safe="")
_USER = '<<"vertice">>'


class Postgres(Server):
    """PostgreSQL with no care for power cuts of the machine; those of itself it survives."""

    program = "postgres"
    package = "postgresql"
    image = "postgres:15"
    variable = "VERTICE_TEST_POSTGRES_URL"
    account = "postgres"
    hello = struct.pack("!ii", 23, 3 << 16) + b"user\0postgres\0\0"
    welcome = (b"R",)
    death = signal.SIGINT  # SIGTERM would wait for every client to leave

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{_QUOTED}@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        secret = self._write("password", PASSWORD)
        initdb = "initdb" if self._container else str(Path(self._binary).resolve().with_name("initdb"))
        form = ("--username=postgres", f"--pwfile={secret}", "--auth=password", "--encoding=UTF8", "--locale=C.UTF-8")
        self._run([initdb, "--pgdata=data", "--no-sync", *form])

    def _command(self) -> Sequence[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "32MB",
            "dynamic_shared_memory_type": "mmap",
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum_naptime": "1h",
            "timezone": "America/Sao_Paulo",  # nothing may depend on the server's own time zone
        }
        return [
            self._binary,
            "-D",
            "data",
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]


class Redis(Server):
    """Redis; `stop` saves what it holds."""

    program = "redis-server"
    package = "redis-server"
    image = "redis:7"
    variable = "VERTICE_TEST_REDIS_URL"
    account = "redis"
    hello = b"PING\r\n"
    welcome = (b"+PONG", b"-NOAUTH")

    @property
    def url(self) -> str:
        return f"redis://:{_QUOTED}@127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        return [self._binary, *where, "--requirepass", PASSWORD, "--save", "3600 1", "--appendonly", "no"]


@dataclass(frozen=True, slots=True)
class Vhosts:
    """The virtual hosts of a running RabbitMQ, made and removed by a call into it: rabbitmqctl takes a second.

    In a container there is only that one.
    """

    url: str
    """Of the broker, without a virtual host."""
    node: str
    cookie: str
    mapper_port: int
    container: str
    """The name of the one it runs in; empty: none."""

    def make(self) -> str:
        """Make an empty virtual host and return its URL."""
        name = uuid4().hex
        all_of_it = ", ".join(['<<".*">>'] * 3)
        rights = f'rabbit_auth_backend_internal:set_permissions({_USER}, <<"{name}">>, {all_of_it}, {_USER})'
        self._evaluate(f'ok = rabbit_vhost:add(<<"{name}">>, {_USER}), {rights}')
        return f"{self.url}/{name}"

    def remove(self, url: str) -> None:
        """Remove the virtual host at `url` with all that is in it."""
        name = url.rpartition("/")[2]
        self._evaluate(f'rabbit_vhost:delete(<<"{name}">>, {_USER})')

    def _evaluate(self, erlang: str) -> None:
        if self.container:
            command, fine = ["docker", "exec", self.container, "rabbitmqctl", "eval", f"{erlang}."], "ok"
        else:
            erl_call = find("erl_call", "erlang-base")
            command, fine = [erl_call, "-h", uuid4().hex, "-c", self.cookie, "-n", self.node, "-e"], "{ok, ok}"
        done = subprocess.run(
            command,
            env={**os.environ, "ERL_EPMD_PORT": str(self.mapper_port)},
            input=f"{erlang}.\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.stdout.strip() != fine:
            raise ServerError(f"RabbitMQ refused {erlang}: {done.stdout}{done.stderr}")


@dataclass(frozen=True, slots=True)
class ManagedVhosts:
    """The virtual hosts of a RabbitMQ that somebody else runs, by its management plugin."""

    url: str
    """Of the broker, as somebody who may make virtual hosts."""
    port: int = 15672

    def make(self) -> str:
        """Make an empty virtual host and return its URL."""
        name = uuid4().hex
        self._ask("PUT", name)
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def remove(self, url: str) -> None:
        """Remove the virtual host at `url` with all that is in it."""
        self._ask("DELETE", url.rpartition("/")[2])

    def _ask(self, method: str, name: str) -> None:
        broker = urlsplit(self.url)
        who = (unquote(broker.username or "guest"), unquote(broker.password or "guest"))
        answer = httpx.request(method, f"http://{broker.hostname}:{self.port}/api/vhosts/{name}", auth=who, timeout=30)
        if answer.is_error:
            raise ServerError(f"{method} of a virtual host: {answer.status_code} {answer.text}")


class RabbitMq(Server):
    """RabbitMQ without plugins, with a port mapper (epmd) of its own."""

    program = "rabbitmq-server"
    package = "rabbitmq-server"
    image = "rabbitmq:3-management"
    variable = "VERTICE_TEST_RABBITMQ_URL"
    account = "rabbitmq"
    hello = b"AMQP\x00\x00\x09\x01"
    welcome = (b"\x01",)
    _mapper: subprocess.Popen[bytes] | None = None
    """In a container Erlang starts one of its own."""

    @property
    def url(self) -> str:
        return f"amqp://vertice:{_QUOTED}@127.0.0.1:{self.port}/"

    @property
    def vhosts(self) -> Vhosts:
        """Its virtual hosts."""
        container = self._container.name if self._container else ""
        return Vhosts(self.url.rstrip("/"), self._node, self._cookie, self._mapper_port, container)

    def close(self) -> None:
        super().close()
        if self._mapper:
            self._mapper.kill()
            self._mapper.wait()

    def _prepare(self) -> None:
        self._node = f"vertice-{self.port}@localhost"
        self._cookie = uuid4().hex
        self._node_port, self._mapper_port = free_port(), free_port()
        self._write(".erlang.cookie", self._cookie, mode=0o400)
        user = f"default_user = vertice\ndefault_pass = {PASSWORD}\n"
        self._write("rabbitmq.conf", f"{user}log.file = false\nlog.console = true\ndisk_free_limit.absolute = 1MB\n")
        if not self._container:
            self._mapper = self._spawn([find("epmd", "erlang-base")])

    def _command(self) -> Sequence[str]:
        return [self._binary]

    def _environment(self) -> Mapping[str, str]:
        return {
            **super()._environment(),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "no-environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            # The Erlang machine takes the place of the script that starts it, so that signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
