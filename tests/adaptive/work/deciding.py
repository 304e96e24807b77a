"""A process that decides on a review, or carries decisions out, and that something befalls between two steps.

It reads one order in JSON a line, forks a process that does it, and says how that one ended: what is slow to import is
imported once. A *point* lies before each step that writes outside the process, where all is as the step before has left
it, and after the last one of a strand. Every passing is noted in `passed`, so that the next orders can name each.
"""

import asyncio
import contextlib
import functools
import inspect
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from dbos import DBOS
from dbos._sys_db import SystemDatabase

from tests.adaptive.work.process import Registered, no_audit
from vertice.adaptive.api.decisions import decide
from vertice.adaptive.api.process import open_api
from vertice.adaptive.api.service import reviewer_of
from vertice.adaptive.execution import checkout
from vertice.adaptive.execution.git import Git
from vertice.adaptive.policies import Policies
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.review.audit import Anchor
from vertice.adaptive.review.change import Change
from vertice.adaptive.review.decide import ConflictError
from vertice.adaptive.review.model import Decision, DecisionKind
from vertice.adaptive.review.reading import expect
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.work.decisions import StoredDecisions
from vertice.adaptive.work.duties import Duties
from vertice.adaptive.work.enqueue import Enqueuer
from vertice.adaptive.work.worker import Tools, Work, WorkSettings
from vertice.kernel.auth.model import SCOPES_OF, Principal, Role
from vertice.kernel.bus import outbox
from vertice.kernel.bus.rabbit import Address, RabbitPublisher
from vertice.kernel.bus.relay import Relay
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.logging import configure
from vertice.kernel.notify import DESTINATION
from vertice.kernel.psycopg_url import psycopg_url
from vertice.kernel.settings import ServiceSettings

__all__ = ["CODE", "SUSPENDED", "TOO_LATE"]

CODE = "APV-20261121-001"
TOO_LATE = 4
"""Exit code of a process that did not get its work done in time."""
SUSPENDED = ("reached", "go on")
"""Files: a process that is told to wait at a point makes the first, and goes on when there is the second."""
_SECONDS = 60
_WRITING = frozenset({"init", "read-tree", "update-index", "write-tree", "hash-object", "commit-tree", "update-ref"})
"""Commands of git that leave something on the disk."""


@dataclass
class Points:
    """Counts the passings of every point; at the one that was named, something happens."""

    folder: Path
    at: tuple[str, int] | None
    what: Callable[[], None]
    seen: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, name: str) -> None:
        with self.lock:
            self.seen[name] += 1
            number = self.seen[name]
            with (self.folder / "passed").open("a") as stream:
                stream.write(json.dumps([name, number]) + "\n")
        if self.at == (name, number):
            self.what()

    def around(
        self,
        owner: Any,
        method: str,
        name: Callable[..., str],
        *,
        counts: Callable[..., bool] = lambda *_: True,
        after: Callable[[Any], bool] | None = None,
    ) -> None:
        """Make the method pass a point before it; with `after`, one after it where that says so of its result."""
        plain = getattr(owner, method)

        @functools.wraps(plain)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if counts(*args):
                self(f"before {name(*args)}")
            result = plain(*args, **kwargs)
            if after is not None and after(result):
                self(f"after {name(*args)}")
            return result

        @functools.wraps(plain)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            if counts(*args):
                self(f"before {name(*args)}")
            result = await plain(*args, **kwargs)
            if after is not None and after(result):
                self(f"after {name(*args)}")
            return result

        setattr(owner, method, awaited if inspect.iscoroutinefunction(plain) else wrapped)

    def lay(self) -> None:
        """Put them between the steps from a decision to its outcome."""
        self.around(Git, "run", lambda _, command, *__: f"git {command}", counts=_writes)
        self.around(checkout, "write_atomic", lambda *_: "a file of the project")
        self.around(WriteSession, "commit", lambda *_: "the change's commit", counts=_changes)
        self.around(Anchor, "advance", lambda *_: "the anchor")
        self.around(Enqueuer, "_enqueue_now", lambda *_: "the queue", after=_always)
        self.around(SystemDatabase, "start_queued_workflows", lambda *_: "the claim", counts=_never, after=_claimed)
        self.around(SystemDatabase, "record_operation_result", lambda *_: "the step's result")
        self.around(SystemDatabase, "update_workflow_outcome", lambda *_: "the workflow's end", after=_always)
        self.around(RabbitPublisher, "publish", lambda *_: "a message")
        self.around(Relay, "_record", lambda *_: "the note that it was sent", after=_always)


def _always(_: object) -> bool:
    return True


def _never(*_: object) -> bool:
    return False


def _claimed(found: tuple[list[str], object]) -> bool:
    return bool(found[0])


def _writes(_: Git, command: str, *__: str) -> bool:
    return command in _WRITING


def _changes(session: WriteSession) -> bool:
    return "change" in session.info


def _mark_changes() -> None:
    plain = Change.__init__

    @functools.wraps(plain)
    def marking(self: Change, session: WriteSession, *args: Any) -> None:
        session.info["change"] = True
        plain(self, session, *args)

    Change.__init__ = marking  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _cut(url: str) -> None:
    """Let PostgreSQL close every connection to the database, whoever has it."""
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    place = psycopg_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(place) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")


def _wait(folder: Path) -> None:
    reached, go_on = (folder / name for name in SUSPENDED)
    reached.touch()
    while not go_on.exists():
        time.sleep(0.02)


async def deciding(order: dict[str, Any], home: Path) -> None:
    """Decide as the API does when a person asks it to."""
    settings = ServiceSettings(vertice_home=home, database_url=order["url"])
    tasks = Enqueuer(settings.database, home)
    api = open_api(settings, tasks)
    review = await api.service.reviews.get(CODE)
    principal = Principal(
        "test|ana", "Ana Souza", "ana@example.org", Role.lead, "session", SCOPES_OF[Role.lead], uuid4()
    )
    decision = Decision(DecisionKind.approve, "The proof is convincing.", reviewer_of(principal))
    try:
        await decide(api.service, CODE, decision, principal, seen=partial(expect, version=review.version))
    except ConflictError:
        print("decided already", file=sys.stderr)
    await tasks.close()


async def working(order: dict[str, Any], home: Path) -> None:
    """Work until nothing waits: no decision, no workflow, no message."""
    url = order["url"]
    quick = {"beat_seconds": 0.05, "dead_seconds": 0.2, "sweep_seconds": 0.1, "poll_seconds": 0.05}
    how = WorkSettings(url, home, pauses=(0.1,) * 200, **quick)
    async with Database.open(url) as database:
        reviews, scans = ReviewStore(database, home=home), ScanStore(database)
        decisions = StoredDecisions(reviews, home)
        world = Registered(home / "made-up", hook=lambda _: None)
        tools = Tools(world, world, world, world, ProjectStore(database, audit=no_audit), scans, decisions)
        work = Work(how, database, tools)
        await work.start()

        async def nothing(_: object) -> None:
            """Nobody is notified, and what is decided is found by the sweep."""

        duties = Duties(
            database=database,
            home=home,
            reviews=reviews,
            policy_of=Policies.of(ServiceSettings(vertice_home=home, database_url=url), scans),
            auto_merges=False,
            broker=Address.parse(order["rabbitmq"]),
            takers={DESTINATION: nothing},
            subscriptions=[],
            execute=nothing,
        )
        beside = asyncio.create_task(duties.run())
        while not await _all_done(decisions, database):  # noqa: ASYNC110  (nobody could set an event)
            await asyncio.sleep(0.05)
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)


async def _all_done(decisions: StoredDecisions, database: Database) -> bool:
    with contextlib.suppress(Exception):  # the database may be away
        if await decisions.waiting():
            return False
        async with database.read() as session:
            if await outbox.waiting(session, "", limit=1):
                return False
        live = ["PENDING", "ENQUEUED", "DELAYED"]
        return not await asyncio.to_thread(DBOS.list_workflows, status=live, load_input=False, load_output=False)
    return False


def run(order: dict[str, Any]) -> None:
    folder = Path(order["folder"])
    home = folder / "home"
    at = tuple(order["at"]) if order.get("at") else None
    befalls = {"die": _die, "cut": lambda: _cut(order["url"]), "wait": lambda: _wait(folder)}
    configure(level="WARNING", stream=sys.stderr)
    _mark_changes()
    Points(folder, at, befalls[order.get("befalls", "die")]).lay()
    role = {"decide": deciding, "work": working}[order["role"]]

    async def in_time() -> None:
        async with asyncio.timeout(_SECONDS):
            await role(order, home)

    try:
        asyncio.run(in_time())
    except TimeoutError:
        os._exit(TOO_LATE)
    os._exit(0)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            try:
                run(order)
            except BaseException:  # noqa: BLE001  (it is in the log, and the exit code says it)
                traceback.print_exc()
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
