"""The migrations make exactly the tables that the code uses, and those of the contract."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

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


ON_POSTGRESQL = {"CHAR(32)": "UUID", "FLOAT": "DOUBLE PRECISION", "DATETIME": "TIMESTAMP WITH TIME ZONE"}
ONLY_POSTGRESQL = {"ix_apv_reviews_text"}
"""An index over an expression with an operator class of an extension: not for a model that SQLite shares."""


async def test_migrated_tables_are_the_tables_of_the_code(url):
    def differences(connection):
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": migrations.VERSION_TABLE,
                "compare_type": True,
                "compare_server_default": True,
                "include_object": lambda thing, name, kind, *_: kind != "index" or name not in ONLY_POSTGRESQL,
            },
        )
        return compare_metadata(context, Table.metadata)

    assert await inspected(url, differences) == []


async def test_the_contracts_tables_columns_and_indexes_are_there(url):
    def look(connection):
        inspector = inspect(connection)
        names = ON_POSTGRESQL if connection.dialect.name == "postgresql" else {}
        for table, wanted in CONTRACT.items():
            columns = {column["name"]: column for column in inspector.get_columns(table)}
            found = {name: columns[name]["type"].compile(connection.dialect) for name in wanted}
            assert found == {name: names.get(kind, kind) for name, kind in wanted.items()}
            assert "pending" in columns.get("status", {}).get("default", "pending")
        return {index["name"] for table in CONTRACT for index in inspector.get_indexes(table)}

    assert await inspected(url, look) >= {
        "ix_apv_reviews_status",
        "ix_apv_reviews_severity",
        "ix_hitl_decisions_apv_id",
    }


async def test_postgresql_finds_a_part_of_a_word_by_an_index(postgres_url):
    def plan(connection):
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        said = connection.execute(
            text(
                "EXPLAIN SELECT 1 FROM apv_reviews WHERE apv_code || ' ' || cve_id || ' ' || package_name || ' ' || "
                "project_name || ' ' || summary ILIKE '%yaml%'"
            )
        )
        return "\n".join(said.scalars())

    assert "ix_apv_reviews_text" in await inspected(postgres_url, plan)


async def test_a_user_who_may_not_add_extensions_gets_every_table_all_the_same(empty_postgres_url):
    """The database's owner may add trusted extensions; somebody who may only use its schema may not."""
    url, password = make_url(empty_postgres_url), "geheim"
    role = f"plain_{url.database}"[:60]
    await run(url, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'", f"GRANT ALL ON SCHEMA public TO {role}")
    plain = url.set(username=role, password=password).render_as_string(hide_password=False)
    await database.upgrade(plain)
    assert await database.current(plain) == migrations.HEAD
    await run(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


@pytest.mark.parametrize("direction", ["downgrade", "upgrade again"])
async def test_it_can_be_undone_and_done_again(url, direction):
    from alembic import command

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


async def inspected(url, look):
    async with database.Database.open(url) as opened, opened.read() as session:
        return await (await session.connection()).run_sync(look)


async def run(url, *statements):
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()
