"""Problem details (RFC 9457): what every error answer of every service of ours looks like."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vertice.kernel.codec import canonical
from vertice.kernel.errors import InputError
from vertice.kernel.http.accept import prefers_html
from vertice.kernel.http.kinds import code_of, title_of, type_of
from vertice.kernel.http.request_id import current_request_id
from vertice.kernel.text import printable

__all__ = [
    "MEDIA_TYPE",
    "PAGE",
    "FieldProblem",
    "HttpError",
    "Problem",
    "ProblemResponse",
    "problem",
    "refuse",
    "responses",
    "without_folders",
]

MEDIA_TYPE = "application/problem+json"

PAGE = "problem_page"
"""Name in an app's state of what makes a page of a problem document: see `handlers.install`."""

_TEXT_LIMIT = 1000
_MAX_ERRORS = 20

_PATH = re.compile(r"(?<![\w:/.~-])(?:[A-Za-z][\w+.-]*://(?=/))?/+(?:[^/\s:'\"]+/+)+([^/\s:'\"]*)")
"""An absolute path of two names or more, alone or after `file://` or `sqlite://`; URLs with a host are none."""


class FieldProblem(BaseModel):
    """One value that cannot be used."""

    loc: list[str | int] = Field(description="Where it stands, from the outside in: body, reviewer, name.")
    msg: str = Field(description="What is wrong with it. The value itself is not shown.")


class Problem(BaseModel):
    """An error answer."""

    type: str = Field(description="The kind of problem: a relative reference that ends in the error's code.")
    title: str = Field(description="The kind of problem in words, the same for every problem of this type.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong this time.")
    instance: str = Field(description="The request's id, as in X-Request-ID and in the logs.")
    where: str = Field(default="", description="The field, file, package or URL that it was wrong with.")
    todo: str = Field(default="", description="What to do about it.")
    errors: list[FieldProblem] = Field(default=[], description="Each value that cannot be used, at most 20.")


class HttpError(InputError):
    """An error that HTTP has a status and headers of its own for; whoever raises it means the client to read it."""

    code = "bad-request"
    http_status: ClassVar[int] = 400

    def __init__(self, what: str, *, where: str = "", todo: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(what, where=where, todo=todo)
        self.headers = dict(headers or {})


class ProblemResponse(Response):
    """A problem document; where the app has a page for it (`handlers.install`), who prefers HTML gets the page."""

    media_type = MEDIA_TYPE

    def __init__(self, document: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(canonical(document), status_code=int(document["status"]), headers=headers)
        self._document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the client can show."""
        page_of = getattr(scope["app"].state, PAGE, None) if scope["type"] == "http" and "app" in scope else None
        page: Response | None = page_of(scope, self._document) if page_of and prefers_html(scope) else None
        if page is None:
            await super().__call__(scope, receive, send)
            return
        for name, value in self.headers.items():
            page.headers.setdefault(name, value)
        await page(scope, receive, send)


def problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    where: str = "",
    todo: str = "",
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """Return the answer. Texts may be hostile or long, and `errors` may be many: they are escaped and cut.

    `more` are members of this kind of problem alone (RFC 9457 §3.2), which are said as they are.
    """
    code = code or code_of(status)
    document: dict[str, Any] = {
        "type": type_of(code),
        "title": title_of(code),
        "status": status,
        "detail": printable(detail, limit=_TEXT_LIMIT),
        "instance": current_request_id(),
    }
    if where:
        document["where"] = printable(where, limit=_TEXT_LIMIT)
    if todo:
        document["todo"] = printable(todo, limit=_TEXT_LIMIT)
    if errors:
        document["errors"] = list(errors[:_MAX_ERRORS])
    document |= more or {}
    return ProblemResponse(document, headers=headers)


async def refuse(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `answer` instead of serving a request, or of accepting a WebSocket."""
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await answer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008 if answer.status_code < 500 else 1011})


def without_folders(text: str) -> str:
    """Return `text` with each absolute file path cut to its last name: a client learns nothing of our machine."""
    if text.startswith("/"):  # all of it is a path, which may hold spaces
        return text.rstrip("/").rpartition("/")[2]
    return _PATH.sub(r"\1", text)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route or app that answers with these problems; `handlers` adds the schema."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": title_of(code_of(status)), "content": {MEDIA_TYPE: schema}} for status in statuses}
