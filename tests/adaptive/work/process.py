"""A real worker process on a made-up project: the engine, the database and the processes are real, the work is not.

`python -m tests.adaptive.work.process CONFIG.json`, ended by SIGTERM. What happens is written to one file by all
processes, a line each; what is held up waits for another file to appear.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from tests.adaptive.world import Event, World, a_request, an_apv
from vertice.adaptive.model import Found, Proof, Request
from vertice.adaptive.projects.model import DocumentKind, Feed, Project, Scan
from vertice.adaptive.projects.scans import Looked, ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.wargame.model import Probe
from vertice.adaptive.work.worker import Tools, Work, WorkSettings
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError, UnfinishedError

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
        self._happens("concluded", _name(request))
        return concluded

    def ask(self, scan: Scan, project: Project, commit: str, *, again: str = "") -> Request:
        digest = hashlib.sha256(f"{project.id}{again}".encode()).hexdigest()
        return a_request(digest=digest, project=project.location, project_id=str(project.id), scan=str(scan.id))


def _name(request: Request) -> str:
    return Path(request.project).name


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


async def run(config: dict) -> None:
    folder = Path(config["folder"])
    diary = Diary(folder)
    hook = Hook(diary, config.get("hold", ()), config.get("fail", ()), config.get("slow", 0.0))
    fixed = {name: tuple(versions) for name, versions in config.get("fixed", {"a": ["2"]}).items()}
    world = Registered(folder / "made-up", fixed=fixed, hook=hook)
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
        )
        quick = {"beat_seconds": 0.3, "dead_seconds": 4.0, "sweep_seconds": 0.3, "poll_seconds": 0.1}
        settings = WorkSettings(
            config["url"], Path(config["home"]), pauses=(0.05, 0.05), **{**quick, **config.get("settings", {})}
        )
        work = Work(settings, database, tools)
        await work.start()
        diary.note("started", work.executor)
        waits = [asyncio.create_task(event.wait()) for event in (stopping, work.lost)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.lost.is_set():
            diary.note("lost", work.executor)
            os._exit(3)
        await work.stop()
        diary.note("stopped", work.executor)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
