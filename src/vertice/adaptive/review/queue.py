"""The reviews as a list: what fits, in order, a page at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, bindparam, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.decide import UNDECIDED
from vertice.adaptive.review.model import Status
from vertice.adaptive.review.tables import ApvReview
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.database import ReadSession
from vertice.kernel.errors import InputError
from vertice.kernel.http.pages import Key, PageRequest, Sort

__all__ = ["Filter", "Order", "page"]


class Order(StrEnum):
    """Orders of the list; `-` turns one round."""

    priority = "priority"
    created = "created"
    created_down = "-created"
    updated_down = "-updated"
    due = "due"
    confidence = "confidence"
    confidence_down = "-confidence"


@dataclass(frozen=True, slots=True)
class Filter:
    """What has to fit; what is empty fits everything."""

    status: frozenset[Status] = frozenset()
    severity: frozenset[Severity] = frozenset()
    verdict: frozenset[VerdictWord] = frozenset()
    project: str = ""
    """Name or id."""
    package: str = ""
    cve: str = ""
    assignee: str = ""
    """Id of a login; `none` for reviews that nobody has."""
    text: str = ""
    """Somewhere in code, CVE, package, project or summary, whatever the case."""
    overdue: bool = False


_R = ApvReview
_GAP: ColumnElement[str] = literal_column("' '")
_TEXT = _R.apv_code + _GAP + _R.cve_id + _GAP + _R.package_name + _GAP + _R.project_name + _GAP + _R.summary
"""As the migration's trigram index has it."""


def _sort(order: Order, column: InstrumentedAttribute[Any], *, down: bool = False, nullable: bool = False) -> Sort:
    return Sort(order, (Key(column, descending=down, nullable=nullable), Key(_R.apv_code, descending=down)))


_SORTS = {
    sort.name: sort
    for sort in (
        _sort(Order.priority, _R.priority),
        _sort(Order.created, _R.created_at),
        _sort(Order.created_down, _R.created_at, down=True),
        _sort(Order.updated_down, _R.updated_at, down=True),
        _sort(Order.due, _R.due_at, nullable=True),
        _sort(Order.confidence, _R.wargame_confidence, nullable=True),
        _sort(Order.confidence_down, _R.wargame_confidence, down=True, nullable=True),
    )
}


async def page(
    session: ReadSession | AsyncConnection, wanted: Filter, order: Order, which: PageRequest, *, now: datetime
) -> tuple[Sequence[Row[Any]], str | None]:
    """Return one page of the reviews that fit, and the cursor of the next one.

    A row has `apv_code`, and as `line` its `documents.Summary` as JSON.
    """
    rows = await session.execute(_query(wanted, order, which), {"now": now} if wanted.overdue else {})
    return _SORTS[order].cut(rows.all(), which)


@lru_cache(maxsize=1024)
def _query(wanted: Filter, order: Order, which: PageRequest) -> Select[*tuple[Any, ...]]:
    """Return the query of a page, which is asked for again and again: people look at the same few views."""
    sort = _SORTS[order]
    columns = dict.fromkeys((_R.apv_code, _R.line, *(key.column for key in sort.keys)))
    return sort.page(_fitting(select(*columns), wanted), which)


def _fitting(query: Select[*tuple[Any, ...]], wanted: Filter) -> Select[*tuple[Any, ...]]:
    # Statuses stand in the text of the query, so that the database can use the partial index of what waits.
    if wanted.status:
        query = query.where(_R.status.in_(_words(wanted.status)))
    if wanted.severity:
        query = query.where(_R.severity.in_(_words(wanted.severity)))
    if wanted.verdict:
        query = query.where(_R.wargame_verdict.in_(_words(wanted.verdict)))
    if wanted.project:
        query = query.where(_of_project(wanted.project))
    if wanted.package:
        query = query.where(_R.package_name == wanted.package)
    if wanted.cve:
        query = query.where(_R.cve_id == wanted.cve)
    if wanted.assignee:
        query = query.where(_R.assignee.is_(None) if wanted.assignee == "none" else _R.assignee == wanted.assignee)
    if wanted.text:
        query = query.where(_TEXT.ilike(_pattern(wanted.text), escape="\\"))
    if wanted.overdue:
        query = query.where(_R.due_at < bindparam("now", type_=_R.due_at.type), _R.status.in_(_words(UNDECIDED)))
    return query


def _words(values: Collection[StrEnum]) -> list[ColumnElement[str]]:
    """Return words of ours, which need no quoting, as they stand in the query's text."""
    return [literal_column(f"'{value}'") for value in sorted(values)]


def _of_project(named: str) -> ColumnElement[bool]:
    try:
        return or_(_R.project_name == named, _R.project_id == UUID(named))
    except ValueError:
        return _R.project_name == named


def _pattern(text: str) -> str:
    if "\0" in text:
        raise InputError("there is a NUL character in it", where="q", todo="Remove it.")
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
