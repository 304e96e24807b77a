"""The migrations make exactly the tables that the code uses, and those of the contract."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from vertice.adaptive.projects import tables as projects
from vertice.adaptive.review import tables as reviews
from vertice.kernel import database, migrations
from vertice.kernel.auth import tables as auth
from vertice.kernel.bus import tables as bus
from vertice.kernel.database import Table

assert all((projects, reviews, auth, bus))  # their classes are what is compared

CONTRACT = {
    "apv_reviews": {
        "id": "CHAR(32)",
        "apv_code": "VARCHAR(50)",
        "cve_id": "VARCHAR(50)",
        "severity": "VARCHAR(20)",
        "package_name": "VARCHAR(100)",
        "patch_strategy": "VARCHAR(50)",
        "wargame_verdict": "VARCHAR(50)",
        "wargame_confidence": "FLOAT",
        "status": "VARCHAR(20)",
        "created_at": "DATETIME",
        "updated_at": "DATETIME",
    },
    "hitl_decisions": {
        "id": "CHAR(32)",
        "apv_id": "CHAR(32)",
        "apv_code": "VARCHAR(50)",
        "decision": "VARCHAR(20)",
        "reviewer_name": "VARCHAR(100)",
        "reviewer_email": "VARCHAR(150)",
        "action_taken": "VARCHAR(50)",
        "comments": "TEXT",
        "confidence_override": "FLOAT",
        "created_at": "DATETIME",
    },
}


async def test_migrated_tables_are_the_tables_of_the_code(url):
    await database.upgrade(url)
    async with database.Database.open(url) as opened, opened.read() as session:

        def differences(connection):
            context = MigrationContext.configure(
                connection,
                opts={
                    "version_table": migrations.VERSION_TABLE,
                    "compare_type": True,
                    "compare_server_default": True,
                },
            )
            return compare_metadata(context, Table.metadata)

        assert await (await session.connection()).run_sync(differences) == []


async def test_the_contracts_tables_columns_and_indexes_are_there(url, home):
    await database.upgrade(url)
    with sqlite3.connect(home / "vertice.db") as connection:
        for table, wanted in CONTRACT.items():
            found = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert wanted.items() <= found.items()
        indexes = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='index'")}
        assert {"ix_apv_reviews_status", "ix_apv_reviews_severity", "ix_hitl_decisions_apv_id"} <= indexes
        status = next(row for row in connection.execute("PRAGMA table_info(apv_reviews)") if row[1] == "status")
        assert status[4] == "'pending'"
    connection.close()


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


@pytest.mark.parametrize("direction", ["downgrade", "upgrade again"])
async def test_it_can_be_undone_and_done_again(url, home, direction):
    from alembic import command

    await database.upgrade(url)
    async with database.Database.open(url) as opened, opened.write() as session:

        def run(connection):
            config = Config()
            config.set_main_option("script_location", migrations.__path__[0])
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            if direction == "upgrade again":
                command.upgrade(config, "head")

        await (await session.connection()).run_sync(run)
    assert await database.current(url) == (None if direction == "downgrade" else migrations.HEAD)
