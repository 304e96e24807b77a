"""Codes in the service's PostgreSQL database: unique over every machine that works for it."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from vertice.adaptive.triage.codes import CodeKey, numbered
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.psycopg_url import psycopg_url
from vertice.kernel.text import printable

__all__ = ["DatabaseCodes"]

_FIND = text(
    "SELECT code FROM finding_codes "
    "WHERE project = :project AND advisory = :advisory AND package = :package AND version = :version"
)
_ADD = text(
    "INSERT INTO finding_codes (project, advisory, package, version, code) "
    "VALUES (:project, :advisory, :package, :version, :code)"
)
_COUNT = text(
    "INSERT INTO code_counters (prefix, last) VALUES (:prefix, :count) "
    "ON CONFLICT (prefix) DO UPDATE SET last = code_counters.last + excluded.last RETURNING last"
)
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('vertice finding_codes'))")
"""New codes are given by one transaction at a time, so that two never look for the same finding at once."""
_LIMITS = (("project", 500), ("advisory", 100), ("package", 200), ("version", 100))
"""Characters that the columns hold."""


class DatabaseCodes:
    """`Codes` over the tables `finding_codes` and `code_counters`. For threads: every call blocks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._making = threading.Lock()

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(psycopg_url(self._url), pool_size=2, max_overflow=2, pool_pre_ping=True)

    def close(self) -> None:
        """Give the connections back."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    def codes_for(self, project_key: str, keys: Sequence[CodeKey], today: date) -> tuple[str, ...]:
        """Return a code for each key, in order; new ones are numbered in that order. All in one transaction."""
        rows = {key: _row(project_key, key) for key in dict.fromkeys(keys)}
        with self._connection() as connection:
            found = _find(connection, rows)
            if len(found) < len(rows):
                connection.execute(_ALONE)
                found = _find(connection, rows)
                new = [key for key in rows if key not in found]
                for key, code in zip(new, _next(connection, "APV", today, len(new)), strict=True):
                    connection.execute(_ADD, {**rows[key], "code": code})
                    found[key] = code
        return tuple(found[key] for key in keys)

    def run_code(self, today: date) -> str:
        """Return the next code for a wargame run."""
        with self._connection() as connection:
            return _next(connection, "WAR", today, 1)[0]

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._making:
            engine = self._engine
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise UnfinishedError(
                f"the register of codes failed: {printable(str(error.orig), limit=200)}",
                where=engine.url.render_as_string(hide_password=True),
                todo="Is the database running, and up to date (`vertice db upgrade`)?",
            ) from error


def _find(connection: Connection, rows: dict[CodeKey, dict[str, str]]) -> dict[CodeKey, str]:
    found = ((key, connection.execute(_FIND, row).scalar()) for key, row in rows.items())
    return {key: code for key, code in found if code is not None}


def _next(connection: Connection, kind: str, today: date, count: int) -> list[str]:
    if count == 0:
        return []
    prefix = f"{kind}-{today:%Y%m%d}"
    last: int = connection.execute(_COUNT, {"prefix": prefix, "count": count}).scalar_one()
    return numbered(prefix, last, count)


def _row(project_key: str, key: CodeKey) -> dict[str, str]:
    return {name: _fitted(value, limit) for (name, limit), value in zip(_LIMITS, (project_key, *key), strict=True)}


def _fitted(value: str, limit: int) -> str:
    """Return what a column of `limit` characters holds of `value`, still one for each value."""
    plain = value.encode("utf-8", "surrogatepass")
    shown = plain.decode("utf-8", "replace").replace("\0", "\ufffd")
    if len(shown) <= limit and shown == value:
        return value
    mark = f":{hashlib.sha256(plain).hexdigest()}"
    return shown[: limit - len(mark)] + mark
