"""`vertice review`: what waits for a person, and deciding on it."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vertice.adaptive.advisories.model import Severity
from vertice.cli.options import JsonOption
from vertice.cli.reviews import person, with_store
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.review.model import Review

__all__ = ["app"]

app = typer.Typer(help="Proposals that wait for a person.", no_args_is_help=True)

CodeArgument = Annotated[str, typer.Argument(help="The review's code.", metavar="APV-CODE")]


@app.command("list")
def list_(
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only reviews with this status (repeatable); `all` for every one.", metavar="STATUS"),
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only reviews of this severity.")] = None,
    project: Annotated[str | None, typer.Option(help="Only reviews of this project.", metavar="NAME")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the reviews that wait, the most urgent first."""
    from vertice.adaptive.review.model import Status
    from vertice.kernel.errors import InputError

    known = [*Status, "all"]
    for name in status or ():
        if name not in known:
            raise InputError(
                f"{printable(name, limit=40)} is no status", where="--status", todo=f"Known are {', '.join(known)}."
            )
    wanted = [Status(name) for name in status or ("pending", "escalated", "changes_requested") if name != "all"]
    reviews = asyncio.run(with_store(lambda store, _: store.find(status=wanted, severity=severity, project=project)))
    if as_json:
        typer.echo(json.dumps({"reviews": [_plain(review) for review in reviews]}, indent=2))
        return
    from vertice.cli.review_text import show_list

    show_list(reviews, sys.stdout)


@app.command()
def show(code: CodeArgument, as_json: JsonOption = False) -> None:
    """Show one review: what, whether it is closed, what changes."""
    review = asyncio.run(with_store(lambda store, _: store.get(code)))
    if as_json:
        typer.echo(json.dumps(_plain(review), indent=2))
        return
    from vertice.cli.review_text import show_review

    show_review(review, sys.stdout)


@app.command()
def decide(
    code: CodeArgument,
    decision: Annotated[str, typer.Argument(help="approve, reject, modify or escalate.", metavar="DECISION")],
    justification: Annotated[
        str,
        typer.Option("--because", "-m", help="Why, in at least 10 characters; asked for when missing.", metavar="TEXT"),
    ] = "",
    wanted: Annotated[
        str, typer.Option("--try", help="With modify: the version or constraint to try.", metavar="VERSION")
    ] = "",
    confidence: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Your own confidence, in place of the wargame's.")
    ] = None,
    accept_unproven: Annotated[
        bool, typer.Option("--accept-unproven", help="Approve although the wargame proved nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide: approve, reject, modify or escalate.

    Approve merges the branch, reject closes it, modify tries another version or constraint, escalate raises it.
    """
    from vertice.adaptive.execution.carry_out import decide as carry_out
    from vertice.adaptive.review.model import Decision, DecisionKind, DecisionRecord
    from vertice.adaptive.review.store import ReviewStore
    from vertice.cli.workbench import Workbench
    from vertice.kernel.errors import InputError

    if decision not in set(DecisionKind):
        raise InputError(
            f"{printable(decision, limit=40)} is no decision", where=code, todo=f"Decide {', '.join(DecisionKind)}."
        )

    justification = justification or _asked_why(code)

    async def act(store: ReviewStore, bench: Workbench) -> tuple[DecisionRecord, "Review"]:
        review = await store.get(code)
        made = Decision(
            kind=DecisionKind(decision),
            justification=justification,
            reviewer=person(),
            wanted=wanted,
            confidence_override=confidence,
            accept_unproven=accept_unproven,
        )
        record = await carry_out(store, review.code, made, home=bench.home, expected_version=review.version)
        return record, await store.get(review.code)

    record, review = asyncio.run(with_store(act))
    if as_json:
        typer.echo(json.dumps(_plain(review), indent=2))
        return
    typer.echo(f"{review.code} is {review.status.replace('_', ' ')}: {record.action}, {printable(record.detail)}")
    if record.kind is DecisionKind.modify:
        typer.echo(f"Next: `vertice heal {review.project_root}` tries {printable(record.wanted)} and proves it.")


def _asked_why(code: str) -> str:
    from vertice.kernel.errors import InputError

    if not sys.stdin.isatty():
        raise InputError("a decision needs its reason", where=code, todo="Give it with --because.")
    return str(typer.prompt("Why", err=True))


def _plain(review: "Review") -> Any:
    from vertice.kernel.codec import to_plain

    return to_plain(review)
