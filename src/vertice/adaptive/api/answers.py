"""Answers made from the domain's dataclasses in one step: what is documented is what is sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from vertice.kernel.http.etag import etag
from vertice.kernel.http.pages import next_link

__all__ = ["UNCHANGED", "document", "lines", "made_page", "page", "sends", "text"]

_HEADERS = {
    "ETag": "The version: for If-Match and If-None-Match.",
    "Link": 'The next page, `rel="next"`; missing on the last one.',
    "Location": "Where it is.",
    "Content-Disposition": "The file's name.",
}


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


def sends(*headers: str) -> dict[str, Any]:
    """Return what the document says of an answer with these headers: a value of a route's `responses=`."""
    return {"headers": {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in headers}}


UNCHANGED: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "ETags of what you have.",
            "schema": {"type": "string"},
        }
    ],
    "responses": {"304": {"description": "You have this version", **sends("ETag")}},
}
"""The `openapi_extra=` of a route that answers with `not_modified`."""


def text(made: str, *, version: int) -> Response:
    """Return JSON that was made before."""
    return Response(made, headers={"ETag": etag(version)}, media_type="application/json")


def lines(items: Sequence[str], cursor: str | None) -> bytes:
    """Return one page of a list, whose items are JSON already, as JSON."""
    following = "null" if cursor is None else f'"{cursor}"'
    return f'{{"items":[{",".join(items)}],"next":{following}}}'.encode()


def made_page(request: Request, made: bytes, cursor: str | None) -> Response:
    """Return one page of a list that was made before, with a link to the next one."""
    headers = {} if cursor is None else {"Link": next_link(request, cursor)}
    return Response(made, headers=headers, media_type="application/json")
