"""Decisions made over HTTP on patches that are pull requests: real API, real workers, GitHub's stand-in for GitHub."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio
from sqlalchemy import select

from tests.adaptive.api.conftest import Desk, Start, samples, serve
from tests.adaptive.work.conftest import LONG
from tests.github_server.fixtures import TOKEN, Service, github_stand_in, service
from tests.github_server.server import Fault
from tests.machine import ROOT
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.execution.github_settings import github_of
from vertice.adaptive.execution.interface import Dossier
from vertice.adaptive.review.model import Review, Status
from vertice.adaptive.work.enqueue import engine_client
from vertice.kernel.bus.events import since
from vertice.kernel.bus.tables import OutboxRow

__all__ = ["github_stand_in", "samples", "serve", "service"]

WHY = "The proof is convincing."
CHECK = {"name": "unit", "status": "in_progress", "conclusion": None}


@dataclass
class House:
    """A service whose projects lie on GitHub, and its workers."""

    desk: Desk
    service: Service
    url: str
    folder: Path
    lena: httpx.AsyncClient
    """A lead."""
    project: UUID
    commit: str
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def state(self) -> Any:
        return self.service.state

    def hire(self, pauses: tuple[float, ...] = (0.3,) * 1000) -> "subprocess.Popen[bytes]":
        """Start a worker; `pauses` before it asks GitHub again."""
        path = self.folder / f"carrying-{len(self.workers)}.json"
        config = {"url": self.url, "home": str(self.desk.home), "github": self.service.door.url, "pauses": pauses}
        path.write_text(json.dumps(config))
        with path.with_suffix(".log").open("wb") as log:
            command = [sys.executable, "-m", "tests.adaptive.work.carrying", str(path)]
            self.workers.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))
        return self.workers[-1]

    async def review(self, number: int = 1) -> Review:
        """Leave a review waiting whose patch is a pull request, as a worker does."""
        samples = self.desk.samples
        code = f"APV-20261121-{number:03d}"
        root = self.desk.home / "checkouts" / "acme" / "shop" / self.commit
        root.mkdir(parents=True, exist_ok=True)
        apv = samples.an_apv(code, severity=Severity.high, priority=2)
        remedy = samples.a_remedy(apvs=(code,))
        new = samples.a_new_review(f"key-{number}", apvs=(apv,), remedy=remedy, root=str(root), project_id=self.project)
        new = samples.proven(new, f"WAR-20261121-{number:03d}")
        dossier = Dossier(new.run.code, new.apvs, samples.an_evidence(), new.verdict, new.evidence_digest, "f" * 64)
        github = github_of(self.desk.api.service.settings)
        proposal = await asyncio.to_thread(
            lambda: propose(
                root, remedy, code=code, message="Fix it", home=self.desk.home, dossier=dossier, github=github
            )
        )
        return await self.desk.api.service.reviews.create(samples.proven(replace(new, proposal=proposal), new.run.code))

    async def decide(self, review: Review, kind: str = "approve", **more: object) -> httpx.Response:
        said = {"decision": kind, "justification": WHY, **more}
        at = {"If-Match": f'"v{review.version}"'}
        return await self.lena.post(f"/hitl/reviews/{review.code}/decisions", json=said, headers=at)

    async def until(self, decision: httpx.Response, **wanted: str) -> dict[str, Any]:
        """Wait until the API shows the decision so; return it."""
        assert decision.status_code == 201, decision.text
        shown: dict[str, Any] = {}
        for _ in range(int(LONG / 0.1)):
            shown = (await self.lena.get(f"/hitl/decisions/{decision.json()['id']}")).json()
            if all(value in (shown[name] or "") for name, value in wanted.items()):
                return shown
            await asyncio.sleep(0.1)
        logs = "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("carrying-*.log")))
        raise AssertionError(f"{shown} is not {wanted}\n{logs}")

    async def status(self, review: Review) -> Status:
        return (await self.desk.api.service.reviews.get(review.code)).status

    async def notified(self) -> list[str]:
        """What people were notified of."""
        query = select(OutboxRow).where(OutboxRow.destination == "notifications").order_by(OutboxRow.seq)
        async with self.desk.api.service.database.read() as session:
            return [row.type for row in await session.scalars(query)]

    async def told(self) -> list[str]:
        async with self.desk.api.service.database.read() as session:
            return [event.type for event in await since(session, {"decisions": 0}, limit=100)]

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()


@pytest_asyncio.fixture
async def house(serve: Start, service: Service, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    desk = await serve(github_token=TOKEN, github_api_url=service.door.url, public_url="https://vertice.example.org")
    lena = await desk.machine("lena")
    made = await lena.post("/hitl/projects", json={"kind": "github", "location": "acme/shop"})
    assert made.status_code == 201, made.text
    commit = service.state.commit_files({"requirements.txt": desk.samples.BEFORE, "app.py": "import yaml\n"})
    house = House(desk, service, database_url, tmp_path, lena, UUID(made.json()["id"]), commit)
    yield house
    house.end()


async def test_each_decision_over_the_api_reaches_the_pull_request(house: House) -> None:
    reviews = [await house.review(number) for number in (1, 2, 3, 4)]
    assert [(pull.head_ref, pull.state) for pull in house.state.pulls] == [
        (f"vertice/{review.code}", "open") for review in reviews
    ]
    assert {(status["context"], status["state"]) for _, status in house.state.statuses} == {
        ("vertice/wargame", "success")
    }
    rejected, modified, escalated, approved = house.state.pulls
    house.hire()
    for review, kind, action, more in (
        (reviews[0], "reject", "pr_closed", {}),
        (reviews[1], "modify", "changes_requested", {"wanted": "5.4.1"}),
        (reviews[2], "escalate", "escalated", {}),
        (reviews[3], "approve", "pr_merged", {}),
    ):
        done = await house.until(await house.decide(review, kind, **more), state="done")
        assert (done["action"], done["reviewer"]) == (action, "Lena (token lena)")
    assert (rejected.state, rejected.merged_at, len(rejected.comments)) == ("closed", None, 1)
    assert WHY in rejected.comments[0]
    assert (modified.state, modified.labels[-1]) == ("open", "changes requested")
    assert "5.4.1" in modified.comments[0]
    assert (escalated.state, escalated.labels[-1], escalated.assignees) == ("open", "escalated", ["lead"])
    assert approved.merged_by == "vertice"
    assert "Approved-by: Lena" in approved.message
    assert house.state.file("main", "requirements.txt") == house.desk.samples.AFTER
    assert (await house.desk.api.service.reviews.verify()).ok


async def test_a_branch_that_moved_after_the_evidence_is_refused_over_the_api(house: House) -> None:
    review = await house.review()
    house.state.commit_files({"evil.py": "1\n"}, branch=f"vertice/{review.code}")
    refused = await house.decide(review)
    assert (refused.status_code, refused.json()["detail"]) == (409, "its patch was changed since it was proven")
    assert refused.json()["current"]["status"] == "pending"
    assert house.state.pulls[0].state == "open"


async def test_a_branch_that_moves_after_the_decision_is_not_merged(house: House) -> None:
    review = await house.review()
    made = await house.decide(review)
    house.state.commit_files({"evil.py": "1\n"}, branch=f"vertice/{review.code}")
    house.hire()
    failed = await house.until(made, state="failed")
    assert "was given commits that were not proven" in failed["detail"]
    assert (house.state.pulls[0].state, await house.status(review)) == ("open", Status.pending)


async def test_where_github_is_away_a_decision_over_the_api_is_a_problem_and_none(house: House) -> None:
    review = await house.review()
    house.service.door.plan = lambda *_: Fault(403, {"retry-after": "90"}, {"message": "You have exceeded a limit"})
    limited = await house.decide(review)
    assert (limited.status_code, limited.headers["retry-after"]) == (503, "90")
    assert limited.json()["detail"] == "GitHub's rate limit is used up"
    house.service.door.plan = lambda *_: Fault(503)
    away = await house.decide(review)
    assert (away.status_code, away.json()["detail"]) == (503, "GitHub is in trouble (HTTP 503)"), away.text
    assert await house.status(review) is Status.pending


async def test_it_is_merged_when_its_checks_pass_whoever_died_meanwhile(house: House) -> None:
    """What it waits for is shown while it does; the worker is killed, and another one goes on."""
    review = await house.review()
    house.state.checks = [dict(CHECK)]
    first = house.hire()
    made = await house.decide(review)
    shown = await house.until(made, detail="checks are running: unit")
    assert (shown["state"], await house.status(review)) == ("recorded", Status.approved)
    first.kill()
    await asyncio.to_thread(first.wait)
    house.state.checks[0].update(status="completed", conclusion="success")
    assert house.state.pulls[0].state == "open"
    house.hire()
    done = await house.until(made, state="done")
    assert (done["action"], house.state.pulls[0].merged_by) == ("pr_merged", "vertice")
    assert await house.told() == ["decision_made", "decision_postponed", "decision_carried_out"]
    assert len([one for one in house.state.commits.values() if len(one["parents"]) == 2]) == 1
    assert (await house.desk.api.service.reviews.verify()).ok


async def test_a_check_that_fails_while_it_waits_opens_the_review_again(house: House) -> None:
    review = await house.review()
    house.state.checks = [dict(CHECK)]
    house.hire()
    made = await house.decide(review)
    await house.until(made, detail="checks are running: unit")
    house.state.checks[0].update(status="completed", conclusion="failure")
    failed = await house.until(made, state="failed")
    assert "checks failed: unit" in failed["detail"]
    assert (house.state.pulls[0].state, await house.status(review)) == ("open", Status.pending)
    assert await house.notified() == ["execution.failed"]


async def test_a_check_that_never_comes_opens_the_review_again_in_the_end(house: House) -> None:
    review = await house.review()
    house.state.required = ["security-scan"]
    house.hire(pauses=(0.1, 0.1, 0.1))
    failed = await house.until(await house.decide(review), state="failed")
    assert "security-scan" in failed["detail"]
    assert await house.status(review) is Status.pending
    assert await house.told() == ["decision_made", "decision_postponed", "decision_not_carried_out"]
    assert await house.notified() == ["execution.failed"]


async def test_github_is_left_alone_for_as_long_as_it_asks(house: House) -> None:
    review = await house.review()
    limit = Fault(403, {"retry-after": "1800"}, {"message": "You have exceeded a secondary rate limit"})
    made = await house.decide(review)
    house.service.door.requests.clear()
    house.service.door.plan = lambda *_: limit
    house.hire()
    await house.until(made, detail="GitHub's rate limit is used up")
    client = engine_client(house.url, house.desk.home)
    delayed: list[Any] = []
    for _ in range(int(LONG / 0.1)):
        delayed = await asyncio.to_thread(client.list_workflows, status="DELAYED")
        if delayed:
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(client.destroy)
    (again,) = delayed
    assert again.delay_until_epoch_ms - again.created_at >= 1_790_000, "but for the moment between the two"
    assert len(house.service.door.requests) == 1, "it was asked once"
