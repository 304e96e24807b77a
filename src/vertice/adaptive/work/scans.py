"""From a request for a scan to its findings and reviews, durably.

    run ──── begin ─ look ─┬─ finish
                           └─ ask ── mend (queue `heals`) ── the heal (`pipeline.py`) ── finish

A scan that cannot be finished ends as failed, with the reason; the worker lives on. The next one begins anew: the heal
that failed is not told again, its place is taken by one of another name.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from dbos import DBOS, DBOSConfiguredInstance, SetEnqueueOptions, SetWorkflowID

from vertice.adaptive.model import Healed, Request
from vertice.adaptive.pipeline import HEAL, POLL_SECONDS, heal_id
from vertice.adaptive.projects.model import Project, Scan
from vertice.adaptive.projects.scans import Looked, ScanStore
from vertice.adaptive.steps import Conduct, step
from vertice.adaptive.work.bridge import Bridge
from vertice.adaptive.work.names import HEALS, mend_workflow
from vertice.kernel import tracing
from vertice.kernel.errors import VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.origin import Origin, here

__all__ = ["SCANNING", "ScanParts", "Scanning", "Survey"]

_LOST = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_ATTEMPTS = 20
"""Processes that may die over one workflow before it is given up."""


class Survey(Protocol):
    """Looks at a registered project's files, wherever they are. Safe to repeat."""

    def look(self, project: Project) -> Looked:
        """Get the files, find what is vulnerable, write the documents."""
        ...

    def ask(self, scan: Scan, project: Project, commit: str, *, again: str = "") -> Request:
        """Return what a heal of the same files asks for. `again`: anything new, to prove it anew."""
        ...


@dataclass(frozen=True, slots=True)
class ScanParts:
    """What the workflow works with."""

    survey: Survey
    store: ScanStore
    bridge: Bridge
    conduct: Conduct


@DBOS.dbos_class()
class Scanning(DBOSConfiguredInstance):
    """The workflow: set `SCANNING.parts`, launch DBOS."""

    parts: ScanParts

    def __init__(self) -> None:
        super().__init__("scanning")

    @property
    def conduct(self) -> Conduct:
        """How its steps are gone about."""
        return self.parts.conduct

    @DBOS.workflow(max_recovery_attempts=_ATTEMPTS)
    def run(self, scan_id: str) -> None:
        """Scan; where it is asked for, leave the heal to whoever has room for it."""
        try:
            begun = self.begin(scan_id)
        except VerticeError as error:
            self.fail(scan_id, str(error))
            return
        if begun is not None:
            scan, project, origin = begun
            with origin.continued():
                self._begun(scan, project)

    def _begun(self, scan: Scan, project: Project) -> None:
        scan_id = str(scan.id)
        get_logger(__name__).info("scan begins", scan=scan_id, project=project.name)
        try:
            with tracing.span("scan", project=project.name, scan=scan_id):
                request = self._scan(scan, project)
        except VerticeError as error:
            self.fail(scan_id, str(error))
            return
        if request is not None:
            with SetWorkflowID(mend_workflow(scan.id)), SetEnqueueOptions(priority=scan.priority):
                DBOS.enqueue_workflow(HEALS, self.mend, scan_id, request)

    def _scan(self, scan: Scan, project: Project) -> Request | None:
        """Return what is to be healed, None when that was not asked for."""
        commit = self.look(scan, project)
        if scan.heal:
            return self.ask(scan, project, commit)
        self.finish(str(scan.id), "")
        return None

    @DBOS.workflow(max_recovery_attempts=_ATTEMPTS)
    def mend(self, scan_id: str, request: Request) -> None:
        """Heal, or join the heal of the same files that is under way or done."""
        with request.origin.continued():
            try:
                with SetWorkflowID(heal_id(request)):
                    heal = DBOS.start_workflow(HEAL.run, request)
                healed: Healed = heal.get_result(polling_interval_sec=POLL_SECONDS)
            except VerticeError as error:
                self.fail(scan_id, str(error))
                return
            self.finish(scan_id, _summary(healed))
            get_logger(__name__).info("scan ended", scan=scan_id, project=request.name, detail=_summary(healed))

    @step
    def begin(self, scan_id: str) -> tuple[Scan, Project, Origin] | None:
        """Say that work has begun, and return which request asked; None when the scan has ended already."""
        begun = self.parts.bridge.wait(self.parts.store.begin(UUID(scan_id)))
        return None if begun is None else (*begun, self.parts.bridge.wait(self.parts.store.origin(UUID(scan_id))))

    @step
    def look(self, scan: Scan, project: Project) -> str:
        """Keep what the project's files show, and return the commit they are of."""
        looked = self.parts.survey.look(project)
        self.parts.bridge.wait(self.parts.store.record(scan.id, looked))
        return looked.commit

    @step
    def ask(self, scan: Scan, project: Project, commit: str) -> Request:
        """Ask for a heal; for another one than that which failed on the same files."""
        request = self.parts.survey.ask(scan, project, commit)
        earlier = DBOS.get_workflow_status(heal_id(request))
        if earlier is not None and earlier.status in _LOST:
            request = self.parts.survey.ask(scan, project, commit, again=str(scan.id))
        return replace(request, origin=here())

    @step
    def finish(self, scan_id: str, detail: str) -> None:
        """Say that it ended well."""
        self.parts.bridge.wait(self.parts.store.finish(UUID(scan_id), detail))

    @step
    def fail(self, scan_id: str, why: str) -> None:
        """Say why it did not."""
        self.parts.bridge.wait(self.parts.store.fail(UUID(scan_id), why))


SCANNING = Scanning()
"""The one instance of this process: a workflow that goes on in another process finds it by name."""


def _summary(healed: Healed) -> str:
    words = Counter(proof.verdict.word.value for proof in healed.proofs)
    parts = [f"{count} {word}" for word, count in sorted(words.items())]
    parts += [f"{len(healed.unremedied)} without a remedy"] if healed.unremedied else []
    return ", ".join(parts) or "nothing to heal"
