"""The sliding window: how many are let in, and how long the others are told to wait."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.kernel.errors import InputError
from vertice.kernel.http.windows import LocalWindows, Rate, wait_for


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [("600/minute", 600, 60), ("5 per 10 minutes", 5, 600), ("1/second", 1, 1), ("20/hour", 20, 3600)],
)
def test_a_rate_is_read(text, amount, seconds):
    assert Rate.parsed("default", text) == Rate("default", amount, seconds)


@pytest.mark.parametrize("text", ["", "many", "600", "600/fortnight", "-1/minute"])
def test_what_is_no_rate_is_said(text):
    with pytest.raises(InputError, match="is not a rate"):
        Rate.parsed("default", text)


async def test_the_amount_is_let_in_and_no_more():
    clock = Clock()
    windows = LocalWindows(clock)
    rate = Rate("login", 3, 60)
    assert [await windows.take(rate, "a") for _ in range(5)] == [0, 0, 0, 60, 60]
    assert await windows.take(rate, "b") == 0
    assert await windows.take(Rate("write", 3, 60), "a") == 0
    clock.now += 60.001
    assert await windows.take(rate, "a") == 0
    assert await windows.take(rate, "a") > 0


async def test_whoever_stays_away_is_forgotten():
    clock = Clock()
    windows = LocalWindows(clock)
    rate = Rate("login", 3, 60)
    for _ in range(3):
        await windows.take(rate, "a")
    clock.now += 120
    assert [await windows.take(rate, "a") for _ in range(4)] == [0, 0, 0, 60]


async def test_a_flood_of_subjects_does_not_grow_without_end():
    windows = LocalWindows(Clock())
    rate = Rate("default", 1, 60)
    for number in range(20_001):
        await windows.take(rate, str(number))
    assert await windows.take(rate, "20000") > 0
    assert await windows.take(rate, "0") == 0, "the one that asked longest ago made room"


@given(
    st.integers(1, 20),
    st.integers(1, 100),
    st.lists(st.floats(0, 50, allow_nan=False, allow_subnormal=False), max_size=60),
)
async def test_waiting_as_long_as_told_lets_in_and_no_window_holds_twice_the_amount(amount, seconds, pauses):
    clock = Clock()
    windows = LocalWindows(clock)
    rate = Rate("default", amount, seconds)
    let_in: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = await windows.take(rate, "a")
        if wait:
            assert wait <= seconds
            clock.now += math.floor(wait) + 1
            assert await windows.take(rate, "a") == 0
        let_in.append(clock.now)
    for start in let_in:
        assert len([at for at in let_in if start <= at < start + seconds]) <= 2 * amount


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50), st.floats(0.001, 60))
def test_one_more_fits_exactly_when_there_is_nothing_to_wait_for(amount, previous, current, left):
    rate = Rate("default", amount, 60)
    fits = math.floor(previous * left / 60) + current + 1 <= amount
    wait = wait_for(rate, previous=previous, current=current, left=left)
    assert (wait == 0) is fits
    assert 0 <= wait <= left
