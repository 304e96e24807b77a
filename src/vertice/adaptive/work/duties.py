"""What has to be done beside the queued work: messages in and out, time limits, approvals that need nobody.

Every worker process does this; what may happen once only, the database sees to.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from vertice.adaptive.execution.carry_out import standing_of
from vertice.adaptive.messages.queues import SOURCE, TOPOLOGY
from vertice.adaptive.review.decide import UNDECIDED, ConflictError
from vertice.adaptive.review.model import Decision, DecisionKind, Review, Reviewer, Status
from vertice.adaptive.review.policy import Policy
from vertice.adaptive.review.queue import Filter, Order, page
from vertice.adaptive.review.rules import auto_merge, facts_of, overdue
from vertice.adaptive.review.statistics import AUTOMATIC
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.bus.consumer import Consumer
from vertice.kernel.bus.events import forget
from vertice.kernel.bus.inbox import Inbox, Subscription
from vertice.kernel.bus.message import InProcess, Taker
from vertice.kernel.bus.rabbit import Address, RabbitPublisher
from vertice.kernel.bus.relay import Relay
from vertice.kernel.database import Database
from vertice.kernel.errors import VerticeError
from vertice.kernel.http.pages import PageRequest
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["Duties"]

_ROUND_SECONDS = 5.0
_EVENTS_KEPT = timedelta(days=7)
_MACHINE = Reviewer("Vértice (auto-merge)", "vertice@localhost", AUTOMATIC)
_AT_ONCE = 200
"""Reviews that one round looks at."""


@dataclass(frozen=True, slots=True)
class Duties:
    """The duties of one process; `run` until cancelled."""

    database: Database
    home: Path
    reviews: ReviewStore
    policy_of: Callable[[Review], Awaitable[Policy]]
    auto_merges: bool
    """Whether the service's own policy allows it at all."""
    rabbitmq_url: str
    """"": messages stay in the process."""
    takers: Mapping[str, Taker]
    """Destinations of this process itself: notifications."""
    subscriptions: Sequence[Subscription[Any]]
    execute: Callable[[UUID], Awaitable[None]]
    """Told of a decision that binds."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    round_seconds: float = _ROUND_SECONDS

    async def run(self) -> None:
        """Do them all, until cancelled; what was begun is finished."""
        inbox = Inbox(self.database, clock=self.clock)
        address = Address.parse(self.rabbitmq_url) if self.rabbitmq_url else None
        publisher = RabbitPublisher(address, TOPOLOGY) if address else None
        taken_here = dict(self.takers) | (
            {} if address else {one.queue.name: inbox.taker(one) for one in self.subscriptions}
        )
        relay = Relay(self.database, InProcess(taken_here, otherwise=publisher), source=SOURCE, clock=self.clock)
        consumer = Consumer(address, TOPOLOGY, inbox, self.subscriptions) if address else None
        running = [asyncio.create_task(relay.run())]
        if consumer is not None:
            running.append(asyncio.create_task(consumer.run()))
        try:
            await self._look_after(inbox)
        finally:
            relay.stop()
            if consumer is not None:
                consumer.stop()
            await asyncio.gather(*running, return_exceptions=True)
            if publisher is not None:
                await publisher.close()

    async def _look_after(self, inbox: Inbox) -> None:
        tidied: datetime | None = None
        while True:
            try:
                await self._overdue()
                if self.auto_merges:
                    await self._merge()
                if tidied is None or self.clock() - tidied > timedelta(hours=1):
                    tidied = self.clock()
                    async with self.database.write() as session:
                        await forget(session, tidied - _EVENTS_KEPT)
                    await inbox.forget(tidied - 4 * _EVENTS_KEPT)
            except VerticeError as error:
                get_logger(__name__).warning("duties not done", why=printable(str(error), limit=300))
            await asyncio.sleep(self.round_seconds)

    async def _overdue(self) -> None:
        """Escalate the reviews whose time has passed."""
        late = Filter(status=UNDECIDED - {Status.escalated}, overdue=True)
        for review in await self._reviews(late):
            escalation = overdue(await self.policy_of(review), facts_of(review), self.clock())
            if escalation is not None:
                await self.reviews.mark_overdue(review.code, escalate_to=escalation.to)

    async def _merge(self) -> None:
        """Approve what policy lets go without a person."""
        waiting = Filter(status=frozenset({Status.pending}), verdict=frozenset({VerdictWord.success}))
        for review in await self._reviews(waiting):
            allowed, reasons = auto_merge(await self.policy_of(review), facts_of(review))
            if not allowed:
                continue
            why = f"Approved by policy (auto-merge): {'; '.join(reasons)}."
            standing = await asyncio.to_thread(standing_of, review, self.home)
            try:
                made = await self.reviews.record_decision(
                    review.code,
                    Decision(DecisionKind.approve, why, _MACHINE),
                    expected_version=review.version,
                    standing=standing,
                )
            except ConflictError as error:
                get_logger(__name__).info("not merged by policy", review=review.code, why=error.what)
            else:
                await self.execute(made.id)

    async def _reviews(self, wanted: Filter) -> list[Review]:
        async with self.database.read() as session:
            found, _ = await page(session, wanted, Order.priority, PageRequest(_AT_ONCE), now=self.clock())
        return [await self.reviews.get(one.code) for one in found]
