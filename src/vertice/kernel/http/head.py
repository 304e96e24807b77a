"""HEAD wherever there is a GET (RFC 9110 §9.3.2): monitors ask so. FastAPI's own routes take GET alone.

app.add_middleware(HeadMiddleware)    # first of all, so that it is the innermost
"""

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["HeadMiddleware"]


class HeadMiddleware:
    """Middleware: has HEAD answered as GET is. The server, which still knows the method, leaves the content out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send)
        finally:
            scope.update({**asked, "method": "HEAD"})  # which route it was, for logs and metrics
