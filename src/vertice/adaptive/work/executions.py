"""Carrying decisions out, durably: each until the forge has done it, or cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from dbos import DBOS, DBOSConfiguredInstance, SetEnqueueOptions, SetWorkflowID

from vertice.adaptive.execution.interface import NotYetError
from vertice.adaptive.steps import Conduct, step
from vertice.adaptive.work.bridge import Bridge
from vertice.adaptive.work.names import EXECUTIONS, decision_workflow
from vertice.kernel import tracing
from vertice.kernel.errors import UnfinishedError, VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.origin import Origin

__all__ = ["EXECUTING", "PAUSES", "Decisions", "Executing", "ExecutionParts"]

PAUSES = (10.0, 60.0, 300.0, *(900.0,) * 95)
"""Seconds before a forge that could not do it is asked again: for a day, then the review is open again."""
_ATTEMPTS = 20
_NOWHERE = Origin()
"""Of a decision that policy made, or that a process had no time to put on the queue."""


class Decisions(Protocol):
    """The decisions that bind and are not carried out. Every call may be repeated."""

    async def waiting(self) -> Sequence[UUID]:
        """Return those decisions, the oldest first."""
        ...

    async def carry_out(self, decision_id: UUID) -> None:
        """Do what was decided, once. Raises UnfinishedError when it is to be tried again later."""
        ...

    async def give_up(self, decision_id: UUID, why: str) -> None:
        """Say that it could not be carried out, unless that was said already."""
        ...


@dataclass(frozen=True, slots=True)
class ExecutionParts:
    """What the workflow works with."""

    decisions: Decisions
    bridge: Bridge
    conduct: Conduct
    pauses: tuple[float, ...] = PAUSES


@DBOS.dbos_class()
class Executing(DBOSConfiguredInstance):
    """The workflow: set `EXECUTING.parts`, launch DBOS."""

    parts: ExecutionParts

    def __init__(self) -> None:
        super().__init__("executing")

    @property
    def conduct(self) -> Conduct:
        """How its steps are gone about."""
        return self.parts.conduct

    @DBOS.workflow(max_recovery_attempts=_ATTEMPTS)
    def run(self, decision_id: str, attempt: int, origin: Origin = _NOWHERE) -> None:
        """Carry the decision out; what has to wait is tried again by a workflow of its own, which holds no place.

        `origin`: the request in which it was decided.
        """
        with origin.continued():
            try:
                with tracing.span("execute", decision=decision_id, attempt=attempt):
                    not_yet = self.carry_out(decision_id)
            except UnfinishedError as error:
                not_yet = (str(error), 0.0)
            except VerticeError as error:
                self.give_up(decision_id, str(error))
                return
            if not_yet is None:
                get_logger(__name__).info("decision carried out", decision=decision_id)
                return
            why, seconds = not_yet
            pauses = self.parts.pauses
            if attempt > len(pauses):
                self.give_up(decision_id, why)
                return
            name = decision_workflow(UUID(decision_id), attempt + 1)
            with SetWorkflowID(name), SetEnqueueOptions(delay_seconds=max(pauses[attempt - 1], seconds)):
                DBOS.enqueue_workflow(EXECUTIONS, self.run, decision_id, attempt + 1, origin)

    @step
    def carry_out(self, decision_id: str) -> tuple[str, float] | None:
        """Do what was decided. Where the forge cannot do it yet, return why, and for how long it wants no more asking.

        That is not tried again here: a place would be held for nothing, and the forge asked against its wish.
        """
        try:
            self.parts.bridge.wait(self.parts.decisions.carry_out(UUID(decision_id)))
        except NotYetError as error:
            return str(error), error.seconds
        return None

    @step
    def give_up(self, decision_id: str, why: str) -> None:
        """Say why it could not be done."""
        self.parts.bridge.wait(self.parts.decisions.give_up(UUID(decision_id), why))


EXECUTING = Executing()
"""The one instance of this process: a workflow that goes on in another process finds it by name."""
