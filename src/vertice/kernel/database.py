"""The database: SQLite by default, PostgreSQL in production. Async SQLAlchemy, schema by Alembic.

    await upgrade(url)
    async with Database.open(url) as database:
        async with database.write() as session:   # one transaction; commits at the end, rolls back on an error
            ...

A read and a write transaction are different types, so that code which only reads cannot be handed a writer by mistake
nor write unseen. On SQLite a write transaction takes its lock at the start (BEGIN IMMEDIATE): two writers wait for
each other instead of failing half-way. On PostgreSQL a read transaction is a read-only snapshot, and a write
transaction sees what others commit while it runs: it locks the rows that it reads in order to change them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, DateTime, TypeDecorator, inspect, text
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import Pool

from vertice.kernel.database_errors import explained, unreachable
from vertice.kernel.engine import CONNECTIONS, make_engine
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.migrations import HEAD, VERSION_TABLE
from vertice.kernel.text import printable

__all__ = ["Database", "ReadSession", "Table", "UtcDateTime", "WriteSession", "alone", "current", "upgrade"]

_PATIENCE_SECONDS = 10
"""How long to wait for a connection while all are in use."""
_READING = {"postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}}


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
        self._reading = engine.execution_options(**_READING.get(engine.dialect.name, {}))
        self._looking = engine.execution_options(isolation_level="AUTOCOMMIT")
        where = engine.url.render_as_string(hide_password=True)
        self._explained = _Explained(where)
        self._turn = _Turns(where)

    @classmethod
    def open(cls, url: str, *, patience: float | None = 60.0) -> Self:
        """Return the database at `url` (`Settings.database`). Connects at the first use.

        `patience`: how many seconds a server may take for one statement, None for any. Raises InputError for an
        unreadable URL or a driver that is not installed.
        """
        return cls(make_engine(url, patience=patience))

    @property
    def url(self) -> URL:
        """Where it is, with the password (rendered as `***`)."""
        return self._engine.url

    @property
    def pool(self) -> Pool:
        """The pool, for whoever shows how much of it is used."""
        return self._engine.pool

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
        with self._explained:
            async with self._turn, ReadSession(self._reading, expire_on_commit=False, autoflush=False) as session:
                await self._connect(session)
                yield session

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """For one single SELECT, which needs no transaction around it: two messages to the server fewer than `read`."""
        with self._explained:
            async with self._turn:
                try:
                    connection = await self._looking.connect()
                except OSError as error:
                    raise unreachable(error, self._explained.where) from error
                try:
                    yield connection
                finally:
                    await connection.close()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """One write transaction: commits when the block ends, rolls back when it raises.

        An IntegrityError comes through as it is: only the caller knows what the constraint means.
        """
        with self._explained:
            async with self._turn, WriteSession(self._writing, expire_on_commit=False) as session:
                await self._connect(session)
                yield session
                await session.commit()

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[None]:
        """Hold `name` for the block against every process of this database, whatever machine it runs on.

        It is free again when the block ends or the connection is lost. On SQLite nothing is held: its processes share
        a machine, where a lock file does.
        """
        if self._engine.dialect.name != "postgresql":
            yield
            return
        async with self.look() as connection:
            key = {"name": name}
            await connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), key)
            try:
                yield
            finally:
                with contextlib.suppress(DBAPIError, OSError, VerticeError):  # a connection that is lost holds nothing
                    await connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)

    async def _connect(self, session: AsyncSession) -> None:
        try:
            await session.connection()
        except OSError as error:
            raise unreachable(error, self._explained.where) from error


async def alone(session: WriteSession, name: str) -> None:
    """Wait until no other write transaction holds `name`, and hold it until this one ends."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def current(url: str) -> str | None:
    """Return the schema revision of the database at `url`, None when it has no schema of ours yet."""
    async with Database.open(url) as database, database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(_revision)


async def upgrade(url: str) -> None:
    """Bring the database at `url` to the newest schema; safe when several processes do it at once.

    Raises InputError when the database holds somebody else's tables or was written by a newer Vértice.
    """
    async with Database.open(url, patience=None) as database:
        async with database.read() as session:
            connection = await session.connection()
            if await connection.run_sync(_revision) == HEAD:
                return
        async with database.write() as session:
            await alone(session, "vertice.schema")
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


class _Turns:
    """Gives connections out in the order in which they are asked for.

    SQLAlchemy's pool gives one that comes free to whoever asks next, not to whoever waits longest: with more requests
    than connections most are answered at once and some after many seconds.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise UnfinishedError(
                "every connection to the database is in use", where=self._where, todo="Try it again."
            ) from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()


class _Explained:
    """Turns a driver's error into one of ours."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and (ours := explained(error, self.where)) is not None:
            raise ours from error
