"""DBOS as we use it: one application, JSON, and quiet unless something is wrong."""

import sqlite3
import time

from dbos import DBOSConfig
from sqlalchemy import Engine, event

from vertice.adaptive.serializer import JsonSerializer

__all__ = ["APPLICATION", "configured"]

APPLICATION = "vertice"
"""Owner of our workflows, where other applications keep theirs in the same database."""

_THREADS = 512
"""Workflows that may wait at once: four for each remedy. What runs at once is bounded by the gate and the queues."""


def configured(url: str, *, executor: str, version: str, poll_seconds: float = 0.1) -> DBOSConfig:
    """Return the configuration for the database at `url`, which is made when it is not there.

    A workflow goes on only under the `version` it began under. `executor` names this process.
    """
    return {
        "name": APPLICATION,
        "system_database_url": url,
        "serializer": JsonSerializer(),
        "application_version": version,
        "executor_id": executor,
        "max_executor_threads": _THREADS,
        "notification_listener_polling_interval_sec": poll_seconds,  # nobody notifies, but the end waits so long
        "log_level": "CRITICAL",
    }


def _give_unixepoch(connection: object, _: object) -> None:
    """Give a connection `unixepoch('subsec')`, which DBOS uses from Python 3.12 on and SQLite has from 3.42 on."""
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("unixepoch", 1, lambda _: time.time())


if sqlite3.sqlite_version_info < (3, 42):
    event.listen(Engine, "connect", _give_unixepoch)
