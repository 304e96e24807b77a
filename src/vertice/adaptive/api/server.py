"""Running the API: one process that may work, too, or several that share a port."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from vertice.adaptive.api.process import Api, open_api
from vertice.adaptive.work.enqueue import Enqueuer
from vertice.kernel import telemetry
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.metrics import shared_folder
from vertice.kernel.settings import ServiceSettings, load_service

__all__ = ["Worker", "app", "configured", "prepare", "serve_many", "serve_one"]

_GRACE_SECONDS = 25
"""How long a stop waits for requests under way."""
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


def serve_many(settings: ServiceSettings, *, started: Callable[[int], object]) -> None:
    """Serve with several processes on one port until SIGTERM or SIGINT; one that dies is started anew."""
    listening = _socket(settings)
    with shared_folder():
        config = configured(settings, "vertice.adaptive.api.server:app", factory=True, workers=settings.workers)
        started(listening.getsockname()[1])
        Multiprocess(config, sockets=[listening]).run()


def configured(settings: ServiceSettings, app: object, **more: object) -> uvicorn.Config:
    """Return how uvicorn serves the app, or the factory that is named."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # an app, or the name of a factory
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the app's own middleware believes the trusted ones alone
        server_header=False,
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **more,  # type: ignore[arg-type]
    )


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
