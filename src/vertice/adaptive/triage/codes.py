"""Codes for findings and wargame runs, the same for the same finding ever after (SQLite, shared by processes)."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol

from vertice.kernel.errors import InputError, UnfinishedError, VerticeError, from_os_error

__all__ = ["CodeKey", "CodeRegistry", "Codes", "numbered"]

_WAIT_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS codes (
    project TEXT NOT NULL, advisory TEXT NOT NULL, package TEXT NOT NULL, version TEXT NOT NULL, code TEXT NOT NULL,
    PRIMARY KEY (project, advisory, package, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (prefix TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (prefix)) WITHOUT ROWID;
"""
_FIND = "SELECT code FROM codes WHERE project = ? AND advisory = ? AND package = ? AND version = ?"
_ADD = "INSERT INTO codes (project, advisory, package, version, code) VALUES (?, ?, ?, ?, ?)"
_COUNT = """
INSERT INTO counters (prefix, last) VALUES (?, ?)
ON CONFLICT (prefix) DO UPDATE SET last = last + excluded.last RETURNING last
"""


class CodeKey(NamedTuple):
    """What a finding's code stands for, within one project."""

    advisory: str
    package: str
    version: str


class Codes(Protocol):
    """Hands out codes; the same finding has the same one ever after."""

    def codes_for(self, project_key: str, keys: Sequence[CodeKey], today: date) -> tuple[str, ...]:
        """Return a code for each key, in order; new ones are numbered in that order."""
        ...

    def run_code(self, today: date) -> str:
        """Return the next code for a wargame run."""
        ...


class CodeRegistry:
    """Hands out `APV-YYYYMMDD-NNN` and `WAR-YYYYMMDD-NNN`; a day's number 1000 and on has four digits.

    Numbers are unique over every process that uses the file. Nothing is opened before the first question.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def codes_for(self, project_key: str, keys: Sequence[CodeKey], today: date) -> tuple[str, ...]:
        """Return a code for each key, in order; new ones are numbered in that order. All in one transaction."""
        with self._connection() as connection:
            found = _find(connection, project_key, keys)
            if len(found) < len(set(keys)):
                with _writing(connection):
                    found = _find(connection, project_key, keys)
                    new = [key for key in dict.fromkeys(keys) if key not in found]
                    for key, code in zip(new, _next(connection, "APV", today, len(new)), strict=True):
                        connection.execute(_ADD, (project_key, *key, code))
                        found[key] = code
            return tuple(found[key] for key in keys)

    def code_for(self, project_key: str, advisory: str, package: str, version: str, today: date) -> str:
        """Return the code of one finding."""
        return self.codes_for(project_key, [CodeKey(advisory, package, version)], today)[0]

    def run_code(self, today: date) -> str:
        """Return the next code for a wargame run."""
        with self._connection() as connection, _writing(connection):
            return _next(connection, "WAR", today, 1)[0]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'counters'").fetchone():
                    with _writing(connection):
                        for statement in filter(str.strip, _SCHEMA.split(";")):
                            connection.execute(statement)
                yield connection
        except OSError as error:
            raise from_os_error(error, "opening the register of codes") from error
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> VerticeError:
        where = str(self._path)
        match getattr(error, "sqlite_errorname", ""):
            case "SQLITE_FULL":
                return UnfinishedError("no space left", where=where, todo="Free some space and run it again.")
            case "SQLITE_BUSY":
                todo = "Wait for the other `vertice` to end, or end it, and run it again."
                return UnfinishedError(f"another process held it for {_WAIT_SECONDS:.0f} s", where=where, todo=todo)
            case "SQLITE_NOTADB" | "SQLITE_CORRUPT":
                todo = "Restore it from a backup, or move it away: codes are then numbered anew."
                return InputError("is not a register of codes, or is damaged", where=where, todo=todo)
            case name if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                return InputError("cannot be written", where=where, todo="Check the permissions.")
        return UnfinishedError(f"the register of codes failed: {error}", where=where, todo="Run it again.")


def _find(connection: sqlite3.Connection, project_key: str, keys: Sequence[CodeKey]) -> dict[CodeKey, str]:
    rows = ((key, connection.execute(_FIND, (project_key, *key)).fetchone()) for key in dict.fromkeys(keys))
    return {key: row[0] for key, row in rows if row}


def _next(connection: sqlite3.Connection, kind: str, today: date, count: int) -> list[str]:
    if count == 0:
        return []
    prefix = f"{kind}-{today:%Y%m%d}"
    (last,) = connection.execute(_COUNT, (prefix, count)).fetchone()
    return numbered(prefix, last, count)


def numbered(prefix: str, last: int, count: int) -> list[str]:
    """Return the `count` codes of a day that end with number `last`."""
    return [f"{prefix}-{number:03d}" for number in range(last - count + 1, last + 1)]


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the start, so that what is read inside is still true when it is written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
