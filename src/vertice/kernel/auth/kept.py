"""Something fetched from far away, kept for a while, and longer while it cannot be fetched again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from vertice.kernel.errors import UnfinishedError
from vertice.kernel.logging import get_logger

__all__ = ["Kept"]

_KEPT = timedelta(hours=1)
_ASKED_AGAIN = timedelta(minutes=1)
_FAILED_AGAIN = timedelta(seconds=5)

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """The newest value of `fetch`, fetched once for all who ask at the same time.

    An hour old it is fetched again; the old one serves on while that fails, tried once a minute. Without an old one
    the failure itself is kept for five seconds, so that those who wait do not each wait for it anew.
    """

    def __init__(self, fetch: Callable[[], Awaitable[_T]], clock: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: _T | None = None
        self._failure: UnfinishedError | None = None
        self._fetched_at = self._asked_at = datetime.min.replace(tzinfo=UTC)

    async def get(self, *, instead_of: _T | None = None) -> _T:
        """Return the value. `instead_of`: one that will not do; it comes again when it was fetched this minute.

        Raises UnfinishedError when it was never fetched and cannot be.
        """
        found = self._held(instead_of)
        if found is not None:
            return found
        async with self._lock:
            found = self._held(instead_of)
            return await self._renew() if found is None else found

    def _held(self, instead_of: _T | None) -> _T | None:
        age, asked = self._ages()
        if self._value is None:
            if self._failure is not None and asked < _FAILED_AGAIN:
                raise type(self._failure)(self._failure.what, where=self._failure.where, todo=self._failure.todo)
            return None
        good = age < _KEPT and self._value is not instead_of
        return self._value if good or asked < _ASKED_AGAIN else None

    def _ages(self) -> tuple[timedelta, timedelta]:
        now = self._clock()
        return now - self._fetched_at, now - self._asked_at

    async def _renew(self) -> _T:
        self._asked_at = self._clock()
        try:
            value = await self._fetch()
        except UnfinishedError as error:
            self._failure = error
            if self._value is None:
                raise
            get_logger(__name__).warning("an old copy serves on", why=str(error))
            return self._value
        self._value, self._failure, self._fetched_at = value, None, self._asked_at
        return value
