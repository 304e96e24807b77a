"""Options that several commands share, so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from vertice.kernel.errors import InputError

__all__ = ["AdvisoriesOption", "JsonOption", "ProbesOption", "ProjectArgument", "named_in_utf8"]


def named_in_utf8(path: Path) -> Path:
    """Refuse a project whose place cannot be written down: findings, reviews and evidence name it."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as error:
        where = str(path.absolute()).encode(errors="surrogateescape").decode(errors="replace")
        raise InputError("the path is not UTF-8", where=where, todo="Rename the folder.") from error
    return path


ProjectArgument = Annotated[
    Path,
    typer.Argument(help="The project's folder, or one manifest in it.", metavar="PATH", callback=named_in_utf8),
]
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
