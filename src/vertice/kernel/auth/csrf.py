"""No other site may act with a person's cookie.

A request that changes something and is known by its cookie needs a token that only our own pages can read, and must
not come from another origin. A request with an Authorization header needs neither: no site can make a browser add it.
"""

import hashlib
import hmac
from collections.abc import Collection

from starlette.requests import HTTPConnection

from vertice.kernel.auth.model import ForbiddenError
from vertice.kernel.auth.secret import digest
from vertice.kernel.text import printable

__all__ = ["HEADER", "check_origin", "check_token", "csrf_token", "is_safe"]

HEADER = "X-CSRF-Token"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_safe(method: str) -> bool:
    """Say whether a request of this method changes nothing."""
    return method in _SAFE


def csrf_token(key: bytes, session: str) -> str:
    """Return the token of a session. Nobody else's session has the same, and only we can make it."""
    return hmac.new(key, digest(session).encode(), hashlib.sha256).hexdigest()


def check_token(sent: str, key: bytes, session: str) -> None:
    """Raise ForbiddenError unless the token that was sent is that of the session."""
    if not hmac.compare_digest(sent.encode("utf-8", errors="replace"), csrf_token(key, session).encode()):
        raise ForbiddenError(
            "the CSRF token is missing or belongs to another session",
            where=HEADER,
            todo="Send the csrf_token of your own session; GET the session to read it.",
        )


def check_origin(connection: HTTPConnection, allowed: Collection[str], *, needed: bool = False) -> None:
    """Raise ForbiddenError for a request from a page of another origin than ours or one that is `allowed`.

    A client that is no browser says nothing of origins; with `needed` (WebSocket handshakes) it must.
    """
    origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
    if origin is not None and origin != "null":
        good = origin.lower() == _own(connection) or origin.lower() in allowed
    elif site is not None:
        good = site in {"same-origin", "none"}
    else:
        good = origin is None and not needed
    if not good:
        raise ForbiddenError(
            "the request comes from a page of another origin",
            where=printable(origin or site or "Origin", limit=200),
            todo="Add the origin to CORS_ORIGINS if it is yours.",
        )


def _own(connection: HTTPConnection) -> str:
    scheme = {"ws": "http", "wss": "https"}.get(connection.scope["scheme"], connection.scope["scheme"])
    return f"{scheme}://{connection.headers.get('host', '')}".lower()
