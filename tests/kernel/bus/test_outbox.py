"""The outbox: what waits, in which order, what is parked, and what is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from vertice.kernel.bus import outbox
from vertice.kernel.bus.outbox import ATTEMPTS, Standing
from vertice.kernel.origin import Origin

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


async def found(database, **how):
    async with database.read() as session:
        return await outbox.waiting(session, "/test", **{"limit": 100} | how)


async def test_messages_wait_in_the_order_they_were_left_in(database, leave):
    first = await leave(database, "out", 3)
    second = await leave(database, "in", 2)
    assert [one.message.id for one in await found(database)] == first + second
    assert [one.message.id for one in await found(database, limit=2)] == first[:2]
    assert [one.message.id for one in await found(database, apart_from=["out"])] == second


async def test_a_message_is_read_as_it_was_left(database, leave):
    with Origin("00-1-2-01", "request-7").continued():
        (key,) = await leave(database, "out")
    (one,) = await found(database)
    assert one.message == outbox.Message(
        id=key,
        source="/test",
        destination="out",
        type="test.counted",
        subject="0",
        data='{"n":0}',
        at=AT,
        traceparent="00-1-2-01",
        correlation_id="request-7",
    )


async def test_a_message_whose_transaction_fails_was_never_left(database):
    async def fail():
        async with database.write() as session:
            outbox.post(session, "out", "test.counted", subject="", data={}, at=AT)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fail()
    assert await found(database) == []


async def test_a_message_of_one_name_is_left_once_whoever_leaves_it_again(database):
    async def leave(name, n, destination="out"):
        async with database.write() as session:
            return await outbox.post_once(
                session, destination, "test.counted", name=name, subject=str(n), data={"n": n}, at=AT
            )

    first = await leave("heal-1/3", 1)
    assert await asyncio.gather(*(leave("heal-1/3", n) for n in range(2, 5))) == [first] * 3
    other, elsewhere = await leave("heal-1/4", 5), await leave("heal-1/3", 6, "in")
    assert [(one.message.id, one.message.subject) for one in await found(database)] == [
        (first, "1"),
        (other, "5"),
        (elsewhere, "6"),
    ]


async def test_what_was_sent_waits_no_more_and_is_forgotten_after_its_time(database, leave, unsent):
    keys = await leave(database, "out", 3)
    seqs = [one.seq for one in await found(database)]
    async with database.write() as session:
        await outbox.sent(session, seqs[:1], AT - timedelta(days=8))
        await outbox.sent(session, seqs[1:2], AT)
    assert await unsent(database) == keys[2:]
    async with database.write() as session:
        await outbox.forget(session, AT - timedelta(days=7))
    async with database.read() as session:
        kept = await session.scalars(outbox.select(outbox.OutboxRow.id).order_by(outbox.OutboxRow.seq))
        assert list(kept) == keys[1:]


async def test_a_message_that_failed_too_often_is_parked_until_it_is_released(database, leave, unsent):
    keys = await leave(database, "out", 3)
    head = (await found(database))[0].seq
    for tried in range(ATTEMPTS):
        assert await unsent(database) == keys, f"parked after {tried} tries"
        async with database.write() as session:
            await outbox.not_sent(session, head, "no \x1b[31mway", final=False)
    assert await unsent(database) == keys[1:]
    async with database.read() as session:
        (parked,) = await outbox.parked(session, "out", limit=10)
        assert (parked.message.id, parked.why) == (keys[0], r"no \x1b[31mway")
        assert await outbox.standing(session) == {"out": Standing(waiting=2, parked=1, oldest=AT)}
    async with database.write() as session:
        assert await outbox.release(session, "out", message_id="another", limit=10) == 0
        assert await outbox.release(session, "out", message_id=keys[0], limit=10) == 1
    assert await unsent(database) == keys


async def test_a_final_failure_parks_at_once_and_the_oldest_that_waits_is_told(database, leave):
    await leave(database, "out", 1)
    async with database.write() as session:
        outbox.post(session, "out", "test.counted", subject="", data={}, at=AT + timedelta(hours=1))
    async with database.write() as session:
        await outbox.not_sent(session, 1, "never", final=True)
    async with database.read() as session:
        assert await outbox.standing(session) == {"out": Standing(1, 1, AT + timedelta(hours=1))}
    async with database.write() as session:
        await outbox.not_sent(session, 2, "never", final=True)
    async with database.read() as session:
        assert await outbox.standing(session) == {"out": Standing(0, 2, None)}


async def test_parked_messages_are_forgotten_by_when_they_were_left_and_waiting_ones_never(database, leave):
    keys = await leave(database, "out", 2)
    await leave(database, "in")
    seqs = [one.seq for one in await found(database)]
    async with database.write() as session:
        await outbox.not_sent(session, seqs[0], "too large", final=True)
    async with database.write() as session:
        assert await outbox.forget_parked(session, AT) == {}
        assert await outbox.forget_parked(session, AT + timedelta(seconds=1)) == {"out": 1}
    async with database.read() as session:
        assert set(await outbox.standing(session)) == {"in", "out"}
        assert await outbox.parked(session, "out", limit=10) == []
    assert [one.message.id for one in await found(database)][:1] == keys[1:]
