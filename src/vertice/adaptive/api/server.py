"""Running the API: one process that may work, too, or several that share a port."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from vertice.adaptive.api.process import Api, open_api
from vertice.adaptive.work.enqueue import Enqueuer
from vertice.kernel import telemetry
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.metrics import shared_folder
from vertice.kernel.settings import ServiceSettings, load_service

__all__ = ["Worker", "app", "configured", "prepare", "serve_many", "serve_one", "shared_socket"]

_FACTORY = "vertice.adaptive.api.server:app"
_GRACE_SECONDS = 25
"""How long a stop waits for requests under way."""
_START_SECONDS = 60
_MESSAGE_BYTES = 16 * 1024
"""Of a WebSocket message that a client sends."""


class Worker(Protocol):
    """What works beside the API in the same process, on the embedded default."""

    @property
    def lost(self) -> asyncio.Event:
        """Set when it cannot go on."""
        ...

    async def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """Let what runs end, hand the rest back."""
        ...

    def hurry(self) -> None:
        """End a `stop` that waits."""
        ...


def prepare(settings: ServiceSettings) -> None:
    """Set up the logs and traces of this process."""
    telemetry.start(settings, service="vertice-api")
    # At INFO uvicorn would log WebSocket addresses with their queries; and it takes a refused handshake for an error.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_true_error)


def app() -> FastAPI:
    """Return the app of one of several processes; its settings come from the environment."""
    settings = load_service()
    prepare(settings)
    return open_api(settings, Enqueuer(settings.database, settings.vertice_home)).app


async def serve_one(
    settings: ServiceSettings, api: Api, worker: Worker | None, *, started: Callable[[int], object]
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once. `started` hears of the port."""
    listening = _socket(settings)
    server = _Server(configured(settings, api.app))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.should_exit:
            server.force_exit = True
            if worker is not None:
                worker.hurry()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if worker is not None:
        await worker.start()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    lost = asyncio.create_task(worker.lost.wait()) if worker is not None else None
    up = asyncio.create_task(server.up.wait())
    try:
        await asyncio.wait([serving, up], return_when=asyncio.FIRST_COMPLETED)
        if server.started:
            started(listening.getsockname()[1])
        await asyncio.wait([serving, *([lost] if lost else [])], return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            raise UnfinishedError("the work of this process was taken over", todo="Start it again.")
        serving.result()
        if not server.started:
            raise UnfinishedError("the service did not start (see the log)")
    finally:
        server.should_exit = True
        up.cancel()
        if lost is not None:
            lost.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        if worker is not None:
            await worker.stop()


def serve_many(settings: ServiceSettings, *, started: Callable[[int], object], factory: str = _FACTORY) -> None:
    """Serve with several processes on one port until SIGTERM or SIGINT; one that dies is started anew.

    `factory` names what makes each one's app.
    """
    with _socket(settings) as tried:  # refuses a port that another service has, which sockets that share do not
        family, address = tried.family, tried.getsockname()
    with shared_folder(), shared_socket(family, address) as reserved:
        config = configured(settings, factory, factory=True, workers=settings.workers)
        _Processes(config, reserved, started=lambda: started(address[1])).run()


def configured(settings: ServiceSettings, app: Callable[..., Any] | str, **more: Any) -> uvicorn.Config:
    """Return how uvicorn serves the app, or the factory that is named."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the app's own middleware believes the trusted ones alone
        server_header=False,
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **more,
    )


class _Processes(Multiprocess):
    """Says when the first one is up: until then nobody listens."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, *, started: Callable[[], object]) -> None:
        super().__init__(config, [listening])
        self._started = started

    def init_processes(self) -> None:
        """Start them."""
        super().init_processes()
        if self.processes[0].wait_until_ready(_START_SECONDS, self.should_exit):
            self._started()


class _Shared(socket.socket):
    """A socket which each process that is given it binds anew, so that the kernel spreads connections evenly over them.

    Of one socket that several processes listen at, whichever wakes first takes all connections that wait.
    """

    def __reduce__(self) -> Any:
        return shared_socket, (self.family, self.getsockname())


def shared_socket(family: int, address: Any) -> socket.socket:
    """Return a socket bound to `address` that others may be bound to as well; it does not listen yet."""
    made = _Shared(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(address)
    made.set_inheritable(True)
    return made


def _socket(settings: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
    except OSError as error:
        made.close()
        raise UnfinishedError(
            f"cannot listen: {error.strerror or error}",
            where=f"{settings.host}:{settings.port}",
            todo="Is another service there? Name another PORT.",
        ) from error
    made.set_inheritable(True)
    return made


class _Server(uvicorn.Server):
    """Says when it is up, and leaves the signals to us: what works beside it has to be stopped, too."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def _is_true_error(record: logging.LogRecord) -> bool:
    return "without completing handshake" not in record.getMessage()
