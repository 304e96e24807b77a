"""Problems for people: an error answer as a page, and what each kind of problem means, at the address of its `type`."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vertice.kernel.http.accept import prefers_html
from vertice.kernel.http.kinds import Kind, type_of
from vertice.kernel.http.problem import responses
from vertice.kernel.http.web_page import button, code, link, sentence, text, web_page

__all__ = ["ProblemKind", "ProblemKinds", "problem_page", "router"]

_VARY = {"Vary": "Accept"}


class ProblemKind(BaseModel):
    """A kind of problem."""

    type: str = Field(description="The `type` of such problems: the address of this.")
    code: str = Field(description="What stays the same, whatever the words become.")
    title: str = Field(description="The code in words.")
    status: int = Field(description="The HTTP status that it comes with.")
    meaning: str = Field(description="What it says of the request.")
    todo: str = Field(description="What to do about it.")


class ProblemKinds(BaseModel):
    """Every kind of problem that there is."""

    items: list[ProblemKind]


def problem_page(
    document: Mapping[str, Any],
    *,
    kind: Kind | None,
    heading: str = "",
    said: str = "",
    todo: str = "",
    again: tuple[str, str] = ("Go to the start page", "/"),
) -> Response:
    """Return a problem document as a page: what happened, what to do, and a button that does it.

    `said` and `todo` are said in place of the document's own words. Where those keep to themselves what happened (a
    status of 500 or more), `kind` says what it means. `again` is the button's label and address.
    """
    status = int(document["status"])
    if status >= 500 and kind is not None:
        said, todo = said or kind.meaning, todo or kind.todo
    name = str(document["type"]).rpartition("/")[2]
    known = f" · {link('What this means', type_of(name))}" if kind is not None else ""
    instance = f"<br>Instance {code(document['instance'])}" if document["instance"] else ""
    return web_page(
        heading or document["title"],
        text(sentence(said or document["detail"])),
        text(sentence(todo or document.get("todo", ""))),
        f'<p class="actions">{button(*again)}</p>',
        f'<p class="small">{status} {escape(name)}{known}{instance}</p>',
        status=status,
        headers=_VARY,
        look="problem",
    )


def router(kinds: Iterable[Kind]) -> APIRouter:
    """Return the routes that explain these kinds, as pages to browsers and as JSON to everybody else."""
    routes = APIRouter(tags=["problems"])
    known = {kind.code: kind for kind in sorted(kinds, key=lambda kind: (kind.status, kind.code))}
    page = {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "As a page or as JSON"}

    @routes.get("/problems", response_model=ProblemKinds, responses={200: page})
    async def list_problems(request: Request, response: Response) -> ProblemKinds | Response:
        """List every kind of problem that there is. Browsers see a page."""
        if prefers_html(request.scope):
            return _index(known.values())
        response.headers.update(_VARY)
        return ProblemKinds(items=[_told(kind) for kind in known.values()])

    @routes.get("/problems/{code}", response_model=ProblemKind, responses={200: page, **responses(404)})
    async def show_problem(request: Request, response: Response, code: str) -> ProblemKind | Response:
        """Say what a kind of problem means and what to do about it. Browsers see a page."""
        kind = known.get(code)
        if kind is None:
            raise HTTPException(404)
        if prefers_html(request.scope):
            return _explained(kind)
        response.headers.update(_VARY)
        return _told(kind)

    return routes


def _told(kind: Kind) -> ProblemKind:
    return ProblemKind(
        type=type_of(kind.code),
        code=kind.code,
        title=kind.title,
        status=kind.status,
        meaning=kind.meaning,
        todo=kind.todo,
    )


def _explained(kind: Kind) -> Response:
    return web_page(
        kind.title,
        text(kind.meaning),
        "<h2>What to do</h2>",
        text(kind.todo),
        f'<p class="small">HTTP status {kind.status} · {code(kind.code)} · {link("All kinds of problems", "/problems")}'
        "</p>",
        headers=_VARY,
    )


def _index(kinds: Iterable[Kind]) -> Response:
    lines = (
        f'<li>{link(kind.title, type_of(kind.code))} <span class="status">{kind.status}</span><br>'
        f"{escape(kind.meaning)}</li>"
        for kind in kinds
    )
    return web_page(
        "Kinds of problems",
        text("What the API answers when it cannot do what was asked (RFC 9457), each with the status that it has."),
        f'<ul class="kinds">{"".join(lines)}</ul>',
        headers=_VARY,
        look="wide",
    )
