"""Counting what was asked for in a sliding window: the rule, and a count in this process.

The window before counts by the part of it that the sliding one still covers: two numbers a subject instead of one entry
a request, and at most a few percent off. The count that processes share (`shared_windows`) follows the same rule.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from limits import parse

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["LocalWindows", "Rate", "Windows", "wait_for"]

_MOST_SUBJECTS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` requests in any `seconds`."""

    name: str
    amount: int
    seconds: int

    @classmethod
    def parsed(cls, name: str, text: str) -> Self:
        """Return the rate that `text` says: `600/minute`, `5 per 10 minutes`. Raises InputError for anything else."""
        try:
            found = parse(text)
        except ValueError as error:
            raise InputError(
                f"{printable(text, limit=100)} is not a rate",
                where=f"RATE_LIMIT_{name.upper()}",
                todo="Write it as 600/minute or 5 per 10 minutes.",
            ) from error
        return cls(name, found.amount, found.get_expiry())


class Windows(Protocol):
    """Where requests are counted."""

    async def take(self, rate: Rate, subject: str) -> float:
        """Count one request of `subject`; return 0 when it is let in, else the seconds until one would be."""
        ...


def wait_for(rate: Rate, *, previous: int, current: int, left: float) -> float:
    """Return 0 when one more request fits, else the seconds after which one will.

    `previous` and `current` are the counts of two windows of `rate.seconds`; the second one ends in `left` seconds.
    """
    if math.floor(previous * left / rate.seconds) + current < rate.amount:
        return 0.0
    if current >= rate.amount:
        return left
    return left - (rate.amount - current) * rate.seconds / previous


@dataclass(slots=True)
class _Window:
    began: float
    previous: int = 0
    current: int = 0


class LocalWindows:
    """Counts of this process, of the subjects that asked last. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    async def take(self, rate: Rate, subject: str) -> float:
        """Count one request, as `Windows.take` says."""
        now = self._clock()
        window = self._moved(rate, subject, now)
        left = rate.seconds - (now - window.began)
        wait = wait_for(rate, previous=window.previous, current=window.current, left=left)
        if not wait:
            window.current += 1
        return wait

    def _moved(self, rate: Rate, subject: str, now: float) -> _Window:
        key = (rate.name, subject)
        window = self._windows.get(key)
        if window is None or now - window.began >= 2 * rate.seconds:
            window = self._windows[key] = _Window(now)
            if len(self._windows) > _MOST_SUBJECTS:
                self._windows.popitem(last=False)
        elif now - window.began >= rate.seconds:
            window.began += rate.seconds
            window.previous, window.current = window.current, 0
        self._windows.move_to_end(key)
        return window
