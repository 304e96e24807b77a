"""The database: SQLite by default, PostgreSQL in production. Async SQLAlchemy, schema by Alembic.

    await upgrade(url)
    async with Database.open(url) as database:
        async with database.write() as session:   # one transaction; commits at the end, rolls back on an error
            ...

A read and a write transaction are different types, so that code which only reads cannot be handed a writer by mistake
nor write unseen. On SQLite a write transaction takes its lock at the start (BEGIN IMMEDIATE): two writers wait for
each other instead of failing half-way.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, DateTime, TypeDecorator, event, inspect, make_url, text
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from vertice.kernel.errors import InputError, UnfinishedError, VerticeError, from_os_error
from vertice.kernel.migrations import HEAD, VERSION_TABLE
from vertice.kernel.text import printable

__all__ = ["Database", "ReadSession", "Table", "UtcDateTime", "WriteSession", "current", "upgrade"]

_BUSY_MILLISECONDS = 30_000


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC. SQLite has no time zones: there it is kept as naive UTC and read back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: its meaning would depend on the machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a time without a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of every table of Vértice; `kernel/migrations` makes them."""


class ReadSession(AsyncSession):
    """A transaction that never commits."""


class WriteSession(AsyncSession):
    """A transaction that `Database.write` commits."""


class Database:
    """One database; holds a pool of connections. Close it (or use `async with`), else the process cannot end."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(vertice_write=True)

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the database at `url` (`Settings.database`). Connects at the first use.

        Raises InputError for an unreadable URL or a driver that is not installed.
        """
        return cls(_engine(_parsed(url)))

    @property
    def url(self) -> URL:
        """Where it is, with the password (rendered as `***`)."""
        return self._engine.url

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """One read transaction; sees one state of the database throughout."""
        with _Explained(self.url):
            async with ReadSession(self._engine, expire_on_commit=False, autoflush=False) as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One write transaction: commits when the block ends, rolls back when it raises."""
        with _Explained(self.url):
            async with WriteSession(self._writing, expire_on_commit=False) as session:
                yield session
                await session.commit()


async def current(url: str) -> str | None:
    """Return the schema revision of the database at `url`, None when it has no schema of ours yet."""
    async with Database.open(url) as database, database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(_revision)


async def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest schema; safe when several processes do it at once.

    Raises InputError when the database holds somebody else's tables or was written by a newer Vértice.
    """
    async with Database.open(url) as database:
        async with database.read() as session:
            connection = await session.connection()
            if await connection.run_sync(_revision) == HEAD:
                return
        async with database.write() as session:
            connection = await session.connection()
            await connection.run_sync(_migrate)


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    found = _revision(connection)
    if found == HEAD:
        return
    where = connection.engine.url.render_as_string(hide_password=True)
    if found is None:
        _refuse_foreign(connection, where)
    folder = Path(__file__).with_name("migrations")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise InputError(
            f"the database has schema {printable(found)}, this Vértice knows up to {HEAD}",
            where=where,
            todo="Use the newer Vértice that wrote it, or name another DATABASE_URL.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_foreign(connection: Connection, where: str) -> None:
    tables = set(inspect(connection).get_table_names())
    # DBOS keeps its workflows in the same SQLite file, and may have come first.
    if tables and "dbos_migrations" not in tables:
        raise InputError(
            f"the database holds other tables ({printable(', '.join(sorted(tables)[:3]))}…), not Vértice's",
            where=where,
            todo="Give Vértice a database of its own in DATABASE_URL, or unset it for the default.",
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).first()  # noqa: S608  (a constant)
    return None if row is None else str(row[0])


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise InputError(
            "is not a database URL", where="DATABASE_URL", todo="See .env.example."
        ) from None  # the original shows the URL, password included


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        _make_parent(Path(url.database))
        _try_sqlite(url)
    try:
        engine = create_async_engine(url)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise InputError(
            f"the driver {url.drivername} is not installed",
            where="DATABASE_URL",
            todo="Install it, or unset DATABASE_URL for the embedded SQLite.",
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


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
        raise _explained(str(error), url.render_as_string(hide_password=True)) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's sqlite3 would open transactions by itself, at other moments than SQLAlchemy believes.
    connection.isolation_level = None
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    except BaseException:
        connection.close()  # the pool does not hold it yet: nobody else would end its thread
        raise


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("vertice_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class _Explained:
    """Turns a driver's error into one of ours; the SQL and its parameters are not shown."""

    def __init__(self, url: URL) -> None:
        self._where = url.render_as_string(hide_password=True)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DBAPIError):
            raise _explained(str(error.orig), self._where) from error
        if isinstance(error, OSError):
            raise UnfinishedError(
                f"cannot reach the database: {error}", where=self._where, todo="Is it running?"
            ) from error


def _explained(said: str, where: str) -> VerticeError:
    for part, kind, what, todo in _SQLITE_ERRORS:
        if part in said:
            return kind(what, where=where, todo=todo)
    return UnfinishedError(f"the database refused: {printable(said, limit=300)}", where=where, todo="Try it again.")


_SQLITE_ERRORS: tuple[tuple[str, type[VerticeError], str, str], ...] = (
    ("is full", UnfinishedError, "no space left for the database", "Free some space and run it again."),
    ("disk I/O error", UnfinishedError, "the disk refused to write the database", "Free some space and run it again."),
    ("is locked", UnfinishedError, "another process holds the database", "Wait for it to end and try again."),
    ("unable to open", InputError, "cannot open the database", "Check the path and its permissions."),
    ("readonly", InputError, "the database cannot be written to", "Check the file's permissions."),
    ("not a database", InputError, "is not a SQLite database", "Name another DATABASE_URL, or restore a backup."),
    ("malformed", InputError, "the database is damaged", "Restore a backup."),
    ("no such table", InputError, "the database lacks Vértice's tables", "Run `vertice heal` to make them."),
)
