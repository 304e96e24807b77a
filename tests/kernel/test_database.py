"""The database: schema, transactions, times, and one clear error for each thing that can be wrong with it."""

import asyncio
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite

from vertice.kernel.database import Database, UtcDateTime, current, upgrade
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.migrations import HEAD


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/deep/vertice.db"


async def test_upgrading_makes_the_newest_schema_and_may_be_repeated(url, tmp_path):
    assert await current(url) is None
    await upgrade(url)
    await upgrade(url)
    assert await current(url) == HEAD
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


UPGRADE = "import asyncio, sys; from vertice.kernel.database import upgrade; asyncio.run(upgrade(sys.argv[1]))"


async def test_four_processes_may_upgrade_at_once(url):
    workers = [await asyncio.create_subprocess_exec(sys.executable, "-c", UPGRADE, url) for _ in range(4)]
    assert [await worker.wait() for worker in workers] == [0, 0, 0, 0]
    assert await current(url) == HEAD


async def test_sqlite_is_set_up_for_several_processes(url):
    async with Database.open(url) as database, database.read() as session:
        found = [(await session.execute(text(f"PRAGMA {name}"))).scalar_one() for name in
                 ("journal_mode", "foreign_keys", "busy_timeout")]  # fmt: skip
    assert found == ["wal", 1, 30_000]


async def test_a_write_commits_at_the_end_and_rolls_back_on_an_error(url):
    await upgrade(url)
    async with Database.open(url) as database:
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


async def test_a_read_never_commits(url):
    await upgrade(url)
    async with Database.open(url) as database:
        async with database.read() as session:
            await session.execute(text("UPDATE audit_head SET seq = 8"))
        async with database.read() as session:
            assert (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one() == 0


async def test_two_writers_wait_for_each_other(url):
    await upgrade(url)
    async with Database.open(url) as one, Database.open(url) as two:

        async def count_up(database: Database) -> None:
            for _ in range(10):
                async with database.write() as session:
                    seq = (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one()
                    await asyncio.sleep(0)
                    await session.execute(text("UPDATE audit_head SET seq = :seq"), {"seq": seq + 1})

        await asyncio.gather(count_up(one), count_up(two))
        async with one.read() as session:
            assert (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one() == 20


def run(script: str, path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()


async def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "app.db"
    run("CREATE TABLE orders (id INTEGER)", path)
    with pytest.raises(InputError, match=r"holds other tables \(orders…\)"):
        await upgrade(f"sqlite+aiosqlite:///{path}")


async def test_a_database_of_a_newer_vertice_is_refused(url, tmp_path):
    await upgrade(url)
    run("UPDATE vertice_version SET version_num = '9999'", tmp_path / "deep" / "vertice.db")
    with pytest.raises(InputError, match="has schema 9999, this Vértice knows up to"):
        await upgrade(url)


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


async def test_a_full_disk_is_said_and_leaves_nothing_half_written(url):
    """SQLite's own page limit stands in for the disk: it ends in the same error."""
    await upgrade(url)
    async with Database.open(url) as database:

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
