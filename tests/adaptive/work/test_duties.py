"""What a worker does beside the queued work: time limits, approvals that policy gives."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

from tests.adaptive.review import samples
from tests.adaptive.work.process import no_audit
from tests.hook import Hook
from tests.machine import commit, git
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.config import load_config
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.messages.queues import APV_DISPATCH
from vertice.adaptive.notices import notice_of
from vertice.adaptive.policies import Policies
from vertice.adaptive.projects.model import Feed, Kind
from vertice.adaptive.projects.scans import Looked, ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.review.model import Action, DecisionState, Proposal, Review, Status
from vertice.adaptive.review.policy import UNRESTRICTED
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.adaptive.work.decisions import StoredDecisions
from vertice.adaptive.work.duties import Duties
from vertice.adaptive.work.inbound import dispatches
from vertice.kernel.bus.events import since
from vertice.kernel.bus.outbox import post
from vertice.kernel.bus.tables import OutboxRow
from vertice.kernel.codec import to_json
from vertice.kernel.database import Database
from vertice.kernel.notify import Delivery, Notice, Notifier
from vertice.kernel.notify_apprise import open_notifiers
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
        project_id: UUID | None = None,
    ) -> Review:
        """Leave a review waiting, with real evidence."""
        code = f"APV-20261121-{number:03d}"
        folder = root or self.home.parent / f"project-{number}"
        folder.mkdir(exist_ok=True)
        remedy = samples.a_remedy(apvs=(code,))
        proposal = proposal or propose(folder, remedy, code=code, message="Fix it", home=self.home)
        new = samples.a_new_review(
            code,
            apvs=(samples.an_apv(code, severity=severity),),
            remedy=remedy,
            root=str(folder),
            verdict=samples.a_verdict(*verdict),
            proposal=proposal,
            project_id=project_id,
        )
        return await self.reviews.create(samples.proven(new, f"WAR-20261121-{number:03d}"))

    def duties(self, places: Sequence[Notifier] = ()) -> Duties:
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
            takers=Delivery(self.database, places or [self.slate], told, clock=self.clock).takers,
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


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook(200)
    yield made
    made.close()


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


async def due(office: Office, review: Review) -> timedelta | None:
    """How long after `NOW`, when it was made, the review is due."""
    found = (await office.reviews.get(review.code)).due_at
    return None if found is None else found - NOW


async def test_a_limit_that_policy_makes_shorter_holds_for_what_waits_and_one_made_longer_does_not(
    office: Office,
) -> None:
    office.policy('[policy]\ntime-limits = { critical = "2d", high = "3d", medium = "9d", low = "never" }')
    made = {level: await office.review(number, severity=level) for number, level in enumerate(Severity, start=1)}
    office.policy('[policy]\ntime-limits = { critical = "1d", high = "5d", medium = "never", low = "4d" }')
    office.now = NOW + timedelta(hours=1)
    await office.rounds()
    assert {level: await due(office, review) for level, review in made.items()} == {
        Severity.critical: timedelta(days=1),
        Severity.high: timedelta(days=3),
        Severity.medium: timedelta(days=9),
        Severity.low: timedelta(days=4),
    }
    assert await office.entries("review.brought_forward") == 2
    assert {await office.status(review) for review in made.values()} == {Status.pending}
    assert (await office.reviews.verify()).ok
    async with office.database.read() as session:
        events = await since(session, {f"review:{made[Severity.low].code}": 0}, limit=10)
    assert [(event.type, event.data["due_at"]) for event in events] == [
        ("new_review", None),
        ("review_updated", "2026-11-25T12:00:00Z"),
    ]


async def test_a_projects_own_shorter_limit_counts_from_its_next_scan_on(office: Office) -> None:
    """A registered project's policy is what its newest scan saw; a folder's is what it says now."""
    projects = ProjectStore(office.database, audit=no_audit, clock=office.clock)
    place = office.home.parent / "shop"
    place.mkdir()
    project = await projects.register(Kind.path, str(place), by="ana")
    registered, folder = await office.review(1, project_id=project.id), await office.review(2)
    shorter = '[policy]\ntime-limits = { medium = "2d" }'
    for root in (place, folder.project_root):
        (root / "vertice.toml").write_text(shorter)
    await office.rounds()
    assert [await due(office, review) for review in (registered, folder)] == [timedelta(days=14), timedelta(days=2)]
    scan = await projects.request_scan(project.id, by="ana")
    seen = to_json(load_config(place, base=UNRESTRICTED).policy)
    looked = Looked("", 0, (), (), {}, Feed("made-up", "made-up", 1, None, NOW, ""), policy=seen)
    await ScanStore(office.database, clock=office.clock).record(scan.id, looked)
    await office.rounds()
    assert await due(office, registered) == timedelta(days=2)


async def test_a_review_that_is_late_by_a_shorter_limit_is_escalated(office: Office) -> None:
    review = await office.review()
    office.now = NOW + timedelta(days=3)
    await office.rounds()
    assert await office.status(review) is Status.pending
    office.policy('[policy]\ntime-limits = { medium = "2d" }')
    async with office.at_work():
        await office.until(lambda: bool(office.slate.told))
    assert (await office.status(review), await due(office, review)) == (Status.escalated, timedelta(days=2))
    assert await office.entries("review.overdue") == 1


async def test_a_file_that_cannot_be_read_brings_none_but_its_own_reviews_forward(office: Office) -> None:
    unread, other = await office.review(1), await office.review(2)
    (unread.project_root / "vertice.toml").write_text("[policy\n")
    office.policy('[policy]\ntime-limits = { medium = "2d" }')
    await office.rounds()
    assert [await due(office, review) for review in (unread, other)] == [timedelta(days=14), timedelta(days=2)]


async def test_more_reviews_than_one_look_takes_are_all_brought_forward(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vertice.adaptive.work.duties._LIMITS_AT_ONCE", 2)
    reviews = [await office.review(number) for number in range(1, 6)]
    office.policy('[policy]\ntime-limits = { medium = "2d" }')
    await office.rounds()
    assert [await due(office, review) for review in reviews] == [timedelta(days=2)] * 5
    assert await office.entries("review.brought_forward") == 5


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise, as it is loaded
async def test_several_workers_escalate_each_late_review_once_and_it_is_told_once(
    office: Office, hook: Hook, database_url: str
) -> None:
    """Each worker has its own connections; on SQLite there is one. A real server is told, through Apprise."""
    late = [await office.review(number, severity=Severity.high) for number in range(1, 9)]
    office.now = NOW + timedelta(days=3, minutes=1)
    places = open_notifiers([f"json://{hook.address}/"])
    async with AsyncExitStack() as stack:
        count = 4 if office.database.url.get_backend_name() == "postgresql" else 1
        opened = [await stack.enter_async_context(Database.open(database_url)) for _ in range(count)]
        workers = [replace(office, database=one) for one in opened]
        running = [asyncio.create_task(worker.duties(places).run()) for worker in workers]
        await office.until(lambda: len(hook.requests) >= len(late))
        looks = [worker.looks for worker in workers]
        await office.until(lambda: all(one.looks > before + 10 for one, before in zip(workers, looks, strict=True)))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    once = {review.code: 1 for review in late}
    assert {await office.status(review) for review in late} == {Status.escalated}
    assert Counter(one.subject for one in await office.reviews.audit() if one.action == "review.overdue") == once
    told = (body["message"].partition("Review: ")[2].partition("\n")[0] for _, body in hook.requests)
    assert Counter(told) == once
    assert (await office.reviews.verify()).ok


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
