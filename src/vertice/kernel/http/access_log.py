"""One log line per request."""

from collections.abc import Collection
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vertice.kernel.http.route import route_template
from vertice.kernel.logging import get_logger

__all__ = ["AccessLogMiddleware"]

_LEFT = 499
"""nginx's status for a client that went away before it had an answer."""


class AccessLogMiddleware:
    """Logs method, route, status, duration and client of each request, never its path, query or body.

    `quiet` are route templates that are logged at debug level (probes, metrics); 500 and more is a warning.
    """

    def __init__(self, app: ASGIApp, *, quiet: Collection[str] = ()) -> None:
        self._app = app
        self._quiet = frozenset(quiet)
        self._log = get_logger(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        status = _LEFT
        began = perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    status = message["status"]
                case "websocket.accept":
                    status = 101
                case "websocket.close" if status == _LEFT:
                    status = 403  # what a server answers to a handshake that was closed, not accepted
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = 500
            raise
        finally:
            self._write(scope, status, perf_counter() - began)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        endpoint = route_template(scope)
        if status >= 500:
            log = self._log.warning
        elif endpoint in self._quiet:
            log = self._log.debug
        else:
            log = self._log.info
        client = scope.get("client")
        log(
            "request",
            method=scope.get("method", "WEBSOCKET"),
            endpoint=endpoint,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            client=client[0] if client else "",
        )
