"""Answers made from the domain's dataclasses in one step: what is documented is what is sent."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from vertice.kernel.http.etag import etag
from vertice.kernel.http.pages import next_link

__all__ = ["document", "page"]


def document(
    value: object, *, status: int = 200, version: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `value`, a dataclass or plain values, as JSON; `version` becomes its ETag."""
    tag = {} if version is None else {"ETag": etag(version)}
    return Response(
        to_json(value, inf_nan_mode="null"),
        status_code=status,
        headers={**tag, **(headers or {})},
        media_type="application/json",
    )


def page(request: Request, items: tuple[Any, ...], cursor: str | None) -> Response:
    """Return one page of a list, with a link to the next one."""
    return document(
        {"items": items, "next": cursor}, headers={} if cursor is None else {"Link": next_link(request, cursor)}
    )
