"""Lists in pages, on both databases."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from fastapi import Depends, FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Float, Integer, MetaData, String, Uuid, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vertice.kernel.database import Database, UtcDateTime
from vertice.kernel.errors import InputError
from vertice.kernel.http.handlers import install
from vertice.kernel.http.pages import Key, Page, PageRequest, Sort, next_link, page_request


class Base(DeclarativeBase):
    metadata = MetaData()


class Row(Base):
    __tablename__ = "pages_test"

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    rank: Mapped[int] = mapped_column(Integer())
    big: Mapped[int] = mapped_column(BigInteger())
    score: Mapped[float | None] = mapped_column(Float())
    owner: Mapped[str | None] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    done: Mapped[bool] = mapped_column(Boolean())


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROWS = [
    {
        "id": UUID(int=number * 7919 % 60 + 1),
        "name": ["a", "b", "é", "Z'", "%_"][number % 5],
        "rank": number % 3,
        "big": 2**40 + number % 4,
        "score": None if number % 4 == 0 else number % 6 / 4,
        "owner": None if number % 3 == 0 else f"owner {number % 2}",
        "at": NOON + timedelta(microseconds=number % 7),
        "done": number % 2 == 0,
    }
    for number in range(60)
]
LAST = Key(Row.id)
ORDERS = {
    "one": Sort("one", (LAST,)),
    "down": Sort("down", (Key(Row.at, descending=True), Key(Row.id, descending=True))),
    "up": Sort("up", (Key(Row.rank), Key(Row.big), LAST)),
    "mixed": Sort("mixed", (Key(Row.rank, descending=True), Key(Row.at), LAST)),
    "null-up": Sort("null-up", (Key(Row.score, nullable=True), LAST)),
    "null-down": Sort("null-down", (Key(Row.score, descending=True, nullable=True), LAST)),
    "nulls": Sort(
        "nulls", (Key(Row.owner, nullable=True), Key(Row.score, descending=True, nullable=True), Key(Row.done), LAST)
    ),
}


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        async with opened.write() as session:
            connection = await session.connection()
            await connection.run_sync(Base.metadata.create_all)
            await session.execute(insert(Row), ROWS)
        yield opened


async def walk(database: Database, order: Sort, limit: int) -> list[Row]:
    found: list[Row] = []
    wanted = PageRequest(limit)
    while True:
        async with database.read() as session:
            rows, cursor = order.cut(await session.scalars(order.page(select(Row), wanted)), wanted)
        found.extend(rows)
        if cursor is None:
            return found
        assert len(rows) == limit
        wanted = PageRequest(limit, cursor)


def as_python_sorts(order: Sort) -> list[UUID]:
    """The order by an independent way: stable sorts from the last key to the first, NULL as the largest."""
    rows = list(ROWS)
    for key in reversed(order.keys):
        name = key.column.key
        rows.sort(key=lambda row: (row[name] is None, 0 if row[name] is None else row[name]), reverse=key.descending)
    return [row["id"] for row in rows]


@pytest.mark.parametrize("name", ORDERS)
async def test_pages_hold_every_row_once_and_in_order(database, name):
    order = ORDERS[name]
    expected = as_python_sorts(order)
    for limit in (1, 7, 20, 59, 60, 61, 200):
        assert [row.id for row in await walk(database, order, limit)] == expected


async def test_rows_that_come_and_go_shift_nothing(database):
    order, wanted = ORDERS["mixed"], PageRequest(10)
    expected = as_python_sorts(order)
    async with database.read() as session:
        rows, cursor = order.cut(await session.scalars(order.page(select(Row), wanted)), wanted)
    async with database.write() as session:
        for row in rows:
            await session.delete(await session.get(Row, row.id))
    following = PageRequest(10, cursor)
    async with database.read() as session:
        rows, _ = order.cut(await session.scalars(order.page(select(Row), following)), following)
    assert [row.id for row in rows] == expected[10:20]


async def test_a_page_of_columns_takes_its_values_from_the_caller(database):
    order, wanted = Sort("rank", (Key(Row.rank), LAST)), PageRequest(5)
    query = select(Row.id, Row.rank.label("position"))
    async with database.read() as session:
        found = (await session.execute(order.page(query, wanted))).all()
    rows, cursor = order.cut(found, wanted, lambda row: (row.position, row.id))
    assert order.values(cursor) == (rows[-1].position, rows[-1].id)


VALUES = {
    "name": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50),
    "rank": st.integers(-(2**31), 2**31 - 1),
    "big": st.integers(-(2**63), 2**63 - 1),
    "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "at": st.datetimes(timezones=st.just(UTC)),
    "done": st.booleans(),
    "id": st.uuids(),
}
EVERY = Sort("every", tuple(Key(getattr(Row, name), nullable=name == "score") for name in VALUES))


@given(st.tuples(*VALUES.values()))
def test_a_cursor_gives_back_what_it_was_made_of(values):
    cursor = EVERY.cursor(values)
    assert EVERY.values(cursor) == values
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_anything_else_is_no_cursor(text):
    with pytest.raises(InputError, match="cursor") as refused:
        EVERY.values(text)
    assert (refused.value.where, refused.value.http_status) == ("cursor", 422)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda of: st.lists(of) | st.dictionaries(st.text(), of),
)


@given(st.lists(json_values, max_size=8) | json_values, st.just("every") | json_values)
def test_a_forged_cursor_is_read_only_if_it_could_be_ours(values, name):
    forged = json.dumps({"k": values, "s": name}, sort_keys=True, separators=(",", ":")).encode()
    text = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()
    with pytest.raises(InputError):
        EVERY.values(text)


def cursor_of(order: Sort, values: list[object]) -> str:
    text = json.dumps({"k": values, "s": order.name}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Row.rank, 2**31),
        (Row.rank, True),
        (Row.rank, 1.0),
        (Row.rank, None),
        (Row.big, 2**63),
        (Row.score, float("inf")),
        (Row.score, float("nan")),
        (Row.score, "1"),
        (Row.name, "a\0"),
        (Row.name, "\ud800"),
        (Row.name, 1),
        (Row.at, "2026-11-21T12:00:00"),
        (Row.at, "2026-11-21T12:00:00+01:00"),
        (Row.at, "2026-11-21T12:00:00Z"),
        (Row.at, 5),
        (Row.id, "not-a-uuid"),
        (Row.id, "0" * 32),
        (Row.done, 1),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_no_cursor(column, value):
    order = Sort("forged", (Key(column),))
    with pytest.raises(InputError, match="this is not a cursor"):
        order.values(cursor_of(order, [value]))


def test_a_cursor_of_another_order_is_refused():
    with pytest.raises(InputError, match="of another order"):
        ORDERS["up"].values(ORDERS["one"].cursor([UUID(int=1)]))


class Colour(StrEnum):
    red = "red"


def test_a_member_of_an_enum_is_kept_by_its_value():
    order = Sort("colour", (Key(Row.name), LAST))
    assert order.values(order.cursor([Colour.red, UUID(int=1)])) == ("red", UUID(int=1))


@pytest.fixture(scope="module")
def client(serve):
    made = FastAPI()
    order = Sort("number", (Key(Row.rank),))

    @made.get("/things")
    async def things(
        request: Request, response: Response, wanted: Annotated[PageRequest, Depends(page_request)]
    ) -> Page[int]:
        start = order.values(wanted.cursor)[0] + 1 if wanted.cursor else 0
        rows, cursor = order.cut(range(start, 120)[: wanted.limit + 1], wanted, lambda number: (number,))
        if cursor:
            response.headers["Link"] = next_link(request, cursor)
        return Page(items=list(rows), next=cursor)

    install(made)
    with httpx.Client(base_url=serve(made)) as client:
        yield client


def test_the_link_leads_through_all_pages(client):
    found: list[int] = []
    url: httpx.URL | None = client.base_url.join("/things?colour=a%26b&limit=50&colour=%C3%A9")
    while url is not None:
        answer = client.get(url)
        found += answer.json()["items"]
        following = answer.links.get("next")
        assert (following is None) is (answer.json()["next"] is None)
        url = answer.url.join(following["url"]) if following else None
        if url is not None:
            assert url.params.get_list("colour") == ["a&b", "é"]
            assert len(url.params.get_list("cursor")) == 1
    assert found == list(range(120))


def test_a_page_has_fifty_rows_unless_asked_otherwise(client):
    assert len(client.get("/things").json()["items"]) == 50


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=x", "query.limit"),
        ("cursor=xyz", "cursor"),
        (f"cursor={'a' * 3000}", "query.cursor"),
    ],
)
def test_a_page_that_cannot_be_is_the_clients_error(client, query, where):
    answer = client.get(f"/things?{query}")
    assert (answer.status_code, answer.json()["where"]) == (422, where)
