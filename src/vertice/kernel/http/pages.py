"""Lists in pages: a cursor says after which row the next page begins, so rows that come and go shift nothing.

BY_AGE = Sort("created_at", (Key(Row.created_at, descending=True), Key(Row.id)))
rows, cursor = BY_AGE.cut(await session.scalars(BY_AGE.page(select(Row), wanted)), wanted)
"""

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    TypeDecorator,
    and_,
    false,
    literal,
    literal_column,
    or_,
    true,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute
from starlette.requests import Request

from vertice.kernel.codec import canonical
from vertice.kernel.errors import InputError

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "Key", "Page", "PageRequest", "Sort", "next_link", "page_request"]

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_MAX_CURSOR = 2048

_T = TypeVar("_T")


class Page(BaseModel, Generic[_T]):
    """One page of a list."""

    items: list[_T]
    next: str | None = Field(default=None, description="The `cursor` of the next page; null on the last one.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted; `cursor` is "" for the first."""

    limit: int = DEFAULT_LIMIT
    cursor: str = ""


async def page_request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows in a page.")] = DEFAULT_LIMIT,
    cursor: Annotated[str, Query(max_length=_MAX_CURSOR, description="`next` of the page before.")] = "",
) -> PageRequest:
    """Return the page that the query asks for: a FastAPI dependency."""
    return PageRequest(limit, cursor)


def next_link(request: Request, cursor: str) -> str:
    """Return the `Link` header of the next page, relative to the request's own address."""
    return _next_link(request.scope["query_string"], cursor)


@lru_cache(maxsize=256)
def _next_link(query: bytes, cursor: str) -> str:
    kept = [pair for pair in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if pair[0] != "cursor"]
    return f'<?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order. NULL counts as larger than any value, as in PostgreSQL's indexes."""

    column: InstrumentedAttribute[Any]
    descending: bool = False
    nullable: bool = False

    def order(self) -> ColumnElement[Any]:
        """Return the ORDER BY part."""
        ordered = self.column.desc() if self.descending else self.column.asc()
        if not self.nullable:
            return ordered
        return ordered.nulls_first() if self.descending else ordered.nulls_last()

    def same(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row has `value` here."""
        return self.column.is_(None) if value is None else self.column == self.bound(value)

    def later(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row stands after `value` here."""
        if value is None:
            return self.column.is_not(None) if self.descending else false()
        if self.descending:
            return self.column < self.bound(value)
        later = self.column > self.bound(value)
        return or_(later, self.column.is_(None)) if self.nullable else later

    def reached(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row stands at `value` or after it here."""
        if value is None:
            return true() if self.descending else self.column.is_(None)
        if self.descending:
            return self.column <= self.bound(value)
        reached = self.column >= self.bound(value)
        return or_(reached, self.column.is_(None)) if self.nullable else reached

    def bound(self, value: Any) -> ColumnElement[Any]:
        """Return `value` as a parameter of the column's type."""
        return literal(value, self.column.type)

    def read(self, value: Any) -> Any:
        """Return the column's value that stands in a cursor as `value`; raise ValueError when none does."""
        if value is None:
            if self.nullable:
                return None
            raise ValueError("null")
        stored = self.column.type
        kind = (stored.impl_instance if isinstance(stored, TypeDecorator) else stored).python_type
        if kind is datetime and isinstance(value, str):
            return _time(value)
        if kind is UUID and isinstance(value, str):
            return UUID(value)
        if kind is int and type(value) is int:
            bits = 63 if isinstance(stored, BigInteger) else 31
            return _within(value, -(2**bits), 2**bits - 1)
        if kind is float and type(value) in {int, float}:
            return _within(float(value), -math.inf, math.inf)
        if kind is bool and isinstance(value, bool):
            return value
        if issubclass(kind, str) and isinstance(value, str):
            return _text(value)
        raise ValueError("another type")


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of a list by its name in the API. The last key must be unique, or rows would be lost between pages."""

    name: str
    keys: tuple[Key, ...]

    def page(self, query: Select[Any], wanted: PageRequest) -> Select[Any]:
        """Return `query` for the wanted page and one row more, which tells `cut` that there is a next one.

        Raises InputError for a cursor that is not one of this order.
        """
        if wanted.cursor:
            query = query.where(self.after(self.values(wanted.cursor)))
        # A limit that is a parameter has PostgreSQL plan the query anew each time: it cannot know how much is wanted.
        limit = literal_column(str(int(wanted.limit) + 1), Integer)
        return query.order_by(*(key.order() for key in self.keys)).limit(limit)

    def cut(
        self, rows: Iterable[_T], wanted: PageRequest, values: Callable[[_T], Sequence[Any]] | None = None
    ) -> tuple[tuple[_T, ...], str | None]:
        """Return the page's rows and the cursor of the next page, None on the last one.

        `values` gives a row's values of the keys; by default they are the row's attributes of the columns' names.
        """
        found = tuple(rows)
        page = found[: wanted.limit]
        if len(found) == len(page):
            return page, None
        last = page[-1]
        return page, self.cursor(
            [getattr(last, key.column.key) for key in self.keys] if values is None else values(last)
        )

    def after(self, values: Sequence[Any]) -> ColumnElement[bool]:
        """Return the condition that a row stands after the row with these values of the keys."""
        # One comparison of rows where the direction allows it: both databases answer it from an index.
        if len({key.descending for key in self.keys}) == 1 and not any(key.nullable for key in self.keys):
            columns = tuple_(*(key.column for key in self.keys))
            last = tuple_(*(key.bound(value) for key, value in zip(self.keys, values, strict=True)))
            return columns < last if self.keys[0].descending else columns > last
        pairs = list(zip(self.keys, values, strict=True))
        steps = [
            and_(*(before.same(known) for before, known in pairs[:index]), key.later(value))
            for index, (key, value) in enumerate(pairs)
        ]
        # The first condition follows from the second: it is what an index can begin at.
        return and_(self.keys[0].reached(values[0]), or_(*steps))

    def cursor(self, values: Sequence[Any]) -> str:
        """Return the cursor of the page after the row with these values of the keys."""
        return _cursor(self.name, *values)

    def values(self, cursor: str) -> tuple[Any, ...]:
        """Return the values of the keys that `cursor` holds; raise InputError when it is not one of this order."""
        try:
            data = json.loads(_decoded(cursor))
            if data["s"] != self.name:
                raise InputError(
                    "the cursor is of another order",
                    where="cursor",
                    todo="Begin with the first page, without a cursor.",
                )
            found = tuple(key.read(value) for key, value in zip(self.keys, data["k"], strict=True))
            same = self.cursor(found) == cursor
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _no_cursor() from error
        if not same:
            raise _no_cursor()
        return found


@lru_cache(maxsize=1024, typed=True)
def _cursor(name: str, *values: Any) -> str:
    text = canonical({"k": [_plain(value) for value in values], "s": name})
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _no_cursor() -> InputError:
    return InputError(
        "this is not a cursor", where="cursor", todo="Take `next` of the page before, or begin without a cursor."
    )


def _decoded(cursor: str) -> bytes:
    if len(cursor) > _MAX_CURSOR or not cursor.isascii():
        raise ValueError("too long")
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.value if isinstance(value, Enum) else value


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.utcoffset() != timedelta(0):
        raise ValueError("not UTC")
    return found.replace(tzinfo=UTC)


def _within(value: Any, low: float, high: float) -> Any:
    if not low <= value <= high or not math.isfinite(value):
        raise ValueError("out of range")
    return value


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("U+0000")
    value.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return value
