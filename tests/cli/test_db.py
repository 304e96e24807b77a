"""`vertice db`: the schema is brought up and told, on both kinds of database."""

import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.cli.refusal import refusal
from tests.servers import PASSWORD
from vertice.kernel.migrations import HEAD


@pytest.fixture
def url(empty_database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    return empty_database_url


def test_the_schema_goes_from_nothing_to_the_newest(call: Call, url: str) -> None:
    before = call("db", "current")
    assert (before.code, before.err) == (1, "")
    assert before.out == f"The schema is not there yet; the newest is {HEAD}. Run `vertice db upgrade`.\n"
    assert call("db", "upgrade").out == f"The schema went from none to {HEAD}, the newest.\n"
    assert call("db", "upgrade").out == f"The schema is at {HEAD}, the newest: nothing to do.\n"
    after = call("db", "current")
    assert (after.code, after.out) == (0, f"The schema is at {HEAD}, the newest.\n")


def test_programs_are_told_the_same(call: Call, url: str) -> None:
    assert (call("db", "current", "--json").code, call("db", "current", "--json").json) == (
        1,
        {"revision": None, "newest": HEAD},
    )
    assert call("db", "upgrade", "--json").json == {"from": None, "to": HEAD}
    assert call("db", "upgrade", "--json").json == {"from": HEAD, "to": HEAD}
    assert call("db", "current", "--json").json == {"revision": HEAD, "newest": HEAD}


def test_the_embedded_database_lies_in_the_home(call: Call, home: Path) -> None:
    assert call("db", "upgrade").code == 0
    assert call("db", "current").code == 0
    assert (home / "vertice.db").is_file()


def test_the_schema_of_a_newer_vertice_is_left_alone(call: Call, home: Path) -> None:
    call("db", "upgrade")
    with sqlite3.connect(home / "vertice.db") as connection:
        connection.execute("UPDATE vertice_version SET version_num = '9999'")
    connection.close()
    assert call("db", "current").code == 1
    refused = refusal(call("db", "upgrade"))
    assert refused.code == 2
    assert "schema 9999" in refused.what


def test_a_server_that_is_not_there_is_one_clear_error(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://vertice:{PASSWORD.replace('@', '%40')}@127.0.0.1:1/none")
    for command in ("current", "upgrade"):
        refused = refusal(call("db", command))
        assert refused.code == 3
        assert refused.where == "postgresql+asyncpg://vertice:***@127.0.0.1:1/none"
        assert "cannot reach the database" in refused.what
