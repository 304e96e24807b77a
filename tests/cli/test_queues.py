"""`vertice queues`: with a broker, without one, and while it is away."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests import outside
from tests.cli.refusal import refusal
from vertice.adaptive.messages.queues import TOPOLOGY
from vertice.kernel.bus import outbox
from vertice.kernel.bus.rabbit import Address, connected
from vertice.kernel.bus.topology import declare
from vertice.kernel.database import Database, upgrade

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
QUEUE = "oraculo.apv.dispatch"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch):
    monkeypatch.delenv("RABBITMQ_URL", raising=False)


@pytest.fixture
def broker(rabbitmq_url, monkeypatch):
    """A broker with our queues; commands know of it."""

    async def make():
        async with connected(Address.parse(rabbitmq_url)) as opened:
            await declare(opened, TOPOLOGY)

    asyncio.run(make())
    monkeypatch.setenv("RABBITMQ_URL", rabbitmq_url)
    return rabbitmq_url


@pytest.fixture
def parked(home):
    """Two messages that wait and one that is parked, for `QUEUE`. Returns the parked one's id."""

    async def make():
        url = f"sqlite+aiosqlite:///{home / 'vertice.db'}"
        home.mkdir(mode=0o700, exist_ok=True)
        await upgrade(url)
        async with Database.open(url) as database:
            async with database.write() as session:
                keys = [outbox.post(session, QUEUE, "x", subject="", data={"n": n}, at=AT) for n in range(3)]
            async with database.write() as session:
                await outbox.not_sent(session, 1, "is \x1b[31mtoo large", final=True)
            return keys[0]

    return asyncio.run(make())


def line(done):
    return next(one for one in done.json["queues"] if one["name"] == QUEUE)


def bury(url, count=2):
    async def run():
        for number in range(count):
            headers = {"dead-letter-reason": f"no \x1b[31m{number}", "dead-letter-at": AT.isoformat()}
            await outside.send(url, f"{QUEUE}.dlq", b"b\x1b\xff", message_id=f"id-{number}", headers=headers)

    asyncio.run(run())


def test_without_a_broker_it_says_so_and_lists_what_waits(call, parked):
    done = call("queues", "list", "--json")
    assert (done.code, done.err, done.json["broker"]) == (0, "", None)
    assert line(done) == {
        "name": QUEUE,
        "direction": "in",
        "ready": None,
        "consumers": None,
        "dead": None,
        "waiting": 2,
        "parked": 1,
        "oldest": "2026-11-21T09:30:00Z",
    }
    assert f"vertice queues show {QUEUE}" in call("queues", "list").out


def test_an_empty_home_without_a_broker(call):
    assert "There is no broker (RABBITMQ_URL is not set)" in call("queues", "list").out
    assert call("queues", "show", QUEUE).out == "0 dead letters.\n"
    assert call("queues", "replay", QUEUE).out == f"0 messages went back to {QUEUE}.\n"


def test_without_a_broker_parked_messages_are_shown_and_released(call, parked):
    shown = call("queues", "show", QUEUE).out
    assert parked in shown
    assert r"is \x1b[31mtoo large" in shown
    assert call("queues", "replay", QUEUE, "--id", parked).out == f"1 message went back to {QUEUE}.\n"
    assert line(call("queues", "list", "--json"))["waiting"] == 3


def test_dead_letters_are_counted_shown_and_sent_on_again(call, broker):
    bury(broker)
    listed = call("queues", "list", "--json")
    assert (listed.code, line(listed)["ready"], line(listed)["dead"]) == (0, 0, 2)
    shown = call("queues", "show", QUEUE)
    assert "id-0" in shown.out
    assert r"no \x1b[31m0" in shown.out
    assert "\x1b" not in shown.out
    letters = call("queues", "show", QUEUE, "--limit", "1", "--json").json["dead_letters"]
    assert [(one["id"], one["place"], one["body"]) for one in letters] == [("id-0", "broker", "b\x1b\ufffd")]
    assert call("queues", "replay", QUEUE, "--json").json == {"queue": QUEUE, "replayed": 2}
    got = asyncio.run(outside.drain(broker, QUEUE, 2))
    assert [one.message_id for one in got] == ["id-0", "id-1"]
    assert line(call("queues", "list", "--json"))["dead"] == 0


def test_one_of_them_or_some_of_them_are_sent_on_again(call, broker):
    bury(broker, 3)
    assert call("queues", "replay", QUEUE, "--id", "id-2", "--json").json["replayed"] == 1
    assert call("queues", "replay", QUEUE, "--limit", "1", "--json").json["replayed"] == 1
    assert [one.message_id for one in asyncio.run(outside.drain(broker, QUEUE, 2))] == ["id-2", "id-0"]


def test_parked_and_dead_are_both_sent_on_again(call, parked, broker):
    bury(broker, 1)
    assert call("queues", "replay", QUEUE, "--json").json["replayed"] == 2


def test_an_unknown_id_or_queue_is_refused(call, broker):
    assert refusal(call("queues", "replay", QUEUE, "--id", "nope")).code == 2
    assert "there is no queue x\\x1b" in refusal(call("queues", "show", "x\x1b")).what


def test_while_the_broker_is_away_what_waits_is_listed_all_the_same(call, parked, monkeypatch):
    monkeypatch.setenv("RABBITMQ_URL", "amqp://u:geheim@127.0.0.1:1/")
    done = call("queues", "list", "--json")
    assert (done.code, line(done)["waiting"], line(done)["ready"]) == (3, 2, None)
    assert "cannot reach RabbitMQ" in done.json["broker"]["error"]
    table = call("queues", "list")
    assert table.code == 3
    assert "leaves in its order" in table.out
    refused = refusal(call("queues", "show", QUEUE))
    assert (refused.code, refused.where) == (3, "127.0.0.1:1/")
    assert "geheim" not in done.out + done.err + table.out + table.err


def test_a_bad_url_is_refused_without_showing_it(call, monkeypatch):
    monkeypatch.setenv("RABBITMQ_URL", "http://u:geheim@h")
    refused = refusal(call("queues", "list"))
    assert (refused.code, refused.where) == (2, "RABBITMQ_URL")
    assert "geheim" not in refused.what
