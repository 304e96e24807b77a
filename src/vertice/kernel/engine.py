"""Connections: which driver, how many, and what each is told when it is new."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from vertice.kernel.database_errors import explained, unreachable
from vertice.kernel.errors import InputError, from_os_error

__all__ = ["CONNECTIONS", "make_engine"]

_BUSY_MILLISECONDS = 30_000
CONNECTIONS = 20
"""Of one process: four of them with four workers stay under PostgreSQL's own default of 100 connections."""
_POOL = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_use_lifo": True}
_CONNECT_SECONDS = 10
_LIFETIME_SECONDS = 1800
_IDLE_SECONDS = 30
"""How long a connection may lie in the pool before it is tried when it is taken out."""


def make_engine(url: str, *, patience: float | None) -> AsyncEngine:
    """Return the engine for the database at `url`. Connects at the first use.

    `patience` is how many seconds a server may take for one statement, None for any. Raises InputError for an
    unreadable URL, a driver that is not installed, or a file that is no database.
    """
    return _engine(_parsed(url), patience)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise InputError(
            "is not a database URL", where="DATABASE_URL", todo="See .env.example."
        ) from None  # the original shows the URL, password included


def _engine(url: URL, patience: float | None) -> AsyncEngine:
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        _make_parent(Path(url.database))
        _try_sqlite(url)
    try:
        engine = create_async_engine(url, hide_parameters=True, **_options(url, patience))
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise InputError(
            f"the driver {url.drivername} is not installed",
            where="DATABASE_URL",
            todo="Install it, or unset DATABASE_URL for the embedded SQLite.",
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    if url.get_backend_name() == "postgresql":
        event.listen(engine.sync_engine, "checkin", _note_use)
        event.listen(engine.sync_engine, "checkout", _refuse_dead)
    event.listen(engine.sync_engine, "handle_error", _explain_silence)
    return engine


def _options(url: URL, patience: float | None) -> dict[str, Any]:
    if url.get_backend_name() != "postgresql":
        return _POOL if url.database and url.database != ":memory:" else {}
    connecting = {"timeout": _CONNECT_SECONDS, "command_timeout": patience}
    return {**_POOL, "pool_recycle": _LIFETIME_SECONDS, "connect_args": connecting}


def _explain_silence(context: ExceptionContext) -> None:
    """Say a driver's OSError where it comes up: one that the code of the transaction raises means something else."""
    if isinstance(context.original_exception, OSError) and context.engine is not None:
        where = context.engine.url.render_as_string(hide_password=True)
        raise unreachable(context.original_exception, where) from context.original_exception


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _refuse_dead(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool make new connections after the server was restarted.

    A connection that the server has closed is known without asking it. Asking each time (`pool_pre_ping`) takes three
    messages, a quarter of the time of a small transaction.
    """
    idle = time.monotonic() - record.info.get("used", time.monotonic())
    try:
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if idle > _IDLE_SECONDS:
            connection.ping()
    except (DBAPIError, OSError) as error:
        raise InvalidatePoolError from error


def _make_parent(path: Path) -> None:
    try:
        for folder in reversed([one for one in path.absolute().parents if not one.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, "making the database's folder") from error


def _try_sqlite(url: URL) -> None:
    """Open the file once and close it again, so that a bad one is said here.

    aiosqlite's thread for a connection that could not be opened may outlive the event loop and print a traceback.
    """
    try:
        with closing(sqlite3.connect(url.database or "", timeout=_BUSY_MILLISECONDS / 1000)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise explained(error, url.render_as_string(hide_password=True)) or error from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's sqlite3 would open transactions by itself, at other moments than SQLAlchemy believes.
    connection.isolation_level = None
    try:
        # Its own knows A to Z alone; PostgreSQL's, which is meant, every letter.
        connection.create_function("lower", 1, _lower, deterministic=True)
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    except BaseException:
        connection.close()  # the pool does not hold it yet: nobody else would end its thread
        raise


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("vertice_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
