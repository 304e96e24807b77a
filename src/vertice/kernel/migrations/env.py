"""Alembic's entry point: runs on the connection, and in the transaction, that `database.upgrade` hands over."""

from alembic import context

from vertice.kernel.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
