"""What the queue is asked for, read once for each address that people keep looking at.

FastAPI would read and check a dozen parameters anew for each request, which takes as long as the query itself.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.model import Status
from vertice.adaptive.review.queue import Filter, Order
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.http.pages import DEFAULT_LIMIT, MAX_LIMIT, PageRequest

__all__ = ["FILTERS", "PARAMETERS", "Listing", "listing"]

_MAX_CURSOR = 2048
_MAX_KEPT = 4096
"""Bytes of an address that is remembered: one may be much longer, with parameters that nobody asks for."""
_LISTS = frozenset({"status", "severity", "verdict"})


class Listing(BaseModel):
    """The parameters of `GET /hitl/reviews`."""

    status: frozenset[Status] = Field(default=frozenset(), description="Any of these.")
    severity: frozenset[Severity] = Field(default=frozenset(), description="Any of these.")
    verdict: frozenset[VerdictWord] = Field(default=frozenset(), description="Any of these.")
    project: str = Field(default="", max_length=200, description="Name or id.")
    package: str = Field(default="", max_length=100, description="Normalised name.")
    cve: str = Field(default="", max_length=50)
    assignee: str = Field(default="", max_length=200, description="Id of a login; `none`: nobody has it.")
    q: str = Field(
        default="", max_length=200, description="Somewhere in code, CVE, package, project or summary; no wildcards."
    )
    overdue: bool = Field(default=False, description="Only those whose time limit has passed.")
    sort: Order = Order.priority
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Rows in a page.")
    cursor: str = Field(default="", max_length=_MAX_CURSOR, description="`next` of the page before.")


def listing(request: Request) -> tuple[Filter, Order, PageRequest]:
    """Return what the address asks for. Raises RequestValidationError."""
    query: bytes = request.scope["query_string"]
    return _kept(query) if len(query) <= _MAX_KEPT else _read(query)


def _read(query: bytes) -> tuple[Filter, Order, PageRequest]:
    given: dict[str, Any] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in _LISTS:
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    try:
        asked = Listing.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in problems]) from None
    wanted = Filter(
        status=asked.status,
        severity=asked.severity,
        verdict=asked.verdict,
        project=asked.project,
        package=asked.package,
        cve=asked.cve,
        assignee=asked.assignee,
        text=asked.q,
        overdue=asked.overdue,
    )
    return wanted, asked.sort, PageRequest(asked.limit, asked.cursor)


_kept = lru_cache(maxsize=1024)(_read)


def _parameters() -> list[dict[str, Any]]:
    schema = Listing.model_json_schema()
    words = schema.get("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return {key: value for key, value in words[part["$ref"].rpartition("/")[2]].items() if key != "title"}
            return {key: inlined(value) for key, value in part.items() if key not in {"title", "description"}}
        return [inlined(one) for one in part] if isinstance(part, list) else part

    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": inlined(part),
            **({"description": part["description"]} if "description" in part else {}),
        }
        for name, part in schema["properties"].items()
    ]


PARAMETERS = _parameters()
"""Of the OpenAPI document."""
FILTERS = [one for one in PARAMETERS if one["name"] not in {"sort", "limit", "cursor"}]
"""Those that say what has to fit."""
