"""Names that every process of the service shares: queues, workflows, and the version they run under."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import make_url

from vertice.kernel.psycopg_url import psycopg_url

__all__ = [
    "EXECUTIONS",
    "HEALS",
    "SCANS",
    "VERSION",
    "WARGAMES",
    "WORKFLOWS",
    "decision_workflow",
    "engine_url",
    "mend_workflow",
    "scan_workflow",
]

VERSION = "service-1"
"""The same for ever, so that an upgraded Vértice goes on with what an older one began.

So the order of a workflow's steps may not change from one release to the next. Where it has to, the workflow asks
`DBOS.patch` which order it began with. One that cannot be gone on with all the same ends as failed with the reason,
and the next scan begins anew.
"""

SCANS, HEALS, WARGAMES, EXECUTIONS = "scans", "heals", "wargames", "executions"
"""Queues. A heal mostly waits for its wargames, so heals have a queue of their own that holds up no scan."""

WORKFLOWS = "github.workflows"
"""Where in the outbox the runs of our GitHub workflow wait that ended, for a worker to get their results."""


def scan_workflow(scan_id: UUID) -> str:
    """Return the id of the workflow that scans."""
    return f"scan-{scan_id}"


def mend_workflow(scan_id: UUID) -> str:
    """Return the id of the workflow that heals after a scan."""
    return f"mend-{scan_id}"


def decision_workflow(decision_id: UUID, attempt: int = 1) -> str:
    """Return the id of the workflow that tries to carry a decision out for the `attempt`-th time."""
    return f"decision-{decision_id}-{attempt}"


def engine_url(database_url: str, home: Path) -> str:
    """Return where workflows are kept: the service's own PostgreSQL (schema `dbos`), else a file beside SQLite's."""
    if make_url(database_url).get_backend_name() == "sqlite":
        return f"sqlite:///{home / 'work.db'}"
    return psycopg_url(database_url).render_as_string(hide_password=False)
