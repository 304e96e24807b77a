"""A real worker process on a made-up project: the engine, the database and the processes are real, the work is not.

`python -m tests.adaptive.work.process CONFIG.json`, ended by SIGTERM. What happens is written to one file by all
processes, a line each; what is held up waits for another file to appear.
"""

import asyncio
import contextlib
import hashlib
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from tests.adaptive.world import Event, World, a_request, an_apv
from vertice.adaptive.execution.github_client import Access
from vertice.adaptive.messages.queues import SOURCE, TOPOLOGY, WARGAMING_RESULTS
from vertice.adaptive.model import Found, Plan, Proof, Request
from vertice.adaptive.pipeline import HEAL
from vertice.adaptive.projects.model import DocumentKind, Feed, Kind, Project, Scan
from vertice.adaptive.projects.scans import Looked, ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.remedy.model import Edit, Remedy
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.trial import TRIALS
from vertice.adaptive.wargame.model import Probe
from vertice.adaptive.work.arena import GitHubArena, Telling, results, workflows
from vertice.adaptive.work.enqueue import engine_client
from vertice.adaptive.work.inbound import dispatches
from vertice.adaptive.work.names import WORKFLOWS
from vertice.adaptive.work.worker import Tools, Work, WorkSettings
from vertice.kernel import tracing
from vertice.kernel.bus.consumer import Consumer
from vertice.kernel.bus.inbox import Inbox
from vertice.kernel.bus.message import InProcess, Unheard
from vertice.kernel.bus.rabbit import Address, RabbitPublisher
from vertice.kernel.bus.relay import Relay
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.logging import configure

__all__ = ["Diary", "FileDecisions", "Registered", "no_audit"]


async def no_audit(
    session: WriteSession, *, actor: str, action: str, subject: str, payload: Mapping[str, object]
) -> None:
    """The audit chain is another room's."""


@dataclass
class Diary:
    """What happened, in the order in which it did, by whichever process."""

    folder: Path

    def note(self, *event: str) -> None:
        with (self.folder / "diary").open("a") as stream:
            stream.write(json.dumps([os.getpid(), *event]) + "\n")

    @property
    def lines(self) -> list[tuple[int, Event]]:
        with contextlib.suppress(FileNotFoundError):
            lines = map(json.loads, (self.folder / "diary").read_text().splitlines())
            return [(pid, tuple(event)) for pid, *event in lines]
        return []

    def of(self, kind: str) -> list[Event]:
        return [event[1:] for _, event in self.lines if event[0] == kind]


@dataclass
class Registered(World):
    """A made-up world whose projects are registered. Findings of a project named `urgent` are."""

    commit: str = ""
    """Of the repositories among them."""

    def look(self, project: Project) -> Looked:
        self._happens("look", project.name)
        apvs = tuple(replace(an_apv(package), code=f"APV-{project.name}-{package}") for package in self.fixed)
        feed = Feed("made-up", "made-up", 1, None, datetime.now(UTC), "")
        return Looked("", len(apvs), apvs, (), dict.fromkeys(DocumentKind, "{}\n"), feed)

    def find(self, request: Request) -> Found:
        found = super().find(request)
        urgency = 1 if _name(request) == "urgent" else 10
        return replace(found, apvs=tuple(replace(apv, priority=urgency) for apv in found.apvs))

    def probes(self, request: Request, apvs: tuple[Apv, ...]) -> dict[str, tuple[Probe, ...]]:
        self._happens("arm of", _name(request))
        return super().probes(request, apvs)

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        concluded = super().conclude(request, found, proof)
        venue = (proof.venue.run, proof.venue.arena) if proof.venue else ()
        self._happens("judged", proof.verdict.word, *venue, *proof.verdict.reasons[:1])
        self._happens("concluded", _name(request))
        return concluded

    def ask(self, scan: Scan, project: Project, commit: str, *, again: str = "") -> Request:
        digest = hashlib.sha256(f"{project.id}{again}".encode()).hexdigest()
        request = a_request(digest=digest, project=project.location, project_id=str(project.id), scan=str(scan.id))
        if project.kind is Kind.path:
            return request
        more = {"project": "/checkouts", "key": project.known_as, "commit": self.commit, "arena": "github"}
        return replace(request, name="shop", **more)

    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]]) -> Plan:
        planned = super().plan(request, apvs, refuted)
        return replace(planned, remedies=tuple(map(_with_edit, planned.remedies)))


def _name(request: Request) -> str:
    return Path(request.project).name


def _with_edit(remedy: Remedy) -> Remedy:
    before, after = ("\n".join([*lock.requirements, ""]) for lock in (remedy.before, remedy.after))
    return replace(remedy, edits=(Edit(remedy.manifest, before, after),))


@dataclass
class FileDecisions:
    """Decisions that are files: `UUID` waits, `UUID.done` is carried out."""

    folder: Path
    diary: Diary

    async def waiting(self) -> Sequence[UUID]:
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        return [UUID(name) for name in sorted(names) if "." not in name and f"{name}.done" not in names]

    async def carry_out(self, decision_id: UUID) -> None:
        self.diary.note("carry out", str(decision_id))
        if "refused" in (self.folder / str(decision_id)).read_text():
            raise InputError("the forge refused")
        (self.folder / f"{decision_id}.done").touch()

    async def give_up(self, decision_id: UUID, why: str) -> None:
        self.diary.note("give up", str(decision_id), why)
        (self.folder / f"{decision_id}.done").touch()


@dataclass
class Hook:
    """Notes what happens, and holds up or fails what it is told to."""

    diary: Diary
    hold: Sequence[Sequence[str]] = ()
    fail: Sequence[Sequence[str]] = ()
    slow: float = 0.0

    def __call__(self, event: Event) -> None:
        self.diary.note(*event)
        if event[0] == "attack":
            time.sleep(self.slow)
        for beginning in self.hold:
            while event[: len(beginning)] == tuple(beginning) and not (self.diary.folder / "release").exists():
                time.sleep(0.02)
        for beginning in self.fail:
            if event[: len(beginning)] == tuple(beginning) and not (self.diary.folder / "mended").exists():
                raise UnfinishedError("the disk is full", where="made-up")


@dataclass
class Dying:
    """Lets the process die, as by kill -9, when the thing named `at` is done and before that is noted; once."""

    diary: Diary
    at: str = ""

    def after(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            async def later(*args: Any, **more: Any) -> Any:
                return self._dead(name, await function(*args, **more))

            return later
        return lambda *args, **more: self._dead(name, function(*args, **more))

    def _dead(self, name: str, done: Any) -> Any:
        if name == self.at and ("died", name) not in [event for _, event in self.diary.lines]:
            self.diary.note("died", name)
            os._exit(9)
        return done


@dataclass
class Mortal:
    """The arena on GitHub of a process that may die."""

    arena: GitHubArena
    dying: Dying

    def __getattr__(self, name: str) -> Any:
        return self.dying.after(name, getattr(self.arena, name))


@contextlib.asynccontextmanager
async def messages(config: dict, database: Database, dying: Dying) -> AsyncIterator[None]:
    """Let messages go where they are taken: in this process, or on RabbitMQ."""
    if "rabbitmq" in config:
        address, inbox = Address.parse(config["rabbitmq"]), Inbox(database)
        publisher = RabbitPublisher(address, TOPOLOGY)
        subscriptions = [dispatches(ProjectStore(database, audit=no_audit))]
        relay = Relay(database, InProcess({}, publisher), source=SOURCE, poll=0.1)
        consumer = Consumer(address, TOPOLOGY, inbox, subscriptions)
        tasks = [asyncio.create_task(relay.run()), asyncio.create_task(consumer.run())]
        yield
        relay.stop()
        consumer.stop()
        await asyncio.gather(*tasks)
        await publisher.close()
        return
    if "github" not in config:
        yield
        return
    inbox = Inbox(database)
    telling = Telling(engine_client(config["url"], Path(config["home"])), _access(config))
    subscription = results(telling)
    subscription = replace(subscription, handle=dying.after("tell", subscription.handle))
    takers = {
        WORKFLOWS: dying.after("collect", workflows(database, _access(config))),
        WARGAMING_RESULTS.name: inbox.taker(subscription),
    }
    unheard = Unheard([queue.name for queue in TOPOLOGY.queues if not queue.inbound])
    relay = Relay(database, InProcess(takers, unheard), source=SOURCE, poll=0.1)
    running = asyncio.create_task(relay.run())
    yield
    relay.stop()
    await running


def _access(config: dict) -> Access:
    return Access(SecretStr("github_pat_test"), base_url=config["github"]["url"], seconds=10.0)


async def run(config: dict) -> None:
    folder = Path(config["folder"])
    diary = Diary(folder)
    hook = Hook(diary, config.get("hold", ()), config.get("fail", ()), config.get("slow", 0.0))
    fixed = {name: tuple(versions) for name, versions in config.get("fixed", {"a": ["2"]}).items()}
    github = config.get("github", {})
    dying = Dying(diary, config.get("die", ""))
    weak = {name: set(releases) for name, releases in config.get("weak", {}).items()}
    world = Registered(folder / "made-up", fixed=fixed, weak=weak, hook=hook, commit=github.get("commit", ""))
    if config.get("logs"):
        configure(environment="production", level="INFO", stream=sys.stdout, service="vertice-worker")
    if endpoint := config.get("traces"):
        tracing.configure(endpoint=endpoint, service="vertice-worker", version="1", environment="development")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with Database.open(config["url"]) as database:
        tools = Tools(
            world,
            world,
            world,
            world,
            ProjectStore(database, audit=no_audit),
            ScanStore(database),
            FileDecisions(folder / "decisions", diary),
            outside=Mortal(GitHubArena(_access(config)), dying) if github else None,
        )
        quick = {"beat_seconds": 0.3, "dead_seconds": 4.0, "sweep_seconds": 0.3, "poll_seconds": 0.1}
        settings = WorkSettings(
            config["url"], Path(config["home"]), pauses=(0.05, 0.05), **{**quick, **config.get("settings", {})}
        )
        work = Work(settings, database, tools)
        await work.start()
        HEAL.parts = replace(HEAL.parts, announce=dying.after("announce", HEAL.parts.announce))
        TRIALS.parts = replace(TRIALS.parts, announce=dying.after("request", TRIALS.parts.announce))
        diary.note("started", work.executor)
        waits = [asyncio.create_task(event.wait()) for event in (stopping, work.lost)]
        async with messages(config, database, dying):
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.lost.is_set():
            diary.note("lost", work.executor)
            os._exit(3)
        await work.stop()
        await asyncio.to_thread(tracing.stop)
        diary.note("stopped", work.executor)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
