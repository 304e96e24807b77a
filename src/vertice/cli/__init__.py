"""The `vertice` command: one file per command group, each parses, calls the domain and formats."""

import contextlib
import os
import sys

__all__ = ["run"]


def run() -> None:
    """Console-script entry point."""
    _hold_standard_streams()
    from vertice.cli.main import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # A workflow that could not go on has threads that wait for the end of the process (adaptive/pipeline.py).
    os._exit(code)


def _hold_standard_streams() -> None:
    """Put the null device where a standard stream was closed (`>&-`).

    Else the next file that is opened, the database say, gets its number, and what a library prints goes into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- until the process ends
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
