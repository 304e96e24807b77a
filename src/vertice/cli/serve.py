"""`vertice serve` and `vertice login`: the service."""

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from vertice.cli.reviews import person
from vertice.cli.workbench import Workbench
from vertice.kernel.errors import InputError

if TYPE_CHECKING:
    from vertice.kernel.settings import ServiceSettings

__all__ = ["login", "serve"]


def serve(
    host: Annotated[str, typer.Option(help="Where to listen [env: HOST].", metavar="ADDRESS")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one [env: PORT].")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="API processes on that port [env: WORKERS].")
    ] = None,
) -> None:
    """Serve the API, live events and the console.

    On the embedded default (SQLite) it does the work, too, and prints a URL that logs you in once. With PostgreSQL the
    work is done by `vertice worker`.
    """
    import uvloop

    from vertice.adaptive.api.process import open_api
    from vertice.adaptive.api.server import prepare, serve_many
    from vertice.adaptive.work.enqueue import Enqueuer
    from vertice.cli.worker import bring_up
    from vertice.kernel.settings import load_service

    bench = Workbench()
    named = {"HOST": host or None, "PORT": port, "WORKERS": workers}
    given = {name: str(value) for name, value in named.items() if value is not None}
    settings = load_service(replace(bench.environment, variables={**bench.environment.variables, **given}))
    prepare(settings)
    embedded = settings.database.startswith("sqlite")
    if embedded and settings.workers > 1:
        raise InputError(
            f"{settings.workers} API processes on SQLite",
            where="WORKERS",
            todo="Set DATABASE_URL to PostgreSQL, or serve with one.",
        )
    home = bench.home
    asyncio.run(bring_up(settings))
    if settings.workers > 1:
        # What they could not start with is said here, once: a process that dies is started again and again.
        open_api(settings, Enqueuer(settings.database, home))
        os.environ.update(given)  # from where they read it
        serve_many(settings, started=lambda at: _say_where(settings, at))
        return
    uvloop.run(_serve(bench, settings, embedded=embedded))


def login() -> None:
    """Print a URL that logs you in once, for ten minutes: for a service on this machine without a provider."""
    from vertice.adaptive.api.process import open_api
    from vertice.adaptive.work.enqueue import Enqueuer
    from vertice.cli.worker import bring_up
    from vertice.kernel.settings import load_service

    bench = Workbench()
    settings = load_service(bench.environment)

    async def make() -> str:
        who = person()
        api = open_api(settings, Enqueuer(settings.database, bench.home), person=(who.name, who.email))
        if api.local is None:
            raise InputError("people log in at the identity provider", where="OIDC_ISSUER", todo=settings.url())
        try:
            return await api.local.one_time_url(settings.url(), prefix="/hitl")
        finally:
            await api.service.database.close()

    asyncio.run(bring_up(settings))
    typer.echo(asyncio.run(make()))


async def _serve(bench: Workbench, settings: "ServiceSettings", *, embedded: bool) -> None:
    from vertice.adaptive.api.process import open_api
    from vertice.adaptive.api.server import serve_one
    from vertice.adaptive.work.enqueue import Enqueuer
    from vertice.adaptive.work.worker import WorkSettings
    from vertice.cli.worker import duties_of, work_of
    from vertice.kernel.database import Database

    who = person()
    api = open_api(settings, Enqueuer(settings.database, bench.home), person=(who.name, who.email))
    async with Database.open(settings.database) as database:
        work, beside = None, None
        if embedded:
            how = WorkSettings(
                settings.database, bench.home, proves=settings.wargaming_enabled, arena=settings.vertice_arena
            )
            work = work_of(bench, settings, how, database, changed=api.service.live.wake)
            beside = asyncio.create_task(
                duties_of(bench, settings, database, changed=api.service.live.wake).run(), name="duties"
            )
        urls: list[str] = []
        if api.local is not None:
            urls.append(await api.local.one_time_url("", prefix="/hitl"))

        def started(port: int) -> None:
            _say_where(settings, port)
            for path in urls:
                sys.stderr.write(f"Log in, once, within ten minutes:\n  {settings.url(port)}{path}\n")
            sys.stderr.flush()

        try:
            await serve_one(settings, api, work, started=started)
        finally:
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)


def _say_where(settings: "ServiceSettings", port: int) -> None:
    sys.stderr.write(f"Vértice serves at {settings.url(port)}\n")
    sys.stderr.flush()
