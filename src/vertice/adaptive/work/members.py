"""Who works: each process shows that it lives, by the database's clock."""

import os
import socket
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from sqlalchemy import delete, func, select, update

from vertice import __version__
from vertice.adaptive.projects.tables import WorkerRow
from vertice.kernel.database import Database, ReadSession, WriteSession

__all__ = ["Members", "executor_name"]


def executor_name() -> str:
    """Return a name for this process that no other ever has."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{token_hex(4)}"


class Members:
    """The processes that work on one database."""

    def __init__(self, database: Database, executor: str, *, dead_after: timedelta) -> None:
        self._database = database
        self._executor = executor
        self._dead_after = dead_after

    async def join(self, *, alone: bool) -> None:
        """Show this process as one that works; with `alone` it knows that no other does."""
        async with self._database.write() as session:
            now = await _now(session)
            if alone:
                await session.execute(delete(WorkerRow))
            session.add(
                WorkerRow(
                    executor_id=self._executor,
                    host=socket.gethostname()[:200],
                    pid=os.getpid(),
                    version=__version__,
                    started_at=now,
                    seen_at=now,
                )
            )

    async def beat(self) -> bool:
        """Show that this process lives; False when the others took it for dead, and its work with it."""
        async with self._database.write() as session:
            seen = update(WorkerRow).where(WorkerRow.executor_id == self._executor)
            found = await session.execute(seen.values(seen_at=await _now(session)).returning(WorkerRow.executor_id))
            return found.first() is not None

    async def leave(self) -> None:
        """Show this process no more."""
        async with self._database.write() as session:
            await session.execute(delete(WorkerRow).where(WorkerRow.executor_id == self._executor))

    async def living(self) -> frozenset[str]:
        """Return the names of those seen lately, this process among them; forget the others."""
        async with self._database.read() as session:
            limit = await _now(session) - self._dead_after
            rows = (await session.execute(select(WorkerRow.executor_id, WorkerRow.seen_at))).all()
        living = {row.executor_id for row in rows if row.seen_at >= limit} | {self._executor}
        if len(living) < len(rows):
            async with self._database.write() as session:
                gone = delete(WorkerRow).where(WorkerRow.seen_at < limit, WorkerRow.executor_id != self._executor)
                await session.execute(gone)
        return frozenset(living)


async def _now(session: ReadSession | WriteSession) -> datetime:
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)  # its clock is this machine's
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now
