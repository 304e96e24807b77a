"""RabbitMQ: publishing with confirms, and one clear error for each thing that can be wrong with it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import aio_pika
import pytest

from tests import outside
from vertice.kernel.bus.message import Message, MessageRefusedError, UnclaimedError
from vertice.kernel.bus.rabbit import Address, RabbitPublisher, connected
from vertice.kernel.bus.topology import Topology, declare
from vertice.kernel.errors import InputError, UnfinishedError

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def message(number=1, destination="out", data='{"n":1}'):
    return Message(f"id-{number}", "/test", destination, "test.counted", "APV-1", data, AT, TRACE, "request-7")


@pytest.fixture
async def publisher(address, topology):
    made = RabbitPublisher(address, topology)
    yield made
    await made.close()


async def test_a_message_arrives_as_a_cloudevent_that_outlives_the_server(publisher, rabbitmq_url):
    await publisher.publish(message())
    (got,) = await outside.drain(rabbitmq_url, "out", 1)
    assert json.loads(got.body) == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "/test",
        "type": "test.counted",
        "subject": "APV-1",
        "time": "2026-11-21T09:30:00Z",
        "datacontenttype": "application/json",
        "traceparent": TRACE,
        "data": {"n": 1},
    }
    assert got.content_type == "application/cloudevents+json"
    assert (got.message_id, got.type, got.correlation_id) == ("id-1", "test.counted", "request-7")
    assert got.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert got.headers["traceparent"] == TRACE


async def test_a_queue_that_is_not_ours_is_left_to_others_and_a_message_too_large_is_refused_for_good(publisher):
    with pytest.raises(UnclaimedError, match="no such queue"):
        await publisher.publish(message(destination="amq.gen"))
    with pytest.raises(MessageRefusedError, match="larger than 4,096 bytes"):
        await publisher.publish(message(data=json.dumps({"x": "y" * 5000})))


async def test_a_full_queue_that_we_read_refuses_for_now(publisher, rabbitmq_url):
    async def fill():
        for number in range(50):
            await publisher.publish(message(number, "in"))

    with pytest.raises(UnfinishedError, match="did not take it"):
        await fill()
    await outside.drain(rabbitmq_url, "in", 3)
    await publisher.publish(message(destination="in"))


async def test_a_full_queue_that_we_feed_drops_its_oldest_into_the_dead_letters(publisher, rabbitmq_url):
    for number in range(8):
        await publisher.publish(message(number))
    dead = await outside.drain(rabbitmq_url, "out.dlq", 3)
    assert [one.message_id for one in dead] == ["id-0", "id-1", "id-2"]
    assert [one.message_id for one in await outside.drain(rabbitmq_url, "out", 5)] == [f"id-{n}" for n in range(3, 8)]


async def test_a_queue_that_somebody_deletes_is_made_again(publisher, rabbitmq_url):
    await publisher.publish(message())
    async with outside.channel(rabbitmq_url) as opened:
        await opened.queue_delete("out")
    with pytest.raises(UnfinishedError, match="did not take it"):
        await publisher.publish(message())
    await publisher.publish(message(2))
    assert [one.message_id for one in await outside.drain(rabbitmq_url, "out", 1)] == ["id-2"]


async def test_the_wrong_password_is_said_without_showing_it(rabbitmq_url, topology):
    user, _, rest = rabbitmq_url.partition("vertice:")
    url = f"{user}vertice:geheim@{rest.rpartition('@')[2]}"
    with pytest.raises(UnfinishedError, match="refuses the user or the password") as caught:
        await RabbitPublisher(Address.parse(url), topology).publish(message())
    assert "geheim" not in str(caught.value) + repr(caught.value) + repr(Address.parse(url))


async def test_a_virtual_host_that_is_not_there_is_said(rabbitmq_url, topology):
    with pytest.raises(UnfinishedError, match="ends the connection at once") as caught:
        await RabbitPublisher(Address.parse(f"{rabbitmq_url}x"), topology).publish(message())
    assert "virtual host" in caught.value.todo


async def test_a_server_that_is_not_there_is_said(topology):
    with pytest.raises(UnfinishedError, match="cannot reach RabbitMQ") as caught:
        await RabbitPublisher(Address.parse("amqp://u:p@127.0.0.1:1/v"), topology).publish(message())
    assert caught.value.where == "127.0.0.1:1/v"


async def test_a_queue_made_otherwise_is_said(address, topology, rabbitmq_url):
    async with outside.channel(rabbitmq_url) as opened:
        await opened.declare_queue("out", durable=True)
    with pytest.raises(UnfinishedError, match="made otherwise"):
        await RabbitPublisher(address, topology).publish(message())


async def test_declaring_again_changes_nothing(address, topology, publisher, rabbitmq_url):
    await publisher.publish(message())
    async with connected(address) as broker:
        await declare(broker, topology)
    assert await outside.depth(rabbitmq_url, "out") == 1


async def test_a_changed_bound_is_said_rather_than_passed_over(address, topology, publisher):
    await publisher.publish(message())
    other = Topology(topology.exchange, tuple(replace(queue, max_messages=7) for queue in topology.queues))
    with pytest.raises(UnfinishedError, match="made otherwise"):
        await RabbitPublisher(address, other).publish(message())


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("amqp://user:password@host:5672/vhost", "host:5672/vhost"),
        ("amqp://host", "host:5672/"),
        ("amqps://user@host/", "host:5671/"),
        ("amqp://user:p%40ss%2F@[::1]:1234/a%2Fb?heartbeat=10", "[::1]:1234/a/b"),
    ],
)
def test_a_url_is_shown_without_user_and_password(url, where):
    assert Address.parse(url).where == where


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "nonsense",
        "http://u:geheim@h",
        "amqp://",
        "amqp://u:geheim@",
        "amqp://u:geheim@h:port/",
        "amqp://u:geheim@[h",
    ],
)
def test_a_bad_url_is_said_without_showing_it(bad):
    with pytest.raises(InputError) as caught:
        Address.parse(bad)
    assert caught.value.where == "RABBITMQ_URL"
    assert "geheim" not in str(caught.value)
