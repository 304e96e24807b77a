"""Entity tags of things with a version number, and the conditions that requests put on them (RFC 9110 §13)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header
from starlette.requests import Request
from starlette.responses import Response

from vertice.kernel.http.problem import HttpError

__all__ = [
    "IfMatch",
    "PreconditionFailedError",
    "PreconditionRequiredError",
    "etag",
    "if_match",
    "not_modified",
    "parse_tags",
]

_LIST = re.compile(r'[ \t]*+(?:(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*+)"[ \t]*+)?(?:,|$)')
"""One tag and the comma behind it. Nothing is tried twice: the search is linear in any header."""
_VERSION = re.compile(r"v(0|[1-9][0-9]{0,17})")
_SHOW = "Send If-Match with the ETag of what you saw."


class PreconditionRequiredError(HttpError):
    """An edit came without saying which version it is of."""

    code = "precondition-required"
    http_status = 428


class PreconditionFailedError(HttpError):
    """An edit is of another version than the one there is; the ETag header has that one."""

    code = "precondition-failed"
    http_status = 412


def etag(version: int) -> str:
    """Return the strong entity tag of `version`: `"v3"`."""
    return f'"v{version}"'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The versions that an edit may be of; `versions` is None for `*`, which is any."""

    versions: frozenset[int] | None

    def check(self, version: int) -> None:
        """Raise PreconditionFailedError, with the present ETag, when `version` is not among them."""
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailedError(
                f"this was changed since you saw it: it is at version {version} now",
                where="If-Match",
                todo="Look at it again and edit what it says now.",
                headers={"ETag": etag(version)},
            )


async def if_match(request: Request, header: Annotated[str | None, Header(alias="If-Match")] = None) -> IfMatch:
    """Return what If-Match says: the FastAPI dependency of every edit.

    Raises PreconditionRequiredError when it is missing, HttpError (400) when it cannot be read.
    """
    if header is None:
        raise PreconditionRequiredError("If-Match is missing", where="If-Match", todo=_SHOW)
    tags = parse_tags(request.headers.getlist("if-match"))
    if tags is None:
        raise HttpError("If-Match cannot be read", where="If-Match", todo=_SHOW)
    if "*" in tags:
        return IfMatch(None)
    # Strong comparison: a weak tag is never the same.
    return IfMatch(frozenset(int(found[1]) for tag in tags if (found := _VERSION.fullmatch(tag.strip('"')))))


def not_modified(request: Request, version: int) -> Response | None:
    """Return the 304 answer when the client has `version` already (If-None-Match), else None."""
    values = request.headers.getlist("if-none-match")
    tags = parse_tags(values) if values else None
    if not tags:
        return None
    tag = etag(version)
    if "*" in tags or tag in {one.removeprefix("W/") for one in tags}:
        return Response(status_code=304, headers={"ETag": tag})
    return None


def parse_tags(values: Sequence[str]) -> tuple[str, ...] | None:
    """Return the entity tags in a header's values, quotes and `W/` kept, or `("*",)`; None for what is no list."""
    text = ", ".join(values).strip()
    if text == "*":
        return ("*",)
    tags: list[str] = []
    position = 0
    while position < len(text):
        found = _LIST.match(text, position)
        if found is None:
            return None
        if found["tag"] is not None:
            tags.append(f'{found["weak"] or ""}"{found["tag"]}"')
        position = found.end()
    return tuple(tags) or None
