"""Options that several commands share, so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AdvisoriesOption", "JsonOption", "ProbesOption", "ProjectArgument"]

ProjectArgument = Annotated[Path, typer.Argument(help="The project's folder, or one manifest in it.", metavar="PATH")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ProbesOption = Annotated[
    list[Path] | None, typer.Option("--probes", help="Add a folder of probes (repeatable).", metavar="DIR")
]
AdvisoriesOption = Annotated[
    str | None,
    typer.Option(
        "--advisories",
        help="OSV data to use: a URL of all.zip, a mirror's URL, a folder or a zip [env: VERTICE_ADVISORIES].",
        metavar="SOURCE",
    ),
]
