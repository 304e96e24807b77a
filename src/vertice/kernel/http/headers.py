"""Headers that every answer carries."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HeadersMiddleware"]

_ALWAYS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_STRICT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


class HeadersMiddleware:
    """Adds the security headers and `Cache-Control: no-store` where the route did not set its own.

    `Strict-Transport-Security` is sent to whoever came by https, and always with `strict` (production).
    """

    def __init__(self, app: ASGIApp, *, content_security_policy: str, strict: bool) -> None:
        self._app = app
        headers = {**_ALWAYS, "content-security-policy": content_security_policy}
        self._plain = tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())
        self._secure = (*self._plain, _STRICT)
        self._strict = strict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        wanted = self._secure if self._strict or scope["scheme"] in {"https", "wss"} else self._plain

        async def guarded(message: Message) -> None:
            if message["type"] in _STARTS:
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers.extend(header for header in wanted if header[0] not in present)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, guarded)
