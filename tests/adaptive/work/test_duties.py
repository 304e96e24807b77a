"""What a worker does beside the queued work: time limits, approvals that policy gives, forgetting."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from tests.adaptive.review import samples
from tests.adaptive.work.process import no_audit
from tests.machine import commit, git
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.messages.queues import APV_DISPATCH
from vertice.adaptive.notices import notice_of
from vertice.adaptive.policies import Policies
from vertice.adaptive.projects.model import Kind
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.review.evidence import digest_of
from vertice.adaptive.review.model import Action, DecisionState, Proposal, Review, Status
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.adaptive.work.decisions import StoredDecisions
from vertice.adaptive.work.duties import Duties
from vertice.adaptive.work.inbound import dispatches
from vertice.kernel.bus.events import emit, since
from vertice.kernel.bus.outbox import post
from vertice.kernel.bus.tables import EventRow, InboxRow, OutboxRow
from vertice.kernel.database import Database
from vertice.kernel.notify import Delivery, Notice
from vertice.kernel.settings import ServiceSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOOKS = 60
MERGES = """
[policy.auto-merge]
enabled = true
change = "minor"
"""
ESCALATES = """
[policy]
escalate-to = ["lead@example.org"]
"""


@dataclass
class Slate:
    """Where notices are put up."""

    id: str = "slate"
    name: str = "Slate"
    told: list[Notice] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.told.append(notice)


@dataclass
class Office:
    """A database, a home with the service's policy, and somebody who does the duties at a moment of our choosing."""

    database: Database
    home: Path
    now: datetime = NOW
    slate: Slate = field(default_factory=Slate)
    executed: list[UUID] = field(default_factory=list)
    looks: int = 0
    """How often the duties asked what time it is: more than once in each round."""

    def clock(self) -> datetime:
        return self.now

    def ticking(self) -> datetime:
        self.looks += 1
        return self.now

    @property
    def policies(self) -> Policies:
        settings = ServiceSettings(vertice_home=self.home, database_url=str(self.database.url))
        return Policies.of(settings, ScanStore(self.database))

    @property
    def reviews(self) -> ReviewStore:
        return ReviewStore(self.database, home=self.home, clock=self.clock, due_at=self.policies.due_at)

    def policy(self, text: str) -> None:
        (self.home / "vertice.toml").write_text(text)

    async def review(
        self,
        number: int = 1,
        *,
        severity: Severity = Severity.medium,
        verdict: tuple[VerdictWord, Grade, float] = (VerdictWord.success, Grade.proven, 0.97),
        root: Path | None = None,
        proposal: Proposal | None = None,
    ) -> Review:
        """Leave a review waiting, with real evidence."""
        code = f"APV-20261121-{number:03d}"
        folder = root or self.home.parent / f"project-{number}"
        folder.mkdir(exist_ok=True)
        evidence = self.home / f"{code}.json"
        evidence.write_text("{}")
        remedy = samples.a_remedy(apvs=(code,))
        proposal = proposal or propose(folder, remedy, code=code, message="Fix it", home=self.home)
        return await self.reviews.create(
            samples.a_new_review(
                code,
                apvs=(samples.an_apv(code, severity=severity),),
                remedy=remedy,
                root=str(folder),
                verdict=samples.a_verdict(*verdict),
                proposal=proposal,
                evidence_path=evidence,
                evidence_digest=digest_of(evidence) or "",
            )
        )

    def duties(self) -> Duties:
        policies = self.policies

        async def execute(decision: UUID) -> None:
            self.executed.append(decision)

        told = partial(notice_of, link=lambda code: f"/reviews/{code}", escalate_to=policies.service.escalate_to)
        return Duties(
            database=self.database,
            home=self.home,
            reviews=self.reviews,
            policy_of=policies,
            auto_merges=policies.service.auto_merge.enabled,
            broker=None,
            takers=Delivery(self.database, [self.slate], told, clock=self.clock).takers,
            subscriptions=[dispatches(ProjectStore(self.database, audit=no_audit))],
            execute=execute,
            clock=self.ticking,
            round_seconds=0.01,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Let the duties be done; on PostgreSQL by two processes."""
        processes = 2 if self.database.url.get_backend_name() == "postgresql" else 1
        running = [asyncio.create_task(self.duties().run()) for _ in range(processes)]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def rounds(self) -> None:
        """Let several rounds go by."""
        async with self.at_work():
            until = self.looks + LOOKS
            await self.until(lambda: self.looks >= until)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():  # noqa: ASYNC110  (nobody could set an event)
                await asyncio.sleep(0.01)

    async def status(self, review: Review) -> Status:
        return (await self.reviews.get(review.code)).status

    async def entries(self, action: str) -> int:
        return [entry.action for entry in await self.reviews.audit()].count(action)


@pytest_asyncio.fixture
async def office(database: Database, tmp_path: Path) -> Office:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return Office(database, home)


async def test_a_review_whose_time_has_passed_is_escalated_once_and_told(office: Office) -> None:
    office.policy(ESCALATES)
    late, early = await office.review(1, severity=Severity.high), await office.review(2, severity=Severity.medium)
    office.now = NOW + timedelta(days=3, minutes=1)
    async with office.at_work():
        await office.until(lambda: bool(office.slate.told))
    await office.rounds()
    assert (await office.status(late), await office.status(early)) == (Status.escalated, Status.pending)
    assert await office.entries("review.overdue") == 1
    async with office.database.read() as session:
        events = await since(session, {f"review:{late.code}": 0}, limit=100)
        messages = await session.scalars(select(OutboxRow).where(OutboxRow.type == "review.overdue"))
        places = Counter(row.destination for row in messages)
    assert [event.type for event in events] == ["new_review", "review_updated"]
    assert places == {"notifications": 1, "notifications/slate": 1}
    (notice,) = office.slate.told
    assert notice.title.startswith("Overdue: ")
    assert "Escalated to lead@example.org." in notice.body
    assert (await office.reviews.verify()).ok


async def test_before_its_time_has_passed_nothing_happens(office: Office) -> None:
    review = await office.review(severity=Severity.high)
    office.now = NOW + timedelta(days=3) - timedelta(minutes=1)
    await office.rounds()
    assert (await office.status(review), office.slate.told) == (Status.pending, [])


async def test_without_a_policy_nothing_is_approved_by_itself(office: Office) -> None:
    review = await office.review()
    await office.rounds()
    assert (await office.status(review), office.executed) == (Status.pending, [])


async def test_what_policy_lets_go_is_approved_as_vertice_with_the_reasons_and_merged(office: Office) -> None:
    office.policy(MERGES)
    repo = office.home.parent / "repo"
    repo.mkdir()
    (repo / "requirements.txt").write_text(samples.BEFORE)
    commit(repo)
    review = await office.review(root=repo)
    async with office.at_work():
        await office.until(lambda: bool(office.executed))
    await office.rounds()
    (made,) = (await office.reviews.get(review.code)).decisions
    assert office.executed == [made.id]
    assert (made.reviewer.name, made.reviewer.id, made.state) == (
        "Vértice (auto-merge)",
        "vertice",
        DecisionState.recorded,
    )
    assert made.justification == (
        "Approved by policy (auto-merge): proven, medium, upgrade of size minor, confidence 0.97."
    )
    await StoredDecisions(office.reviews, office.home).carry_out(made.id)
    assert (await office.reviews.get(review.code)).decisions[0].action is Action.pr_merged
    assert git(repo, "show", "main:requirements.txt") == samples.AFTER.strip()
    assert (await office.reviews.verify()).ok


async def test_only_what_is_proven_is_approved_by_itself(office: Office) -> None:
    office.policy(MERGES + "confidence = 0.0\n")
    reviews = [
        await office.review(number, verdict=verdict)
        for number, verdict in enumerate(
            [
                (VerdictWord.success, Grade.partly_proven, 0.99),
                (VerdictWord.inconclusive, Grade.unproven, 0.99),
                (VerdictWord.failed, Grade.refuted, 0.99),
            ],
            start=1,
        )
    ]
    await office.rounds()
    assert [await office.status(review) for review in reviews] == [Status.pending] * 3
    assert office.executed == []


async def test_a_patch_that_was_changed_since_its_proof_is_not_approved_by_itself(office: Office) -> None:
    office.policy(MERGES)
    review = await office.review()
    assert review.proposal is not None
    Path(review.proposal.ref).write_text("something else")
    await office.rounds()
    assert (await office.status(review), office.executed) == (Status.pending, [])


async def test_a_project_that_is_stricter_than_the_service_is_asked(office: Office) -> None:
    office.policy(MERGES)
    for number, text in enumerate(
        ("[policy.auto-merge]\nenabled = false\n", "[policy]\nhold-younger-than-days = 9999\n")
    ):
        root = office.home.parent / f"strict-{number}"
        root.mkdir()
        (root / "vertice.toml").write_text(text)
        await office.review(number + 1, root=root)
    await office.rounds()
    assert office.executed == []


async def test_a_project_whose_policy_cannot_be_read_holds_up_no_other(office: Office) -> None:
    office.policy(MERGES)
    broken = office.home.parent / "broken"
    broken.mkdir()
    unread, review = await office.review(1, root=broken), await office.review(2)
    (broken / "vertice.toml").write_text("[policy\n")
    async with office.at_work():
        await office.until(lambda: bool(office.executed))
    assert (await office.status(unread), await office.status(review)) == (Status.pending, Status.approved)


async def test_reviews_that_wait_for_people_hold_up_none_of_lower_priority(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vertice.adaptive.work.duties._AT_ONCE", 2)
    office.policy(MERGES)
    for number in range(1, 6):
        await office.review(number, severity=Severity.high)
    last = await office.review(6)
    async with office.at_work():
        await office.until(lambda: bool(office.executed))
    assert await office.status(last) is Status.approved


async def test_events_are_forgotten_after_a_week_and_taken_messages_after_four(office: Office) -> None:
    ages = {"old": timedelta(days=29), "week": timedelta(days=8), "new": timedelta(days=6)}
    async with office.database.write() as session:
        for name, age in ages.items():
            await emit(session, name, "told", subject="", data={}, at=NOW - age)
            session.add(InboxRow(source="test", id=name, at=NOW - age, outcome="taken"))
    await office.rounds()
    async with office.database.read() as session:
        assert (await session.scalars(select(EventRow.channel))).all() == ["new"]
        assert sorted((await session.scalars(select(InboxRow.id))).all()) == ["new", "week"]


async def test_without_a_broker_a_finding_of_another_scanner_is_taken_in_the_process(office: Office) -> None:
    """Twice the same message is one scan."""
    place = office.home.parent / "shop"
    place.mkdir()
    projects = ProjectStore(office.database, audit=no_audit, clock=office.clock)
    project = await projects.register(Kind.path, str(place), by="ana")
    told = {"v": 1, "advisory": "CVE-2020-14343", "package": "PyYAML", "version": "5.3.1", "scanner": "trivy 0.58"}
    told |= {"project": "shop", "severity": "critical"}
    async with office.database.write() as session:
        post(session, APV_DISPATCH.name, "dev.vertice.apv.dispatched", subject="x", data=told, at=NOW)
    scans = ScanStore(office.database)
    async with office.at_work():
        async with asyncio.timeout(60):
            while not (found := await scans.list(project_id=project.id)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    await office.rounds()
    (scan,) = found
    assert (scan.trigger, scan.priority, scan.requested_by) == ("message", 1, "scanner trivy 0.58")
    assert len(await scans.list(project_id=project.id)) == 1
