"""From a worker's threads to the loop in which the database is open."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Bridge"]

_T = TypeVar("_T")


class Bridge:
    """Runs coroutines in the loop that it was made in, for threads that wait for them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Return the coroutine's result, or raise what it raised. Not for the loop's own thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
