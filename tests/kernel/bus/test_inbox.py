"""The inbox: who is at fault, the message or the machine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from vertice.kernel.bus.cloudevents import CloudEvent, Payload
from vertice.kernel.bus.inbox import Inbox, Subscription, forget
from vertice.kernel.bus.message import Message, MessageRefusedError
from vertice.kernel.bus.topology import Queue
from vertice.kernel.database import Database, upgrade
from vertice.kernel.errors import InputError, UnfinishedError

AT = datetime(2026, 11, 21, tzinfo=UTC)


class Count(Payload):
    n: int


class Counted(CloudEvent):
    data: Count


def event(key="1"):
    return Counted(specversion="1.0", id=key, source="/scanner", type="test.counted", data=Count(n=1))


def subscription(statement="UPDATE audit_head SET seq = seq + 1", error=None):
    async def handle(session, taken):
        await session.execute(text(statement))
        if error is not None:
            raise error

    return Subscription(Queue("in", inbound=True), Counted, handle)


async def seq(database):
    async with database.read() as session:
        return (await session.execute(text("SELECT seq FROM audit_head"))).scalar_one()


async def test_a_message_takes_effect_once(database):
    inbox = Inbox(database)
    assert [await inbox.take(subscription(), event(key)) for key in ("1", "1", "2")] == [True, False, True]
    assert await seq(database) == 2


async def test_a_message_that_failed_may_come_again(database):
    inbox = Inbox(database)
    for error, kind in (
        (InputError("no such project"), MessageRefusedError),
        (UnfinishedError("later"), UnfinishedError),
    ):
        with pytest.raises(kind):
            await inbox.take(subscription(error=error), event())
    assert await seq(database) == 0
    assert await inbox.take(subscription(), event())


async def test_what_a_check_refuses_has_no_effect_and_what_was_taken_is_not_checked_again(database):
    inbox, checked, errors = Inbox(database), [], [InputError("forged"), UnfinishedError("later"), None]

    async def check(taken):
        checked.append(taken.id)
        if (error := errors[len(checked) - 1]) is not None:
            raise error

    checking = replace(subscription(), check=check)
    with pytest.raises(MessageRefusedError, match="forged"):
        await inbox.take(checking, event())
    with pytest.raises(UnfinishedError, match="later"):
        await inbox.take(checking, event())
    assert await seq(database) == 0
    assert [await inbox.take(checking, event()) for _ in range(2)] == [True, False]
    assert (await seq(database), len(checked)) == (1, 3)


async def test_a_database_that_is_away_is_not_the_messages_fault(private_postgres):
    server = private_postgres()
    url = server.url.replace("postgresql://", "postgresql+asyncpg://")
    await upgrade(url)
    async with Database.open(url) as database:
        server.stop()
        with pytest.raises(UnfinishedError):
            await Inbox(database).take(subscription(), event())


async def test_a_database_that_lacks_its_tables_or_its_rights_is_not_the_messages_fault(database, postgres_url):
    with pytest.raises(UnfinishedError):
        await Inbox(database).take(subscription("UPDATE nothing SET x = 1"), event())
    user, _, rest = postgres_url.partition("://postgres:")
    async with Database.open(f"{user}://postgres:wrong@{rest.rpartition('@')[2]}") as locked:
        with pytest.raises(UnfinishedError):
            await Inbox(locked).take(subscription(), event())


async def test_a_value_that_the_database_never_takes_is_the_messages_fault(postgres_url):
    async with Database.open(postgres_url) as database:
        with pytest.raises(MessageRefusedError):
            await Inbox(database).take(subscription("UPDATE audit_head SET seq = 99999999999"), event())


async def test_without_a_broker_a_message_is_taken_as_it_would_be_read_from_one(database):
    inbox = Inbox(database)
    take = inbox.taker(subscription())
    message = Message("id-1", "/vertice", "in", "test.counted", "", '{"n":1}', AT)
    await take(message)
    await take(message)
    assert await seq(database) == 1
    with pytest.raises(MessageRefusedError, match=r"data\.n"):
        await take(Message("id-2", "/vertice", "in", "test.counted", "", '{"n":"x"}', AT))


async def test_old_notes_are_forgotten(database):
    await Inbox(database, clock=lambda: AT).take(subscription(), event())
    inbox = Inbox(database)
    async with database.write() as session:
        await forget(session, AT)
    assert not await inbox.take(subscription(), event())
    async with database.write() as session:
        await forget(session, AT + timedelta(days=1))
    assert await inbox.take(subscription(), event())
