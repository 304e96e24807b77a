"""`vertice advisories`: the local store of OSV."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from vertice.adaptive.report.words import counted
from vertice.cli.options import AdvisoriesOption, JsonOption
from vertice.cli.workbench import Workbench, progress_line
from vertice.kernel.text import printable

__all__ = ["app"]

app = typer.Typer(help="Keep the local store of OSV advisories.", no_args_is_help=True)


@app.command()
def sync(
    advisories: AdvisoriesOption = None,
    epss: Annotated[
        str | None, typer.Option(help="EPSS scores: file or URL of FIRST's csv or csv.gz.", metavar="FILE")
    ] = None,
    kev: Annotated[
        str | None, typer.Option(help="Known exploited vulnerabilities: file or URL of CISA's JSON.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch or update the advisories.

    After the first time only what changed is fetched, where the source can say so.
    """
    from vertice.adaptive.advisories import sync as syncing

    bench = Workbench()
    report = syncing.sync(
        bench.home,
        advisories or bench.environment.lookup("VERTICE_ADVISORIES"),
        epss=epss or bench.environment.path("VERTICE_EPSS"),
        kev=kev or bench.environment.path("VERTICE_KEV"),
        progress=progress_line,
    )
    if as_json:
        typer.echo(json.dumps({**asdict(report), "path": str(report.path)}, indent=2))
        return
    done = {"built": "built from", "updated": f"updated, {report.changed} changed, {report.removed} gone, from"}
    typer.echo(
        f"{_held(report.records, report.packages)}, {done.get(report.outcome, 'unchanged at')} "
        f"{printable(report.source)} in {report.seconds:.1f} s; newest {report.updated_at or 'of unknown age'}"
    )
    for one in report.broken[:10]:
        typer.echo(f"warning: {one.name}: {one.reason}", err=True)
    if len(report.broken) > 10:
        typer.echo(f"warning: {len(report.broken) - 10} more records could not be read", err=True)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Say what the local store holds and how old it is."""
    from vertice.adaptive.advisories.store import status as status_of

    found = status_of(Workbench().home)
    if as_json:
        facts = {**asdict(found), "path": str(found.path)} if found else None
        typer.echo(json.dumps(facts, indent=2))
    elif found is None:
        typer.echo("No advisories yet: scans use the facts that come with the probes. Run `vertice advisories sync`.")
    else:
        typer.echo(
            f"{_held(found.records, found.packages)}\n"
            f"  source    {printable(found.source)}\n"
            f"  newest    {found.updated_at or 'unknown'}\n"
            f"  fetched   {found.fetched_at}\n"
            f"  EPSS      {found.epss_date or 'none'}\n"
            f"  KEV       {found.kev_date or 'none'}\n"
            f"  file      {found.path} ({found.size / 2**20:.1f} MiB)"
        )


def _held(records: int, packages: int) -> str:
    return f"{counted(records, 'advisory', 'advisories')} for {counted(packages, 'package')}"
