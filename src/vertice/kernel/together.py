"""Group commit: what is asked for while something is being done is done together right after it.

    keep = Together(keep_all)            # keep_all takes a sequence and returns an answer for each, or an exception
    answer = await keep(asked)

Nothing waits for company: who comes alone is served at once. Under load, a transaction serves many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Together"]

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class Together(Generic[_Asked, _Answer]):
    """Calls `do` with all that was asked for since it was called last, at most `at_most`, in the order of asking.

    `do` answers each by itself: with a result, or with an exception that is raised to who asked. What `do` itself
    raises is raised to all.
    """

    def __init__(
        self, do: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Answer | Exception]]], *, at_most: int = 32
    ) -> None:
        self._do = do
        self._at_most = at_most
        self._waiting: list[tuple[_Asked, asyncio.Future[_Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, asked: _Asked) -> _Answer:
        """Have it done. Whoever is cancelled meanwhile may have had it done or not."""
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
            answers: Sequence[_Answer | Exception]
            try:
                answers = await self._do([asked for asked, _ in batch])
            except Exception as error:  # noqa: BLE001  (each who asked gets it)
                answers = [error] * len(batch)
            except BaseException:
                for _, answer in batch:
                    answer.cancel()
                raise
            for (_, answer), one in zip(batch, answers, strict=True):
                if answer.done():  # who asked is gone
                    continue
                if isinstance(one, Exception):
                    answer.set_exception(one)
                else:
                    answer.set_result(one)
