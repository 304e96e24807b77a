"""Notices from the outbox to every place, once, on both databases."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from vertice.kernel.bus import outbox
from vertice.kernel.bus.message import InProcess, Message, Unheard
from vertice.kernel.bus.outbox import post
from vertice.kernel.bus.relay import Relay
from vertice.kernel.database import Database
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.notify import DESTINATION, Delivery, Level, Notice

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Place:
    """A place that keeps what it is told, or cannot be reached."""

    id: str
    name: str = "Place"
    reachable: bool = True
    heard: list[Notice] = field(default_factory=list)
    tries: int = 0

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        if not self.reachable:
            raise UnfinishedError("nobody answers", where=self.name)
        self.heard.append(notice)


def notice_of(message: Message) -> Notice | None:
    if message.type == "silence":
        return None
    key = json.loads(message.data)["key"]
    return Notice(key, f"Title of {key}", "Line one\nLine two — “ü”", Level.failure)


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


async def leave(database: Database, *keys: str, kind: str = "review.critical") -> None:
    async with database.write() as session:
        for key in keys:
            post(session, DESTINATION, kind, subject="APV-1", data={"key": key}, at=NOW)


async def carry(database: Database, delivery: Delivery, *, rounds: int = 3) -> None:
    """Let a relay that has just been started look several times."""
    relay = Relay(database, InProcess(delivery.takers, Unheard()), source="/test")
    for _ in range(rounds):
        await relay.round()


async def rest(database: Database) -> list[str]:
    """Return the destinations of what still waits."""
    async with database.read() as session:
        return [one.message.destination for one in await outbox.waiting(session, "/test", limit=100)]


async def test_every_place_hears_every_notice_in_its_order(database):
    places = [Place("one"), Place("two")]
    await leave(database, "a", "b", "c")
    await carry(database, Delivery(database, places, notice_of))
    for place in places:
        assert [notice.key for notice in place.heard] == ["a", "b", "c"]
        assert place.heard[0] == Notice("a", "Title of a", "Line one\nLine two — “ü”", Level.failure)
    assert await rest(database) == []


async def test_the_same_key_is_told_once_even_later_and_by_another_process(database):
    place = Place("one")
    await leave(database, "a", "a")
    await carry(database, Delivery(database, [place], notice_of))
    await leave(database, "a")
    await carry(database, Delivery(database, [place], notice_of))
    assert [notice.key for notice in place.heard] == ["a"]
    assert await rest(database) == []


async def test_a_place_that_cannot_be_reached_holds_up_itself_alone_and_hears_all_later(database):
    here, gone = Place("here"), Place("gone", reachable=False)
    delivery = Delivery(database, [gone, here], notice_of, clock=lambda: NOW + timedelta(hours=23))
    await leave(database, "a", "b")
    await carry(database, delivery)
    assert [notice.key for notice in here.heard] == ["a", "b"]
    assert gone.tries >= 1
    assert await rest(database) == ["notifications/gone", "notifications/gone"]
    gone.reachable = True
    await carry(database, delivery)
    assert [notice.key for notice in gone.heard] == ["a", "b"]
    assert [notice.key for notice in here.heard] == ["a", "b"]


async def test_what_a_place_did_not_hear_for_a_day_is_parked_with_the_reason(database):
    gone = Place("gone", reachable=False)
    await leave(database, "a", "b")
    await carry(database, Delivery(database, [gone], notice_of, clock=lambda: NOW + timedelta(hours=25)))
    assert await rest(database) == []
    async with database.read() as session:
        parked = await outbox.parked(session, "notifications/gone", limit=10)
    assert [one.why for one in parked] == ["Place: nobody answers", "Place: nobody answers"]


async def test_where_there_is_nothing_to_tell_or_nobody_to_hear_nothing_piles_up(database):
    place = Place("one")
    await leave(database, "a", kind="silence")
    await carry(database, Delivery(database, [place], notice_of))
    await leave(database, "b")
    await carry(database, Delivery(database, [], notice_of))
    assert place.tries == 0
    assert await rest(database) == []


async def test_a_process_that_dies_while_it_spreads_tells_nobody_twice(database):
    """The note of the key and the messages for the places are one transaction."""
    places = [Place("one"), Place("two")]
    delivery = Delivery(database, places, notice_of)
    await leave(database, "a")
    async with database.read() as session:
        (waiting,) = await outbox.waiting(session, "/test", limit=10)
    await delivery.takers[DESTINATION](waiting.message)  # and no relay notes that it was taken
    await carry(database, delivery)
    for place in places:
        assert [notice.key for notice in place.heard] == ["a"]


@pytest.mark.parametrize("length", [199, 200, 500])
async def test_a_long_key_is_cut_and_still_told(database, length):
    place = Place("one")
    await leave(database, "k" * length)
    await carry(database, Delivery(database, [place], notice_of))
    assert len(place.heard) == 1
