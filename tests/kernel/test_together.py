"""Group commit: what comes while something is done is done together after it."""

import asyncio
from collections.abc import Sequence

import pytest

from vertice.kernel.together import Shared, Together


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


async def test_what_hangs_holds_up_no_more_than_it_has():
    hangs = asyncio.Event()

    async def do(asked: Sequence[int]) -> Sequence[int]:
        if 1 in asked:
            await hangs.wait()
        return asked

    keep = Together(do, at_once=2)
    first = asyncio.create_task(keep(1))
    await asyncio.sleep(0.01)
    assert await asyncio.gather(*(keep(number) for number in range(2, 50))) == list(range(2, 50))
    assert not first.done()
    hangs.set()
    assert await first == 1


async def test_one_that_is_left_without_an_answer_is_told():
    async def do(asked: Sequence[int]) -> Sequence[int]:
        return asked[1:]

    keep = Together(do)
    with pytest.raises(ValueError, match="zip"):
        await keep(1)


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


async def test_who_asks_for_the_same_at_the_same_time_shares_a_look_that_began_after_they_asked():
    looks: list[str] = []
    go_on = asyncio.Event()

    async def look(key: str) -> str:
        looks.append(key)
        number = len(looks)
        await go_on.wait()
        if key == "bad":
            raise ValueError(key)
        return f"{key}, look {number}"

    shared = Shared(look)
    first = [asyncio.create_task(shared("a")) for _ in range(3)]
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(shared(key)) for key in ("a", "b", "a", "bad", "bad")]
    await asyncio.sleep(0.01)
    go_on.set()
    assert await asyncio.gather(*first) == ["a, look 1"] * 3
    found = await asyncio.gather(*later, return_exceptions=True)
    assert found[0] == found[2] == "a, look 4"
    assert (found[1], [type(one) for one in found[3:]]) == ("b, look 2", [ValueError] * 2)
    assert looks == ["a", "b", "bad", "a"]
    assert await shared("a") == "a, look 5"
    assert shared._looks == {}
