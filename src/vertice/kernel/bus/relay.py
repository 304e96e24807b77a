"""Sends on what waits in the outbox, in its order.

    relay = Relay(database, broker, source="/vertice/adaptive")
    task = asyncio.create_task(relay.run())
    ...
    relay.stop()
    await task

Each message arrives at least once, with the same id each time, and those of one destination arrive in their order. A
destination that takes nothing holds up itself alone. What nobody takes here waits for a process that does, for thirty
days, and is parked then. On PostgreSQL several processes may run relays: one of them has
the turn, the others stand by. On SQLite there is one, in the process that serves.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from vertice.kernel.bus import outbox
from vertice.kernel.bus.backoff import pause
from vertice.kernel.bus.message import Broker, MessageRefusedError, UnclaimedError
from vertice.kernel.bus.outbox import POSTED, Waiting
from vertice.kernel.database import Database, ReadSession
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.logging import get_logger
from vertice.kernel.origin import Origin
from vertice.kernel.text import printable

__all__ = ["Relay"]

_TURN = int.from_bytes(hashlib.sha256(b"vertice.outbox").digest()[:8], signed=True)
"""Key of PostgreSQL's advisory lock."""
_LOOK_SECONDS = 3600.0


@dataclass(slots=True)
class _Round:
    """What one round did."""

    sent: list[int] = field(default_factory=list)
    failed: list[tuple[int, str, bool]] = field(default_factory=list)
    """Place in the order, why, and whether trying again is of no use."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A destination that took nothing of late."""

    failures: int
    until: float


def _now() -> datetime:
    return datetime.now(UTC)


class Relay:
    """Runs until it is stopped, whatever fails."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        *,
        source: str,
        clock: Callable[[], datetime] = _now,
        poll: float = 0.5,
        batch: int = 100,
        patience: timedelta = timedelta(days=30),
    ) -> None:
        self._database = database
        self._broker = broker
        self._source = source
        self._clock = clock
        self._poll = poll
        self._batch = batch
        self._patience = patience
        self._awake = asyncio.Event()
        self._stopping = False
        self._held: dict[str, _Held] = {}

    def wake(self) -> None:
        """Look now instead of at the next poll."""
        self._awake.set()

    def stop(self) -> None:
        """End `run` after the round it is in."""
        self._stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Send on whatever waits, until `stop`."""
        failures = 0
        with _told_of_commits(self.wake):
            while not self._stopping:
                self._awake.clear()
                rest = self._poll
                try:
                    if await self.round():
                        rest = 0
                    failures = 0
                except Exception as error:  # noqa: BLE001 -- nothing may end the relay: what waits would wait for ever
                    failures += 1
                    rest = pause(failures)
                    get_logger(__name__).warning("messages wait", why=printable(str(error), limit=300), seconds=rest)
                await self._sleep(rest)

    async def round(self) -> bool:
        """Send one batch of what waits; return whether there may be more to send at once."""
        async with self._database.read() as turn:
            if not await _has_turn(turn):
                return False
            now = asyncio.get_running_loop().time()
            held = [name for name, hold in self._held.items() if hold.until > now]
            async with self._database.read() as session:  # begun with the turn in hand: it sees all the last one noted
                found = await outbox.waiting(session, self._source, limit=self._batch, apart_from=held)
            if not found:
                return False
            done = _Round()
            by_destination: dict[str, list[Waiting]] = {}
            for one in found:
                by_destination.setdefault(one.message.destination, []).append(one)
            await asyncio.gather(*(self._send(name, ones, done) for name, ones in by_destination.items()))
            await self._record(done)
        return len(found) == self._batch and bool(done.sent)

    async def _send(self, destination: str, ones: Sequence[Waiting], done: _Round) -> None:
        """Send the messages of one destination, one after the other, up to the first that cannot be sent now."""
        for one in ones:
            if self._stopping:
                return
            origin = Origin(one.message.traceparent, one.message.correlation_id)
            try:
                with origin.continued():
                    await self._broker.publish(one.message)
            except MessageRefusedError as error:
                self._park(one, str(error), done)
            except UnclaimedError as error:
                if self._clock() - one.message.at > self._patience:
                    self._park(one, str(error), done)
                    continue
                self._leave(destination)
                return
            except UnfinishedError as error:
                self._hold(destination, str(error))
                return
            except Exception as error:  # noqa: BLE001 -- a fault of a taker's, on this message: the others go on
                why = f"{type(error).__name__}: {printable(str(error), limit=300)}"
                done.failed.append((one.seq, why, False))
                self._hold(destination, why)
                return
            else:
                done.sent.append(one.seq)
                self._held.pop(destination, None)

    def _park(self, one: Waiting, why: str, done: _Round) -> None:
        done.failed.append((one.seq, why, True))
        known = one.message
        get_logger(__name__).error(
            "message parked",
            destination=known.destination,
            id=known.id,
            why=why,
            **({"correlation_id": known.correlation_id} if known.correlation_id else {}),
        )

    def _leave(self, destination: str) -> None:
        """Leave a destination to the processes that take its messages; look now and then whether they grow old."""
        if destination not in self._held:
            get_logger(__name__).info("messages left to other processes", destination=destination)
        self._held[destination] = _Held(1, asyncio.get_running_loop().time() + _LOOK_SECONDS)

    def _hold(self, destination: str, why: str) -> None:
        known = self._held.get(destination)
        failures = known.failures + 1 if known else 1
        seconds = pause(failures)
        self._held[destination] = _Held(failures, asyncio.get_running_loop().time() + seconds)
        level = "warning" if failures == 1 else "info"
        getattr(get_logger(__name__), level)(
            "messages wait", destination=destination, why=why, tries=failures, seconds=round(seconds, 1)
        )

    async def _record(self, done: _Round) -> None:
        if not done.sent and not done.failed:
            return
        async with self._database.write() as session:
            if done.sent:
                await outbox.sent(session, done.sent, self._clock())
            for seq, why, final in done.failed:
                await outbox.not_sent(session, seq, why, final=final)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return


async def _has_turn(session: ReadSession) -> bool:
    """Take the turn for as long as the transaction lasts. The lock goes with the connection of a process that dies."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool((await session.execute(select(func.pg_try_advisory_xact_lock(_TURN)))).scalar_one())


@contextmanager
def _told_of_commits(wake: Callable[[], None]) -> Iterator[None]:
    """Call `wake` when any session of this process, on any thread, has committed a message."""
    loop = asyncio.get_running_loop()

    def committed(session: Session) -> None:
        if session.info.get(POSTED):
            loop.call_soon_threadsafe(wake)

    event.listen(Session, "after_commit", committed)
    try:
        yield
    finally:
        event.remove(Session, "after_commit", committed)
