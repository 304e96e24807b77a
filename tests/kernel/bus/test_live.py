"""Live events: in order, none left out, none twice, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from vertice.kernel.bus.events import Event, emit, forget, head, kept, since
from vertice.kernel.bus.live import Listener, Live
from vertice.kernel.database import Database

AT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
async def database(database_url) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@asynccontextmanager
async def running(live: Live) -> AsyncIterator[None]:
    task = asyncio.create_task(live.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def write(database: Database, channel: str, number: int, *, at: datetime = AT) -> int:
    async with database.write() as session:
        return await emit(session, channel, "told", subject=f"s{number}", data={"number": number}, at=at)


async def read(listener: Listener, count: int) -> list[tuple[str, int, int]]:
    async with asyncio.timeout(20):
        events = [await listener.next() for _ in range(count)]
    return [(event.channel, event.seq, event.data["number"]) for event in events if isinstance(event, Event)]


async def test_numbers_rise_by_one_in_each_channel_and_events_come_back_in_their_order(database):
    for number in range(3):
        await write(database, "a", number)
        await write(database, "b", number)
    async with database.read() as session:
        found = await since(session, {"a": 1, "b": 0}, limit=10)
        assert [(event.channel, event.seq, event.subject) for event in found] == [
            *(("a", 2, "s1"), ("a", 3, "s2")),
            *(("b", 1, "s0"), ("b", 2, "s1"), ("b", 3, "s2")),
        ]
        assert (await head(session, "a"), await head(session, "none")) == (3, 0)


async def test_writers_at_once_never_leave_a_gap_nor_a_number_twice(database):
    await asyncio.gather(*(write(database, "a", number) for number in range(30)))
    async with database.read() as session:
        found = await since(session, {"a": 0}, limit=100)
    assert [event.seq for event in found] == list(range(1, 31))
    assert sorted(event.data["number"] for event in found) == list(range(30))


async def test_a_change_that_is_rolled_back_tells_nothing(database):
    async def fail() -> None:
        async with database.write() as session:
            await emit(session, "a", "told", subject="", data={}, at=AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await write(database, "a", 1) == 1


async def test_a_listener_hears_what_comes_and_nothing_of_before(database):
    await write(database, "a", 0)
    live, listener = Live(database), Listener()
    async with running(live):
        assert await live.listen(listener, "a") == 1
        await write(database, "a", 1)
        live.wake()
        assert await read(listener, 1) == [("a", 2, 1)]


async def test_events_of_another_process_come_without_a_hint(database, database_url):
    live, listener = Live(database), Listener()
    async with running(live), Database.open(database_url) as other:
        await live.listen(listener, "a")
        await write(other, "a", 7)
        assert await read(listener, 1) == [("a", 1, 7)]


async def test_whoever_was_away_gets_what_was_missed_and_then_what_comes_while_others_write(database):
    """Resuming at every point of a stream that goes on: always all of it, in order, once."""
    live = Live(database)
    async with running(live):

        async def write_on() -> None:
            for number in range(1, 61):
                await write(database, "a", number)
                live.wake()

        async def follow(after: int) -> None:
            listener = Listener()
            await asyncio.sleep(after / 1000)
            async with database.read() as session:
                seen = min(after, await head(session, "a"))
            await live.listen(listener, "a", seen)
            wanted = [("a", number, number) for number in range(seen + 1, 61)]
            assert await read(listener, len(wanted)) == wanted

        await asyncio.gather(write_on(), *(follow(after) for after in (0, 1, 5, 10, 20, 30)))


async def test_more_than_a_backlog_that_was_missed_is_given_as_fast_as_it_is_read(database):
    async with database.write() as session:
        for number in range(1500):
            await emit(session, "a", "told", subject="", data={"number": number}, at=AT)
    live, listener = Live(database), Listener()
    async with running(live):
        joining = asyncio.create_task(live.listen(listener, "a", 0))
        assert [number for _, _, number in await read(listener, 1500)] == list(range(1500))
        assert await joining == 1500


async def test_a_slow_listener_is_cut_off_and_the_others_are_not(database):
    live, slow, quick = Live(database), Listener(), Listener()
    async with running(live):
        await live.listen(slow, "a")
        await live.listen(quick, "a")
        for start in range(0, 1200, 300):
            async with database.write() as session:
                for number in range(start, start + 300):
                    await emit(session, "a", "told", subject="", data={"number": number}, at=AT)
            live.wake()
            assert [number for _, _, number in await read(quick, 300)] == list(range(start, start + 300))
        assert slow.overflowed
        assert not quick.overflowed
        got = []
        while (event := await slow.next()) is not None:
            got.append(event.seq)
        assert got == list(range(1, len(got) + 1)), "what it got before is whole"
        again = Listener()
        joining = asyncio.create_task(live.listen(again, "a", got[-1]))
        assert [seq for _, seq, _ in await read(again, 1200 - len(got))] == list(range(len(got) + 1, 1201))
        await joining


async def test_a_slow_listener_whose_queue_is_full_to_the_last_place_harms_no_other(database):
    live, slow, quick = Live(database), Listener(), Listener()
    async with running(live):
        await live.listen(slow, "a")
        await live.listen(quick, "a")
        async with database.write() as session:
            for number in range(999):
                await emit(session, "a", "told", subject="", data={"number": number}, at=AT)
        live.wake()
        await read(quick, 999)
        slow.note("a note of its own, where no event fits any more")
        for number in (999, 1000):
            await write(database, "a", number)
            live.wake()
            assert await read(quick, 1) == [("a", number + 1, number)]
        assert slow.overflowed


async def test_leaving_a_channel_ends_it_for_this_listener_only(database):
    live, one, other = Live(database), Listener(), Listener()
    async with running(live):
        for listener in (one, other):
            await live.listen(listener, "a")
            await live.listen(listener, "b")
        live.leave(one, "a")
        await write(database, "a", 1)
        await write(database, "b", 2)
        live.wake()
        assert await read(one, 1) == [("b", 1, 2)]
        assert sorted(await read(other, 2)) == [("a", 1, 1), ("b", 1, 2)]
        live.leave_all(one)
        live.leave_all(other)


async def test_forgotten_events_are_known_to_be_missing(database):
    await write(database, "a", 1)
    await write(database, "a", 2, at=AT + timedelta(days=2))
    async with database.write() as session:
        await forget(session, AT + timedelta(days=1))
    async with database.read() as session:
        assert not await kept(session, "a", 1)
        assert await kept(session, "a", 2)
        assert await kept(session, "a", 0)
    assert await write(database, "a", 3) == 3, "numbers go on"
