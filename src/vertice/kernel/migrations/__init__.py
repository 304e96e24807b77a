"""Alembic migrations of Vértice's database, run by `vertice.kernel.database.upgrade`."""

HEAD = "0002"
"""Newest revision: a database that has it needs no Alembic (half a second of imports)."""

VERSION_TABLE = "vertice_version"
"""Not Alembic's default name, so that another program's `alembic_version` in the same schema is left alone."""
