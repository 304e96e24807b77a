"""`vertice advisories`: the local store of OSV."""

from typing import Annotated, Optional

import typer

from vertice.cli.options import AdvisoriesOption, JsonOption

__all__ = ["app"]

app = typer.Typer(help="Keep the local store of OSV advisories.", no_args_is_help=True)
