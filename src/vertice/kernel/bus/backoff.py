"""How long to wait before the next try."""

import random

__all__ = ["pause"]


def pause(failures: int, *, first: float = 0.2, most: float = 30.0) -> float:
    """Return seconds to wait after so many failures in a row: doubled each time, capped, and spread by chance."""
    return min(most, first * 2.0 ** min(failures - 1, 30)) * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
