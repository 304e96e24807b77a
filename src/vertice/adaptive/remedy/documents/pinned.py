"""Locks that no program here can write again: their pins must at least fit together."""

from collections.abc import Iterable

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.remedy.resolver import Runner, conflict_text, flags

__all__ = ["fit_together"]


def fit_together(lock: Lock, uv: Runner, *, python: str, left_out: Iterable[str] = ()) -> str:
    """Return "" when uv can install every pin of `lock` at once on every platform it is meant for, else why not."""
    unwanted = set(left_out)
    lines = [line for line in lock.requirements if line.partition("==")[0] not in unwanted]
    args = ["pip", "compile", "pins.txt", "--no-header", "--no-annotate", "--no-progress", "--color", "never"]
    ran = uv.run([*args, *flags(python, universal=True)], files={"pins.txt": "\n".join(lines).encode() + b"\n"})
    return "" if ran.returncode == 0 else conflict_text(ran.stderr)
