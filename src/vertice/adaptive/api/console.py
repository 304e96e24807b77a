"""The web console at `/`, where it was built into the package; else a page that says so."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

__all__ = ["mount_console"]

_BUILT = Path(__file__).parents[1] / "console"

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Vértice</title>
<h1>Vértice</h1>
<p>The API runs; the web console was not built into this package.</p>
<ul>
<li><a href="/hitl/openapi.json">The API's description (OpenAPI)</a></li>
<li><a href="/health">Health</a></li>
<li>In a terminal: <code>vertice review list</code></li>
</ul>
"""


def mount_console(app: FastAPI, folder: Path = _BUILT) -> None:
    """Serve the console's files, and its first page for every path that only the console knows."""
    if not (folder / "index.html").is_file():

        @app.get("/", include_in_schema=False)
        async def show_that_it_is_missing() -> Response:
            return HTMLResponse(_NOT_BUILT)

        return
    app.mount("/", _Pages(directory=folder, html=True), name="console")


class _Pages(StaticFiles):
    """Files by their path; what has no file and no ending is a page of the console."""

    def lookup_path(self, path: str) -> "tuple[str, object]":  # type: ignore[override]  # os.stat_result | None
        """Return the file of a path, or the console's first page."""
        found = super().lookup_path(path)
        api = path.startswith(("hitl/", "health", "metrics", "problems/"))
        if found[1] is None and "." not in path.rpartition("/")[2] and not api:
            return super().lookup_path("index.html")
        return found
