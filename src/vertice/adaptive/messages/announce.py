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
from vertice.kernel.bus.outbox import post, post_once
from vertice.kernel.bus.topology import Queue
from vertice.kernel.database import WriteSession

__all__ = ["Announcer"]


@dataclass(frozen=True, slots=True)
class Announcer:
    """Leaves messages in one transaction. Each call returns the message's id."""

    session: WriteSession
    at: datetime

    async def remedy(self, status: Literal["planned", "refuted", "proposed"], remedy: Remedy, *, name: str) -> str:
        """Tell how far a remedy is, once for each `name`."""
        return await self._post_once(REMEDY_STATUS, f"dev.vertice.remedy.{status}", remedy.apvs[0], remedy, name)

    async def wargame_requested(self, request: WargameRequest) -> str:
        """Ask an outside arena for a wargame, once for each code."""
        kind = "dev.vertice.wargame.requested"
        return await self._post_once(WARGAMING_TRIGGER, kind, request.code, request, request.code)

    async def wargame_finished(self, result: WargameResult, *, name: str) -> str:
        """Hand the result of an outside arena, however it came in, to whoever takes `wargaming.results`.

        Once for each `name`: of the run there, and of its attempt.
        """
        return await self._post_once(WARGAMING_RESULTS, "dev.vertice.wargame.finished", result.code, result, name)

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
        )

    async def _post_once(self, queue: Queue, kind: str, subject: str, payload: Payload, name: str) -> str:
        return await post_once(
            self.session,
            queue.name,
            kind,
            name=name,
            subject=subject,
            data=payload.model_dump(mode="json"),
            at=self.at,
        )
