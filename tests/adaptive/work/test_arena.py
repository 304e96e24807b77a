"""Wargames on GitHub Actions: real workers, a real database, GitHub's stand-in for GitHub."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from dbos import DBOSClient
from pydantic import SecretStr
from sqlalchemy import select

from tests.adaptive.work.conftest import LONG, Crew
from tests.adaptive.world import CASES, a_probe, a_remedy, a_request, an_apv, code_of, sites_of
from tests.github_server.fixtures import Service, github_stand_in, service
from tests.github_server.server import Fault
from vertice.adaptive.execution.github_client import Access
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.messages.payloads import WargameFinished
from vertice.adaptive.model import Ordered
from vertice.adaptive.projects.model import Kind, Scan, ScanState
from vertice.adaptive.trial import trial_id
from vertice.adaptive.wargame.actions import MAX_RESULT_BYTES, Result, write_result
from vertice.adaptive.wargame.model import (
    CaseRun,
    EnvironmentReport,
    Evidence,
    Grade,
    Outcome,
    Probe,
    Role,
    Side,
    TestReport,
)
from vertice.adaptive.wargame.verdict import judge
from vertice.adaptive.work.arena import GitHubArena, Telling, results, workflows
from vertice.adaptive.work.enqueue import engine_client
from vertice.adaptive.work.names import WORKFLOWS
from vertice.kernel.bus import outbox
from vertice.kernel.bus.inbox import Inbox
from vertice.kernel.bus.message import Message, MessageRefusedError
from vertice.kernel.bus.tables import OutboxRow
from vertice.kernel.database import Database
from vertice.kernel.errors import UnfinishedError

__all__ = ["github_stand_in", "service"]

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BRANCHES = "refs/heads/vertice/wargame/"


def an_evidence(*, probe: str = "P-a", works_after: bool = False) -> Evidence:
    """What a runner that attacks as asked would see."""

    def outcome(role: Role, side: Side) -> Outcome:
        if role is Role.control:
            return Outcome.works
        return Outcome.exploited if side is Side.before or works_after else Outcome.blocked

    return Evidence(
        environments=tuple(EnvironmentReport(side, "e" * 64, "3.11.7", (), 1.0, reused=False) for side in Side),
        runs=tuple(
            CaseRun(probe, case.name, case.role, side, repeat, outcome(case.role, side), "seen", 0.1, "exited")
            for side in Side
            for case in CASES
            for repeat in range(3)
        ),
        tests=tuple(
            TestReport(side, ("pytest",), {"t": "passed"}, 1.0, ("app.py:97", "x:1"), ("app.py:97", "x:1"))
            for side in Side
        ),
        unprobed=("CVE-a",),
        repeats=3,
    )


def a_result(run: str, digest: str, evidence: Evidence | None = None) -> bytes:
    return write_result(
        Result(run, digest, "bwrap 0.8.0", evidence or an_evidence(), "2026-11-21T12:00:00Z", {"uv": "0.13.9"})
    )


def packed(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", data)
    return buffer.getvalue()


class Runner:
    """GitHub's side of the wargames of acme/shop."""

    def __init__(self, service: Service, crew: Crew) -> None:
        self.service, self.crew = service, crew
        self.commit = service.state.commit_files({"requirements.txt": "a==1\n"})

    @property
    def runs(self) -> list[dict[str, str]]:
        return self.service.state.runs

    @property
    def branches(self) -> set[str]:
        return {ref for ref in self.service.state.refs if ref.startswith(BRANCHES)}

    def hire(self, **config: Any) -> Any:
        return self.crew.hire(github={"url": self.service.door.url, "commit": self.commit}, **config)

    async def scan(self) -> Scan:
        project = await self.crew.projects.register(Kind.github, "acme/shop", by="ana")
        return await self.crew.projects.request_scan(project.id, by="ana")

    def end(self, number: int, evidence: Evidence | None = None, conclusion: str = "success") -> None:
        """Let a run end with a result."""
        order = self.runs[number - 1]
        self.service.state.results[number] = packed(a_result(order["run"], order["digest"], evidence))
        self.service.state.endings[number] = conclusion

    async def tell(self, number: int, attempt: int = 1) -> None:
        """Say so as the webhook does."""
        title = self.runs[number - 1]["run"]
        ended = self.service.state.endings[number]
        data = {"repository": "acme/shop", "run": number, "title": title, "attempt": attempt, "conclusion": ended}
        async with self.crew.database.write() as session:
            outbox.post(session, WORKFLOWS, "workflow.finished", subject=title, data=data, at=NOW)

    async def messages(self, destination: str) -> list[OutboxRow]:
        async with self.crew.database.read() as session:
            found = select(OutboxRow).where(OutboxRow.destination == destination).order_by(OutboxRow.seq)
            return list(await session.scalars(found))


@pytest.fixture
def runner(service: Service, either_crew: Crew) -> Runner:
    return Runner(service, either_crew)


async def test_a_wargame_is_asked_for_waited_for_and_judged_here(runner: Runner) -> None:
    scan = await runner.scan()
    runner.hire()
    await runner.crew.until(lambda: runner.runs)
    (order,) = runner.runs
    run = order["run"]
    assert (order["before"], order["lock"], order["advisories"]) == (runner.commit, "requirements.txt", "GHSA-a")
    assert runner.branches == {BRANCHES + run}
    assert runner.service.state.file(f"vertice/wargame/{run}", "requirements.txt") == "a==2\n"
    assert runner.service.state.refs[BRANCHES + run] == order["after"]
    runner.end(1)
    await runner.tell(1)
    done = await runner.crew.ended(scan.id)
    assert (done.state, done.detail) == (ScanState.finished, "1 success")
    (judged,) = runner.crew.diary.of("judged")
    assert judged[:3] == ("success", run, "github-actions (bwrap 0.8.0)")
    assert runner.branches == set()
    assert [kind for _, (kind, *_) in runner.crew.diary.lines if kind in {"build", "attack", "tests"}] == []
    (asked,) = await runner.messages("wargaming.trigger")
    assert json.loads(asked.data) | {"v": 1} == {
        "v": 1,
        "code": run,
        "arena": "github",
        "apvs": [code_of("a")],
        "project": "shop",
        "ref_before": runner.commit,
        "ref_after": order["after"],
        "digest": order["digest"],
        "priority": 10,
    }


async def test_each_release_that_is_tried_is_a_run_of_its_own(runner: Runner) -> None:
    scan = await runner.scan()
    runner.hire(fixed={"a": ["2", "3"]})
    await runner.crew.until(lambda: runner.runs)
    runner.end(1, an_evidence(works_after=True), "failure")
    await runner.tell(1)
    await runner.crew.until(lambda: len(runner.runs) == 2)
    assert runner.service.state.file(f"vertice/wargame/{runner.runs[1]['run']}", "requirements.txt") == "a==3\n"
    runner.end(2)
    await runner.tell(2)
    assert (await runner.crew.ended(scan.id)).detail == "1 success"
    assert len({order["run"] for order in runner.runs}) == 2
    (judged,) = runner.crew.diary.of("judged")
    assert judged[1] == runner.runs[1]["run"]
    told = [
        (row.type.rpartition(".")[2], json.loads(row.data)) for row in await runner.messages("eureka.remedy.status")
    ]
    assert [(kind, data["to_version"], data["wargame"]) for kind, data in told] == [
        ("planned", "2", None),
        ("refuted", "2", runner.runs[0]["run"]),
        ("planned", "3", None),
        ("proposed", "3", runner.runs[1]["run"]),
    ]


@pytest.mark.parametrize("die", ["order", "request", "collect", "tell", "receive", "clear"])
async def test_killed_between_doing_a_thing_and_noting_it_it_is_done_once(runner: Runner, die: str) -> None:
    """Whoever takes over asks GitHub for no second run, takes one result, and leaves nothing behind."""
    scan = await runner.scan()
    first = runner.hire(die=die)
    await runner.crew.until(lambda: runner.runs)
    runner.end(1)
    await runner.tell(1)
    await runner.tell(1)
    assert await asyncio.to_thread(first.wait, LONG) == 9
    runner.hire()
    assert (await runner.crew.ended(scan.id)).detail == "1 success"
    assert len(runner.runs) == 1
    assert len(await runner.messages("wargaming.trigger")) == 1
    assert len(await runner.messages("wargaming.results")) == 1
    assert len(runner.crew.diary.of("judged")) == 1
    assert runner.branches == set()


async def test_where_no_webhook_comes_through_the_trial_looks_by_itself(runner: Runner) -> None:
    scan = await runner.scan()
    runner.hire(settings={"look_seconds": 0.5})
    await runner.crew.until(lambda: runner.runs)
    runner.end(1)
    assert (await runner.crew.ended(scan.id)).detail == "1 success"


async def test_a_run_that_never_ends_proves_nothing_and_the_review_says_so(runner: Runner) -> None:
    scan = await runner.scan()
    runner.hire(settings={"look_seconds": 0.01})
    assert (await runner.crew.ended(scan.id)).detail == "1 inconclusive"
    (judged,) = runner.crew.diary.of("judged")
    assert "no result came from GitHub Actions within six hours" in judged[3]
    assert runner.branches == set()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(403, body={"message": "Resource not accessible by integration"}), "Resource not accessible"),
        (Fault(404, body={"message": "Not Found"}), "or the token may not see it"),
        (Fault(422, body={"message": "Workflow does not have 'workflow_dispatch' trigger"}), "workflow_dispatch"),
        (Fault(503), "GitHub is in trouble (HTTP 503)"),
    ],
)
async def test_a_wargame_that_cannot_be_asked_for_proves_nothing_and_says_why(
    runner: Runner, fault: Fault, said: str
) -> None:
    runner.service.door.plan = lambda _number, _method, path: fault if path.endswith("/dispatches") else None
    scan = await runner.scan()
    runner.hire()
    done = await runner.crew.ended(scan.id)
    assert (done.state, done.detail) == (ScanState.finished, "1 inconclusive")
    (judged,) = runner.crew.diary.of("judged")
    assert judged[3].startswith("there was no wargame: it could not be asked for: ")
    assert said in judged[3]
    assert runner.branches == set()


async def test_a_wargame_that_cannot_be_asked_for_holds_up_no_other(runner: Runner) -> None:
    runner.commit = runner.service.state.commit_files({"requirements.txt": "a==1\nb==1\n"})
    runner.service.door.once("POST", "/dispatches", Fault(403, body={"message": "Resource not accessible"}))
    scan = await runner.scan()
    runner.hire(fixed={"a": ["2"], "b": ["2"]})
    await runner.crew.until(lambda: runner.runs)
    (order,) = runner.runs
    runner.end(1, an_evidence(probe=f"P-{order['advisories'].removeprefix('GHSA-')}"))
    await runner.tell(1)
    done = await runner.crew.ended(scan.id)
    assert (done.state, sorted(done.detail.split(", "))) == (ScanState.finished, ["1 inconclusive", "1 success"])
    (why,) = [judged[3] for judged in runner.crew.diary.of("judged") if judged[0] == "inconclusive"]
    assert "Resource not accessible" in why


def a_message(code: str, **told: Any) -> WargameFinished:
    data = {"code": code, "arena": "github", "conclusion": "success", "finished_at": NOW} | told
    return WargameFinished.model_validate(
        {"specversion": "1.0", "id": "f", "source": "/evil", "type": "dev.vertice.wargame.finished", "data": data}
    )


async def test_a_result_is_what_github_shows_of_the_run_that_was_started_or_a_dead_letter(runner: Runner) -> None:
    """Whoever reaches the broker can say anything; the run goes on and is judged by what it left."""
    scan = await runner.scan()
    runner.hire()
    await runner.crew.until(lambda: runner.runs)
    (order,) = runner.runs
    run, url = order["run"], f"{runner.service.door.url}/acme/shop/actions/runs/1"
    good, bad = (json.loads(a_result(run, order["digest"], an_evidence(works_after=weak))) for weak in (False, True))
    other = json.loads(a_result(run, "e" * 64))
    client = engine_client(runner.crew.url, runner.crew.folder)
    inbox, told = Inbox(runner.crew.database), results(Telling(client, runner.service.access))

    async def refused(said: str, **given: Any) -> None:
        with pytest.raises(MessageRefusedError, match=said):
            await inbox.take(told, a_message(run, **given))

    await runner.crew.until(lambda: _is_noted(client, run))
    await refused("of another run", run_url="https://github.com/evil/shop/actions/runs/1", result=good)
    await refused("of another run", result=good)
    await refused("of other locks", run_url=url, result=other)
    await refused("no end of the run", run_url=url, result=good)
    runner.end(1, an_evidence(works_after=True))
    await refused("not what GitHub shows", run_url=url, result=good)
    await refused("not what GitHub shows", run_url=url)
    await refused("not what GitHub shows", run_url=url, conclusion="failure", result=bad)
    await runner.tell(1)
    assert (await runner.crew.ended(scan.id)).detail == "1 failed"
    await asyncio.to_thread(client.destroy)


def _is_noted(client: DBOSClient, run: str) -> bool:
    return any(isinstance(step["output"], Ordered) for step in client.list_workflow_steps(trial_id(run)))


async def test_while_github_is_away_a_result_waits(runner: Runner) -> None:
    await runner.scan()
    runner.hire()
    await runner.crew.until(lambda: runner.runs)
    (order,) = runner.runs
    client = engine_client(runner.crew.url, runner.crew.folder)
    await runner.crew.until(lambda: _is_noted(client, order["run"]))
    runner.service.door.plan = lambda *_: Fault(503)
    url = f"{runner.service.door.url}/acme/shop/actions/runs/1"
    telling = Telling(client, runner.service.access)
    with pytest.raises(UnfinishedError, match="GitHub is in trouble"):
        await Inbox(runner.crew.database).take(results(telling), a_message(order["run"], run_url=url))
    await asyncio.to_thread(client.destroy)


async def test_a_repository_in_another_arena_than_the_worker_reaches_says_so(runner: Runner) -> None:
    scan = await runner.scan()
    runner.crew.hire()
    done = await runner.crew.ended(scan.id)
    assert done.state is ScanState.failed
    assert "reaches no arena outside" in done.detail


# Messages


@pytest_asyncio.fixture
async def office(either_crew: Crew) -> AsyncIterator[Crew]:
    """A worker has run here, so that there are workflows."""
    either_crew.hire()
    await either_crew.until(lambda: either_crew.diary.of("started"))
    yield either_crew


async def test_a_result_that_nobody_waits_for_is_refused(office: Crew) -> None:
    client = engine_client(office.url, office.folder)
    telling = Telling(client, Access(SecretStr("")))  # GitHub is not asked
    with pytest.raises(MessageRefusedError, match="no wargame waits for this result"):
        await Inbox(office.database).take(results(telling), a_message("WAR-20261121-999"))
    await asyncio.to_thread(client.destroy)


def workflow_message(title: str, attempt: int = 1) -> Message:
    data = {"repository": "acme/shop", "run": 1, "title": title, "attempt": attempt, "conclusion": "action_required"}
    return Message("1", "/test", WORKFLOWS, "workflow.finished", title, json.dumps(data), NOW)


async def left(database: Database) -> list[dict[str, Any]]:
    async with database.read() as session:
        return [json.loads(one.message.data) for one in await outbox.waiting(session, "/test", limit=10)]


async def test_what_a_run_left_is_handed_on_once_for_each_attempt(service: Service, database: Database) -> None:
    service.state.runs.append({"run": "WAR-20261121-001"})
    service.state.results[1] = packed(b'{"form": 1}')
    take = workflows(database, service.access, clock=lambda: NOW)
    for attempt in (1, 1, 2):
        await take(workflow_message("WAR-20261121-001", attempt))
    told = await left(database)
    assert [(one["code"], one["conclusion"], one["result"]) for one in told] == [
        ("WAR-20261121-001", "failure", {"form": 1})
    ] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"no json",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b"[" * 9_999,
        b"0" * (MAX_RESULT_BYTES - 9_999),
        None,
    ],
)
async def test_what_is_no_result_ends_the_wargame_without_one(
    service: Service, sqlite_url: str, data: bytes | None
) -> None:
    service.state.runs.append({"run": "WAR-20261121-001"})
    if data is not None:
        service.state.results[1] = packed(data)
    async with Database.open(sqlite_url) as database:
        await workflows(database, service.access)(workflow_message("WAR-20261121-001"))
        (told,) = await left(database)
    assert told["result"] is None


async def test_a_run_that_somebody_started_by_hand_is_refused(service: Service, database: Database) -> None:
    with pytest.raises(MessageRefusedError, match="no wargame of Vértice"):
        await workflows(database, service.access)(workflow_message("my own \x1b[31m"))


# What is believed


REMEDY = a_remedy("a", "2", before=Lock(("a==1",)))
ORDERED = Ordered("WAR-20261121-001", REMEDY.apvs, 1, "a" * 40, "b" * 40, "d" * 64, 7, "https://x/runs/7")
PROBES = {code_of("a"): (a_probe("P-a", "a"),)}


def received(data: bytes | None = None, *, evidence: Evidence | None = None, probes: Any = None) -> Any:
    text = data or a_result(ORDERED.run, ORDERED.digest, evidence)
    told = {
        "code": ORDERED.run,
        "arena": "github",
        "conclusion": "failure",
        "run_url": ORDERED.url,
        "finished_at": "2026-11-21T12:00:00Z",
        "result": json.loads(text),
    }
    arena = GitHubArena(Access(None))  # type: ignore[arg-type]  # nothing is asked here
    trial = arena.receive(a_request(key="github:acme/shop"), REMEDY, sites_of("a"), probes or PROBES, ORDERED, told)
    return trial, judge(trial.evidence)


def test_what_the_runner_saw_is_judged_here() -> None:
    trial, verdict = received()
    assert (verdict.word, verdict.grade) == ("success", Grade.proven)
    assert (trial.venue.arena, trial.venue.versions) == ("github-actions (bwrap 0.8.0)", {"uv": "0.13.9"})
    assert trial.evidence.unprobed == ()


def test_an_attack_that_the_runner_did_not_make_is_no_pass() -> None:
    """It knows a probe less than we do, and says nothing of it."""
    both = {**PROBES, code_of("b"): (a_probe("P-b", "b"),)}
    trial, verdict = received(probes=both)
    assert trial.evidence.unprobed == (code_of("b"),)
    assert verdict.word == "inconclusive"


def test_a_case_that_the_runner_left_out_is_no_pass() -> None:
    whole = an_evidence()
    trial, verdict = received(evidence=replace(whole, runs=tuple(one for one in whole.runs if one.case != "variant")))
    assert (verdict.word, trial.evidence.runs) == ("error", ())
    assert "leaves cases of P-a out" in verdict.reasons[0]


def test_which_lines_call_into_the_change_is_not_the_runners_to_say() -> None:
    trial, _ = received()
    assert {(report.sites, report.covered) for report in trial.evidence.tests} == {(("app.py:97",), ("app.py:97",))}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{}", "is not a Result"),
        (a_result("WAR-20261121-002", "d" * 64), "is of run WAR-20261121-002"),
        (a_result(ORDERED.run, "e" * 64), "is of other locks"),
        (a_result(ORDERED.run, "d" * 64, an_evidence(probe="P-x")), "does not know: P-x"),
    ],
)
def test_what_cannot_be_believed_proves_nothing_and_says_why(data: bytes, said: str) -> None:
    _, verdict = received(data)
    assert (verdict.word, verdict.confidence) == ("error", 0.0)
    assert said in verdict.reasons[0]
    assert ORDERED.url in verdict.reasons[0]


@pytest.mark.parametrize(
    ("probes", "named"),
    [
        ((a_probe("P-a", "a"), a_probe("Q-a", "a")), "GHSA-a"),
        ((), "CVE-a-long"),
    ],
)
def test_the_runner_is_told_names_that_its_probes_go_by(
    service: Service, probes: tuple[Probe, ...], named: str
) -> None:
    commit = service.state.commit_files({"requirements.txt": "a==1\n"})
    apv = an_apv("a")
    apv = replace(apv, advisory=replace(apv.advisory, aliases=("CVE-a-long",)))
    request = a_request(key="github:acme/shop", commit=commit)
    arena = GitHubArena(service.access)
    ordered = arena.order(request, REMEDY, (apv,), {apv.code: probes}, "WAR-20261121-001")
    assert service.state.runs[0]["advisories"] == named
    assert ordered.url.endswith("/acme/shop/actions/runs/1")
    assert arena.order(request, REMEDY, (apv,), {apv.code: probes}, "WAR-20261121-001") == ordered
