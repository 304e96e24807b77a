"""A decision is stored first and carried out after, exactly once, whatever befalls between any two steps.

Every point between the steps is found by a run that nothing befalls; then, for each of them, the same run is killed
there, and another process goes on.
"""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import make_url, select

from tests import outside
from tests.adaptive.review import samples
from tests.adaptive.work.deciding import CODE, SUSPENDED
from tests.machine import ROOT, commit, git
from tests.servers import Postgres, RabbitMq, Server
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.policies import Policies
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.review.model import Action, DecisionState, Status
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.bus.events import since
from vertice.kernel.bus.tables import OutboxRow
from vertice.kernel.database import Database, upgrade
from vertice.kernel.settings import ServiceSettings

pytestmark = pytest.mark.slow

QUEUES = ("hitl.review_request", "hitl.decision")
DECIDING = {"the change's commit", "the anchor", "the queue"}
CARRYING_OUT = {
    "the claim",
    *(f"git {command}" for command in ("init", "read-tree", "update-index", "write-tree", "commit-tree", "update-ref")),
    *("a file of the project", "the change's commit", "the anchor", "the step's result", "the workflow's end"),
    *("a message", "the note that it was sent"),
}
_SECONDS = 60

Point = tuple[str, int]


@dataclass
class Stage:
    """A project with a review that waits, its database and broker, and a program that plays on it."""

    folder: Path
    url: str
    rabbitmq: str
    program: "subprocess.Popen[str]"

    @property
    def live(self) -> Path:
        return self.folder / "live"

    @property
    def repo(self) -> Path:
        return self.live / "repo"

    async def prepare(self) -> None:
        """Leave a review waiting, with a real branch and real evidence to decide on."""
        self.repo.mkdir(parents=True)
        (self.repo / "requirements.txt").write_text(samples.BEFORE)
        commit(self.repo)
        home = self.live / "home"
        remedy = samples.a_remedy(apvs=(CODE,))
        proposal = propose(self.repo, remedy, code=CODE, message="Fix it", home=home)
        await upgrade(self.url)
        async with Database.open(self.url) as database:
            new = samples.a_new_review(remedy=remedy, root=str(self.repo), proposal=proposal)
            policies = Policies.of(ServiceSettings(vertice_home=home, database_url=self.url), ScanStore(database))
            await ReviewStore(database, home=home, due_at=policies.due_at).create(samples.proven(new))
        assert await self.play("work") == 0  # the engine's tables are made, the review is told of
        await self.drained()
        self.save("waiting")

    async def play(self, role: str, at: Point | None = None, befalls: str = "die") -> int:
        """Let a process decide, or work until nothing waits; return its exit code."""
        order = {"role": role, "at": at, "befalls": befalls, "url": self.url, "rabbitmq": self.rabbitmq}
        order |= {"folder": str(self.live), "log": str(self.folder / "log")}
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        print(json.dumps(order), file=self.program.stdin, flush=True)
        return int(await asyncio.to_thread(self.program.stdout.readline))

    async def play_through_an_outage(self, at: Point, server: Server) -> int:
        """Let a process work while the server stops at that point and starts again a moment later."""
        reached, go_on = (self.live / name for name in SUSPENDED)
        playing = asyncio.create_task(self.play("work", at, "wait"))
        async with asyncio.timeout(_SECONDS):
            while not reached.exists():  # noqa: ASYNC110  (another process makes it)
                await asyncio.sleep(0.02)
        await asyncio.to_thread(server.stop)
        go_on.touch()
        await asyncio.sleep(1)  # it finds nobody there
        await asyncio.to_thread(server.start)
        return await playing

    async def decided(self) -> list[Point]:
        """Decide on the review that waits, keep how things stand then, and return the points on the way."""
        self.restore("waiting")
        assert await self.play("decide") == 0
        self.save("decided")
        return self._passed(DECIDING)

    async def worked(self) -> list[Point]:
        """Carry the decision out; return the points on the way."""
        self.restore("decided")
        assert await self.play("work") == 0
        assert await self.wrong() == []
        return self._passed(CARRYING_OUT)

    def _passed(self, wanted: set[str]) -> list[Point]:
        lines = (self.live / "passed").read_text().splitlines()
        points = [(name, number) for name, number in map(json.loads, lines)]
        assert {name.partition(" ")[2] for name, _ in points} == wanted
        return points

    def save(self, name: str) -> None:
        shutil.copytree(self.live, self.folder / name, symlinks=True)
        if self.url.startswith("postgresql"):
            self._administer(f"CREATE DATABASE {self._name}_{name} TEMPLATE {self._name}")

    def restore(self, name: str) -> None:
        shutil.rmtree(self.live)
        shutil.copytree(self.folder / name, self.live, symlinks=True)
        (self.live / "passed").unlink(missing_ok=True)
        if self.url.startswith("postgresql"):
            self._administer(f"DROP DATABASE {self._name} WITH (FORCE)")
            self._administer(f"CREATE DATABASE {self._name} TEMPLATE {self._name}_{name}")

    def close(self) -> None:
        """Remove what `save` left on the server."""
        if self.url.startswith("postgresql"):
            for name in ("waiting", "decided"):
                self._administer(f"DROP DATABASE IF EXISTS {self._name}_{name} WITH (FORCE)")

    @property
    def _name(self) -> str:
        return make_url(self.url).database or ""

    def _administer(self, statement: str) -> None:
        place = make_url(self.url).set(drivername="postgresql", database="postgres")
        with psycopg.connect(place.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)

    async def drained(self) -> list[str]:
        """Take what is in the queues, and return the ids."""
        return [
            message.message_id or ""
            for queue in QUEUES
            for message in await outside.drain(self.rabbitmq, queue, await outside.depth(self.rabbitmq, queue))
        ]

    async def wrong(self) -> list[str]:
        """Say what is not as if nothing had befallen."""
        async with Database.open(self.url) as database:
            store = ReviewStore(database, home=self.live / "home")
            review, report = await store.get(CODE), await store.verify()
            async with database.read() as session:
                told = {
                    channel: [event.type for event in await since(session, {channel: 0}, limit=100)]
                    for channel in ("decisions", f"review:{CODE}")
                }
                sent = (
                    await session.scalars(
                        select(OutboxRow).where(OutboxRow.destination == "hitl.decision").order_by(OutboxRow.seq)
                    )
                ).all()
        got = await self.drained()
        facts = {
            "merges": (git(self.repo, "rev-list", "--count", "--merges", "main"), "1"),
            "merged file": (git(self.repo, "show", "main:requirements.txt"), samples.AFTER.strip()),
            "working tree": ((self.repo / "requirements.txt").read_text(), samples.AFTER),
            "status of git": (git(self.repo, "status", "--porcelain"), ""),
            "review": (review.status, Status.approved),
            "decisions": (
                [(made.state, made.action) for made in review.decisions],
                [(DecisionState.done, Action.pr_merged)],
            ),
            "audit": ((report.ok, report.why), (True, "")),
            "decisions told": (told["decisions"], ["decision_made", "decision_carried_out"]),
            "review told": (told[f"review:{CODE}"][1:], ["decision_made", "decision_carried_out"]),
            "messages": (
                [row.type for row in sent],
                ["dev.vertice.decision.made", "dev.vertice.decision.carried_out"],
            ),
            "messages at the broker": (list(dict.fromkeys(got)), [row.id for row in sent]),
        }
        return [f"{name}: {found!r} is not {wanted!r}" for name, (found, wanted) in facts.items() if found != wanted]


@pytest.fixture
def program() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.adaptive.work.deciding"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


Staged = Callable[[str, str], Awaitable[Stage]]


@pytest_asyncio.fixture
async def staged(tmp_path: Path, program: "subprocess.Popen[str]") -> AsyncIterator[Staged]:
    """Set the stage with a database ("": SQLite) and a broker."""
    set_up: list[Stage] = []

    async def run(url: str, rabbitmq: str) -> Stage:
        stage = Stage(tmp_path, url or f"sqlite+aiosqlite:///{tmp_path}/live/home/vertice.db", rabbitmq, program)
        set_up.append(stage)
        await stage.prepare()
        return stage

    yield run
    for stage in set_up:
        stage.close()


@pytest_asyncio.fixture
async def stage(database_url: str, rabbitmq_url: str, staged: Staged) -> Stage:
    return await staged(database_url if database_url.startswith("postgresql") else "", rabbitmq_url)


async def test_killed_at_any_point_of_deciding(stage: Stage) -> None:
    """Whoever asked had no answer and asks again; the decision is there once."""
    broken = []
    for point in await stage.decided():
        stage.restore("waiting")
        assert await stage.play("decide", point) == -signal.SIGKILL, point
        assert await stage.play("decide") == 0, point
        assert await stage.play("work") == 0, point
        broken += [f"{point}: {what}" for what in await stage.wrong()]
    assert not broken


async def test_killed_at_any_point_of_carrying_out(stage: Stage) -> None:
    """Another worker takes over."""
    await stage.decided()
    broken = []
    for point in await stage.worked():
        stage.restore("decided")
        assert await stage.play("work", point) == -signal.SIGKILL, point
        assert await stage.play("work") == 0, point
        broken += [f"{point}: {what}" for what in await stage.wrong()]
    assert not broken


async def test_connections_to_the_database_are_cut_at_any_point(
    postgres_url: str, rabbitmq_url: str, staged: Staged
) -> None:
    """Whoever asks for a decision may have to ask again; a worker goes on by itself."""
    stage = await staged(postgres_url, rabbitmq_url)
    broken = []
    for point in await stage.decided():
        stage.restore("waiting")
        await stage.play("decide", point, "cut")
        assert await stage.play("decide") == 0, point
        assert await stage.play("work") == 0, point
        broken += [f"deciding, {point}: {what}" for what in await stage.wrong()]
    for point in await stage.worked():
        if " git " in point[0]:
            continue  # no connection is in use then
        stage.restore("decided")
        assert await stage.play("work", point, "cut") == 0, point
        broken += [f"working, {point}: {what}" for what in await stage.wrong()]
    assert not broken


@pytest.mark.parametrize("point", ["before the change's commit", "before the anchor", "before the workflow's end"])
async def test_a_database_that_stops_at_a_point_and_starts_again(
    private_postgres: Callable[[], Postgres], rabbitmq_url: str, staged: Staged, point: str
) -> None:
    server = private_postgres()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE stage")
    url = f"{server.url.rpartition('/')[0]}/stage"
    stage = await staged(url.replace("postgresql", "postgresql+asyncpg", 1), rabbitmq_url)
    await stage.decided()
    stage.restore("decided")
    assert await stage.play_through_an_outage((point, 1), server) == 0
    assert await stage.wrong() == []


async def test_a_broker_that_stops_at_a_point_and_starts_again(
    private_rabbitmq: Callable[[], RabbitMq], staged: Staged
) -> None:
    server = private_rabbitmq()
    stage = await staged("", server.url)
    await stage.decided()
    stage.restore("decided")
    assert await stage.play_through_an_outage(("before a message", 2), server) == 0
    assert await stage.wrong() == []
