"""One process that works: it joins, takes work, shows that it lives, and hands back what it has when it stops."""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from dbos import DBOS
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from vertice.adaptive.engine import configured
from vertice.adaptive.gate import Gate
from vertice.adaptive.pipeline import HEAL, Ground, Parts
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.trial import TRIALS, Outside, TrialParts
from vertice.adaptive.wargame.attack import Arena
from vertice.adaptive.wargame.environment import Environments
from vertice.adaptive.work.arena import GITHUB
from vertice.adaptive.work.bridge import Bridge
from vertice.adaptive.work.conduct import WorkerConduct
from vertice.adaptive.work.executions import EXECUTING, PAUSES, Decisions, ExecutionParts
from vertice.adaptive.work.members import Members, executor_name
from vertice.adaptive.work.names import EXECUTIONS, HEALS, SCANS, VERSION, WARGAMES, engine_url
from vertice.adaptive.work.news import Telegraph
from vertice.adaptive.work.progress import Progress
from vertice.adaptive.work.retention import forget, forget_workflows
from vertice.adaptive.work.scans import SCANNING, ScanParts, Survey
from vertice.adaptive.work.sweep import Sweep, hand_back
from vertice.kernel.database import Database
from vertice.kernel.errors import UnfinishedError, VerticeError, from_os_error
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["Tools", "Work", "WorkSettings"]

_HEALS_AT_ONCE = 16
_EXECUTIONS_AT_ONCE = 8
_TRIALS_AT_ONCE = 16
"""Of wargames outside, which take a thread each; what runs here beside them is bounded by the gate."""
_HAND_BACK_SECONDS = 5.0
_DRAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """How a worker works. Every number of seconds can be made small in a test."""

    database_url: str
    home: Path
    wargames: int = 0
    """Wargames that one process runs at once; 0: half as many as it has cores, at least one."""
    wargames_everywhere: int | None = None
    """Wargames that all processes together run at once, None for no limit."""
    arena: str = "bwrap"
    """`github`: wargames of GitHub's projects run on GitHub Actions, and many of them wait at once."""
    proves: bool = True
    """False: this process scans and carries decisions out, but runs no heal and no wargame."""
    pauses: tuple[float, ...] = (2.0, 10.0, 30.0)
    """Seconds before a step that could not be finished is tried again."""
    execution_pauses: tuple[float, ...] = PAUSES
    """Seconds before a forge that cannot carry a decision out yet is asked again."""
    beat_seconds: float = 5.0
    dead_seconds: float = 30.0
    """A worker that was not seen for so long is dead, and its work is taken over."""
    sweep_seconds: float = 2.0
    poll_seconds: float = 0.5
    tidy_seconds: float = 3600.0
    look_seconds: float = 300.0
    """Between two looks at a wargame on GitHub Actions of which nobody has told anything."""
    grace_seconds: float = 25.0
    """How long a stop waits for the steps that run."""

    @property
    def wargames_here(self) -> int:
        """Wargames that this process runs at once, or waits for."""
        own = self.wargames or max(1, len(os.sched_getaffinity(0)) // 2)
        return max(own, _TRIALS_AT_ONCE) if self.arena == GITHUB else own

    @property
    def embedded(self) -> bool:
        """One process does everything, on SQLite."""
        return make_url(self.database_url).get_backend_name() == "sqlite"


@dataclass(frozen=True, slots=True)
class Tools:
    """What the work is done with."""

    ground: Ground
    survey: Survey
    environments: Environments
    arena: Arena
    projects: ProjectStore
    scans: ScanStore
    decisions: Decisions
    outside: Outside | None = None
    """The arena on GitHub Actions, where it can be reached."""
    tidy: Callable[[], object] = lambda: None
    """Removes from this machine's disk what is needed no more; called now and then."""


class Work:
    """A worker in this process, of which there can be one. `await start()`, and `await stop()` before the end."""

    def __init__(self, settings: WorkSettings, database: Database, tools: Tools) -> None:
        self.executor = executor_name()
        self.lost = asyncio.Event()
        """Set when the others took this process for dead: it works no more, and has to be started anew."""
        self._settings = settings
        self._database = database
        self._tools = tools
        self._members = Members(database, self.executor, dead_after=timedelta(seconds=settings.dead_seconds))
        self._conduct = WorkerConduct(settings.pauses)
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        self._engine: DBOS | None = None

    async def start(self) -> None:
        """Begin to work.

        Raises UnfinishedError when the database cannot be reached, or when another process works on the same SQLite.
        """
        bridge = Bridge()
        self._progress = Progress(self._tools.scans.progress)
        sweep = Sweep(bridge, self._tools.projects, self._tools.scans, self._tools.decisions, self._members)
        if self._settings.embedded:
            self._lock = _lock(self._settings.home)
        await self._members.join(alone=self._settings.embedded)
        self._tasks = [asyncio.create_task(self._beat())]  # a launch on a busy machine may take long
        self._give_parts(bridge)
        try:
            await asyncio.to_thread(self._launch)
        except BaseException:
            await self._leave()
            raise
        parts = (self._sweep(sweep), self._tidy(), self._progress.run())
        self._tasks += [asyncio.create_task(part) for part in parts]
        get_logger(__name__).info("worker started", worker=self.executor, wargames=self._settings.wargames_here)

    async def stop(self) -> None:
        """Take no more work, wait for the steps that run for as long as the grace is, hand the rest back.

        Threads that wait stay behind: the process has to end.
        """
        if self._engine is not None:
            self._take_no_more()
            ended = await asyncio.to_thread(self._conduct.stop, self._settings.grace_seconds)
            await asyncio.to_thread(self._hand_back)
            get_logger(__name__).info("worker stopped", worker=self.executor, every_step_ended=ended)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._progress.drain(), _DRAIN_SECONDS)
        await self._leave()

    def hurry(self) -> None:
        """Let a `stop` that waits hand back what runs at once."""
        self._conduct.hurry()

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(VerticeError):
            await self._members.leave()
        if self._lock is not None:
            self._lock.close()

    def _give_parts(self, bridge: Bridge) -> None:
        tools, conduct = self._tools, self._conduct
        gate = Gate(len(os.sched_getaffinity(0)))
        telegraph = Telegraph(bridge, self._database)
        HEAL.parts = Parts(
            tools.ground,
            tools.environments,
            tools.arena,
            gate,
            self._progress,
            conduct,
            queue=WARGAMES,
            announce=telegraph.remedy,
        )
        TRIALS.parts = TrialParts(
            tools.outside, self._progress, telegraph.wargame, conduct, look_seconds=self._settings.look_seconds
        )
        SCANNING.parts = ScanParts(tools.survey, tools.scans, bridge, conduct)
        EXECUTING.parts = ExecutionParts(tools.decisions, bridge, conduct, self._settings.execution_pauses)

    def _launch(self) -> None:
        settings = self._settings
        url = engine_url(settings.database_url, settings.home)
        config = configured(url, executor=self.executor, version=VERSION, poll_seconds=settings.poll_seconds)
        config["log_level"] = "WARNING"
        config["sys_db_pool_size"] = 10
        limits = {
            SCANS: (max(2, settings.wargames_here), None),
            HEALS: (_HEALS_AT_ONCE, None),
            WARGAMES: (settings.wargames_here, settings.wargames_everywhere),
            EXECUTIONS: (_EXECUTIONS_AT_ONCE, None),
        }
        try:
            self._engine = DBOS(config=config)
            if not settings.proves:
                DBOS.listen_queues([SCANS, EXECUTIONS])
            DBOS.launch()
            for name, (here, everywhere) in limits.items():
                DBOS.register_queue(
                    name,
                    worker_concurrency=here if everywhere is None else min(here, everywhere),
                    global_concurrency=everywhere,
                    polling_interval_sec=settings.poll_seconds,
                    on_conflict="always_update",
                )
        except SQLAlchemyError as error:
            said = printable(str(getattr(error, "orig", None) or error), limit=300)
            where = make_url(url).render_as_string(hide_password=True)
            raise UnfinishedError(f"cannot keep workflows: {said}", where=where, todo="Is it running?") from error

    def _take_no_more(self) -> None:
        if self._engine is not None:
            for event in self._engine.background_thread_stop_events:
                event.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.beat_seconds)
            try:
                alive = await self._members.beat()
            except VerticeError as error:
                get_logger(__name__).warning("worker not seen", why=str(error))
                continue
            if not alive:
                get_logger(__name__).error("taken for dead by the other workers", worker=self.executor)
                self._take_no_more()
                await asyncio.to_thread(self._conduct.stop, 0.0)
                self.lost.set()
                return

    async def _sweep(self, sweep: Sweep) -> None:
        while True:
            try:
                await asyncio.to_thread(sweep)
            except Exception as error:  # noqa: BLE001 -- it mends what others leave, so nothing may end it
                get_logger(__name__).warning("sweep not finished", why=printable(str(error), limit=300))
            await asyncio.sleep(self._settings.sweep_seconds)

    async def _tidy(self) -> None:
        while True:
            now = datetime.now(UTC)
            parts = {
                "tables": forget(self._database, now),
                "workflows": asyncio.to_thread(forget_workflows, now),
                "disk": asyncio.to_thread(self._tools.tidy),
            }
            ends = await asyncio.gather(*parts.values(), return_exceptions=True)
            for what, done in zip(parts, ends, strict=True):
                if isinstance(done, Exception):
                    get_logger(__name__).warning("not tidied", what=what, why=printable(str(done), limit=300))
            await asyncio.sleep(self._settings.tidy_seconds)

    def _hand_back(self) -> None:
        """Put what this process has claimed back on its queue; a claim that was just under way is waited for."""
        until = time.monotonic() + _HAND_BACK_SECONDS
        clear = 0
        try:
            while clear < 2 and time.monotonic() < until:
                held = DBOS.list_workflows(
                    status="PENDING", executor_id=self.executor, load_input=False, load_output=False
                )
                clear = 0 if held else clear + 1
                if held:
                    hand_back([self.executor])
                time.sleep(0.1)
        except SQLAlchemyError as error:
            # The others find out by themselves, a little later.
            get_logger(__name__).warning("work not handed back", why=printable(str(error), limit=300))


def _lock(home: Path) -> IO[str]:
    """Hold the home for this process: on SQLite there is one worker."""
    path = home / "locks" / "work"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        raise from_os_error(error, "starting to work") from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.close()
        raise UnfinishedError(
            "another process works with this home already",
            where=str(home),
            todo="On SQLite `vertice serve` does all the work; set DATABASE_URL to PostgreSQL for more workers.",
        ) from error
    return stream
