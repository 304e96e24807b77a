"""The arena on GitHub Actions: asking for a wargame, taking its result, and believing no more of it than it shows.

How a result comes in, each way leaving the same message in `wargaming.results`, once for each attempt of a run:

    webhook ── outbox `github.workflows` ── `workflows` fetches what the run left ── `results` tells the trial

Whoever reaches the broker can leave a message there, so the trial is told what GitHub itself shows of the run that was
started, and a message that says anything else is a dead letter.

A process may die between any two of these: a message stays in the outbox until it was taken, and telling a trial twice
(by the key of the message) is telling it once. Where no webhook comes through, the trial looks by itself.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dbos import DBOSClient, WorkflowStatus
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from vertice.adaptive.execution.github_arena import collect, ended, stage, start, unstage
from vertice.adaptive.execution.github_client import Access
from vertice.adaptive.execution.github_fetch import Source
from vertice.adaptive.messages.announce import Announcer
from vertice.adaptive.messages.payloads import WargameFinished, WargameResult
from vertice.adaptive.messages.queues import WARGAMING_RESULTS
from vertice.adaptive.model import Ordered, Request, Trial, Venue
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.trial import FINISHED, trial_id, unfought
from vertice.adaptive.wargame.actions import Order, read_result
from vertice.adaptive.wargame.duel import locks_digest
from vertice.adaptive.wargame.model import EnvironmentReport, Evidence, Probe, Side, TestReport
from vertice.kernel.bus.inbox import Subscription
from vertice.kernel.bus.message import Message, MessageRefusedError, Taker
from vertice.kernel.codec import canonical
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["GITHUB", "GitHubArena", "Telling", "results", "workflows"]

GITHUB = "github"
"""Name of this arena in settings, requests and messages."""

_SOURCE = "github-actions"
_LIVE = frozenset({"ENQUEUED", "DELAYED", "PENDING"})
_ENVELOPE_BYTES = 16 * 1024
_Conclusion = Literal["success", "failure", "cancelled", "timed_out"]
_CONCLUSIONS: Mapping[str, _Conclusion] = {
    "success": "success",
    "failure": "failure",
    "cancelled": "cancelled",
    "timed_out": "timed_out",
}

_Probes = Mapping[str, tuple[Probe, ...]]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class GitHubArena:
    """`Outside` over GitHub Actions, for registered repositories."""

    access: Access
    clock: Callable[[], datetime] = _now

    def order(self, request: Request, remedy: Remedy, apvs: tuple[Apv, ...], probes: _Probes, run: str) -> Ordered:
        """Put the patch where the runner finds it, and start the wargame there."""
        repository = _repository(request)
        owner, _, repo = repository.partition("/")
        after = stage(self.access, Source(owner, repo, request.commit, Path(request.project)), remedy, run)
        digest = locks_digest(remedy.before, remedy.after)
        names = tuple(dict.fromkeys(name for apv in apvs for name in _names(apv, probes[apv.code])))
        order = Order(run, request.commit, after, digest, remedy.manifest, names)
        number = start(self.access, repository, order)
        return Ordered(
            run=run,
            apvs=remedy.apvs,
            priority=min(apv.priority for apv in apvs),
            before=request.commit,
            after=after,
            digest=digest,
            number=number,
            url=_url(self.access, repository, number),
        )

    def look(self, request: Request, ordered: Ordered) -> dict[str, Any] | None:
        """Return what a run that ended left, None while it goes on or GitHub cannot say."""
        repository = _repository(request)
        try:
            conclusion = ended(self.access, repository, ordered.number)
            if conclusion is None:
                return None
            told = _collected(self.access, repository, ordered.number, conclusion, ordered.run, self.clock())
        except VerticeError as error:
            get_logger(__name__).warning("wargame not seen", run=ordered.run, why=printable(str(error), limit=300))
            return None
        return told.model_dump(mode="json")

    def receive(
        self,
        request: Request,
        remedy: Remedy,
        sites: tuple[Site, ...],
        probes: _Probes,
        ordered: Ordered,
        told: dict[str, Any] | None,
    ) -> Trial:
        """Return what the wargame showed; what cannot be believed is evidence of nothing, and says why."""
        if told is None:
            return _unfought(request, probes, ordered, "no result came from GitHub Actions within six hours")
        result = WargameResult.model_validate_json(json.dumps(told))
        if result.result is None:
            return _unfought(request, probes, ordered, f"its run ended as {result.conclusion}, without a result")
        distinct = tuple({probe.id: probe for own in probes.values() for probe in own}.values())
        try:
            found = read_result(result.result, run=ordered.run, digest=ordered.digest, probes=distinct)
            evidence = _believed(found.evidence, sites, probes)
        except InputError as error:
            return _unbelieved(remedy, request, probes, ordered, f"{error.where} {error.what}")
        return Trial(Venue(ordered.run, f"{_SOURCE} ({found.arena})"[:100], found.versions), evidence)

    def clear(self, request: Request, run: str) -> None:
        """Remove the patch's branch, if GitHub lets us; left behind, it harms nobody."""
        try:
            unstage(self.access, _repository(request), run)
        except VerticeError as error:
            get_logger(__name__).warning("branch not removed", run=run, why=printable(str(error), limit=300))


class Telling:
    """Tells the trials that wait, from whichever process hears of an end."""

    def __init__(self, client: DBOSClient, access: Access, *, clock: Callable[[], datetime] = _now) -> None:
        self._client = client
        self._access = access
        self._clock = clock

    async def check(self, result: WargameResult) -> None:
        """Return when this is what GitHub shows of the run that was started.

        Raises InputError when nobody waits for it or GitHub shows something else, UnfinishedError when the database or
        GitHub is away.
        """
        with _database(result):
            request, ordered = await asyncio.to_thread(self._ordered, result.code)
        await asyncio.to_thread(self._compare, result, _repository(request), ordered)

    async def __call__(self, result: WargameResult, key: str) -> None:
        """Tell; the same `key` again changes nothing.

        Raises InputError when nobody waits for it, UnfinishedError when the database is away.
        """
        with _database(result):
            await asyncio.to_thread(self._tell, result, key)

    def _tell(self, result: WargameResult, key: str) -> None:
        self._waiting(result.code, load_input=False)
        self._client.send(trial_id(result.code), result.model_dump(mode="json"), FINISHED, key)

    def _waiting(self, run: str, *, load_input: bool) -> WorkflowStatus:
        found = self._client.list_workflows(workflow_ids=[trial_id(run)], load_input=load_input, load_output=False)
        live = next((status for status in found if status.status in _LIVE), None)
        if live is None:
            raise InputError("no wargame waits for this result", where=run)
        return live

    def _ordered(self, run: str) -> tuple[Request, Ordered]:
        """Return what was asked for under this code."""
        given = self._waiting(run, load_input=True).input
        request = next(one for one in (given["args"] if given else ()) if isinstance(one, Request))
        steps = [step["output"] for step in self._client.list_workflow_steps(trial_id(run))]
        ordered = next((output for output in steps if isinstance(output, Ordered)), None)
        if ordered is None:
            raise UnfinishedError("it is not noted yet that this wargame was asked for", where=run)
        return request, ordered

    def _compare(self, result: WargameResult, repository: str, ordered: Ordered) -> None:
        if result.run_url.casefold() != ordered.url.casefold():
            raise InputError("is of another run than the one that was started", where=result.code)
        if result.result is not None and result.result.get("digest") != ordered.digest:
            raise InputError("is of other locks than were asked for", where=result.code)
        conclusion = ended(self._access, repository, ordered.number)
        if conclusion is None:
            raise InputError("GitHub shows no end of the run", where=result.code)
        shown = _collected(self._access, repository, ordered.number, conclusion, result.code, self._clock())
        if (shown.conclusion, shown.result) != (result.conclusion, result.result):
            raise InputError("is not what GitHub shows of the run", where=result.code)


@contextmanager
def _database(result: WargameResult) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise UnfinishedError("a wargame's result cannot be kept", where=result.code) from error


def results(telling: Telling) -> Subscription[WargameFinished]:
    """Return what is done about the end of a wargame fought outside: the trial that waits for it is told.

    It is told before the note that the message was taken is kept: dying in between, it is told again, which is once.
    """

    async def take(_session: WriteSession, event: WargameFinished) -> None:
        await telling(event.data, f"{event.source} {event.id}")

    async def check(event: WargameFinished) -> None:
        await telling.check(event.data)

    return Subscription(WARGAMING_RESULTS, WargameFinished, take, check)


def workflows(database: Database, access: Access, *, clock: Callable[[], datetime] = _now) -> Taker:
    """Return what takes the workflow runs that ended: it leaves their results for whoever takes `wargaming.results`."""

    async def take(message: Message) -> None:
        told = json.loads(message.data)
        repository, number, conclusion = told["repository"], told["run"], told["conclusion"]
        try:
            result = await asyncio.to_thread(_collected, access, repository, number, conclusion, told["title"], clock())
        except ValidationError as error:
            raise MessageRefusedError("is no wargame of Vértice", where=printable(told["title"], limit=100)) from error
        async with database.write() as session:
            announcer = Announcer(session, at=clock())
            await announcer.wargame_finished(result, name=f"{repository}/{number}/{told['attempt']}")

    return take


def _collected(access: Access, repository: str, number: int, conclusion: str, run: str, at: datetime) -> WargameResult:
    """Fetch what a run left. What is no JSON object, or too large for a message, counts as nothing left."""
    told = WargameResult(
        code=run,
        arena=GITHUB,
        conclusion=_CONCLUSIONS.get(conclusion, "failure"),
        run_url=_url(access, repository, number),
        finished_at=at,
    )
    try:
        data = collect(access, repository, number)
        if data is None or len(data) > WARGAMING_RESULTS.message_bytes - _ENVELOPE_BYTES:
            return told
        return told.model_copy(update={"result": _object(data)})
    except InputError as error:
        get_logger(__name__).warning("no result", run=run, why=printable(error.what, limit=300))
        return told


def _object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `data`, None when it is none that a message can carry (an infinite number, say)."""
    try:
        found = json.loads(data)
        canonical(found)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _names(apv: Apv, probes: tuple[Probe, ...]) -> tuple[str, ...]:
    """Return what the runner is told of one APV: for each probe an id that it goes by there."""
    known = apv.advisory.ids
    return tuple(next((name for name in known if name in probe.ids), probe.advisories[0].id) for probe in probes) or (
        apv.advisory.cve,
    )


def _believed(evidence: Evidence, sites: tuple[Site, ...], probes: _Probes) -> Evidence:
    """Return the evidence with all that is ours to say said here: what was attacked, and which lines count.

    Raises InputError when an attack that was begun was not made in every way.
    """
    ran = {(run.probe, run.case, run.side) for run in evidence.runs}
    begun = {run.probe for run in evidence.runs}
    complete = not any(report.error for report in evidence.environments)
    for probe in {probe.id: probe for own in probes.values() for probe in own}.values():
        wanted = {(probe.id, case.name, side) for case in probe.cases for side in Side}
        if complete and probe.id in begun and not wanted <= ran:
            raise InputError(f"leaves cases of {probe.id} out", where="the result")
    ours = tuple(f"{site.path}:{site.line}" for site in sites)
    return replace(
        evidence,
        unfought="",
        tests=tuple(_counted(report, ours) for report in evidence.tests),
        unprobed=tuple(code for code, own in probes.items() if not own or any(one.id not in begun for one in own)),
    )


def _counted(report: TestReport, ours: tuple[str, ...]) -> TestReport:
    return replace(report, sites=ours, covered=tuple(site for site in ours if site in report.covered))


def _unfought(request: Request, probes: _Probes, ordered: Ordered, why: str) -> Trial:
    return unfought(request, probes, ordered.run, f"{why} ({ordered.url})", arena=_SOURCE)


def _unbelieved(remedy: Remedy, request: Request, probes: _Probes, ordered: Ordered, why: str) -> Trial:
    said = f"{why} ({ordered.url})"
    environments = tuple(
        EnvironmentReport(side, lock.digest, "", (), 0.0, reused=False, error=said)
        for side, lock in ((Side.before, remedy.before), (Side.after, remedy.after))
    )
    unprobed = tuple(code for code, own in probes.items() if not own)
    return Trial(Venue(ordered.run, _SOURCE), Evidence(environments, (), (), unprobed, request.repeats))


def _repository(request: Request) -> str:
    return request.known_as.removeprefix(f"{GITHUB}:")


def _url(access: Access, repository: str, number: int) -> str:
    """Return the address of a run: on GitHub itself, or on the server whose API lies under `/api/v3`."""
    base = access.base_url.rstrip("/").removesuffix("/api/v3").replace("://api.github.com", "://github.com")
    return f"{base}/{repository}/actions/runs/{number}"
