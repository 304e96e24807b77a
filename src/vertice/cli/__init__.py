"""The `vertice` command."""


def run() -> None:
    """Console-script entry point."""
