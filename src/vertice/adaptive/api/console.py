"""The web console at `/`, where it was built into the package; else a page that says so."""

import os
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from vertice.kernel.auth.authenticator import authenticator
from vertice.kernel.auth.model import Principal
from vertice.kernel.http.web_page import button, code, link, text, web_page
from vertice.kernel.text import printable

__all__ = ["mount_console"]

_BUILT = Path(__file__).parents[1] / "console"


def mount_console(app: FastAPI, folder: Path = _BUILT) -> None:
    """Serve the console's files, and its first page for every path that only the console knows."""
    if not (folder / "index.html").is_file():

        @app.get("/", include_in_schema=False)
        async def show_that_it_is_missing(request: Request) -> Response:
            return _start_page(await authenticator(request).person(request))

        return
    app.mount("/", _Pages(directory=folder, html=True), name="console")


def _start_page(person: Principal | None) -> Response:
    if person is None:
        who, act = "Nobody is logged in.", button("Log in", "/hitl/login")
    else:
        name = printable(person.name, limit=100)
        who, act = f"You are logged in as {name} ({person.role}).", link("Log out", "/hitl/logout")
    return web_page(
        "Vértice is running",
        text(f"{who} The web console is not part of this installation; there are the terminal and the API."),
        "<ul>",
        f"<li>What waits for a decision: {code('vertice review list')}</li>",
        f"<li>The API: {link('what it does', '/hitl/openapi.json')}, {link('what it tells', '/hitl/asyncapi.json')}, "
        f"{link('what can go wrong', '/problems')}</li>",
        f"<li>{link('Whether all is well', '/health')}</li>",
        "</ul>",
        f'<p class="actions">{act}</p>',
    )


class _Pages(StaticFiles):
    """Files by their path; what has no file and no ending is a page of the console."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the file of a path, or the console's first page."""
        found = super().lookup_path(path)
        api = path.startswith(("hitl/", "health", "metrics", "problems/"))
        if found[1] is None and "." not in path.rpartition("/")[2] and not api:
            return super().lookup_path("index.html")
        return found
