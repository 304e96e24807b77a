"""What a provider said is kept, and served on while it cannot be asked."""

import asyncio

import pytest

from vertice.kernel.auth.kept import Kept
from vertice.kernel.errors import UnfinishedError


class Source:
    """Gives a new number each time it is asked, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise UnfinishedError("is down")
        return f"value {self.asked}"


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def kept(source, clock):
    return Kept(source, clock)


async def test_all_who_ask_at_the_same_time_share_one_answer(kept, source):
    assert set(await asyncio.gather(*(kept.get() for _ in range(50)))) == {"value 1"}
    assert source.asked == 1


async def test_it_is_fetched_again_after_an_hour(kept, clock):
    await kept.get()
    clock.move(minutes=59)
    assert await kept.get() == "value 1"
    clock.move(minutes=1)
    assert await kept.get() == "value 2"


async def test_an_old_value_serves_on_while_the_source_is_down_and_it_is_asked_once_a_minute(kept, source, clock):
    await kept.get()
    source.down = True
    clock.move(hours=2)
    assert [await kept.get() for _ in range(3)] == ["value 1"] * 3
    assert source.asked == 2
    source.down = False
    clock.move(minutes=1)
    assert await kept.get() == "value 3"


async def test_those_who_wait_for_a_source_that_is_down_fail_together(kept, source, clock):
    source.down = True
    failed = await asyncio.gather(*(kept.get() for _ in range(10)), return_exceptions=True)
    assert {str(one) for one in failed} == {"is down"}
    assert source.asked == 1
    clock.move(seconds=5)
    source.down = False
    assert await kept.get() == "value 2"


async def test_a_value_that_will_not_do_is_replaced_at_most_once_a_minute(kept, source, clock):
    first = await kept.get()
    assert await kept.get(instead_of=first) == first
    clock.move(minutes=1)
    assert await kept.get(instead_of=first) == "value 2"
    assert await kept.get(instead_of=first) == "value 2"
    assert source.asked == 2
