"""SQLite: can the file be read, can it be written to, and how large is it?"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter

from vertice.kernel.health.model import USUAL, Level, Limits, Result

__all__ = ["SqliteCheck"]


class SqliteCheck:
    """The database of the embedded default."""

    name = "sqlite"

    def __init__(
        self,
        path: Path,
        *,
        critical: bool = True,
        limits: Limits = USUAL,
    ) -> None:
        self.critical = critical
        self.limits = limits
        self._path = path

    async def run(self) -> Result:
        """Return latency, version and size; unhealthy when the file is gone, damaged or cannot be written to."""
        return await asyncio.to_thread(self._look)

    async def close(self) -> None:
        """Nothing is held: opening a file costs less than keeping it."""

    def _look(self) -> Result:
        # Read and write, but never made anew: a database that is gone is not an empty one.
        address = f"{self._path.absolute().as_uri()}?mode=rw"
        patience = self.limits.time_limit_ms / 2000
        started = perf_counter()
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None)) as connection:
                pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _SIZES)
                latency = (perf_counter() - started) * 1000
                details = {
                    "latency_ms": round(latency, 1),
                    "version": sqlite3.sqlite_version,
                    "db_size_mb": round(pages * size / 1024**2, 1),
                }
                return _writable(connection, details)
        except sqlite3.Error as error:
            message = next((said for part, said in _ERRORS if part in str(error)), "the database cannot be read")
            return Result(Level.unhealthy, {"message": message})


def _writable(connection: sqlite3.Connection, details: dict[str, object]) -> Result:
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return Result(Level.degraded, {"message": "a long write holds the database", **details})
    return Result(Level.healthy, details)


_SIZES = ("page_count", "page_size")
_ERRORS = (
    ("unable to open", "the database is missing, or may not be opened"),
    ("readonly", "the database cannot be written to"),
    ("not a database", "the database is damaged"),
    ("malformed", "the database is damaged"),
    ("full", "no space is left"),
)
