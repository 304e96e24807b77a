"""Bodies that no route should ever see: too large, too slow, not JSON where they say so."""

import asyncio
import contextlib
import re
from itertools import accumulate
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vertice.kernel.http.problem import problem, refuse

__all__ = ["BodyMiddleware", "flaw"]

_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
"""A JSON string, or what is left of one: it always matches from a quote on, so the search is linear in any text."""
_NUL = re.compile(rb"\\(?:(u0000)|.?)", re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_RUN_OUT_BYTES = 16 * 1024 * 1024
_RUN_OUT_SECONDS = 2.0
_CLOSE = {"connection": "close"}


def flaw(body: bytes, *, depth: int) -> str:
    r"""Return why `body` is no JSON text that we parse, "" when it may be one; takes time linear in its length.

    It is not when it is not UTF-8, is nested deeper than `depth`, or holds NaN, Infinity or the character U+0000, which
    no PostgreSQL text can hold.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"the body is not UTF-8 at byte {error.start}"
    # A raw NUL is no JSON, but UTF-16 is full of them, and Python's parser would take that.
    if b"\0" in body or (rb"\u0000" in body and any(found[1] for found in _NUL.finditer(body))):
        return "the body holds the character U+0000"
    if body.count(b"[") + body.count(b"{") > depth:
        brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
        if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > depth:
            return f"the body is nested deeper than {depth}"
    if (b"NaN" in body or b"Infinity" in body) and re.search(rb"NaN|Infinity", _STRING.sub(b"", body)):
        return "the body holds NaN or Infinity, which are not JSON"
    return ""


class BodyMiddleware:
    """Stops reading a body at `limit` bytes (413) or after `seconds` (408), and refuses JSON with a flaw (400).

    A JSON body is read here as a whole; any other goes on as it comes. A path or query with U+0000, or that is not
    UTF-8, is refused as well.
    """

    def __init__(self, app: ASGIApp, *, limit: int = 1024 * 1024, depth: int = 32, seconds: float = 30.0) -> None:
        self._app = app
        self._limit = limit
        self._depth = depth
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if why := _address_flaw(scope):
            await refuse(problem(400, why), scope, receive, send)
            return
        length, chunked, json = _announced(scope)
        if scope["type"] == "websocket" or not (length or chunked):
            await self._app(scope, receive, send)
            return
        if length > self._limit:
            await _let_run_out(receive)
            await self._too_large()(scope, receive, send)
            return
        counted = self._counted(receive)
        if not json:
            await self._app(scope, counted, send)
            return
        try:
            body = await _whole(counted)
        except HTTPException as error:
            await _let_run_out(receive)
            await problem(error.status_code, error.detail, headers=error.headers)(scope, receive, send)
            return
        if body is None:
            return
        if why := flaw(body, depth=self._depth):
            await problem(400, why, code="malformed-json")(scope, receive, send)
            return
        await self._app(scope, _once(body, receive), send)

    def _counted(self, receive: Receive) -> Receive:
        left = self._limit
        deadline = asyncio.get_running_loop().time() + self._seconds
        more = True

        async def counted() -> Message:
            nonlocal left, more
            if not more:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                # FastAPI lets no other exception through from the reading of a body.
                raise HTTPException(408, f"the body took longer than {self._seconds:g} s", _CLOSE) from None
            left -= len(message.get("body", b""))
            more = message.get("more_body", False)
            if left < 0:
                raise HTTPException(413, self._what(), _CLOSE)
            return message

        return counted

    def _too_large(self) -> Response:
        return problem(413, self._what(), headers=_CLOSE)

    def _what(self) -> str:
        return f"the body is larger than {self._limit:,} bytes"


def _address_flaw(scope: Scope) -> str:
    """Return why path and query are no text that we take, "" when they are one."""
    query: bytes = scope["query_string"]
    if "\0" in scope["path"] or b"%00" in query:
        return "the address holds the character U+0000"
    try:
        for part in (scope.get("raw_path") or b"", query):
            if b"%" in part:
                unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        return "the address is not UTF-8"
    return ""


def _announced(scope: Scope) -> tuple[int, bool, bool]:
    """Return what the headers say of the body: length (0: none or unknown), in chunks or not, JSON or not."""
    length, chunked, json = 0, False, False
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            length = int(value[:20])
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
            json = json or kind == b"application/json" or kind.endswith(b"+json")
    return length, chunked, json


async def _let_run_out(receive: Receive) -> None:
    """Take what a client still sends, for a moment: one whose connection is cut while it sends sees no answer."""
    left = _RUN_OUT_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_RUN_OUT_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _whole(receive: Receive) -> bytes | None:
    """Return the body, None when the client went away."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _once(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then go on with `receive`."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
