"""What brings the queues in line with the database, again and again, whichever process died when.

Every worker sweeps; whatever a sweep does is done once, however many sweep at the same time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dbos import DBOS, EnqueueOptions, WorkflowStatus

from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.work.bridge import Bridge
from vertice.adaptive.work.enqueue import execution_options, scan_options
from vertice.adaptive.work.executions import Decisions
from vertice.adaptive.work.members import Members
from vertice.adaptive.work.names import decision_workflow, mend_workflow, scan_workflow
from vertice.kernel.logging import get_logger

__all__ = ["Sweep", "hand_back"]

_LIVE = frozenset({"ENQUEUED", "DELAYED", "PENDING"})
_LOST = "its work ended without a result (see the worker's log)"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One look at everything that has to go on. Runs in a thread, since DBOS blocks."""

    bridge: Bridge
    projects: ProjectStore
    scans: ScanStore
    decisions: Decisions
    members: Members

    def __call__(self) -> None:
        """Ask for scans that are needed, enqueue what is not on a queue, take over from processes that died."""
        self.bridge.wait(self.projects.due())
        self.bridge.wait(self.projects.outdated())
        self._scans()
        self._decisions()
        self._orphans()

    def _scans(self) -> None:
        open_scans = self.bridge.wait(self.scans.unfinished())
        states = _states(name for scan in open_scans for name in (scan_workflow(scan.id), mend_workflow(scan.id)))
        for scan in open_scans:
            own = [states.get(scan_workflow(scan.id)), states.get(mend_workflow(scan.id))]
            if own == [None, None]:
                _enqueue(scan_options(scan), str(scan.id))
            elif not _LIVE & set(own):
                self.bridge.wait(self.scans.fail(scan.id, _LOST))

    def _decisions(self) -> None:
        waiting = self.bridge.wait(_listed(self.decisions))
        names = [decision_workflow(decision).removesuffix("1") for decision in waiting]
        tried = _listing(workflow_id_prefix=names) if names else []
        for decision, name in zip(waiting, names, strict=True):
            own = {status.status for status in tried if status.workflow_id.startswith(name)}
            if not own:
                _enqueue(execution_options(decision), str(decision), 1)
            elif not _LIVE & own:
                self.bridge.wait(self.decisions.give_up(decision, _LOST))

    def _orphans(self) -> None:
        """Put what dead processes had claimed back on its queue. Whoever claims it next is the only one to go on."""
        running = {status.executor_id for status in _listing(status="PENDING") if status.executor_id}
        if not running:
            return
        gone = sorted(running - self.bridge.wait(self.members.living()))
        if gone:
            get_logger(__name__).warning("taking over from dead workers", workers=gone)
            hand_back(gone)


def hand_back(executors: list[str]) -> None:
    """Put what these processes had claimed back on its queue."""
    # The public `resume_workflow` would also take a workflow from a worker that has just claimed it.
    DBOS._recover_pending_workflows(executors)  # noqa: SLF001


async def _listed(decisions: Decisions) -> list[UUID]:
    return list(await decisions.waiting())


def _enqueue(options: EnqueueOptions, *args: object) -> None:
    DBOS.enqueue_workflow_with_options(options, *args)


def _states(names: Iterable[str]) -> dict[str, str]:
    wanted = list(names)
    return {found.workflow_id: found.status for found in _listing(workflow_ids=wanted)} if wanted else {}


def _listing(**wanted: Any) -> list[WorkflowStatus]:
    return DBOS.list_workflows(**wanted, load_input=False, load_output=False)
