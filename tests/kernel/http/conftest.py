"""A real server for an app, and the middlewares in the order of `kernel.http`."""

import logging as standard
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import structlog
import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from vertice.kernel.http.access_log import AccessLogMiddleware
from vertice.kernel.http.body import BodyMiddleware
from vertice.kernel.http.handlers import install
from vertice.kernel.http.headers import HeadersMiddleware
from vertice.kernel.http.proxy import ProxyMiddleware, TrustedProxies
from vertice.kernel.http.rate import RateLimiter, RateMiddleware
from vertice.kernel.http.request_id import RequestIdMiddleware


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, proxy_headers=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Run an app in a server of its own until the module's tests end; return its URL."""
    with ExitStack() as servers:
        yield lambda app: servers.enter_context(served(app))


@pytest.fixture(scope="module")
def stacked() -> Callable[..., FastAPI]:
    """Put all of the middlewares around an app."""

    def stack(
        app: FastAPI,
        *,
        trusted: tuple[str, ...] = (),
        rates: dict[str, str] | None = None,
        strict: bool = False,
        seconds: float = 30.0,
    ) -> FastAPI:
        install(app)
        app.add_middleware(BodyMiddleware, limit=64 * 1024, seconds=seconds)
        limiter = RateLimiter(rates or {"default": "100000/minute"})
        app.add_middleware(RateMiddleware, limiter=limiter, rate="default", exempt=("/health",))
        app.add_middleware(CORSMiddleware, allow_origins=["http://console.example"], allow_methods=["*"])
        app.add_middleware(HeadersMiddleware, content_security_policy="default-src 'self'", strict=strict)
        app.add_middleware(AccessLogMiddleware, quiet={"/health"})
        app.add_middleware(RequestIdMiddleware)
        app.add_middleware(ProxyMiddleware, proxies=TrustedProxies(trusted))
        return app

    return stack


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The log lines of this test, of all levels, as dicts."""
    kept: list[dict[str, Any]] = []

    def keep(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        kept.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, keep],
        wrapper_class=structlog.make_filtering_bound_logger(standard.DEBUG),
    )
    yield kept
    structlog.reset_defaults()
