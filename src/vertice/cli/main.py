"""The entry point: a function from arguments and streams to an exit code (DESIGN §10).

0  nothing at or above the threshold        2  bad usage or input
1  findings                                 3  could not finish
"""

import contextlib
import sys
from collections.abc import Sequence
from typing import IO, Annotated

import typer

from vertice import __version__
from vertice.cli.advisories import app as advisories
from vertice.cli.audit import app as audit
from vertice.cli.db import app as db
from vertice.cli.evidence import app as evidence
from vertice.cli.heal import heal
from vertice.cli.probe import app as probe
from vertice.cli.queues import app as queues
from vertice.cli.review import app as review
from vertice.cli.scan import scan
from vertice.cli.serve import login, serve
from vertice.cli.wargame import app as wargame
from vertice.cli.worker import worker
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError, from_os_error
from vertice.kernel.text import printable

__all__ = ["app", "main"]

app = typer.Typer(
    name="vertice",
    help="Find, patch and prove: an immune system for Python services.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 nothing at or above the threshold, 1 findings, 2 bad usage or input, 3 could not finish.",
)
app.command("scan", short_help="Find known-vulnerable dependencies of a project.")(scan)
app.command("heal", short_help="Find, patch and prove; leaves reviews that wait for you.")(heal)
app.command("serve", short_help="Serve the API, live events and the console.")(serve)
app.command("worker", short_help="Work for the service: scans, wargames, decisions.")(worker)
app.command("login", short_help="Print a URL that logs you in once.")(login)
app.add_typer(review, name="review")
app.add_typer(probe, name="probe")
app.add_typer(wargame, name="wargame")
app.add_typer(advisories, name="advisories")
app.add_typer(evidence, name="evidence")
app.add_typer(audit, name="audit")
app.add_typer(queues, name="queues")
app.add_typer(db, name="db")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vertice {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


def main(argv: Sequence[str] | None = None, stdout: IO[str] | None = None, stderr: IO[str] | None = None) -> int:
    """Run one command; never raises, never prints a traceback. Returns the exit code."""
    out, err = stdout or sys.stdout, stderr or sys.stderr
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = app(args=list(sys.argv[1:] if argv is None else argv), prog_name="vertice", standalone_mode=False)
            out.flush()
        except typer.Exit as stop:
            return stop.exit_code
        except VerticeError as error:
            return _say(error, err)
        except (BrokenPipeError, SystemExit):
            # The reader of our output went away (`| head`); rich and typer end with SystemExit(1) then.
            return UnfinishedError.exit_code
        except OSError as error:
            return _say(from_os_error(error, "working"), err)
        except (KeyboardInterrupt, typer.Abort):
            return _say(UnfinishedError("stopped by you", todo="Run it again to go on."), err)
        except Exception as error:  # noqa: BLE001 -- the last net: a person never sees a traceback
            if (shown := _usage(error)) is not None:
                err.write(shown)
                return 2
            if isinstance(error, ModuleNotFoundError) and not (error.name or "vertice").startswith("vertice"):
                todo = "Install it with `pip install 'vertice[adaptive]'`."
                return _say(InputError(f"a part of the service is not installed: {error.name}", todo=todo), err)
            what = f"a fault of Vértice's own: {type(error).__name__}: {error}"
            return _say(UnfinishedError(what, where=_where(error), todo="Please report it."), err)
    return code if isinstance(code, int) else 0


def _say(error: VerticeError, err: IO[str]) -> int:
    lines = [f"error: {printable(error.what, lines=True)}"]
    lines += [f"  in: {printable(error.where)}"] if error.where else []
    lines += [f"  do: {printable(error.todo)}"] if error.todo else []
    with contextlib.suppress(OSError):  # nobody listens, or the disk that stderr goes to is full
        err.write("\n".join(lines) + "\n")
    return error.exit_code


def _usage(error: Exception) -> str | None:
    """What the parser has to say of bad usage, None for any other exception."""
    if not hasattr(error, "format_message"):
        return None
    said = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return f"error: {printable(said)}\n"
    if said == (help_text := context.get_help()):
        return f"{help_text}\n"
    said = printable(said.replace("Value error, ", ""))
    return f"{context.get_usage()}\nerror: {said}\n  do: See `{context.command_path} --help`.\n"


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace else ""
