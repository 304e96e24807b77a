"""Group commit, for writing and for reading: what is asked for while something is done is done together right after it.

    keep = Together(keep_all)            # keep_all takes a sequence and returns an answer for each, or an exception
    answer = await keep(asked)
    page = Shared(look_up)               # look_up takes one key; who asks for the same at the same time shares it
    answer = await page(key)

Nothing waits for company: who comes alone is served at once. Under load, a transaction serves many. Nobody gets the
answer of something that was begun before they asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

__all__ = ["Shared", "Together"]

_Asked = TypeVar("_Asked")
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


class Together(Generic[_Asked, _Answer]):
    """Calls `do` with all that was asked for since it was called last, at most `at_most`, in the order of asking.

    `do` answers each by itself: with a result, or with an exception that is raised to who asked. What `do` itself
    raises is raised to all. So many calls of it run at once: with more than one, none that hangs holds up all others.
    """

    def __init__(
        self,
        do: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Answer | Exception]]],
        *,
        at_most: int = 32,
        at_once: int = 1,
    ) -> None:
        self._do = do
        self._at_most = at_most
        self._at_once = at_once
        self._waiting: list[tuple[_Asked, asyncio.Future[_Answer]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, asked: _Asked) -> _Answer:
        """Have it done. Whoever is cancelled meanwhile may have had it done or not."""
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._at_work < self._at_once:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await answer

    @property
    def idle(self) -> bool:
        """Whether nothing is done and nobody waits."""
        return not self._waiting and not self._at_work

    @property
    def _at_work(self) -> int:
        return sum(not task.done() for task in self._running)

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
            answers: Sequence[_Answer | Exception]
            try:
                answers = await self._do([asked for asked, _ in batch])
                answered = list(zip(batch, answers, strict=True))
            except Exception as error:  # noqa: BLE001  (each who asked gets it)
                answered = [(one, error) for one in batch]
            except BaseException:
                for _, answer in batch:
                    answer.cancel()
                raise
            for (_, answer), one in answered:
                if answer.done():  # who asked is gone
                    continue
                if isinstance(one, Exception):
                    answer.set_exception(one)
                else:
                    answer.set_result(one)


class Shared(Generic[_Key, _Answer]):
    """Calls `look` with a key for all who ask for it at the same time; at most so many at once for one key."""

    def __init__(self, look: Callable[[_Key], Awaitable[_Answer]], *, at_once: int = 1) -> None:
        self._look = look
        self._at_once = at_once
        self._looks: dict[_Key, Together[None, _Answer]] = {}

    async def __call__(self, key: _Key) -> _Answer:
        """Return the answer for the key; what `look` raises is raised to all who share it."""
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = Together(partial(self._once, key), at_most=1_000_000, at_once=self._at_once)
        try:
            return await look(None)
        finally:
            if look.idle:
                self._looks.pop(key, None)

    async def _once(self, key: _Key, asked: Sequence[None]) -> Sequence[_Answer]:
        return [await self._look(key)] * len(asked)
