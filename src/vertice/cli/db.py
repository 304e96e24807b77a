"""`vertice db`: the schema of the database."""

import asyncio
import json

import typer

from vertice.cli.options import JsonOption
from vertice.cli.workbench import Workbench
from vertice.kernel.text import printable

__all__ = ["app"]

app = typer.Typer(help="Keep the database's schema.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_(as_json: JsonOption = False) -> None:
    """Bring the database to the newest schema.

    Safe to repeat, and safe when several processes do it at once.
    """
    from vertice.kernel.database import current, upgrade
    from vertice.kernel.migrations import HEAD

    async def act(url: str) -> str | None:
        before = await current(url)
        await upgrade(url)
        return before

    before = asyncio.run(act(_url()))
    if as_json:
        typer.echo(json.dumps({"from": before, "to": HEAD}, indent=2))
    elif before == HEAD:
        typer.echo(f"The schema is at {HEAD}, the newest: nothing to do.")
    else:
        typer.echo(f"The schema went from {before or 'none'} to {HEAD}, the newest.")


@app.command("current")
def current_(as_json: JsonOption = False) -> None:
    """Say which schema the database has.

    Exit code 1 when it is not the newest.
    """
    from vertice.kernel.database import current
    from vertice.kernel.migrations import HEAD

    found = asyncio.run(current(_url()))
    if as_json:
        typer.echo(json.dumps({"revision": found, "newest": HEAD}, indent=2))
    elif found == HEAD:
        typer.echo(f"The schema is at {HEAD}, the newest.")
    else:
        at = f"is at {printable(found, limit=40)}" if found else "is not there yet"
        typer.echo(f"The schema {at}; the newest is {HEAD}. Run `vertice db upgrade`.")
    raise typer.Exit(0 if found == HEAD else 1)


def _url() -> str:
    bench = Workbench()
    _ = bench.home
    return bench.settings.database
