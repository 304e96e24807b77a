"""Telling others, in the transaction of the change that is told of; the relay sends it on.

Announcer(session, at=now).review_requested(ReviewRequest(...))
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from vertice.adaptive.messages.payloads import Decision, Remedy, ReviewRequest, WargameRequest, WargameResult
from vertice.adaptive.messages.queues import (
    DECISION,
    REMEDY_STATUS,
    REVIEW_REQUEST,
    WARGAMING_RESULTS,
    WARGAMING_TRIGGER,
)
from vertice.kernel.bus.cloudevents import Payload
from vertice.kernel.bus.outbox import post
from vertice.kernel.bus.topology import Queue
from vertice.kernel.database import WriteSession

__all__ = ["Announcer"]


@dataclass(frozen=True, slots=True)
class Announcer:
    """Leaves messages in one transaction. Each call returns the message's id."""

    session: WriteSession
    at: datetime
    traceparent: str = ""
    correlation_id: str = ""
    """Of the request that all this comes from."""

    def remedy(self, status: Literal["planned", "refuted", "proposed"], remedy: Remedy) -> str:
        """Tell how far a remedy is."""
        return self._post(REMEDY_STATUS, f"dev.vertice.remedy.{status}", remedy.apvs[0], remedy)

    def wargame_requested(self, request: WargameRequest) -> str:
        """Ask an outside arena for a wargame."""
        return self._post(WARGAMING_TRIGGER, "dev.vertice.wargame.requested", request.code, request)

    def wargame_finished(self, result: WargameResult) -> str:
        """Hand the result of an outside arena, however it came in, to whoever takes `wargaming.results`."""
        return self._post(WARGAMING_RESULTS, "dev.vertice.wargame.finished", result.code, result)

    def review_requested(self, review: ReviewRequest) -> str:
        """Tell that a review waits."""
        return self._post(REVIEW_REQUEST, "dev.vertice.review.requested", review.code, review)

    def decision(self, status: Literal["made", "carried_out", "failed"], decision: Decision) -> str:
        """Tell what became of a decision."""
        return self._post(DECISION, f"dev.vertice.decision.{status}", decision.review, decision)

    def _post(self, queue: Queue, kind: str, subject: str, payload: Payload) -> str:
        return post(
            self.session,
            queue.name,
            kind,
            subject=subject,
            data=payload.model_dump(mode="json"),
            at=self.at,
            traceparent=self.traceparent,
            correlation_id=self.correlation_id,
        )
