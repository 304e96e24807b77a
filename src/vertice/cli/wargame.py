"""`vertice wargame`: one wargame by itself, and the workflow that runs it on GitHub Actions."""

import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertice.cli.options import JsonOption, ProbesOption, named_in_utf8
from vertice.cli.workbench import Workbench
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.inventory.model import Lock

__all__ = ["app"]

app = typer.Typer(help="Prove or refute one change of a lock.", no_args_is_help=True)

_LOCK = {"metavar": "LOCK", "callback": named_in_utf8}


@app.command(short_help="Attack and test before and after one change.")
def run(
    before: Annotated[Path, typer.Option("--before", help="The manifest without the patch, or its folder.", **_LOCK)],
    after: Annotated[Path, typer.Option("--after", help="The manifest with the patch, or its folder.", **_LOCK)],
    advisory: Annotated[
        list[str],
        typer.Option("--advisory", help="What is attacked: CVE, GHSA or PYSEC id (repeatable).", metavar="ID"),
    ],
    manifest: Annotated[
        str, typer.Option("--manifest", help="Which manifest of both folders, where they have several.", metavar="PATH")
    ] = "",
    code: Annotated[str, typer.Option("--run", help="Code of the run, for its result.", metavar="CODE")] = "",
    expect: Annotated[
        str, typer.Option("--expect", help="SHA-256 over both locks; refuse others.", metavar="DIGEST")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the result there, as JSON.", metavar="FILE")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=20, help="How often each case is run.")] = 3,
    as_json: JsonOption = False,
    probes: ProbesOption = None,
) -> None:
    """Attack before and after in the sandbox, run the project's tests in both, and judge.

    Exit code 0 when the patch is proven, 1 when it is not, 3 when that could not be found out.
    """
    from vertice.adaptive.config import load_config
    from vertice.adaptive.inventory.reader import read_project
    from vertice.adaptive.wargame.actions import Result, write_result
    from vertice.adaptive.wargame.duel import Duel, duel, locks_digest, only_lock, probes_named, sites_of
    from vertice.adaptive.wargame.model import VerdictWord
    from vertice.adaptive.wargame.probe import find_probes
    from vertice.adaptive.wargame.snapshot import take_snapshot
    from vertice.adaptive.wargame.suite import find_suite
    from vertice.adaptive.wargame.verdict import judge
    from vertice.kernel.codec import to_plain
    from vertice.kernel.errors import InputError
    from vertice.kernel.files import write_atomic
    from vertice.kernel.sandbox.model import Limits

    bench = Workbench()
    old, new = (read_project(path, uv=lambda: bench.uv) for path in (before, after))
    config = load_config(old.root)
    python = config.wargame.python
    locks = _with_python(only_lock(old, manifest), python), _with_python(only_lock(new, manifest), python)
    digest = locks_digest(*locks)
    if expect and digest != expect:
        raise InputError(
            f"these are other locks than were asked for ({digest})", where="--expect", todo="Check both commits."
        )
    attacks, unprobed = probes_named(advisory, find_probes(bench.probe_folders(probes, config)))
    limits = Limits(
        seconds=config.wargame.tests_seconds,
        memory_bytes=4 * 1024**3,
        processes=512,
        output_bytes=16 * 1024**2,
        disk_bytes=1024**3,
    )
    sandbox = bench.sandbox
    with tempfile.TemporaryDirectory(dir=bench.home, prefix="wargame-") as folder:
        copy = Path(folder) / "project"
        take_snapshot(old.root, copy)
        asked = Duel(
            *locks,
            probes=attacks,
            suite=find_suite(copy, config.wargame.tests, limits),
            unprobed=unprobed,
            sites=sites_of(old, attacks, *locks),
            repeats=repeats,
            limits=config.wargame.limits,
        )
        evidence = duel(asked, bench.environments, sandbox, _say)
    verdict = judge(evidence)
    result = Result(
        run=code,
        digest=digest,
        arena=f"{sandbox.name} {sandbox.version}",
        evidence=evidence,
        finished_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        versions={"uv": bench.uv.version},
    )
    if output is not None:
        write_atomic(output, write_result(result))
    if as_json:
        typer.echo(json.dumps({"verdict": to_plain(verdict), **to_plain(result)}, indent=2))
    else:
        typer.echo(f"{verdict.word} ({verdict.grade}), confidence {verdict.confidence:.2f}")
        for reason in verdict.reasons:
            typer.echo(f"  {printable(reason)}")
        typer.echo(f"  locks {digest}")
    codes = {VerdictWord.success: 0, VerdictWord.error: 3}
    raise typer.Exit(codes.get(verdict.word, 1))


@app.command(short_help="Print the workflow that runs wargames on GitHub.")
def workflow() -> None:
    """Print the GitHub Actions workflow that runs wargames in a repository."""
    from vertice.adaptive.wargame.actions import workflow as text

    sys.stdout.write(text())


def _with_python(lock: "Lock", version: str) -> "Lock":
    return replace(lock, python_version=version) if version else lock


def _say(step: str) -> None:
    if sys.stderr.isatty():
        typer.echo(printable(step), err=True)
