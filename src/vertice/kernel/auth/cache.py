"""Who was looked up a moment ago, so that not every request asks the database."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from vertice.kernel.auth.model import Principal

__all__ = ["CACHE_SECONDS", "Recent"]

CACHE_SECONDS = 5
"""How long a login that was ended in another process may still work in this one."""

_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    until: datetime


class Recent:
    """Principals by the hash of what they showed, for a few seconds each; the oldest goes when there are too many."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._forgotten = 0

    @property
    def mark(self) -> int:
        """Taken before the database is asked and given to `keep`."""
        return self._forgotten

    def get(self, key: str) -> Principal | None:
        """Return who it is, None when that is not known or no longer sure."""
        found = self._entries.get(key)
        if found is None:
            return None
        if found.until <= self._clock():
            del self._entries[key]
            return None
        return found.principal

    def keep(self, key: str, principal: Principal, *, ends: datetime | None, mark: int) -> None:
        """Keep who it is, never longer than the login itself lasts.

        Nothing is kept when somebody was forgotten since `mark`: what was read may be older than that.
        """
        if mark != self._forgotten:
            return
        until = self._clock() + timedelta(seconds=CACHE_SECONDS)
        self._entries[key] = _Entry(principal, until if ends is None else min(until, ends))
        self._entries.move_to_end(key)
        if len(self._entries) > _ENTRIES:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget one at once: it was ended in this process."""
        self._forgotten += 1
        self._entries.pop(key, None)
