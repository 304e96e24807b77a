"""Taking messages from RabbitMQ: each takes effect once, and what is at fault ends as a dead letter with its reason."""

import asyncio
import contextlib
import json

import pytest
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from sqlalchemy import text

from tests import outside
from vertice.kernel.bus.cloudevents import CloudEvent, Payload
from vertice.kernel.bus.consumer import Consumer
from vertice.kernel.bus.inbox import Inbox, Subscription
from vertice.kernel.bus.rabbit import Address, connected
from vertice.kernel.bus.topology import declare
from vertice.kernel.database import Database
from vertice.kernel.errors import InputError, UnfinishedError


class Count(Payload):
    n: int


class Counted(CloudEvent):
    data: Count


def event(key="1", **changes):
    good = {"specversion": "1.0", "id": str(key), "source": "/scanner", "type": "test.counted", "data": {"n": 1}}
    return json.dumps(good | changes).encode()


class Desk:
    """Handles counts: notes each in the transaction, and fails where it is told to."""

    def __init__(self):
        self.fails = {}
        self.tries = []

    async def handle(self, session, taken):
        self.tries.append(taken.id)
        await session.execute(text("UPDATE audit_head SET seq = seq + :n"), {"n": taken.data.n})
        if taken.id == "unfit":
            await session.execute(text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, NULL)"))
        if error := self.fails.get(taken.id):
            raise error


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def total():
    async def run(database):
        async with database.read() as session:
            return (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one()

    return run


@pytest.fixture
def consuming(topology):
    @contextlib.asynccontextmanager
    async def run(database, address, desk, **how):
        """A consumer at work; whoever sends before it runs finds the queues there."""
        consumer = Consumer(
            address, topology, Inbox(database), [Subscription(topology.queue("in"), Counted, desk.handle)], **how
        )
        task = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            consumer.stop()
            await task

    return run


@pytest.fixture
async def ready(address, topology):
    async with connected(address) as broker:
        await declare(broker, topology)


async def test_a_message_takes_effect_once_however_often_it_comes(
    database, address, ready, desk, consuming, total, rabbitmq_url, until
):
    await outside.send(rabbitmq_url, "in", event(1), event(2), event(1))
    async with consuming(database, address, desk):

        async def empty():
            return await outside.depth(rabbitmq_url, "in") == 0 and await total(database) == 2

        await until(empty)
        await outside.send(rabbitmq_url, "in", event(2), event(3))

        async def one_more():
            return await total(database) == 3

        await until(one_more)
    assert await outside.depth(rabbitmq_url, "in.dlq") == 0
    assert sorted(desk.tries) == ["1", "2", "3"]


async def test_the_same_id_of_another_source_is_another_message(
    sqlite, address, ready, desk, consuming, total, rabbitmq_url, until
):
    await outside.send(rabbitmq_url, "in", event(1), event(1, source="/other"))
    async with consuming(sqlite, address, desk):

        async def both():
            return await total(sqlite) == 2

        await until(both)


POISON = {
    "not JSON": (b"hello", "Invalid JSON"),
    "nothing": (b"", "Invalid JSON"),
    "not UTF-8": (b'{"id": "\xff"}', "Invalid JSON"),
    "not an event": (b'{"n": 1}', "specversion"),
    "a list": (b"[]", "an object"),
    "too large": (event(1, data={"n": 1, "x": "y" * 5000}), "larger than 4,096"),
    "too deep": (b"[" * 3000, "recursion"),
    "a wrong type": (event(1, data={"n": "1"}), "data.n"),
    "an unknown project": (event("unknown"), "there is no project x"),
    "what the database never takes": (event("unfit"), "IntegrityError"),
    "a fault of ours": (event("fault"), "KeyError"),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_ends_as_a_dead_letter_with_its_reason_and_nothing_changed(
    name, sqlite, address, ready, desk, consuming, total, rabbitmq_url, until
):
    body, why = POISON[name]
    desk.fails = {"unknown": InputError("there is no project x"), "fault": KeyError("x")}
    await outside.send(
        rabbitmq_url,
        "in",
        body,
        message_id="m-1",
        correlation_id="c-1",
        content_type="application/json",
        headers={"kept": "yes", "x-mine": "no"},
    )
    async with consuming(sqlite, address, desk):
        (dead,) = await outside.drain(rabbitmq_url, "in.dlq", 1)
        await outside.send(rabbitmq_url, "in", event("good"))

        async def next_one():
            return await total(sqlite) == 1

        await until(next_one)
    assert await outside.depth(rabbitmq_url, "in") == 0
    assert dead.body == body
    assert why in dead.headers["dead-letter-reason"]
    assert (dead.message_id, dead.correlation_id, dead.headers["kept"]) == ("m-1", "c-1", "yes")


@pytest.mark.parametrize(
    "properties",
    [
        {"headers": {"deep": {"er": [1, {"x": None}]}, "n": 2**40, "b": bytearray(b"\xff"), "long": "y" * 3000}},
        {"content_type": "application/json\x1b[31m", "message_id": "\x1b" * 200},
        {"reply_to": "out", "expiration": None, "priority": 200, "content_encoding": "gzip"},
    ],
)
async def test_odd_properties_neither_stop_the_reader_nor_lose_the_message(
    properties, sqlite, address, ready, desk, consuming, rabbitmq_url
):
    await outside.send(rabbitmq_url, "in", b"poison", **properties)
    async with consuming(sqlite, address, desk):
        (dead,) = await outside.drain(rabbitmq_url, "in.dlq", 1)
    assert dead.body == b"poison"


async def test_what_cannot_be_taken_now_is_tried_again_and_not_lost(
    database, address, ready, desk, consuming, total, rabbitmq_url, until
):
    desk.fails = {"1": UnfinishedError("the database is away")}
    await outside.send(rabbitmq_url, "in", event(1))
    async with consuming(database, address, desk):

        async def tried():
            return len(desk.tries) >= 3

        await until(tried)
        assert await total(database) == 0
        desk.fails = {}

        async def taken():
            return await total(database) == 1

        await until(taken)
    assert await outside.depth(rabbitmq_url, "in.dlq") == 0
    assert await outside.depth(rabbitmq_url, "in") == 0


async def test_no_more_than_the_prefetch_are_handed_out_at_a_time(
    sqlite, address, ready, desk, consuming, rabbitmq_url, until
):
    desk.fails = {str(n): UnfinishedError("not now") for n in range(3)}
    await outside.send(rabbitmq_url, "in", event(0), event(1), event(2))
    async with consuming(sqlite, address, desk, prefetch=1):

        async def tried():
            return len(desk.tries) >= 3

        await until(tried)
        assert set(desk.tries) == {"0"}
        assert await outside.depth(rabbitmq_url, "in") == 2


async def test_a_stopped_reader_gives_back_what_it_could_not_take(
    sqlite, address, ready, desk, consuming, rabbitmq_url, until
):
    desk.fails = {"1": UnfinishedError("not now")}
    await outside.send(rabbitmq_url, "in", event(1))
    async with consuming(sqlite, address, desk):

        async def tried():
            return bool(desk.tries)

        await until(tried)
    assert [one.body for one in await outside.drain(rabbitmq_url, "in", 1)] == [event(1)]


@pytest.mark.slow
async def test_it_comes_back_whenever_the_broker_does(
    sqlite, private_rabbitmq, topology, desk, consuming, total, until
):
    server = private_rabbitmq()
    server.stop()
    async with consuming(sqlite, Address.parse(server.url), desk):
        await asyncio.sleep(0.5)
        for number in range(3):
            server.start()
            await _sent(server.url, event(number))

            async def taken(wanted=number + 1):
                return await total(sqlite) == wanted

            await until(taken)
            server.kill() if number == 1 else server.stop()


async def _sent(url, body):
    """As a sender does that has to wait for the queue to be there again."""
    while True:
        try:
            return await outside.send(url, "in", body)
        except CONNECTION_EXCEPTIONS:
            await asyncio.sleep(0.1)


async def test_two_readers_of_one_database_take_a_message_that_both_get_once(
    postgres_url, address, ready, desk, consuming, total, rabbitmq_url, until
):
    async with Database.open(postgres_url) as one, Database.open(postgres_url) as two:
        async with consuming(one, address, desk), consuming(two, address, desk):
            for _ in range(10):
                await outside.send(rabbitmq_url, "in", event(1), event(1), event(2))

            async def empty():
                return await outside.depth(rabbitmq_url, "in") == 0

            await until(empty)
        assert await total(one) == 2
