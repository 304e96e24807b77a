"""`vertice worker`: scans, heals, wargames and decisions, from the queues of the service."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from vertice.cli.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from vertice.adaptive.execution.github import GitHubSettings
    from vertice.adaptive.triage.codes import Codes
    from vertice.adaptive.work.duties import Duties
    from vertice.adaptive.work.grounds import Fetch
    from vertice.adaptive.work.worker import Work, WorkSettings
    from vertice.kernel.database import Database, WriteSession
    from vertice.kernel.notify import Notifier
    from vertice.kernel.settings import ServiceSettings

__all__ = ["bring_up", "duties_of", "hints_of", "work_of", "worker"]


def worker(
    wargames: Annotated[
        int, typer.Option(min=0, max=256, help="Wargames that a worker runs at once (0: half of its cores).")
    ] = 0,
    everywhere: Annotated[
        int, typer.Option(min=0, max=10_000, help="Wargames that all workers together run at once (0: no limit).")
    ] = 0,
    grace: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Seconds that a stop waits for the steps that run.")
    ] = 25.0,
) -> None:
    """Work for the service: scans, heals, wargames, decisions. As many workers as wanted share one PostgreSQL.

    SIGTERM lets the steps that run end and hands the rest to the other workers; a second one hands everything back.
    """
    from vertice.adaptive.work.worker import WorkSettings
    from vertice.kernel.settings import load_service
    from vertice.kernel.telemetry import start

    bench = Workbench()
    settings = load_service(bench.environment)
    start(settings, service="vertice-worker")
    how = WorkSettings(
        settings.database,
        bench.home,
        wargames=wargames,
        wargames_everywhere=everywhere or None,
        proves=settings.wargaming_enabled,
        arena=settings.vertice_arena,
        grace_seconds=grace,
    )
    asyncio.run(bring_up(settings))
    asyncio.run(_run(bench, settings, how))


async def bring_up(settings: "ServiceSettings") -> None:
    """Bring the schema up to date; in production that is a step of its own, before anything new starts."""
    from vertice.kernel.database import current, upgrade
    from vertice.kernel.errors import InputError
    from vertice.kernel.migrations import HEAD

    if not settings.production:
        await upgrade(settings.database)
    elif (found := await current(settings.database)) != HEAD:
        raise InputError(
            f"the database's schema is {found or 'not there'}, this Vértice needs {HEAD}",
            where="DATABASE_URL",
            todo="Run `vertice db upgrade`.",
        )


async def _run(bench: Workbench, settings: "ServiceSettings", how: "WorkSettings") -> None:
    from vertice.kernel import tracing
    from vertice.kernel.database import Database
    from vertice.kernel.errors import UnfinishedError

    async with Database.open(settings.database) as database, hints_of(settings) as changed:
        work = work_of(bench, settings, how, database, changed=changed)
        duties = duties_of(bench, settings, database, changed=changed)
        await duties.reviews.adopt_anchor()
        stopping = asyncio.Event()
        _stop_by_signal(stopping, work)
        await work.start()
        busy = asyncio.create_task(duties.run())
        waits = [busy, *(asyncio.create_task(event.wait()) for event in (stopping, work.lost))]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        if work.lost.is_set():
            raise UnfinishedError("the other workers took this one for dead", todo="Start it again.")
        await work.stop()
        await asyncio.to_thread(tracing.stop)


@contextlib.asynccontextmanager
async def hints_of(settings: "ServiceSettings") -> "AsyncIterator[Callable[[], None]]":
    """Give what tells the API processes through Redis that something is new; without it they look themselves."""
    from vertice.kernel.bus.redis import CHANNEL, RedisHints

    url = settings.redis_url.get_secret_value()
    if not url:
        yield lambda: None
        return
    hints, told = RedisHints(url, CHANNEL), asyncio.Event()

    async def tell() -> None:
        while True:
            await told.wait()
            told.clear()
            await hints.send()

    telling = asyncio.create_task(tell())
    try:
        yield told.set
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await hints.close()


def duties_of(
    bench: Workbench, settings: "ServiceSettings", database: "Database", *, changed: Callable[[], None]
) -> "Duties":
    """Return what this process does beside the queued work."""
    from functools import partial

    from vertice.adaptive.execution.github_settings import github_of
    from vertice.adaptive.notices import notice_of
    from vertice.adaptive.policies import Policies
    from vertice.adaptive.projects.scans import ScanStore
    from vertice.adaptive.projects.store import ProjectStore
    from vertice.adaptive.review.store import ReviewStore
    from vertice.adaptive.work.arena import Telling, results, workflows
    from vertice.adaptive.work.duties import Duties
    from vertice.adaptive.work.enqueue import Enqueuer, engine_client
    from vertice.adaptive.work.inbound import dispatches
    from vertice.adaptive.work.names import WORKFLOWS
    from vertice.kernel.bus.rabbit import Address
    from vertice.kernel.notify import Delivery

    policies = Policies.of(settings, ScanStore(database))
    github = github_of(settings)
    rabbitmq = settings.rabbitmq_url.get_secret_value()
    urls = [url.get_secret_value() for url in settings.notify_urls]
    told = partial(
        notice_of,
        link=lambda code: f"{settings.url()}/reviews/{code}",
        escalate_to=policies.service.escalate_to,
    )
    return Duties(
        database=database,
        home=bench.home,
        reviews=ReviewStore(database, home=bench.home, due_at=policies.due_at, changed=changed),
        policy_of=policies,
        auto_merges=policies.service.auto_merge.enabled,
        broker=Address.parse(rabbitmq) if rabbitmq else None,
        takers={
            **Delivery(database, _notifiers(urls), told).takers,
            **({WORKFLOWS: workflows(database, github.access)} if github else {}),
        },
        subscriptions=[
            dispatches(ProjectStore(database, audit=_audit)),
            *([results(Telling(engine_client(settings.database, bench.home), github.access))] if github else []),
        ],
        execute=Enqueuer(settings.database, bench.home).enqueue_execution,
        github=github,
    )


def _notifiers(urls: list[str]) -> "Sequence[Notifier]":
    if not urls:
        return ()
    from vertice.kernel.notify_apprise import open_notifiers

    return open_notifiers(urls)


def work_of(
    bench: Workbench,
    settings: "ServiceSettings",
    how: "WorkSettings",
    database: "Database",
    *,
    changed: Callable[[], None] = lambda: None,
) -> "Work":
    """Return the worker of this process, for `vertice worker` and for `vertice serve` on the embedded default.

    `changed` is called after each live event, for whoever listens in this process.
    """
    from vertice.adaptive.execution.github_settings import github_of
    from vertice.adaptive.policies import Policies
    from vertice.adaptive.projects.scans import ScanStore
    from vertice.adaptive.projects.store import ProjectStore
    from vertice.adaptive.review.store import ReviewStore
    from vertice.adaptive.work.arena import GitHubArena
    from vertice.adaptive.work.decisions import StoredDecisions
    from vertice.adaptive.work.grounds import RegisteredGround
    from vertice.adaptive.work.worker import Tools, Work

    github = github_of(settings)
    sandbox, environments = bench.sandbox, bench.environments
    advisories = settings.vertice_advisories
    ground = RegisteredGround(
        home=bench.home,
        database_url=settings.database,
        uv=bench.uv,
        arena=sandbox,
        arena_name=f"{sandbox.name} {sandbox.version}",
        codes=_codes(bench, how),
        releases=bench.releases,
        advisories=advisories.get_secret_value() if advisories else None,
        probe_folders=bench.probe_folders(None),
        fetch=_fetch(github),
        github=github,
        policy=Policies.of(settings, ScanStore(database)).service,
        fought_in=settings.vertice_arena,
    )

    def tidy() -> None:
        ground.tidy()
        environments.remove_old()

    tools = Tools(
        ground=ground,
        survey=ground,
        environments=environments,
        arena=sandbox,
        projects=ProjectStore(database, audit=_audit),
        scans=ScanStore(database, changed=changed),
        decisions=StoredDecisions(ReviewStore(database, home=bench.home, changed=changed), bench.home, github),
        outside=GitHubArena(github.access) if github else None,
        tidy=tidy,
    )
    return Work(how, database, tools)


def _stop_by_signal(stopping: asyncio.Event, work: "Work") -> None:
    def stop() -> None:
        if stopping.is_set():
            work.hurry()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _codes(bench: Workbench, how: "WorkSettings") -> "Codes":
    """Return the home's own register on SQLite, so that `vertice heal` numbers alike; else the database's."""
    from vertice.adaptive.triage.database_codes import DatabaseCodes

    return bench.codes if how.embedded else DatabaseCodes(how.database_url)


def _fetch(github: "GitHubSettings | None") -> "Fetch":
    from vertice.adaptive.execution.github_fetch import fetch
    from vertice.adaptive.work.grounds import no_fetch

    return no_fetch if github is None else partial(fetch, github.access)


async def _audit(
    session: "WriteSession", *, actor: str, action: str, subject: str, payload: Mapping[str, object]
) -> None:
    from vertice.adaptive.review.audit import append

    def now() -> datetime:
        return datetime.now(UTC)

    await append(session, actor=actor, action=action, subject=subject, payload=payload, clock=now)
