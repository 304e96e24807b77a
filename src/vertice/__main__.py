"""`python -m vertice`."""

from vertice.cli import run

run()
