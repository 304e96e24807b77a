"""`vertice heal`: find, patch and prove."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vertice.cli.options import AdvisoriesOption, JsonOption, ProbesOption, named_in_utf8
from vertice.cli.workbench import Workbench

__all__ = ["heal"]


def heal(
    path: Annotated[
        Path, typer.Argument(help="The project's folder.", metavar="PATH", callback=named_in_utf8)
    ] = Path(),
    advisories: AdvisoriesOption = None,
    probes: ProbesOption = None,
    again: Annotated[bool, typer.Option("--again", help="Prove anew what was proven before.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find, patch and prove: leaves a review with a verdict, a branch and signed evidence for every remedy.

    Killed and started again, it goes on where it was. The project's working tree is never touched.
    """
    from vertice.adaptive.asking import asked
    from vertice.adaptive.config import load_config
    from vertice.adaptive.embedded import heal as run
    from vertice.adaptive.embedded import with_digest
    from vertice.adaptive.ground import LocalGround
    from vertice.cli.heal_text import Watch, plain, show
    from vertice.kernel.errors import InputError

    started = time.monotonic()
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "no such folder"
        raise InputError(what, where=str(path), todo="Give the project's folder.")
    bench = Workbench()
    if (home := bench.environment.home).resolve().is_relative_to(path.resolve()):
        todo = "Name a folder outside of the project in VERTICE_HOME: a heal writes nothing to the project."
        raise InputError("Vértice's home lies inside the project", where=str(home), todo=todo)
    config = load_config(path)
    sandbox = bench.sandbox
    ground = LocalGround(
        home=bench.home,
        database_url=bench.settings.database,
        uv=bench.uv,
        arena=sandbox,
        arena_name=f"{sandbox.name} {sandbox.version}",
        store=bench.store(advisories, config),
        config=config,
        codes=bench.codes,
        releases=bench.releases,
    )
    folders = tuple(str(folder.resolve()) for folder in bench.probe_folders(probes, config))
    request = asked(path.resolve(), config, probes=folders, wanted=ground.wanted(path.resolve()))
    moment = datetime.now(UTC).isoformat() if again else ""
    with Watch(sys.stderr, quiet=as_json) as watch:
        finished = run(with_digest(request, ground, again=moment), ground, bench.environments, watch)
    seconds = time.monotonic() - started
    if as_json:
        typer.echo(json.dumps(plain(finished, seconds), indent=2))
    else:
        show(finished, seconds, str(path), sys.stdout)
    bench.environments.remove_old()
    raise typer.Exit(1 if finished.healed.found.apvs else 0)
