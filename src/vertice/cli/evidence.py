"""`vertice evidence`: signed proof, checked offline."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vertice.cli.options import JsonOption
from vertice.cli.workbench import Workbench
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
    predicate = verified.statement["predicate"]
    verdict = predicate["verdict"]
    changes = ", ".join(f"{one['package']} {one['before']} -> {one['after']}" for one in predicate["remedy"]["changes"])
    typer.echo(
        f"The signature fits.\n"
        f"  signed by  {verified.fingerprint} ({verified.trust})\n"
        f"  run        {printable(str(predicate['run']))}, {printable(str(predicate['finishedAt']))}\n"
        f"  project    {printable(str(predicate['project']))}\n"
        f"  change     {printable(changes)}\n"
        f"  verdict    {verdict['word']} ({verdict['grade']}), confidence {verdict['confidence']:.2f}"
    )
    if not verified.trusted:
        typer.echo("The key came with the file: compare its fingerprint with its owner, or give --key.", err=True)
