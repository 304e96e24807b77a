"""Putting work on the queues: at once from the API, and from the sweep for what a process that died did not."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from dbos import DBOSClient, EnqueueOptions
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from vertice.adaptive.engine import APPLICATION
from vertice.adaptive.projects.model import Scan
from vertice.adaptive.serializer import JsonSerializer
from vertice.adaptive.work.names import EXECUTIONS, SCANS, VERSION, decision_workflow, engine_url, scan_workflow
from vertice.kernel.logging import get_logger
from vertice.kernel.origin import here
from vertice.kernel.together import Together

__all__ = ["Enqueuer", "engine_client", "execution_options", "scan_options"]

_Work: TypeAlias = tuple[EnqueueOptions, tuple[object, ...]]
"""How it is put on its queue, and what its workflow takes."""


def scan_options(scan: Scan) -> EnqueueOptions:
    """Return how a scan is put on its queue; its workflow takes the scan's id. Twice is once."""
    return {
        "workflow_name": "Scanning.run",
        "class_name": "Scanning",
        "instance_name": "scanning",
        "queue_name": SCANS,
        "workflow_id": scan_workflow(scan.id),
        "app_version": VERSION,
        "application_name": APPLICATION,
        "priority": scan.priority,
    }


def execution_options(decision_id: UUID) -> EnqueueOptions:
    """Return how a decision is put on its queue; its workflow takes the decision's id, 1, its origin. Twice is once."""
    return {
        "workflow_name": "Executing.run",
        "class_name": "Executing",
        "instance_name": "executing",
        "queue_name": EXECUTIONS,
        "workflow_id": decision_workflow(decision_id),
        "app_version": VERSION,
        "application_name": APPLICATION,
    }


def engine_client(database_url: str, home: Path) -> DBOSClient:
    """Return a hold on the workflows for a process that runs none; `destroy` gives its connections back."""
    return DBOSClient(
        system_database_url=engine_url(database_url, home),
        serializer=JsonSerializer(),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )


class Enqueuer:
    """For processes that do no work themselves. What it cannot put on a queue, a worker's sweep will in a moment."""

    def __init__(self, database_url: str, home: Path) -> None:
        self._client = engine_client(database_url, home)
        self._engine = create_engine(engine_url(database_url, home), pool_size=1, pool_pre_ping=True)
        self._enqueue = Together(self._enqueue_all)
        self._under_way: set[asyncio.Task[None]] = set()

    async def enqueue_scan(self, scan: Scan) -> None:
        """Have the scan done as soon as a worker has room."""
        await self._enqueue((scan_options(scan), (str(scan.id),)))

    async def enqueue_execution(self, decision_id: UUID) -> None:
        """Have the decision carried out as soon as a worker has room. Returns before it is on the queue."""
        work = (execution_options(decision_id), (str(decision_id), 1, here()))
        task = asyncio.create_task(self._enqueue(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Put on the queues what is under way, and give the connections back."""
        await asyncio.gather(*self._under_way)
        await asyncio.to_thread(self._client.destroy)
        await asyncio.to_thread(self._engine.dispose)

    async def _enqueue_all(self, work: Sequence[_Work]) -> Sequence[None]:
        try:
            await asyncio.to_thread(self._enqueue_now, work)
        except SQLAlchemyError as error:
            # No worker ever ran here, or the database is away: the rows are committed, which is what counts.
            get_logger(__name__).warning("left to the sweep", workflows=_names(work), why=type(error).__name__)
        except Exception:  # noqa: BLE001  (a fault of ours or the engine's: the rows are committed all the same)
            get_logger(__name__).exception("left to the sweep by a fault", workflows=_names(work))
        return [None] * len(work)

    def _enqueue_now(self, work: Sequence[_Work]) -> None:
        with self._engine.begin() as connection:
            for options, arguments in work:
                self._client.enqueue_in_transaction(connection, options, *arguments)


def _names(work: Sequence[_Work]) -> list[str | None]:
    return [options.get("workflow_id") for options, _ in work]
