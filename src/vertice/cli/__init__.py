"""The `vertice` command: one file per command group, each parses, calls the domain and formats."""

import sys

__all__ = ["run"]


def run() -> None:
    """Console-script entry point."""
    from vertice.cli.main import main

    sys.exit(main())
