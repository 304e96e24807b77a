"""One id for everything that belongs to one request: in its answer, its log lines, its messages and traces."""

import re
from contextvars import ContextVar
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from vertice.kernel import tracing

__all__ = ["HEADER", "RequestIdMiddleware", "current_request_id"]

HEADER = b"x-request-id"

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})

_current: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the id of the request that this code runs for, "" outside of any."""
    return _current.get()


class RequestIdMiddleware:
    """Takes the id from X-Request-ID, or makes one, and returns it there: `correlation_id` on log lines and spans."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        raw = given if _ACCEPTED.fullmatch(given) else token_hex(16).encode()
        request_id = raw.decode("ascii")
        # Each request runs in a task of its own, so nothing has to be set back.
        _current.set(request_id)
        bind_contextvars(correlation_id=request_id)
        tracing.note(correlation_id=request_id)

        async def named(message: Message) -> None:
            if message["type"] in _STARTS:
                message["headers"] = [*message.get("headers", ()), (HEADER, raw)]
            await send(message)

        await self._app(scope, receive, named)
