"""Group commit: what comes while something is done is done together after it."""

import asyncio
from collections.abc import Sequence

import pytest

from vertice.kernel.together import Together


class Kept:
    """Takes numbers; each time waits until it is let go on. Refuses 13; breaks on 99; answers twice the number."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = asyncio.Event()

    async def __call__(self, asked: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(asked))
        await self.go_on.wait()
        if 99 in asked:
            raise RuntimeError("broken")
        return [ValueError("refused") if one == 13 else 2 * one for one in asked]


async def test_who_comes_alone_is_served_at_once_and_those_who_come_meanwhile_together():
    kept = Kept()
    keep = Together(kept, at_most=3)
    first = asyncio.create_task(keep(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(keep(number)) for number in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    kept.go_on.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert kept.batches == [[1], [2, 3, 4], [5]]
    assert await keep(6) == 12


async def test_one_that_is_refused_is_refused_alone_and_what_breaks_breaks_for_all():
    kept = Kept()
    kept.go_on.set()
    keep = Together(kept)
    answers = await asyncio.gather(*(keep(number) for number in (1, 13, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, ValueError, int]
    broken = await asyncio.gather(*(keep(number) for number in (1, 99)), return_exceptions=True)
    assert [str(answer) for answer in broken] == ["broken", "broken"]
    assert await keep(3) == 6


async def test_who_goes_away_takes_nobody_along():
    kept = Kept()
    keep = Together(kept)
    gone, stays = asyncio.create_task(keep(1)), asyncio.create_task(keep(2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    kept.go_on.set()
    assert await stays == 4
    assert kept.batches == [[1, 2]]
