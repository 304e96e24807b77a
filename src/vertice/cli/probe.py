"""`vertice probe`: the attacks, and trying one on a release."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vertice.cli.options import JsonOption, ProbesOption
from vertice.cli.workbench import Workbench
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["app"]

app = typer.Typer(help="Attacks that prove or refute a patch.", no_args_is_help=True)

_WIDE = 100
"""Columns from which the weakness classes are listed, too: in fewer every row would take two lines."""

IdArgument = Annotated[str, typer.Argument(help="The advisory: CVE, GHSA or PYSEC id.", metavar="ID")]


def _probes(folders: list[Path] | None) -> tuple[Any, ...]:
    from vertice.adaptive.wargame.probe import find_probes

    return find_probes(Workbench().probe_folders(folders))


def _find(name: str, folders: list[Path] | None) -> Any:
    for probe in _probes(folders):
        if name.casefold() in {known.casefold() for known in probe.ids}:
            return probe
    raise InputError(f"there is no probe for {printable(name, limit=80)}", todo="See `vertice probe list`.")


def _facts(probe: Any) -> dict[str, Any]:
    own = probe.advisories[0]
    return {
        "id": probe.id,
        "aliases": list(own.aliases),
        "package": probe.package,
        "affected": [", ".join(f"{event.kind} {event.version}" for event in span.events) for span in own.ranges]
        + list(own.versions),
        "fixed": list(own.fixed_versions),
        "cwe": list(own.cwe),
        "severity": str(own.severity),
        "kind": probe.kind,
    }


@app.command("list")
def list_(as_json: JsonOption = False, probes: ProbesOption = None) -> None:
    """List every probe."""
    found = _probes(probes)
    if as_json:
        typer.echo(json.dumps({"probes": [_facts(probe) for probe in found]}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    console = Console(file=sys.stdout)
    headings = ("advisory", "package", "kind", "severity", "fixed in", "CWE")[: None if console.width >= _WIDE else -1]
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for probe in found:
        own = probe.advisories[0]
        fixed = probe.fixed.partition("==")[2]
        cells = (own.cve, probe.package, probe.kind, str(own.severity), fixed, " ".join(own.cwe))
        table.add_row(*(Text(printable(cell, limit=80)) for cell in cells[: len(headings)]))
    console.print(table)
    weaknesses = {weakness for probe in found for weakness in probe.advisories[0].cwe}
    packages = {probe.package for probe in found}
    console.print(f"{len(found)} probes for {len(packages)} packages, {len(weaknesses)} weakness classes", style="dim")


@app.command()
def show(name: IdArgument, as_json: JsonOption = False, probes: ProbesOption = None) -> None:
    """Show one probe: its facts, its cases and its program."""
    probe = _find(name, probes)
    if as_json:
        cases = [{"name": case.name, "role": str(case.role), "about": case.about} for case in probe.cases]
        facts = {**_facts(probe), "symbols": list(probe.symbols), "cases": cases, "source": probe.source}
        typer.echo(json.dumps(facts, indent=2))
        return
    own = probe.advisories[0]
    score = f" {own.cvss:.1f}" if own.cvss is not None else ""
    told = (
        f"{own.cve} in {probe.package} ({probe.kind}, {' '.join(own.cwe)}, {own.severity}{score})",
        own.summary,
        f"  affected   {'; '.join(_facts(probe)['affected'])}",
        f"  from       {probe.origin}",
    )
    for line in told:
        typer.echo(printable(line))
    for case in probe.cases:
        typer.echo(f"  {case.role:<10} {case.name}: {printable(case.about)}")
    typer.echo(f"\n{printable(probe.source, limit=300_000, lines=True)}")


@app.command()
def run(
    name: IdArgument,
    package: Annotated[str, typer.Option("--package", help="The release to attack.", metavar="NAME==VERSION")],
    python: Annotated[str, typer.Option("--python", help="Version of the interpreter.", metavar="VERSION")] = "",
    repeats: Annotated[int, typer.Option(min=1, max=20, help="How often each case is run.")] = 3,
    as_json: JsonOption = False,
    probes: ProbesOption = None,
) -> None:
    """Attack one release in the sandbox.

    Exit code 1 when any attack works, 3 when any case says error.
    """
    from vertice.adaptive.wargame.attack import attack
    from vertice.adaptive.wargame.model import CaseRun, Outcome, Side
    from vertice.adaptive.wargame.trial import lock_for_trial
    from vertice.kernel.interpreters import choose, find_interpreters
    from vertice.kernel.sandbox.model import Limits

    probe = _find(name, probes)
    bench = Workbench()
    interpreter = choose(find_interpreters(), requires_python=probe.python, python_version=python)
    lock = lock_for_trial(probe, package, uv=bench.uv, interpreter=interpreter)
    environment = bench.environments.build(lock, build_constraints=probe.build_constraints)

    def seen(run: CaseRun) -> None:
        if not as_json:
            typer.echo(f"{run.case:<20} {run.outcome:<10} {run.seconds:6.2f} s  {run.evidence}")

    runs = attack(probe, environment, bench.sandbox, side=Side.before, repeats=repeats, limits=Limits(), seen=seen)
    if as_json:
        told = [
            {
                "case": run.case,
                "role": str(run.role),
                "outcome": str(run.outcome),
                "evidence": run.evidence,
                "seconds": run.seconds,
            }
            for run in runs
        ]
        typer.echo(json.dumps({"probe": probe.id, "package": package, "runs": told}, indent=2))
    outcomes = {run.outcome for run in runs}
    raise typer.Exit(3 if Outcome.error in outcomes else 1 if Outcome.exploited in outcomes else 0)


@app.command()
def new(
    name: IdArgument,
    package: Annotated[str, typer.Option("--package", help="The package that is attacked.", metavar="NAME")],
) -> None:
    """Print a template to start a probe from (docs/probes.md)."""
    from vertice.adaptive.wargame.template import template

    sys.stdout.write(template(name, package))
