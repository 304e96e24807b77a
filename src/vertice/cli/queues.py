"""`vertice queues`: what waits between the parts, what was given up and why, and sending that on again."""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vertice.adaptive.report.words import counted
from vertice.cli.options import JsonOption
from vertice.cli.workbench import Workbench
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vertice.kernel.bus.dead_letters import Depth
    from vertice.kernel.bus.outbox import Standing
    from vertice.kernel.bus.rabbit import Address
    from vertice.kernel.bus.topology import Queue
    from vertice.kernel.database import Database

__all__ = ["app"]

app = typer.Typer(help="Messages between the parts, and dead letters.", no_args_is_help=True)

_T = TypeVar("_T")
_ALL = 1_000_000

QueueArgument = Annotated[str, typer.Argument(help="The queue's name.", metavar="QUEUE")]


@dataclass(frozen=True, slots=True)
class _Line:
    """How it stands with one queue. The broker's figures are None when there is none."""

    name: str
    direction: str
    ready: int | None
    consumers: int | None
    dead: int | None
    waiting: int
    parked: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class _Letter:
    """A dead letter. `place`: `broker`, or `outbox` for one that never came to a broker."""

    place: str
    id: str
    type: str
    at: datetime | None
    reason: str
    body: str


@app.command("list", short_help="List the queues: ready, read by whom, dead, waiting.")
def list_(as_json: JsonOption = False) -> None:
    """List the queues: what is ready, who reads, what is dead, and what waits to be sent.

    Exit code 3 when the broker cannot be reached; what waits for it is listed all the same.
    """
    lines, address, failure = asyncio.run(_with_bus(_listed))
    if as_json:
        from vertice.kernel.codec import to_plain

        broker = None if address is None else {"where": address.where, "error": failure.what if failure else ""}
        typer.echo(json.dumps({"broker": broker, "queues": to_plain(lines)}, indent=2))
    else:
        _show_lines(lines)
        typer.echo(_last_word(lines, address, failure))
    if failure is not None:
        raise typer.Exit(failure.exit_code)


@app.command()
def show(
    queue: QueueArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the oldest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the dead letters of a queue: which, since when, and why."""
    known = _known(queue)
    letters = asyncio.run(_with_bus(lambda database, address: _letters(database, address, known, limit)))
    if as_json:
        from vertice.kernel.codec import to_plain

        typer.echo(json.dumps({"queue": known.name, "dead_letters": to_plain(letters)}, indent=2))
        return
    for letter in letters:
        at = letter.at.strftime("%Y-%m-%d %H:%M:%S") if letter.at else "at an unknown time"
        typer.echo(f"{printable(letter.id, limit=200) or '(no id)'}  {printable(letter.type, limit=100)}  {at}")
        typer.echo(f"  why   {printable(letter.reason, limit=1000)}")
        typer.echo(f"  body  {printable(letter.body, limit=500)}")
    rest = f" `vertice queues replay {known.name}` sends them on again." if letters else ""
    typer.echo(f"{counted(len(letters), 'dead letter')}.{rest}")


@app.command()
def replay(
    queue: QueueArgument,
    message_id: Annotated[str, typer.Option("--id", help="Only the one with this id.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = _ALL,
    as_json: JsonOption = False,
) -> None:
    """Move dead letters back to their queue, in their order.

    Each is safe in its queue before it leaves the dead letters. Whoever reads it takes it once, however often it comes.
    """
    known = _known(queue)
    moved = asyncio.run(_with_bus(lambda database, address: _replayed(database, address, known, message_id, limit)))
    if message_id and not moved:
        raise InputError(
            f"there is no dead letter {printable(message_id, limit=80)}",
            where=known.name,
            todo=f"See `vertice queues show {known.name}`.",
        )
    if as_json:
        typer.echo(json.dumps({"queue": known.name, "replayed": moved}))
    else:
        typer.echo(f"{counted(moved, 'message')} went back to {known.name}.")


async def _with_bus(use: "Callable[[Database, Address | None], Awaitable[_T]]") -> _T:
    from vertice.kernel.bus.rabbit import Address
    from vertice.kernel.database import Database, upgrade
    from vertice.kernel.logging import configure

    configure(level="CRITICAL")  # the client logs each failed connection; the command says it once
    bench = Workbench()
    named = bench.environment.lookup("RABBITMQ_URL")
    address = Address.parse(named) if named else None
    _ = bench.home
    await upgrade(bench.settings.database)
    async with Database.open(bench.settings.database) as database:
        return await use(database, address)


async def _listed(
    database: "Database", address: "Address | None"
) -> "tuple[Sequence[_Line], Address | None, UnfinishedError | None]":
    from vertice.adaptive.messages.queues import TOPOLOGY
    from vertice.kernel.bus.dead_letters import depths
    from vertice.kernel.bus.outbox import standing
    from vertice.kernel.bus.rabbit import connected

    async with database.read() as session:
        left = await standing(session)
    found: dict[str, Depth] = {}
    failure = None
    if address is not None:
        try:
            async with connected(address) as broker:
                found = {queue.name: depth for queue, depth in await depths(broker, TOPOLOGY)}
        except UnfinishedError as error:
            failure = error
    directions = {queue.name: "in" if queue.inbound else "out" for queue in TOPOLOGY.queues}
    names = [*directions, *(name for name in left if name not in directions)]
    return [_line(name, directions.get(name, "own"), found.get(name), left) for name in names], address, failure


def _line(name: str, direction: str, depth: "Depth | None", left: "Mapping[str, Standing]") -> _Line:
    own = left.get(name)
    return _Line(
        name=name,
        direction=direction,
        ready=depth.ready if depth else None,
        consumers=depth.consumers if depth else None,
        dead=depth.dead if depth else None,
        waiting=own.waiting if own else 0,
        parked=own.parked if own else 0,
        oldest=own.oldest if own else None,
    )


async def _letters(database: "Database", address: "Address | None", queue: "Queue", limit: int) -> "Sequence[_Letter]":
    from vertice.adaptive.messages.queues import TOPOLOGY
    from vertice.kernel.bus.dead_letters import dead_letters
    from vertice.kernel.bus.outbox import parked
    from vertice.kernel.bus.rabbit import connected

    async with database.read() as session:
        kept = [
            _Letter("outbox", one.message.id, one.message.type, one.message.at, one.why, one.message.data)
            for one in await parked(session, queue.name, limit=limit)
        ]
    if address is None or len(kept) == limit:
        return kept
    async with connected(address) as broker:
        dead = await dead_letters(broker, TOPOLOGY, queue, limit=limit - len(kept))
    return kept + [
        _Letter("broker", one.id, one.type, one.at, one.reason, one.body.decode(errors="replace")) for one in dead
    ]


async def _replayed(
    database: "Database", address: "Address | None", queue: "Queue", message_id: str, limit: int
) -> int:
    from vertice.adaptive.messages.queues import TOPOLOGY
    from vertice.kernel.bus.dead_letters import replay as moved_back
    from vertice.kernel.bus.outbox import release
    from vertice.kernel.bus.rabbit import connected

    async with database.write() as session:
        moved = await release(session, queue.name, message_id=message_id, limit=limit)
    if address is None or moved == limit or (message_id and moved):
        return moved
    async with connected(address) as broker:
        return moved + await moved_back(broker, TOPOLOGY, queue, message_id=message_id, limit=limit - moved)


def _known(name: str) -> "Queue":
    from vertice.adaptive.messages.queues import TOPOLOGY

    queue = TOPOLOGY.queue(name)
    if queue is None:
        known = ", ".join(one.name for one in TOPOLOGY.queues)
        raise InputError(f"there is no queue {printable(name, limit=80)}", where="queues", todo=f"There are {known}.")
    return queue


def _show_lines(lines: "Sequence[_Line]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("queue", "", "ready", "readers", "dead", "to send", "parked"):
        table.add_column(heading, justify="right" if heading not in {"queue", ""} else "left", no_wrap=True)
    for line in lines:
        figures: tuple[Any, ...] = (line.ready, line.consumers, line.dead, line.waiting, line.parked)
        shown = ("-" if figure is None else f"{figure:,}" for figure in figures)
        table.add_row(printable(line.name, limit=100), line.direction, *shown)
    Console(file=sys.stdout).print(table)


def _last_word(lines: "Sequence[_Line]", address: "Address | None", failure: UnfinishedError | None) -> str:
    if failure is not None:
        return f"{printable(str(failure))} What is to be sent waits, and leaves in its order."
    given_up = [line for line in lines if line.dead or line.parked]
    if given_up:
        return f"Next: vertice queues show {printable(given_up[0].name, limit=100)}"
    if address is None:
        return "There is no broker (RABBITMQ_URL is not set): messages are delivered in the process that serves."
    return f"No dead letters at {address.where}."
