"""The `vertice` command: one file per command group, each parses, calls the domain and formats."""

import contextlib
import os
import sys

__all__ = ["run"]


def run() -> None:
    """Console-script entry point."""
    from vertice.cli.main import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # A workflow that could not go on has threads that wait for the end of the process (adaptive/pipeline.py).
    os._exit(code)
