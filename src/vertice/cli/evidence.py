"""`vertice evidence`: signed proof, checked offline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vertice.cli.options import JsonOption
from vertice.cli.workbench import Workbench
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["app"]

app = typer.Typer(help="Signed evidence of a wargame.", no_args_is_help=True)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The evidence file.", metavar="FILE")],
    key: Annotated[Path | None, typer.Option("--key", help="The signer's public key (PEM).", metavar="FILE")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the signature of an evidence file, offline.

    Says what it proves and who signed it.
    """
    from vertice.adaptive.review.evidence import verify as check

    verified = check(file, home=Workbench().home, public_key=key)
    if as_json:
        trust = {"fingerprint": verified.fingerprint, "trust": verified.trust, "statement": verified.statement}
        typer.echo(json.dumps(trust, indent=2))
        return
    stated = _stated(verified.statement["predicate"], file)
    typer.echo(f"The signature fits.\n  signed by  {verified.fingerprint} ({verified.trust})")
    for heading, text in stated:
        typer.echo(f"  {heading:<9}  {printable(text)}")
    if not verified.trusted:
        typer.echo("The key came with the file: compare its fingerprint with its owner, or give --key.", err=True)


def _stated(predicate: Mapping[str, Any], file: Path) -> list[tuple[str, str]]:
    """What the statement says, under headings. Anybody may sign anything: its shape is not taken for granted."""
    try:
        verdict, changes = predicate["verdict"], predicate["remedy"]["changes"]
        changed = ", ".join(f"{one['package']} {one['before'] or 'new'} → {one['after'] or 'gone'}" for one in changes)
        return [
            ("run", f"{predicate['run']}, {predicate['finishedAt']}"),
            ("project", f"{predicate['project']}"),
            ("change", changed),
            ("verdict", f"{verdict['word']} ({verdict['grade']}), confidence {float(verdict['confidence']):.2f}"),
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "is signed, but does not have the form of a wargame's statement",
            where=str(file),
            todo="Ask whoever made it; docs/evidence.md describes the form.",
        ) from error
