"""`/hitl/ws`: live events to a browser or machine. docs/live.md is the protocol.

One task reads what the client asks for, one writes what it is to hear. What a client does not read in time, it loses
the connection for, and reads on from the last number it saw when it is back.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from vertice.adaptive.messages.live import Ping, Refused, Request, Reset, Subscribed, Unsubscribed
from vertice.adaptive.metrics import HitlMetrics
from vertice.adaptive.review.change import CHANNELS
from vertice.kernel.bus.events import Event, kept
from vertice.kernel.bus.live import Listener, Live
from vertice.kernel.database import Database
from vertice.kernel.errors import InputError, VerticeError

__all__ = ["Audience", "attend"]

HEARTBEAT_SECONDS = 15.0
_SEND_SECONDS = 10.0
_MAX_TEXT = 16 * 1024
_MAX_CHANNELS = 100
_MAX_FAULTS = 10
_TODO = "See docs/live.md."
_REVIEW = re.compile(r"review:APV-\d{8}-\d{3,9}")

_GOING_AWAY, _POLICY, _TRY_AGAIN = 1001, 1008, 1013
_LOGGED_OUT = 4401
"""Close codes: RFC 6455 §7.4.1, IANA's registry, and of our own the HTTP status + 4000."""


class Audience:
    """Every connection of this process, so that all can be ended when it stops."""

    def __init__(self) -> None:
        self._ends: set[asyncio.Event] = set()
        self._ended = False

    @contextlib.contextmanager
    def seat(self) -> Any:
        """Give a connection the event that says it is to end."""
        end = asyncio.Event()
        if self._ended:
            end.set()
        self._ends.add(end)
        try:
            yield end
        finally:
            self._ends.discard(end)

    def end(self) -> None:
        """End every connection, and those to come."""
        self._ended = True
        for end in self._ends:
            end.set()


async def attend(
    socket: WebSocket,
    *,
    live: Live,
    database: Database,
    audience: Audience,
    still_welcome: Callable[[], Awaitable[bool]],
    metrics: HitlMetrics,
) -> None:
    """Serve one connection, whose client is known, until it ends."""
    await socket.accept()
    metrics.connected()
    listener = Listener()
    try:
        with audience.seat() as end:
            talk = _Talk(socket, listener, live, database, metrics)
            tasks = [
                asyncio.create_task(talk.take_requests()),
                asyncio.create_task(talk.send_events()),
                asyncio.create_task(talk.keep_alive(still_welcome)),
                asyncio.create_task(_when_ending(end)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                code = next((task.result() for task in done if task.exception() is None), _GOING_AWAY)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if code and socket.client_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
                async with asyncio.timeout(1):
                    await socket.close(code, _REASONS.get(code, ""))
    finally:
        live.leave_all(listener)
        metrics.disconnected()


_REASONS = {
    _TRY_AGAIN: "you read too slowly; connect again and go on after the last number you saw",
    _POLICY: "too much that cannot be read",
    _LOGGED_OUT: "you are not logged in any more",
    _GOING_AWAY: "the service stops; connect again",
}


async def _when_ending(end: asyncio.Event) -> int:
    await end.wait()
    return _GOING_AWAY


class _Talk:
    """The three things that go on at once on one connection; each returns the close code when it ends it."""

    def __init__(
        self, socket: WebSocket, listener: Listener, live: Live, database: Database, metrics: HitlMetrics
    ) -> None:
        self._socket = socket
        self._listener = listener
        self._live = live
        self._database = database
        self._metrics = metrics
        self._sending = asyncio.Lock()

    async def take_requests(self) -> int:
        """Do what the client asks for."""
        faults = 0
        while True:
            try:
                text = await self._socket.receive_text()
            except (WebSocketDisconnect, RuntimeError):
                return 0
            except KeyError:  # a binary message
                text = ""
            try:
                await self._do(_asked(text))
            except VerticeError as error:
                faults += 1
                await self._say(Refused(detail=error.what, todo=error.todo))
            if faults > _MAX_FAULTS:
                return _POLICY

    async def send_events(self) -> int:
        """Send what the listener gets."""
        while True:
            event = await self._listener.next()
            if event is None:
                return _TRY_AGAIN
            try:
                await self._send(event if isinstance(event, str) else event.text)
            except TimeoutError:
                return _TRY_AGAIN
            if isinstance(event, Event):
                self._metrics.sent(event.channel, event.type)

    async def keep_alive(self, still_welcome: Callable[[], Awaitable[bool]]) -> int:
        """Say every few seconds that the connection is there, as long as the client's login is good."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            with contextlib.suppress(VerticeError):  # the database is away: nobody is sent off for that
                if not await still_welcome():
                    return _LOGGED_OUT
            try:
                await self._say(Ping(at=datetime.now(UTC)))
            except TimeoutError:
                return _TRY_AGAIN

    async def _do(self, asked: Request) -> None:
        if asked.type == "pong":
            return
        if asked.channel not in CHANNELS and not _REVIEW.fullmatch(asked.channel):
            raise InputError("there is no such channel", todo=_TODO)
        if asked.type == "unsubscribe":
            self._live.leave(self._listener, asked.channel)
            await self._say(Unsubscribed(channel=asked.channel))
            return
        if asked.channel in self._listener.seen:
            raise InputError("you have subscribed to this channel already", todo=_TODO)
        if len(self._listener.seen) >= _MAX_CHANNELS:
            raise InputError(f"you have subscribed to {_MAX_CHANNELS} channels, which is the most", todo=_TODO)
        await self._subscribe(asked)

    async def _subscribe(self, asked: Request) -> None:
        after = asked.after
        if after is not None:
            async with self._database.read() as session:
                if not await kept(session, asked.channel, after):
                    self._listener.note(Reset(channel=asked.channel).model_dump_json())
                    after = None
        seq = await self._live.listen(self._listener, asked.channel, after)
        self._listener.note(Subscribed(channel=asked.channel, seq=seq).model_dump_json())

    async def _say(self, message: BaseModel) -> None:
        await self._send(message.model_dump_json())

    async def _send(self, text: str) -> None:
        async with self._sending, asyncio.timeout(_SEND_SECONDS):
            await self._socket.send_text(text)


def _asked(text: str) -> Request:
    if not text or len(text) > _MAX_TEXT:
        raise InputError("a message is JSON text of at most 16 KiB", todo=_TODO)
    try:
        return Request.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {first['msg']}" if where else first["msg"], todo=_TODO) from None
