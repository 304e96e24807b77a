"""The relay: everything leaves, in its order, whatever fails on the way."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from vertice.kernel.bus import outbox
from vertice.kernel.bus.message import InProcess, MessageRefusedError, Unheard
from vertice.kernel.bus.rabbit import RabbitPublisher
from vertice.kernel.bus.relay import Relay
from vertice.kernel.database import Database, upgrade
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.origin import Origin, here

NEVER = 3600.0
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
"""When `leave` leaves messages."""


class Carrier:
    """A broker that keeps what it is given, and fails where it is told to."""

    def __init__(self):
        self.got = []
        self.down = False
        self.closed = set()
        self.refused = set()
        self.broken = set()

    async def publish(self, message):
        await asyncio.sleep(0)
        if self.down or message.destination in self.closed:
            raise UnfinishedError("not now")
        if message.id in self.refused:
            raise MessageRefusedError("is too large")
        if message.id in self.broken:
            raise KeyError("a fault")
        self.got.append(message.id)


@pytest.fixture
def carrier():
    return Carrier()


@contextlib.asynccontextmanager
async def running(*relays):
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for relay in relays:
            relay.stop()
        await asyncio.gather(*tasks)


async def test_everything_leaves_in_its_order(database, carrier, leave, unsent):
    keys = await leave(database, "out", 250)
    relay = Relay(database, carrier, source="/test")
    while await relay.round():
        pass
    assert carrier.got == keys
    assert await unsent(database) == []


async def test_a_commit_wakes_it(database, carrier, leave, until):
    """It looks by itself only after an hour, so only the commit can have told it."""
    async with running(Relay(database, carrier, source="/test", poll=NEVER)):
        await asyncio.sleep(0.1)
        keys = await leave(database, "out", 2)

        async def arrived():
            return carrier.got == keys

        await until(arrived)


async def test_a_commit_on_another_thread_wakes_it(sqlite, sqlite_url, carrier, leave, until):
    async def elsewhere():
        async with Database.open(sqlite_url) as other:
            return await leave(other, "out")

    async with running(Relay(sqlite, carrier, source="/test", poll=NEVER)):
        await asyncio.sleep(0.1)
        keys = await asyncio.to_thread(asyncio.run, elsewhere())

        async def arrived():
            return carrier.got == keys

        await until(arrived)


async def test_what_another_process_leaves_is_found_by_looking(sqlite, carrier, leave, until):
    """Rows that no commit of this process told of: the relay starts after them."""
    keys = await leave(sqlite, "out", 2)
    async with running(Relay(sqlite, carrier, source="/test", poll=0.05)):

        async def arrived():
            return carrier.got == keys

        await until(arrived)


async def test_while_the_broker_is_down_everything_waits_and_then_leaves_in_order(database, carrier, leave, until):
    carrier.down = True
    async with running(Relay(database, carrier, source="/test", poll=0.05)):
        keys = []
        for start in range(3):
            keys += await leave(database, "out", 2, start=start)
            await asyncio.sleep(0.05)
        assert carrier.got == []
        carrier.down = False

        async def arrived():
            return carrier.got == keys

        await until(arrived)


async def test_a_destination_that_takes_nothing_holds_up_itself_alone(database, carrier, leave, unsent):
    stuck = await leave(database, "in", 3)
    keys = await leave(database, "out", 3)
    carrier.closed = {"in"}
    await Relay(database, carrier, source="/test").round()
    assert carrier.got == keys
    assert await unsent(database) == stuck


async def test_one_held_up_destination_does_not_fill_the_rounds_of_the_others(database, carrier, leave, unsent):
    stuck = await leave(database, "in", 30)
    keys = await leave(database, "out", 3)
    carrier.closed = {"in"}
    relay = Relay(database, carrier, source="/test", batch=10)
    for _ in range(2):
        await relay.round()
    assert carrier.got == keys
    assert await unsent(database) == stuck


async def test_a_message_that_never_can_be_sent_is_parked_and_those_behind_it_leave(database, carrier, leave, unsent):
    keys = await leave(database, "out", 4)
    carrier.refused = {keys[1]}
    await Relay(database, carrier, source="/test").round()
    assert carrier.got == [keys[0], *keys[2:]]
    assert await unsent(database) == []
    async with database.read() as session:
        (parked,) = await outbox.parked(session, "out", limit=10)
    assert (parked.message.id, parked.why) == (keys[1], "is too large")


async def test_a_message_that_brings_out_a_fault_is_tried_some_times_and_then_parked(sqlite, carrier, leave, until):
    keys = await leave(sqlite, "out", 3)
    carrier.broken = {keys[0]}
    async with running(Relay(sqlite, carrier, source="/test", poll=0.02)):

        async def arrived():
            return carrier.got == keys[1:]

        await until(arrived)
    async with sqlite.read() as session:
        (parked,) = await outbox.parked(session, "out", limit=10)
    assert (parked.message.id, parked.why) == (keys[0], "KeyError: 'a fault'")


async def test_several_relays_on_one_database_send_each_message_once_and_in_order(postgres_url, carrier, leave, until):
    async with contextlib.AsyncExitStack() as opened:
        databases = [await opened.enter_async_context(Database.open(postgres_url)) for _ in range(4)]
        relays = [Relay(database, carrier, source="/test", poll=0.01, batch=7) for database in databases]
        keys = []
        async with running(*relays):
            for start in range(20):
                keys += await leave(databases[start % 4], "out", 5, start=start)

            async def arrived():
                return len(carrier.got) >= len(keys)

            await until(arrived)
        assert carrier.got == keys


async def test_a_stop_ends_it_with_nothing_sent_and_not_noted(database, leave, unsent):
    keys = await leave(database, "out", 50)

    class Stopping(Carrier):
        async def publish(self, message):
            await super().publish(message)
            if len(self.got) == 20:
                relay.stop()

    stopping = Stopping()
    relay = Relay(database, stopping, source="/test")
    await relay.run()
    assert stopping.got == keys[:20]
    assert await unsent(database) == keys[20:]


async def test_it_outlives_its_database(private_postgres, carrier, leave, until):
    server = private_postgres()
    url = server.url.replace("postgresql://", "postgresql+asyncpg://")
    await upgrade(url)
    async with Database.open(url) as database, running(Relay(database, carrier, source="/test", poll=0.05)):
        first = await leave(database, "out", 3)

        async def arrived():
            return carrier.got == first

        await until(arrived)
        server.stop()
        await asyncio.sleep(0.5)
        server.start()
        second = await leave(database, "out", 3)

        async def all_arrived():
            return list(dict.fromkeys(carrier.got)) == first + second

        await until(all_arrived)


async def test_without_a_broker_messages_go_to_whoever_takes_them_here_and_none_pile_up(database, leave, unsent):
    taken = []

    async def take(message):
        taken.append(message.id)

    keys = await leave(database, "in", 2)
    await leave(database, "out", 2)
    await Relay(database, InProcess({"in": take}, Unheard(["out"])), source="/test").round()
    assert taken == keys
    assert await unsent(database) == []


async def test_what_nobody_takes_here_goes_to_the_broker(database, carrier, leave):
    async def take(message): ...

    await leave(database, "notifications")
    keys = await leave(database, "out")
    await Relay(database, InProcess({"notifications": take}, carrier), source="/test").round()
    assert carrier.got == keys


async def test_what_nobody_takes_here_waits_for_the_process_that_does_and_holds_up_nothing(
    database, carrier, leave, unsent
):
    """Of two processes on one database only the second is set up for it; more waits than fits into a round."""
    waiting = await leave(database, "github", 25)
    keys = await leave(database, "out", 3)
    taken = []

    async def take(message):
        taken.append(message.id)

    first = Relay(database, InProcess({}, Unheard(["out"])), source="/test", batch=10, clock=lambda: AT)
    for _ in range(5):
        await first.round()
    assert await unsent(database) == waiting
    second = Relay(database, InProcess({"github": take}, carrier), source="/test", batch=10, clock=lambda: AT)
    while await second.round():
        pass
    assert (taken, carrier.got, keys) == (waiting, [], keys)
    assert await unsent(database) == []


async def test_what_nobody_took_for_a_month_is_parked(database, leave, unsent):
    now = AT + timedelta(days=30)
    nobody = InProcess({}, Unheard())
    await leave(database, "github", 2)
    await Relay(database, nobody, source="/test", clock=lambda: now).round()
    assert len(await unsent(database)) == 2
    now += timedelta(seconds=1)
    await Relay(database, nobody, source="/test", clock=lambda: now).round()
    assert await unsent(database) == []
    async with database.read() as session:
        parked = await outbox.parked(session, "github", limit=10)
    assert [one.why for one in parked] == ["github: nobody takes these messages here"] * 2


async def test_with_a_real_broker_a_destination_that_is_no_queue_waits_too(
    database, address, topology, leave, unsent, until
):
    waiting = await leave(database, "github", 2)
    await leave(database, "out", 2)
    publisher = RabbitPublisher(address, topology)

    async def sent():
        return await unsent(database) == waiting

    async with running(Relay(database, InProcess({}, publisher), source="/test", clock=lambda: AT)):
        await until(sent)
    await publisher.close()
    async with database.read() as session:
        assert await outbox.standing(session) == {"github": outbox.Standing(2, 0, AT)}


async def test_what_takes_a_message_in_the_process_belongs_to_its_request(database, leave):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = []

    async def take(_message):
        seen.append(here())

    with Origin(trace, "request-7").continued():
        await leave(database, "in")
    await leave(database, "in")
    await Relay(database, InProcess({"in": take}, Unheard()), source="/test").round()
    assert seen == [Origin(trace, "request-7"), Origin()]
