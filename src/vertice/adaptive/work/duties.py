"""What has to be done beside the queued work: messages in and out, time limits, approvals that need nobody.

Every worker process does this; what may happen once only, the database sees to.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from vertice.adaptive.execution.carry_out import standing_of
from vertice.adaptive.execution.github import GitHubSettings
from vertice.adaptive.messages.queues import SOURCE, TOPOLOGY
from vertice.adaptive.policies import Placed
from vertice.adaptive.review.decide import UNDECIDED
from vertice.adaptive.review.limits import Limit, limits
from vertice.adaptive.review.model import Decision, DecisionKind, Review, Reviewer, Status
from vertice.adaptive.review.policy import Policy, due_at
from vertice.adaptive.review.queue import Filter, Order, page
from vertice.adaptive.review.rules import auto_merge, facts_of, overdue
from vertice.adaptive.review.statistics import AUTOMATIC
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.bus.consumer import Consumer
from vertice.kernel.bus.inbox import Inbox, Subscription
from vertice.kernel.bus.message import InProcess, Taker, Unheard
from vertice.kernel.bus.rabbit import Address, RabbitPublisher
from vertice.kernel.bus.relay import Relay
from vertice.kernel.database import Database
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.http.pages import PageRequest
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["Duties"]

_ROUND_SECONDS = 5.0
_MACHINE = Reviewer("Vértice (auto-merge)", "vertice@localhost", AUTOMATIC)
_AT_ONCE = 200
"""Reviews that one round looks at; the next one goes on from there."""
_LIMITS_AT_ONCE = 2000
"""Limits that one round looks at: one query."""
_LATE = Filter(status=UNDECIDED - {Status.escalated}, overdue=True)
_WAITING = Filter(status=frozenset({Status.pending}), verdict=frozenset({VerdictWord.success}))


@dataclass(frozen=True, slots=True)
class Duties:
    """The duties of one process; `run` until cancelled."""

    database: Database
    home: Path
    reviews: ReviewStore
    policy_of: Callable[[Placed], Awaitable[Policy]]
    auto_merges: bool
    """Whether the service's own policy allows it at all."""
    broker: Address | None
    """None: messages stay in the process."""
    takers: Mapping[str, Taker]
    """Destinations of this process itself: notifications."""
    subscriptions: Sequence[Subscription[Any]]
    execute: Callable[[UUID], Awaitable[None]]
    """Told of a decision that binds."""
    github: GitHubSettings | None = None
    """None where GitHub is not set up."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    round_seconds: float = _ROUND_SECONDS

    async def run(self) -> None:
        """Do them all, until cancelled; what was begun is finished."""
        inbox = Inbox(self.database, clock=self.clock)
        publisher = RabbitPublisher(self.broker, TOPOLOGY) if self.broker else None
        taken_here = dict(self.takers) | (
            {} if self.broker else {one.queue.name: inbox.taker(one) for one in self.subscriptions}
        )
        otherwise = publisher or Unheard([queue.name for queue in TOPOLOGY.queues if not queue.inbound])
        relay = Relay(self.database, InProcess(taken_here, otherwise), source=SOURCE, clock=self.clock)
        consumer = Consumer(self.broker, TOPOLOGY, inbox, self.subscriptions) if self.broker else None
        running = [asyncio.create_task(relay.run())]
        if consumer is not None:
            running.append(asyncio.create_task(consumer.run()))
        try:
            await self._look_after()
        finally:
            relay.stop()
            if consumer is not None:
                consumer.stop()
            await asyncio.gather(*running, return_exceptions=True)
            if publisher is not None:
                await publisher.close()

    async def _look_after(self) -> None:
        limit = late = waiting = ""
        while True:
            try:
                limit = await self._bring_forward(limit)
                late = await self._each(_LATE, late, self._escalate)
                if self.auto_merges:
                    waiting = await self._each(_WAITING, waiting, self._merge)
            except Exception as error:  # noqa: BLE001 -- what is not done now is done in the next round
                get_logger(__name__).warning("duties not done", why=printable(str(error), limit=300))
            await asyncio.sleep(self.round_seconds)

    async def _each(self, wanted: Filter, cursor: str, do: Callable[[Review], Awaitable[None]]) -> str:
        """Do it for a page of the reviews; return the cursor of the next one. One that fails holds up no other."""
        which = PageRequest(_AT_ONCE, cursor)
        async with self.database.read() as session:
            found, following = await page(session, wanted, Order.priority, which, now=self.clock())
        for one in found:
            try:
                await do(await self.reviews.get(one.apv_code))
            except VerticeError as error:
                why = printable(str(error), limit=300)
                get_logger(__name__).warning("duty not done", review=one.apv_code, why=why)
        return following or ""

    async def _bring_forward(self, after: str) -> str:
        """Let limits that policy made shorter hold for a page of what waits; return where the next one goes on."""
        async with self.database.read() as session:
            found = await limits(session, after, limit=_LIMITS_AT_ONCE)
        policies: dict[tuple[UUID | None, Path], Policy | None] = {}
        for one in found:
            place = (one.project_id, one.project_root)
            if place not in policies:
                policies[place] = await self._readable(one)
            policy = policies[place]
            due = due_at(policy, one.severity, one.since) if policy else None
            if due is not None and (one.due_at is None or due < one.due_at):
                await self.reviews.bring_forward(one.code, due)
        return found[-1].code if len(found) == _LIMITS_AT_ONCE else ""

    async def _readable(self, one: Limit) -> Policy | None:
        try:
            return await self.policy_of(one)
        except InputError as error:  # the project's file: its next scan says so to everybody
            get_logger(__name__).info("policy not read", review=one.code, why=printable(str(error), limit=300))
            return None

    async def _escalate(self, review: Review) -> None:
        """Escalate a review whose time has passed."""
        escalation = overdue(await self.policy_of(review), facts_of(review), self.clock())
        if escalation is not None:
            await self.reviews.mark_overdue(review.code, escalate_to=escalation.to)

    async def _merge(self, review: Review) -> None:
        """Approve a review that policy lets go without a person."""
        allowed, reasons = auto_merge(await self.policy_of(review), facts_of(review))
        if not allowed:
            return
        made = await self.reviews.record_decision(
            review.code,
            Decision(DecisionKind.approve, f"Approved by policy (auto-merge): {'; '.join(reasons)}.", _MACHINE),
            expected_version=review.version,
            standing=await standing_of(self.reviews, review, self.home, self.github),
        )
        await self.execute(made.id)
