"""Nothing is lost and nothing overtakes, whatever dies between any two messages."""

import asyncio
import os
import signal
import sys

import pytest

from tests import outside
from vertice.kernel.bus.rabbit import Address, RabbitPublisher, connected
from vertice.kernel.bus.relay import Relay
from vertice.kernel.bus.topology import Queue, Topology, declare

QUEUES = Topology("dead", (Queue("out", inbound=False),))


class Counting:
    """RabbitMQ, with something that happens before each message."""

    def __init__(self, publisher, before):
        self.publisher = publisher
        self.before = before
        self.count = 0

    async def publish(self, message):
        await self.before(self.count)
        await self.publisher.publish(message)
        self.count += 1


def first_of_each(got):
    return list(dict.fromkeys(message.message_id for message in got))


async def relayed(database, broker, unsent, until):
    relay = Relay(database, broker, source="/test", poll=0.05)
    task = asyncio.create_task(relay.run())

    async def done():
        return not await unsent(database)

    await until(done)
    relay.stop()
    await task


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stopped", "killed", "hanging"])
async def test_a_broker_that_goes_away_between_any_two_messages(how, sqlite, private_rabbitmq, leave, unsent, until):
    server = private_rabbitmq()
    publisher = RabbitPublisher(Address.parse(server.url), QUEUES)
    async with connected(Address.parse(server.url)) as broker:
        await declare(broker, QUEUES)
    # A quorum queue that is killed in the second in which it is made stays without a leader (rabbitmq/ra issue 179).
    await asyncio.sleep(2)
    keys = await leave(sqlite, "out", 4)
    away = set()
    back = []

    async def go_away(number):
        if number in away:
            return
        away.add(number)
        if how == "hanging":
            server.pause()
            asyncio.get_running_loop().call_later(1, server.resume)
        else:
            server.stop() if how == "stopped" else server.kill()
            back.append(asyncio.create_task(asyncio.to_thread(server.start)))

    await relayed(sqlite, Counting(publisher, go_away), unsent, until)
    await publisher.close()
    await asyncio.gather(*back)
    count = await outside.depth(server.url, "out")
    got = await outside.drain(server.url, "out", count)
    assert first_of_each(got) == keys
    assert away == {0, 1, 2, 3}


KILLED = """
import asyncio, os, signal, sys
from vertice.kernel.bus.rabbit import Address, RabbitPublisher
from vertice.kernel.bus.relay import Relay
from vertice.kernel.bus.topology import Queue, Topology
from vertice.kernel.database import Database

class Dying:
    def __init__(self, publisher, after):
        self.publisher, self.after, self.count = publisher, after, 0

    async def publish(self, message):
        await self.publisher.publish(message)
        self.count += 1
        if self.count == self.after:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    publisher = RabbitPublisher(Address.parse(sys.argv[2]), Topology("dead", (Queue("out", inbound=False),)))
    async with Database.open(sys.argv[1]) as database:
        await Relay(database, Dying(publisher, int(sys.argv[3])), source="/test").run()

asyncio.run(main())
"""


async def test_a_relay_killed_between_sending_and_noting_it(database_url, database, rabbitmq_url, leave, unsent, until):
    """It dies after the first message, the next one after the second, and so on; the last one lives."""
    keys = await leave(database, "out", 4)
    for after in range(1, 4):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, database_url, rabbitmq_url, str(after), env=dict(os.environ)
        )
        assert await process.wait() == -signal.SIGKILL
        assert await unsent(database) == keys
    publisher = RabbitPublisher(Address.parse(rabbitmq_url), QUEUES)
    await relayed(database, publisher, unsent, until)
    await publisher.close()
    got = await outside.drain(rabbitmq_url, "out", 1 + 2 + 3 + 4)
    assert first_of_each(got) == keys
    assert await outside.depth(rabbitmq_url, "out") == 0
