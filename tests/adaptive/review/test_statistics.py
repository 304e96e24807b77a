"""The figures of the queue, from rows made by hand, on both databases."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.review.figures import counts, statistics
from vertice.adaptive.review.statistics import (
    AUTOMATIC,
    Agreement,
    Counts,
    Decided,
    Delay,
    Durations,
    Pending,
    agreement_of,
    beginning_of_week,
    durations_of,
)
from vertice.adaptive.review.tables import ApvReview, HitlDecision, ReviewRevision
from vertice.kernel.database import Database, WriteSession

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
"""A Wednesday."""
HOUR = timedelta(hours=1)
NUMBERS = itertools.count(1)


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


async def add_review(session: WriteSession, *, proposed=NOW, verdict="success", revision=1, **more) -> UUID:
    """Add a review with one remedy, proposed at that time."""
    number = next(NUMBERS)
    values = {
        "severity": "high",
        "status": "pending",
        "project_name": "shop",
        "published_at": None,
        "due_at": None,
        "created_at": proposed,
    }
    row = ApvReview(
        **(values | more),
        id=uuid4(),
        apv_code=f"APV-20261118-{number:03}",
        cve_id="CVE-2026-1",
        package_name="pyyaml",
        wargame_verdict=verdict,
        updated_at=proposed,
        priority=1,
        project_root="/srv/shop",
        manifest="requirements.txt",
        version=1,
        revision=revision,
        key=f"key-{number}-{revision}",
        grade="proven",
        reasons="[]",
        summary="",
        remedy="{}",
        proposal="null",
        evidence_digest="e" * 64,
        evidence_path="/e",
    )
    session.add(row)
    await session.flush()
    await add_revision(session, row.id, revision, proposed, verdict)
    return row.id


async def add_revision(session: WriteSession, review: UUID, number: int, proposed: datetime, verdict: str) -> None:
    session.add(
        ReviewRevision(
            key=f"key-{next(NUMBERS)}-{number}",
            review_id=review,
            number=number,
            verdict=verdict,
            confidence=0.9,
            remedy="{}",
            proposal="null",
            evidence_digest="e" * 64,
            evidence_path="/e",
            created_at=proposed,
        )
    )
    await session.flush()


def add_decision(session: WriteSession, review: UUID, kind: str, at: datetime, *, revision=1, **more) -> None:
    values = {"state": "done", "reviewer_id": "idp|ana", "carried_out_at": None}
    session.add(
        HitlDecision(
            **(values | more),
            id=uuid4(),
            apv_id=review,
            apv_code="APV",
            decision=kind,
            reviewer_name="Ana",
            reviewer_email="ana@example.org",
            comments="A good reason.",
            created_at=at,
            review_version=next(NUMBERS),
            review_revision=revision,
            wanted="",
            accept_unproven=False,
            evidence_digest="e" * 64,
            patch_head="",
            status_before="pending",
            detail="",
        )
    )


def each(**found: int) -> dict[str, int]:
    return dict.fromkeys(("critical", "high", "medium", "low"), 0) | found


async def test_without_a_row_every_figure_is_zero_or_nothing(database):
    async with database.read() as session:
        found = await statistics(session, NOW)
        assert await counts(session, NOW) == Counts(0, 0, each())
    assert found.pending == Pending(
        total=0,
        overdue=0,
        by_status={"pending": 0, "changes_requested": 0, "escalated": 0},
        by_severity=each(),
        by_project={},
    )
    assert found.decided == Decided(
        today=0,
        this_week=0,
        total=0,
        automatic=0,
        not_carried_out=0,
        by_decision={"approve": 0, "reject": 0, "modify": 0, "escalate": 0},
        by_severity=each(),
    )
    assert found.time_to_decide == Durations(0, None, None, None)
    assert found.agreement == Agreement(0, 0, None)
    assert found.advisory_to_decision == found.advisory_to_fix == Delay(0, None)
    assert (found.at, found.days) == (NOW, 30)


async def test_what_waits_is_counted_by_status_severity_and_project(database):
    async with database.write() as session:
        await add_review(session, severity="critical", due_at=NOW - timedelta(microseconds=1))
        await add_review(session, severity="critical", due_at=NOW, status="escalated")
        await add_review(session, severity="low", due_at=NOW - HOUR, status="changes_requested", project_name="blog")
        await add_review(session, severity="low", project_name="api")
        for status in ("approved", "rejected", "superseded"):
            await add_review(session, status=status, due_at=NOW - HOUR)
    async with database.read() as session:
        everything = (await statistics(session, NOW)).pending
        shop = (await statistics(session, NOW, project="shop")).pending
        assert await counts(session, NOW) == Counts(4, 2, each(critical=2, low=2))
    assert everything == Pending(
        total=4,
        overdue=2,
        by_status={"pending": 2, "changes_requested": 1, "escalated": 1},
        by_severity=each(critical=2, low=2),
        by_project={"shop": 2, "api": 1, "blog": 1},
    )
    assert list(everything.by_project) == ["shop", "api", "blog"]
    assert (shop.total, shop.overdue, shop.by_project) == (2, 1, {"shop": 2})


async def test_a_day_begins_at_midnight_and_a_week_on_monday_in_utc(database):
    midnight, monday = NOW.replace(hour=0), datetime(2026, 11, 16, tzinfo=UTC)
    assert beginning_of_week(NOW) == monday == beginning_of_week(monday)
    async with database.write() as session:
        review = await add_review(session, proposed=NOW - timedelta(days=60))
        for at in (NOW, midnight, midnight - HOUR, monday, monday - timedelta(microseconds=1), NOW + HOUR):
            add_decision(session, review, "reject", at)
    async with database.read() as session:
        found = (await statistics(session, NOW)).decided
        narrow = (await statistics(session, NOW, days=1)).decided
        elsewhere = (await statistics(session, NOW, project="blog")).decided
        inside = (await statistics(session, NOW, project="shop")).decided
    assert (found.today, found.this_week, found.total) == (2, 4, 5)
    assert (narrow.today, narrow.this_week, narrow.total) == (2, 4, 3)
    assert (elsewhere.today, elsewhere.this_week, elsewhere.total) == (0, 0, 0)
    assert inside == found


async def test_decisions_are_counted_by_kind_severity_and_how_they_ended(database):
    async with database.write() as session:
        high = await add_review(session)
        low = await add_review(session, severity="low")
        add_decision(session, high, "approve", NOW, state="failed")
        add_decision(session, high, "escalate", NOW)
        add_decision(session, low, "approve", NOW, reviewer_id=AUTOMATIC)
        add_decision(session, low, "modify", NOW, reviewer_id=None)
        add_decision(session, low, "approve", NOW - timedelta(days=31))
    async with database.read() as session:
        found = (await statistics(session, NOW)).decided
    assert (found.total, found.automatic, found.not_carried_out) == (4, 1, 1)
    assert found.by_decision == {"approve": 2, "reject": 0, "modify": 1, "escalate": 1}
    assert found.by_severity == each(high=2, low=2)


async def test_the_time_to_decide_is_that_of_persons_from_the_remedy_they_decided_on(database):
    async with database.write() as session:
        review = await add_review(session, proposed=NOW - 100 * HOUR)
        add_decision(session, review, "modify", NOW - 99 * HOUR)
        await add_revision(session, review, 2, NOW - 10 * HOUR, "success")
        add_decision(session, review, "approve", NOW - 8 * HOUR, revision=2)
        other = await add_review(session, proposed=NOW - 5 * HOUR)
        add_decision(session, other, "reject", NOW, reviewer_id=None)
        add_decision(session, other, "approve", NOW - HOUR, reviewer_id=AUTOMATIC)
    async with database.read() as session:
        found = (await statistics(session, NOW)).time_to_decide
    assert found.count == 3
    assert found.mean == pytest.approx(9600.0)
    assert found.median == pytest.approx(7200.0)
    assert found.p95 == pytest.approx(7200 + 0.9 * 10800)


async def test_person_and_machine_agree_as_the_verdict_they_saw_suggests(database):
    async with database.write() as session:
        review = await add_review(session, verdict="failed")
        add_decision(session, review, "reject", NOW)
        await add_revision(session, review, 2, NOW, "success")
        add_decision(session, review, "approve", NOW, revision=2)
        add_decision(session, review, "approve", NOW, revision=2, reviewer_id=AUTOMATIC)
        add_decision(session, review, "reject", NOW, revision=2)
        add_decision(session, review, "escalate", NOW, revision=2)
        await add_revision(session, review, 3, NOW, "error")
        add_decision(session, review, "reject", NOW, revision=3)
    async with database.read() as session:
        assert (await statistics(session, NOW)).agreement == Agreement(2, 1, 2 / 3)


@pytest.mark.parametrize(
    ("decision", "verdict", "agreement"),
    [
        ("approve", "success", Agreement(5, 0, 1.0)),
        ("approve", "inconclusive", Agreement(0, 5, 0.0)),
        ("reject", "success", Agreement(0, 5, 0.0)),
        ("modify", "success", Agreement(0, 5, 0.0)),
        ("reject", "failed", Agreement(5, 0, 1.0)),
        ("modify", "inconclusive", Agreement(5, 0, 1.0)),
        ("reject", "error", Agreement(0, 0, None)),
        ("escalate", "failed", Agreement(0, 0, None)),
    ],
)
def test_what_counts_as_agreement(decision, verdict, agreement):
    assert agreement_of([(decision, verdict, 5)]) == agreement


async def test_advisories_are_timed_to_the_decision_and_to_the_fix(database):
    published = NOW - timedelta(days=5)
    async with database.write() as session:
        fixed = await add_review(session, proposed=NOW - 3 * HOUR, published_at=published)
        add_decision(session, fixed, "approve", NOW - 4 * HOUR, state="seconded")
        add_decision(session, fixed, "approve", NOW - 2 * HOUR, carried_out_at=NOW - HOUR)
        rejected = await add_review(session, published_at=NOW - timedelta(days=1))
        add_decision(session, rejected, "reject", NOW)
        undone = await add_review(session, published_at=published)
        add_decision(session, undone, "approve", NOW, state="failed")
        add_decision(session, undone, "modify", NOW)
        waits = await add_review(session, published_at=published)
        add_decision(session, waits, "approve", NOW, state="recorded")
        undated = await add_review(session)
        add_decision(session, undated, "approve", NOW, carried_out_at=NOW)
    async with database.read() as session:
        found = await statistics(session, NOW)
    day = 86_400
    assert found.advisory_to_decision.count == 3
    assert found.advisory_to_decision.mean == pytest.approx((5 * day - 7200 + day + 5 * day) / 3)
    assert found.advisory_to_fix.count == 1
    assert found.advisory_to_fix.mean == pytest.approx(5 * day - 3600)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_lie_where_they_must(seconds):
    found = durations_of(seconds)
    slack = 1e-6 * max(1.0, *seconds)
    assert found.count == len(seconds)
    assert min(seconds) - slack <= found.median <= found.p95 + slack
    assert found.p95 <= max(seconds) + slack
    assert min(seconds) - slack <= found.mean <= max(seconds) + slack
