"""The database: schema, transactions, times, and one clear error for each thing that can be wrong with it."""

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from asyncpg.exceptions import InternalClientError
from sqlalchemy import make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.servers import PASSWORD, Postgres
from vertice.kernel.database import Database, UtcDateTime, alone, current, upgrade
from vertice.kernel.database_errors import explained
from vertice.kernel.engine import CONNECTIONS
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.migrations import HEAD


async def test_upgrading_makes_the_newest_schema_and_may_be_repeated(empty_database_url):
    assert await current(empty_database_url) is None
    await upgrade(empty_database_url)
    await upgrade(empty_database_url)
    assert await current(empty_database_url) == HEAD


async def test_a_new_folder_is_for_its_owner_alone(tmp_path):
    await upgrade(f"sqlite+aiosqlite:///{tmp_path}/deep/vertice.db")
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


UPGRADE = """
import asyncio, os, sys
import alembic.command, sqlalchemy.ext.asyncio
from vertice.kernel.database import upgrade
for _ in range(8):
    if not os.fork():
        asyncio.run(upgrade(sys.argv[1]))
        os._exit(0)
sys.exit(any(os.wait()[1] for _ in range(8)))
"""


def test_eight_processes_may_upgrade_at_once(empty_database_url):
    done = subprocess.run([sys.executable, "-c", UPGRADE, empty_database_url], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert asyncio.run(current(empty_database_url)) == HEAD


async def test_sqlite_is_set_up_for_several_processes(sqlite_url):
    async with Database.open(sqlite_url) as database, database.read() as session:
        found = [(await session.execute(text(f"PRAGMA {name}"))).scalar_one() for name in
                 ("journal_mode", "foreign_keys", "busy_timeout")]  # fmt: skip
    assert found == ["wal", 1, 30_000]


async def test_a_write_commits_at_the_end_and_rolls_back_on_an_error(database_url):
    async with Database.open(database_url) as database:
        async with database.write() as session:
            await session.execute(text("UPDATE audit_head SET seq = 7"))

        async def fail() -> None:
            async with database.write() as session:
                await session.execute(text("UPDATE audit_head SET seq = 8"))
                raise ValueError("stop")

        with pytest.raises(ValueError, match="stop"):
            await fail()
        async with database.read() as session:
            assert (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one() == 7


async def test_a_read_never_commits(sqlite_url):
    async with Database.open(sqlite_url) as database:
        async with database.read() as session:
            await session.execute(text("UPDATE audit_head SET seq = 8"))
        async with database.read() as session:
            assert (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one() == 0


async def test_postgresql_refuses_to_write_in_a_read(postgres_url):
    async with Database.open(postgres_url) as database:

        async def write() -> None:
            async with database.read() as session:
                await session.execute(text("UPDATE audit_head SET seq = 8"))

        with pytest.raises(UnfinishedError, match="cannot be written to"):
            await write()


async def test_a_read_sees_one_state_throughout(database_url):
    async with Database.open(database_url) as database, database.read() as reading:
        before = (await reading.execute(text("SELECT seq FROM audit_head"))).scalar_one()
        async with database.write() as writing:
            await writing.execute(text("UPDATE audit_head SET seq = 7"))
        assert (await reading.execute(text("SELECT seq FROM audit_head"))).scalar_one() == before


async def test_a_broken_constraint_is_the_callers_to_explain(database_url):
    async with Database.open(database_url) as database:

        async def twice() -> None:
            async with database.write() as session:
                await session.execute(text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '')"))

        with pytest.raises(IntegrityError):
            await twice()


async def test_an_error_of_the_callers_own_is_not_taken_for_the_databases(database_url):
    async with Database.open(database_url) as database:

        async def read_a_file() -> None:
            async with database.write():
                raise FileNotFoundError("evidence.json")

        with pytest.raises(FileNotFoundError, match=r"evidence\.json"):
            await read_a_file()


async def test_writers_that_must_be_alone_wait_for_each_other(database_url):
    async with Database.open(database_url) as one, Database.open(database_url) as two:

        async def count_up(database: Database) -> None:
            for _ in range(10):
                async with database.write() as session:
                    await alone(session, "counting")
                    seq = (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one()
                    await asyncio.sleep(0)
                    await session.execute(text("UPDATE audit_head SET seq = :seq"), {"seq": seq + 1})

        await asyncio.gather(count_up(one), count_up(two))
        async with one.read() as session:
            assert (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one() == 20


async def test_what_is_held_is_held_against_every_process_of_the_database(postgres_url):
    order: list[str] = []

    async def work(url: str, who: str) -> None:
        async with Database.open(url) as database, database.exclusive("decision 1"):
            order.append(who)
            await asyncio.sleep(0.2)
            order.append(who)

    await asyncio.gather(work(postgres_url, "one"), work(postgres_url, "two"))
    assert order in (["one", "one", "two", "two"], ["two", "two", "one", "one"])


async def test_who_dies_holds_nothing_any_more(postgres_url):
    async with Database.open(postgres_url) as one, Database.open(postgres_url) as two:
        async with one.exclusive("decision 1"):
            mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            async with two.look() as connection:
                await connection.execute(text(f"{mine} AND pid <> pg_backend_pid()"))
            async with asyncio.timeout(10), two.exclusive("decision 1"):
                pass
        assert await seq_of(one) == 0


async def test_every_letter_has_a_lower_case(database_url):
    async with Database.open(database_url) as database, database.look() as connection:
        assert (await connection.execute(text("SELECT lower('ÇA VA, ÉTÉ?')"))).scalar_one() == "ça va, été?"
        assert (await connection.execute(text("SELECT lower(NULL)"))).scalar_one() is None


async def seq_of(database: Database) -> int:
    async with database.read() as session:
        return int((await session.execute(text("SELECT seq FROM audit_head"))).scalar_one())


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill], ids=["stopped", "killed"])
async def test_a_server_that_goes_is_one_clear_error_and_one_that_comes_back_works_at_once(private_postgres, end):
    server = private_postgres()
    url = server.url.replace("postgresql:", "postgresql+asyncpg:")
    await upgrade(url)
    async with Database.open(url) as database:
        assert await asyncio.gather(*(seq_of(database) for _ in range(5))) == [0] * 5

        async def write_while_it_goes() -> None:
            async with database.write() as session:
                await session.execute(text("UPDATE audit_head SET seq = 8"))
                end(server)
                await session.execute(text("UPDATE audit_head SET seq = 9"))

        with pytest.raises(UnfinishedError, match="connection to the database was lost") as caught:
            await write_while_it_goes()
        refuse_secrets(caught.value)
        with pytest.raises(UnfinishedError, match="cannot reach the database") as caught:
            await seq_of(database)
        refuse_secrets(caught.value)
        server.start()
        assert await asyncio.gather(*(seq_of(database) for _ in range(5))) == [0] * 5


def test_a_server_that_is_cut_off_in_mid_sentence_is_a_lost_connection_too():
    """The moment is too short to be met on purpose; the words are asyncpg's, from a run that met it."""
    words = "cannot switch to state 12; another operation (2) is in progress"
    driver = InternalClientError(words)
    wrapped = DBAPIError("UPDATE audit_head SET seq = 9", {}, driver)
    assert str(explained(wrapped, "here")) == "here: the connection to the database was lost. Try it again."


async def test_a_server_that_hangs_is_not_waited_for_without_end(private_postgres):
    server = private_postgres()
    url = server.url.replace("postgresql:", "postgresql+asyncpg:")
    await upgrade(url)
    async with Database.open(url, patience=1) as database:
        assert await seq_of(database) == 0
        server.pause()
        with pytest.raises(UnfinishedError, match="cannot reach the database: no answer in time"):
            await seq_of(database)
        server.resume()
        assert await seq_of(database) == 0


async def test_a_connection_that_was_cut_while_it_lay_in_the_pool_is_made_anew(postgres_url):
    async with Database.open(postgres_url) as database, Database.open(postgres_url) as other:
        await asyncio.gather(*(seq_of(database) for _ in range(5)))
        async with other.write() as session:
            mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            await session.execute(text(f"{mine} AND pid <> pg_backend_pid()"))
        await asyncio.sleep(0.1)  # until the loop has heard of it
        assert await asyncio.gather(*(seq_of(database) for _ in range(5))) == [0] * 5


async def test_whoever_waits_longest_for_a_connection_is_next(database_url):
    async with Database.open(database_url) as database:
        await asyncio.gather(*(seq_of(database) for _ in range(CONNECTIONS)))  # to connect takes how long it takes
        order: list[int] = []

        async def ask(number: int, rounds: int) -> None:
            for _ in range(rounds):
                async with database.look() as connection:
                    await connection.execute(text("SELECT 1"))
                    order.append(number)

        # Each asks again as soon as it was answered; with a pool that does not care for order, some would wait on.
        await asyncio.gather(*(ask(number, 3) for number in range(3 * CONNECTIONS)))
        last_first = max(order.index(number) for number in range(3 * CONNECTIONS))
        assert last_first < 4 * CONNECTIONS, "somebody was asked to wait while others had their second turn"


async def test_when_all_connections_are_in_use_for_long_that_is_said(database_url, monkeypatch):
    monkeypatch.setattr("vertice.kernel.database._PATIENCE_SECONDS", 0.05)
    async with Database.open(database_url) as database, AsyncExitStack() as held:
        for _ in range(CONNECTIONS):
            await held.enter_async_context(database.look())
        with pytest.raises(UnfinishedError, match="every connection to the database is in use") as caught:
            await seq_of(database)
        assert PASSWORD not in str(caught.value)
        await held.aclose()
        assert await seq_of(database) == 0


def refuse_secrets(error: VerticeError) -> None:
    assert "***@127.0.0.1" in error.where
    for secret in (PASSWORD, quote(PASSWORD, safe="")):
        assert secret not in str(error)


@pytest.mark.parametrize(
    ("change", "kind", "what"),
    [
        ({"password": "wrong-geheim"}, InputError, "refuses this user or password"),
        ({"username": "nobody-here"}, InputError, "refuses this user or password"),
        ({"database": "nowhere"}, InputError, r'there is no such database \(database "nowhere" does not exist\)'),
        ({"port": 1}, UnfinishedError, "cannot reach the database"),
        ({"host": "host.invalid"}, UnfinishedError, "cannot reach the database"),
    ],
    ids=["password", "user", "database", "port", "host"],
)
async def test_a_url_that_leads_nowhere_is_said(postgres_url, change, kind, what):
    with pytest.raises(kind, match=what) as caught:
        await upgrade(make_url(postgres_url).set(**change).render_as_string(hide_password=False))
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "wrong-geheim"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "value", "what"),
    [
        ("UPDATE audit_entries SET actor = :value", "a\0b", "cannot be kept"),
        ("INSERT INTO vertice_version VALUES (:value)", "x" * 100, "cannot be kept"),
        ("SELECT 1 FROM nothing WHERE '' = :value", "", "lacks Vértice's tables"),
        ("SELECT pg_sleep(0) FROM vertice_version WHERE version_num = repeat(:value, -1) OR 1/0 = 1", "x", "division"),
    ],
    ids=["NUL", "too long", "no table", "a fault of the query's own"],
)
async def test_what_postgresql_refuses_is_said_without_the_statement(postgres_url, statement, value, what):
    async with Database.open(postgres_url) as database:

        async def write() -> None:
            async with database.write() as session:
                await session.execute(text(statement), {"value": value})

        with pytest.raises(VerticeError, match=what) as caught:
            await write()
        assert statement.split()[0] not in caught.value.what


async def run(url: str, statement: str) -> None:
    async with Database.open(url) as database, database.write() as session:
        await session.execute(text(statement))


async def test_a_database_of_another_program_is_left_alone(empty_database_url):
    await run(empty_database_url, "CREATE TABLE orders (id INTEGER)")
    with pytest.raises(InputError, match=r"holds other tables \(orders…\)"):
        await upgrade(empty_database_url)


async def test_a_database_of_a_newer_vertice_is_refused(database_url):
    await run(database_url, "UPDATE vertice_version SET version_num = '9999'")
    with pytest.raises(InputError, match="has schema 9999, this Vértice knows up to"):
        await upgrade(database_url)


@pytest.mark.parametrize("kind", ["no database", "a folder", "under a file"])
async def test_a_path_that_is_no_database_is_said(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "no database":
        path.write_bytes(b"hello, this is text and not a database at all" * 50)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.write_text("")
        path /= "vertice.db"
    with pytest.raises((InputError, UnfinishedError)) as caught:
        await upgrade(f"sqlite+aiosqlite:///{path}")
    assert str(tmp_path) in caught.value.where


@pytest.mark.parametrize("bad", ["nonsense", "oracle+nothere://u:geheim@h/x", "postgresql+nodriver://u:geheim@h/x"])
async def test_a_bad_url_does_not_show_its_password(bad):
    with pytest.raises(InputError) as caught:
        await upgrade(bad)
    assert caught.value.where == "DATABASE_URL"
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_times_come_back_aware_and_in_utc(dialect):
    column = UtcDateTime()
    local = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-3)))
    kept = column.process_bind_param(local, dialect)
    back = column.process_result_value(kept, dialect)
    assert back == local
    assert back.tzinfo is UTC
    assert column.process_bind_param(None, dialect) is column.process_result_value(None, dialect) is None


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(TypeError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())  # noqa: DTZ001


async def test_a_full_disk_is_said_and_leaves_nothing_half_written(sqlite_url):
    """SQLite's own page limit stands in for the disk: it ends in the same error."""
    async with Database.open(sqlite_url) as database:

        async def fill() -> None:
            async with database.write() as session:
                await session.execute(text("PRAGMA max_page_count = 1"))
                await session.execute(text("UPDATE audit_head SET seq = 9"))
                await session.execute(text("CREATE TABLE big AS SELECT randomblob(10000000)"))

        with pytest.raises(UnfinishedError, match="no space left for the database"):
            await fill()
        async with database.read() as session:
            assert (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one() == 0


@pytest.mark.parametrize("name", ["a folder", "not a database"])
def test_a_bad_file_ends_the_process_without_a_traceback_of_a_thread(tmp_path, name):
    path = tmp_path / "x"
    path.mkdir() if name == "a folder" else path.write_bytes(b"no database" * 1000)
    script = (
        "import asyncio, sys; from vertice.kernel.database import upgrade;"
        "from vertice.kernel.errors import VerticeError\n"
        "try: asyncio.run(upgrade(sys.argv[1]))\nexcept VerticeError as error: print(error)"
    )
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", script, f"sqlite+aiosqlite:///{path}"], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith("sqlite+aiosqlite:///")
        assert done.stderr == ""
