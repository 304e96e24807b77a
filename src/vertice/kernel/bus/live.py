"""Live events to whoever listens in this process, read from the database: in order, none left out, none twice.

Whoever writes only *hints* that there is something (`wake`); what there is, the database says. So a hint that is lost
costs a second, and an event that was written by another process comes the same way as one of our own.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vertice.kernel.bus.events import Event, head, since
from vertice.kernel.database import Database
from vertice.kernel.errors import VerticeError
from vertice.kernel.logging import get_logger

__all__ = ["Hints", "Listener", "Live"]

_BATCH = 500
_CHANNELS = 200
"""Asked for in one query."""
_POLL_SECONDS = 1.0
_BACKLOG = 1_000


class Hints(Protocol):
    """Tells the other processes that there is something new, and hears it from them."""

    async def send(self) -> None:
        """Tell the others. Never raises: they look by themselves, only later."""
        ...

    async def hear(self) -> None:
        """Return when another process told something."""
        ...


@dataclass(eq=False)
class Listener:
    """One reader. What it cannot take in time overflows, and it has to begin anew from what it saw."""

    _queue: asyncio.Queue[Event | str | None] = field(default_factory=lambda: asyncio.Queue(_BACKLOG))
    _taken: asyncio.Event = field(default_factory=asyncio.Event)
    seen: dict[str, int] = field(default_factory=dict)
    """Channel -> number of the last event that was put into the queue."""
    overflowed: bool = False

    async def next(self) -> Event | str | None:
        """Return the next event or note, None when events had to be left out."""
        event = await self._queue.get()
        self._taken.set()
        return event

    async def room(self) -> None:
        """Return when half of the queue is free."""
        while self._queue.qsize() > _BACKLOG // 2:
            self._taken.clear()
            await self._taken.wait()

    def note(self, text: str) -> None:
        """Put something of the reader's own behind the events that are in the queue."""
        self._put(text)

    def clear(self) -> None:
        """Forget what was not taken yet."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._taken.set()

    def offer(self, event: Event) -> None:
        """Put the event into the queue, unless it is not for this listener or was put there before."""
        if event.seq <= self.seen.get(event.channel, event.seq):
            return
        self._put(event)
        if not self.overflowed:
            self.seen[event.channel] = event.seq

    def _put(self, entry: Event | str) -> None:
        if self.overflowed:
            return
        self.overflowed = self._queue.qsize() >= _BACKLOG - 1
        self._queue.put_nowait(None if self.overflowed else entry)


class Live:
    """The events of one database, for every listener of this process. `run` does the work; stop it by cancelling."""

    def __init__(self, database: Database, hints: Hints | None = None) -> None:
        self._database = database
        self._hints = hints
        self._listeners: dict[str, set[Listener]] = {}
        self._last: dict[str, int] = {}
        self._new = asyncio.Event()
        self._hinted = asyncio.Event()

    def wake(self) -> None:
        """Say that this process wrote something. From the event loop's thread."""
        self._new.set()
        self._hinted.set()

    async def run(self) -> None:
        """Hand events on until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_on())
            if self._hints is not None:
                group.create_task(self._tell_others(self._hints))
                group.create_task(self._hear_others(self._hints))

    async def listen(self, listener: Listener, channel: str, after: int | None = None) -> int:
        """Let the listener have the channel's events that come after number `after` (None: from now on).

        What was missed has been put into its queue when this returns. Returns the number it stands at.
        """
        if after is None:
            async with self._database.read() as session:
                after = await head(session, channel)
        listener.seen[channel] = after
        while True:
            async with self._database.read() as session:
                missed = await since(session, {channel: listener.seen[channel]}, limit=_BATCH)
            for event in missed:
                await listener.room()  # what was missed is given as fast as it is read
                listener.offer(event)
                if listener.overflowed:
                    return listener.seen[channel]
            # From here to the end nothing waits, so nothing is handed on between the look and the joining.
            last = self._last.get(channel, listener.seen[channel])
            if len(missed) < _BATCH and last <= listener.seen[channel]:
                self._last.setdefault(channel, listener.seen[channel])
                self._listeners.setdefault(channel, set()).add(listener)
                self._new.set()
                return listener.seen[channel]
            await asyncio.sleep(0)

    def leave(self, listener: Listener, channel: str) -> None:
        """Give the listener nothing more of the channel."""
        listener.seen.pop(channel, None)
        there = self._listeners.get(channel, set())
        there.discard(listener)
        if not there:
            self._listeners.pop(channel, None)
            self._last.pop(channel, None)

    def leave_all(self, listener: Listener) -> None:
        """Give the listener nothing more at all."""
        for channel in list(listener.seen):
            self.leave(listener, channel)

    async def _hand_on(self) -> None:
        while True:
            self._new.clear()
            try:
                while await self._hand_on_batch(dict(self._last)):
                    pass
            except VerticeError as error:
                get_logger(__name__).warning("live events wait for the database", why=str(error))
                await asyncio.sleep(_POLL_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._new.wait()

    async def _hand_on_batch(self, seen: Mapping[str, int]) -> bool:
        channels = list(seen)
        more = False
        for start in range(0, len(channels), _CHANNELS):
            some = {channel: seen[channel] for channel in channels[start : start + _CHANNELS]}
            async with self._database.read() as session:
                events = await since(session, some, limit=_BATCH)
            self._deliver(events)
            more = more or len(events) == _BATCH
        return more

    def _deliver(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.channel in self._last:  # else everybody has left meanwhile
                self._last[event.channel] = max(event.seq, self._last[event.channel])
                for listener in self._listeners.get(event.channel, ()):
                    listener.offer(event)

    async def _tell_others(self, hints: Hints) -> None:
        while True:
            await self._hinted.wait()
            self._hinted.clear()
            await hints.send()

    async def _hear_others(self, hints: Hints) -> None:
        while True:
            await hints.hear()
            self._new.set()
