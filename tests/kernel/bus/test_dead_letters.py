"""Dead letters: looking at them changes nothing, and none is lost on the way back."""

import asyncio
import os
import signal
import sys

import pytest

from tests import outside
from vertice.kernel.bus.dead_letters import Depth, dead_letters, depths, replay
from vertice.kernel.bus.rabbit import connected
from vertice.kernel.bus.topology import declare
from vertice.kernel.errors import UnfinishedError


@pytest.fixture
async def queue(address, topology):
    async with connected(address) as broker:
        await declare(broker, topology)
    return topology.queue("in")


@pytest.fixture
async def buried(queue, rabbitmq_url):
    """Three dead letters of `in`, 0 to 2, as the reader leaves them."""
    for number in range(3):
        headers = {"dead-letter-reason": f"reason {number}", "dead-letter-at": "2026-11-21T09:30:00+00:00", "kept": 1}
        await outside.send(
            rabbitmq_url, "in.dlq", b"body", message_id=f"id-{number}", type="test.counted", headers=headers
        )


def ids(letters):
    return [letter.id for letter in letters]


async def test_dead_letters_are_told_oldest_first_and_stay(address, topology, queue, buried, rabbitmq_url):
    for _ in range(3):
        async with connected(address) as broker:
            letters = await dead_letters(broker, topology, queue, limit=10)
        assert [(one.id, one.type, one.reason, one.body) for one in letters] == [
            (f"id-{n}", "test.counted", f"reason {n}", b"body") for n in range(3)
        ]
        assert letters[0].at.isoformat() == "2026-11-21T09:30:00+00:00"
    async with connected(address) as broker:
        assert ids(await dead_letters(broker, topology, queue, limit=1)) == ["id-0"]
    async with connected(address) as broker:
        assert ids(await dead_letters(broker, topology, queue, limit=2)) == ["id-0", "id-1"]


async def test_how_full_each_queue_is(address, topology, queue, buried, rabbitmq_url):
    await outside.send(rabbitmq_url, "in", b"1", b"2")
    async with connected(address) as broker:
        assert [(one.name, depth) for one, depth in await depths(broker, topology)] == [
            ("in", Depth(ready=2, consumers=0, dead=3)),
            ("out", Depth(ready=0, consumers=0, dead=0)),
        ]


async def test_replay_moves_them_back_in_their_order_without_the_reason(address, topology, queue, buried, rabbitmq_url):
    async with connected(address) as broker:
        assert await replay(broker, topology, queue, limit=100) == 3
    got = await outside.drain(rabbitmq_url, "in", 3)
    assert [one.message_id for one in got] == ["id-0", "id-1", "id-2"]
    assert {name for name in got[0].headers if not name.startswith("x-")} == {"kept"}
    assert await outside.depth(rabbitmq_url, "in.dlq") == 0


async def test_replay_of_some_leaves_the_others_in_their_order(address, topology, queue, buried, rabbitmq_url):
    async with connected(address) as broker:
        assert await replay(broker, topology, queue, message_id="id-1", limit=100) == 1
    async with connected(address) as broker:
        assert ids(await dead_letters(broker, topology, queue, limit=10)) == ["id-0", "id-2"]
        assert await replay(broker, topology, queue, message_id="nope", limit=100) == 0
    async with connected(address) as broker:
        assert await replay(broker, topology, queue, limit=1) == 1
    assert [one.message_id for one in await outside.drain(rabbitmq_url, "in", 2)] == ["id-1", "id-0"]


async def test_a_full_queue_stops_a_replay_and_the_rest_stay_dead(address, topology, queue, buried, rabbitmq_url):
    await outside.send(rabbitmq_url, "in", *[b"x"] * 3)

    async def move():
        async with connected(address) as broker:
            await replay(broker, topology, queue, limit=100)

    with pytest.raises(UnfinishedError, match="did not take it"):
        await move()
    await outside.drain(rabbitmq_url, "in", 3)
    left = await outside.depth(rabbitmq_url, "in.dlq")
    moved = await outside.depth(rabbitmq_url, "in")
    assert left + moved == 3


async def test_the_brokers_own_reason_is_told(address, topology, queue, rabbitmq_url, until):
    await outside.send(rabbitmq_url, "in", b"body", message_id="id-0")
    async with outside.channel(rabbitmq_url) as opened:
        await (await (await opened.get_queue("in")).get()).reject(requeue=False)

    async def buried():
        return await outside.depth(rabbitmq_url, "in.dlq") == 1

    await until(buried)
    async with connected(address) as broker:
        letters = await dead_letters(broker, topology, queue, limit=10)
    assert (letters[0].reason, letters[0].id, letters[0].body) == ("rejected by its reader", "id-0", b"body")
    assert letters[0].at.tzinfo is not None


async def test_a_dead_letter_with_odd_headers_is_told_all_the_same(address, topology, queue, rabbitmq_url):
    for headers in (
        {"dead-letter-reason": 7, "dead-letter-at": "yesterday", "x-death": "x"},
        {"x-death": [{"reason": ["x"], "time": 7}]},
        {},
    ):
        await outside.send(rabbitmq_url, "in.dlq", b"\xff", headers=headers)
    async with connected(address) as broker:
        letters = await dead_letters(broker, topology, queue, limit=10)
    assert [(one.reason, one.at) for one in letters] == [("not said", None)] * 3


KILLED = """
import asyncio, os, signal, sys
from aio_pika.message import IncomingMessage
from vertice.kernel.bus import dead_letters as module
from vertice.kernel.bus.rabbit import Address, connected
from vertice.kernel.bus.topology import Queue, Topology

async def dying(self, *args, **more):
    os.kill(os.getpid(), signal.SIGKILL)

IncomingMessage.ack = dying
topology = Topology("dead", (Queue("in", inbound=True, message_bytes=4096, max_messages=3),
                             Queue("out", inbound=False, message_bytes=4096, max_messages=5)))

async def main():
    async with connected(Address.parse(sys.argv[1])) as broker:
        await module.replay(broker, topology, topology.queues[0], limit=100)

asyncio.run(main())
"""


async def test_a_replay_killed_half_way_loses_none(address, topology, queue, buried, rabbitmq_url):
    """It dies at the worst moment: the copy is in the queue, the dead letter is not yet gone."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, rabbitmq_url, env=dict(os.environ))
    assert await process.wait() == -signal.SIGKILL
    assert [one.message_id for one in await outside.drain(rabbitmq_url, "in", 1)] == ["id-0"]
    async with connected(address) as broker:
        assert await replay(broker, topology, queue, limit=100) == 3
    assert [one.message_id for one in await outside.drain(rabbitmq_url, "in", 3)] == ["id-0", "id-1", "id-2"]
