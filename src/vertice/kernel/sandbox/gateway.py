"""The way out of a sandbox to the package index, and to nothing else.

The job has a network namespace of its own with loopback alone. Before its program starts, a trusted step inside
listens on 127.0.0.1 and hands the listening socket out over a socket pair (see `arguments`). The gateway accepts on
that socket from outside and speaks the one half of an HTTP proxy that package tools need:

- `CONNECT host:443`, for TLS that the tool checks itself against the mounted CA bundle;
- `GET http://host:port/…` for an index that is configured with http.

Only the endpoints of the job pass. A name is resolved here, once, and the connection goes to the address that was
checked, so a name cannot be pointed elsewhere between check and use; private, loopback and link-local addresses are
refused unless the endpoint says that the person configured it so. Everything else gets 403.
"""

import contextlib
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.model import Endpoint

if TYPE_CHECKING:
    import asyncio

__all__ = ["PYPI", "Gateway", "Refused", "endpoint_of", "request_target"]

PYPI = (Endpoint("pypi.org", private=True), Endpoint("files.pythonhosted.org", private=True))
"""The default index and the host of its files; no input chooses these names, so an inner mirror may stand in."""

_INNER = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
        *(
            "::/128",
            "::1/128",
            "::ffff:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)
"""Where machines of one's own live, and IPv6 forms that carry an IPv4 address (IANA special-purpose registries)."""

_HEAD_LIMIT = 64 * 1024
_CONNECT_SECONDS = 20.0
_FALLBACK_SECONDS = 3.0
"""How long an address is tried while there is another one."""
_CHUNK = 256 * 1024
_CLOSING_STEPS = 3
"""Turns of the event loop in which closed connections give their sockets back."""


class Refused(InputError):  # noqa: N818 - an answer to a request, caught below; it never leaves this module
    """The request asks for something outside the endpoints; `what` is the reason given to the client."""

    code = "gateway-refused"


def endpoint_of(url: str, *, private: bool = False) -> Endpoint:
    """Return where an index URL points; raise InputError for what is no http(s) URL or carries credentials."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError("the index URL cannot be read", where=url[:200], todo="Check the index settings.") from error
    if parts.username or parts.password:
        raise InputError(
            "the index URL carries credentials, which is not supported yet",
            where=parts.hostname or "",
            todo="Use an index or a mirror that can be read without a password.",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError("is no http or https index URL", where=url[:200], todo="Check the index settings.")
    return Endpoint(parts.hostname, port or (80 if parts.scheme == "http" else 443), private)


def request_target(head: bytes) -> tuple[str, str, int, bytes]:
    """Return (method, host, port, head to send on) of a proxy request; raise Refused when it is none."""
    try:
        line, _, rest = head.partition(b"\r\n")
        method, target, version = line.decode("ascii").split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            return method, parts.hostname or "", parts.port or 443, b""
        parts = urlsplit(target)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise Refused("no proxy request") from None
    if parts.scheme != "http" or not host:
        raise Refused("no proxy request")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [
        field
        for field in rest.split(b"\r\n")
        if field and field.partition(b":")[0].strip().lower() not in {b"connection", b"proxy-connection"}
    ]
    lines = [f"{method} {path} {version}".encode(), *kept, b"Connection: close", b"", b""]
    return method, host, port, b"\r\n".join(lines)


class Gateway:
    """Serves one job, from `serve` to the end of the `with` block."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._allowed = {(endpoint.host.lower(), endpoint.port): endpoint for endpoint in endpoints or PYPI}
        self._host, self._job = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.unreached = ""
        """Why the last connection to an endpoint failed."""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._closed = False
        self._answers: set[asyncio.Task[None] | None] = set()
        self._lock = threading.Lock()

    @property
    def channel(self) -> int:
        """The job's end of the socket pair."""
        return self._job.fileno()

    def serve(self) -> None:
        """Begin to serve; call it when the job has been started and holds its end of the pair."""
        self._job.close()
        self._thread = threading.Thread(target=self._run, name="package-index-gateway", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            if self._loop is not None and self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
        with contextlib.suppress(OSError):
            self._host.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join()
        self._host.close()
        self._job.close()

    def _run(self) -> None:
        import asyncio  # here, so that only jobs with a network pay for it

        try:
            _, descriptors, _, _ = socket.recv_fds(self._host, 16, 1)
        except OSError:
            return
        if not descriptors:
            return
        door = socket.socket(fileno=descriptors[0])
        door.setblocking(False)
        with door:
            asyncio.run(self._accept(door))

    async def _accept(self, door: socket.socket) -> None:
        import asyncio

        stop = asyncio.Event()
        with self._lock:
            if self._closed:
                return
            self._loop, self._stop = asyncio.get_running_loop(), stop
        server = await asyncio.start_server(self._answer, sock=door, limit=_HEAD_LIMIT)
        await stop.wait()
        server.close()
        with self._lock:
            self._loop = None
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(_CLOSING_STEPS):
            await asyncio.sleep(0)

    async def _answer(self, reader: "asyncio.StreamReader", writer: "asyncio.StreamWriter") -> None:
        import asyncio

        # The loop lets go of a client that has sent all it had, and nothing else holds who answers it.
        self._answers.add(asyncio.current_task())
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _CONNECT_SECONDS)
            method, host, port, forwarded = request_target(head)
            try:
                there_reader, there_writer = await self._connected(host, port)
            except OSError as error:  # TimeoutError is one
                self.unreached = f"{host}: {_reason(error)}"
                raise
            try:
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    there_writer.write(forwarded)
                await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
            finally:
                there_writer.transport.abort()
        except Refused as refusal:
            writer.write(f"HTTP/1.1 403 Forbidden\r\nX-Refused: {refusal.what}\r\nContent-Length: 0\r\n\r\n".encode())
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        except asyncio.CancelledError:
            # Cancelled by `_accept` alone, which then ends; before 3.12 asyncio logs a handler that ends cancelled.
            writer.transport.abort()
        finally:
            self._answers.discard(asyncio.current_task())
            writer.close()

    async def _connected(self, host: str, port: int) -> "tuple[asyncio.StreamReader, asyncio.StreamWriter]":
        """Connect to the first checked address of an allowed endpoint that answers."""
        import asyncio

        endpoint = self._allowed.get((host.lower(), port))
        if endpoint is None:
            raise Refused("not an endpoint of this job")
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(None, _resolved, host, port)
        allowed = addresses if endpoint.private else list(_public(addresses))
        if not allowed:
            raise Refused("a private address")
        for address in allowed[:-1]:
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(address, port), _FALLBACK_SECONDS)
        return await asyncio.wait_for(asyncio.open_connection(allowed[-1], port), _CONNECT_SECONDS)


_NAMES: dict[tuple[str, int], tuple[float, list[str]]] = {}
_NAMES_SECONDS = 60.0
_NAMES_LOCK = threading.Lock()


def _resolved(host: str, port: int) -> list[str]:
    """Return the addresses of `host`, asked for once a minute in this process and one question at a time.

    uv opens fifty connections at once, and small resolvers drop that many questions.
    """
    with _NAMES_LOCK:
        asked, addresses = _NAMES.get((host, port), (0.0, []))
        if not addresses or time.monotonic() - asked > _NAMES_SECONDS:
            addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            _NAMES[host, port] = time.monotonic(), addresses
    return addresses


def _reason(error: OSError) -> str:
    """Return the system's own word; asyncio puts another one in its place, and a resolver's errors have no such."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or "no answer in time"


def _public(addresses: list[str]) -> Iterator[str]:
    for address in addresses:
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if not any(parsed in network for network in _INNER if network.version == parsed.version):
            yield address


async def _copy(reader: "asyncio.StreamReader", writer: "asyncio.StreamWriter") -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()
