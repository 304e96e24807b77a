"""`vertice scan`: find known-vulnerable dependencies."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.report.model import Format
from vertice.cli.options import AdvisoriesOption, JsonOption, ProbesOption, ProjectArgument
from vertice.cli.workbench import Workbench

__all__ = ["scan"]


def scan(
    path: ProjectArgument = Path(),
    form: Annotated[Format, typer.Option("--format", help="How to write the report.")] = Format.table,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report to a file.", metavar="FILE")
    ] = None,
    fail_on: Annotated[
        Severity | None,
        typer.Option("--fail-on", help="Exit with 1 from this severity on (default: low, or vertice.toml's)."),
    ] = None,
    python: Annotated[
        Path | None, typer.Option("--python", help="Scan an installed environment instead.", metavar="PATH")
    ] = None,
    advisories: AdvisoriesOption = None,
    probes: ProbesOption = None,
    resolve: Annotated[
        bool, typer.Option("--resolve/--no-resolve", help="Resolve what is not pinned, with uv in the sandbox.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Find known-vulnerable dependencies of a project, and where its code reaches them."""
    from vertice.adaptive.config import load_config
    from vertice.adaptive.report.formats import render
    from vertice.adaptive.report.model import ScanResult
    from vertice.adaptive.scan import scan as find
    from vertice.adaptive.triage.triage import at_or_above

    bench = Workbench()
    config = load_config(path if path.is_dir() else path.parent)
    now = datetime.now(UTC)
    found = find(
        path,
        store=bench.store(advisories, config),
        config=config,
        probes=bench.probe_folders(probes, config),
        codes=bench.codes,
        uv=lambda: bench.uv,
        today=now.date(),
        python=python,
        resolve=resolve,
    )
    result = ScanResult(
        project=found.project.name,
        scanned_at=now,
        source=found.source.info(),
        components=found.project.components,
        apvs=found.findings.active,
        waived=found.findings.waived,
        expired=found.findings.expired,
        unused=found.findings.unused,
        warnings=found.warnings,
        path="" if python else str(path if path.is_dir() else path.parent),
    )
    form = Format.json if as_json else form
    if output is not None:
        from vertice.kernel.files import write_atomic

        write_atomic(output, render(result, form).encode())
    elif form is Format.table:
        from vertice.adaptive.report.table import show

        show(result, sys.stdout)
    else:
        sys.stdout.write(render(result, form))
    raise typer.Exit(1 if at_or_above(found.findings.active, fail_on or config.scan.fail_on) else 0)
