"""What people are told of reviews, from the messages that the store really leaves."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.adaptive.review import samples
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.notices import notice_of
from vertice.adaptive.projects.model import Kind, Trigger
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.review.decide import Standing
from vertice.adaptive.review.model import DecisionKind
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.bus import outbox
from vertice.kernel.bus.message import Message
from vertice.kernel.database import Database
from vertice.kernel.notify import DESTINATION, Level, Notice

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STANDING = Standing(evidence_digest="e" * 64, head="a" * 40)
CODE = "APV-20261121-001"


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    async with Database.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def store(database: Database, tmp_path: Path) -> ReviewStore:
    return ReviewStore(
        database, home=tmp_path / "home", clock=lambda: NOW, due_at=lambda _, at: at + timedelta(hours=24)
    )


def link(code: str) -> str:
    return f"https://vertice.example.org/reviews/{code}"


async def told(database: Database, **more: Any) -> list[Notice]:
    async with database.read() as session:
        waiting = await outbox.waiting(session, "/test", limit=100)
    messages = [one.message for one in waiting if one.message.destination == DESTINATION]
    return [notice for message in messages if (notice := notice_of(message, link, **more))]


def a_message(kind: str, **data: Any) -> Message:
    facts = {
        "code": CODE,
        "cve": "CVE-2020-14343",
        "severity": "critical",
        "package": "pyyaml",
        "package_change": "5.3.1 → 5.4",
        "project": "shop",
        "verdict": "success",
        "grade": "proven",
        "confidence": 0.97,
        "due_at": None,
        "revision": 1,
        "decision": {"id": "d1", "kind": "approve", "reviewer": "Ana Souza", "detail": "The branch moved."},
    }
    return Message("id", "/test", DESTINATION, kind, CODE, json.dumps(facts | data), NOW)


async def test_a_new_critical_review_is_told_with_what_it_takes_to_judge_its_urgency(store, database):
    await store.create(samples.a_new_review())
    (notice,) = await told(database)
    assert notice == Notice(
        "review.critical/APV-20261121-001/1",
        "Critical: CVE-2020-14343 in pyyaml (shop)",
        "The patch of a critical hole waits for a decision.\n"
        "\n"
        "Review: APV-20261121-001\n"
        "Project: shop\n"
        "Package: pyyaml 5.3.1 → 5.4\n"
        "Severity: critical\n"
        "Verdict: success (proven), confidence 0.97\n"
        "Decide until: 2026-11-22 12:00 UTC\n"
        "\n"
        "https://vertice.example.org/reviews/APV-20261121-001",
        Level.warning,
    )


async def test_a_review_that_is_not_critical_is_not_told(store, database):
    await store.create(samples.a_new_review(apvs=(samples.an_apv(severity=Severity.high),)))
    assert await told(database) == []


async def test_a_refuted_patch_is_told_whatever_its_severity(store, database):
    refuted = samples.a_verdict(VerdictWord.failed, Grade.refuted, 0.0)
    await store.create(samples.a_new_review(apvs=(samples.an_apv(severity=Severity.low),), verdict=refuted))
    (notice,) = await told(database)
    assert notice.title == "Refuted: CVE-2020-14343 in pyyaml (shop)"
    assert "Verdict: failed (refuted), confidence 0.00" in notice.body


async def test_a_review_whose_time_has_passed_is_told_with_who_has_to_act(store, database):
    await store.create(samples.a_new_review(apvs=(samples.an_apv(severity=Severity.high),)))
    await store.mark_overdue(CODE, escalate_to=["lead@example.org"])
    (notice,) = await told(database, escalate_to=("lead@example.org", "cto@example.org"))
    assert notice.title == "Overdue: CVE-2020-14343 in pyyaml (shop)"
    assert "Escalated to lead@example.org, cto@example.org." in notice.body
    assert "Escalated" not in (await told(database))[0].body


async def test_a_failed_execution_is_told_with_the_reason_once_for_each_decision(store, database):
    review = await store.create(samples.a_new_review(apvs=(samples.an_apv(severity=Severity.high),)))
    for _ in range(2):
        version = (await store.get(review.code)).version
        made = await store.record_decision(
            review.code, samples.a_decision(DecisionKind.approve), expected_version=version, standing=STANDING
        )
        await store.record_failure(made.id, "app.py was changed on the branch")
        await store.record_failure(made.id, "app.py was changed on the branch")
    first, second = await told(database)
    assert first.level is Level.failure
    assert first.title == "Not carried out: CVE-2020-14343 in pyyaml (shop)"
    assert "Ana Souza decided approve, but it could not be done:\napp.py was changed on the branch\n" in first.body
    assert first.key != second.key


async def test_each_revision_of_a_review_is_told_of_anew(store, database):
    await store.create(samples.a_new_review("run-1"))
    await store.create(samples.a_new_review("run-2"))
    assert [notice.key for notice in await told(database)] == [
        "review.critical/APV-20261121-001/1",
        "review.critical/APV-20261121-001/2",
    ]


async def test_a_failed_scan_is_told_once_with_the_reason(database):
    async def no_audit(session, **entry):
        pass

    projects, scans = ProjectStore(database, audit=no_audit, clock=lambda: NOW), ScanStore(database, clock=lambda: NOW)
    project = await projects.register(Kind.github, "acme/shop", by="ana")
    failed = await projects.request_scan(project.id, by="ana")
    await scans.begin(failed.id)
    well = await projects.request_scan(project.id, by="ana", trigger=Trigger.schedule)
    for _ in range(2):
        await scans.fail(failed.id, "acme/shop: GitHub does not accept the token")
    await scans.finish(well.id)
    await scans.fail(well.id, "too late")
    (notice,) = await told(database)
    assert notice == Notice(
        f"scan.failed/{failed.id}",
        "Scan failed: acme/shop",
        "acme/shop: GitHub does not accept the token\n"
        "\n"
        "Project: acme/shop\n"
        f"Scan: {failed.id}\n"
        "Asked for by: a person, 2026-11-21 12:00 UTC",
        Level.failure,
    )


def test_other_messages_are_told_nobody():
    assert notice_of(a_message("review.created"), link) is None


HOSTILE = "\x1b[31m<!channel> @everyone **x** `y` [a](https://evil.example.org) <@U1> #1 |z| ~~w~~\r\nBcc: q \u202e"
FIELDS = ("cve", "package", "package_change", "project", "verdict", "grade", "severity", "code")


def test_a_decision_that_waits_for_long_is_told_once_with_the_reason():
    decision = {"id": "d1", "kind": "approve", "reviewer": "Ana", "detail": "checks are running: unit"}
    notice, again = [notice_of(a_message("execution.waiting", decision=decision), link) for _ in range(2)]
    assert (notice.level, notice.key) == (Level.warning, again.key)
    assert notice.key.endswith("/d1")
    assert notice.title.startswith("Still waiting: ")
    assert notice.body.splitlines()[:3] == [
        "Ana decided approve over an hour ago, but it waits:",
        "checks are running: unit",
        "It is tried again for a day; then the review is open again.",
    ]


@pytest.mark.parametrize(
    "kind", ["review.critical", "review.overdue", "verdict.failed", "execution.failed", "execution.waiting"]
)
def test_nothing_from_outside_mentions_links_formats_or_breaks_a_line(kind):
    plain = notice_of(a_message(kind), link)
    decision = {"id": "d1", "kind": HOSTILE, "reviewer": HOSTILE, "detail": HOSTILE}
    hostile = notice_of(a_message(kind, **dict.fromkeys(FIELDS, HOSTILE), decision=decision), link)
    assert len(hostile.body.splitlines()) == len(plain.body.splitlines())
    assert len(hostile.title.splitlines()) == 1
    own = hostile.body.removesuffix(link(CODE))
    assert own != hostile.body
    for text in (hostile.title, own):
        assert not set(text) & set("<>@`*~|[]#\x1b\r\u202e")
        assert "://" not in text


def test_a_failed_scan_breaks_no_line_either():
    told = {"project": HOSTILE, "trigger": "person", "requested_at": NOW.isoformat(), "detail": HOSTILE * 99}
    message = Message("id", "/test", DESTINATION, "scan.failed", HOSTILE, json.dumps(told), NOW)
    notice = notice_of(message, link)
    assert len(notice.body.splitlines()) == 5
    for text in (notice.title, notice.body):
        assert not set(text) & set("<>@`*~|[]#\x1b\r\u202e")
        assert "://" not in text
    assert len(notice.body) < 2000


@pytest.mark.parametrize("kind", ["review.critical", "execution.failed"])
def test_a_notice_stays_short_whatever_comes_in(kind):
    decision = {"id": "d1", "kind": "approve", "reviewer": "x" * 99_999, "detail": "x" * 99_999}
    notice = notice_of(a_message(kind, **dict.fromkeys(FIELDS, "x" * 99_999), decision=decision), link)
    assert len(notice.title) < 300
    assert len(notice.body) < 2000
    assert len(notice.key) <= 200


def test_what_is_not_known_is_left_out():
    data = {"package_change": None, "confidence": None, "due_at": None}
    body = notice_of(a_message("review.critical", **data), link).body
    assert "Package: pyyaml\n" in body
    assert "Verdict: success (proven)\n" in body
    assert "Decide until" not in body
    assert "None" not in body
