"""`vertice audit`: who decided what, and whether the record is whole."""

import asyncio
import json
from dataclasses import asdict
from getpass import getuser
from typing import TYPE_CHECKING, NoReturn

import typer

from vertice.adaptive.report.words import counted
from vertice.cli.options import JsonOption
from vertice.cli.reviews import person, with_store
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.review.audit import AuditReport

__all__ = ["app"]

app = typer.Typer(help="The record of every proposal and decision.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List every entry of the audit chain, oldest first."""
    entries = asyncio.run(with_store(lambda store, _: store.audit()))
    if as_json:
        typer.echo(json.dumps({"entries": [asdict(entry) for entry in entries]}, indent=2))
        return
    for entry in entries:
        typer.echo(f"{entry.seq:>6}  {entry.at}  {printable(entry.actor):<30} {entry.action:<24} {entry.subject}")
    typer.echo(f"{counted(len(entries), 'entry', 'entries')}; `vertice audit verify` checks them.")


@app.command()
def verify(as_json: JsonOption = False) -> None:
    """Check that the audit chain is whole.

    Exit code 1 when anything was changed, removed or added behind its back.
    """
    _tell(asyncio.run(with_store(lambda store, _: store.verify())), as_json=as_json)


@app.command()
def reanchor(as_json: JsonOption = False) -> None:
    """Trust the audit chain as it is now, then check it.

    After a restore, or on a second machine of one database, where `verify` misses the anchor or finds another one.
    """
    _tell(asyncio.run(with_store(lambda store, _: store.reanchor(person().email or getuser()))), as_json=as_json)


def _tell(report: "AuditReport", *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    elif report.ok:
        typer.echo(f"The audit chain is whole: {report.entries} entries.")
    else:
        place = f" at entry {report.first_bad_seq}" if report.first_bad_seq else ""
        typer.echo(f"The audit chain is broken{place}: {printable(report.why)}")
    raise typer.Exit(0 if report.ok else 1)
