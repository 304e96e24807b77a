"""HEAD is answered as GET is, without the content."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import Response

from vertice.kernel.http.handlers import install
from vertice.kernel.http.head import HeadMiddleware
from vertice.kernel.http.route import route_template


@pytest.fixture(scope="module")
def counted() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def url(serve, counted) -> str:
    app = FastAPI()
    install(app)
    app.add_middleware(HeadMiddleware)

    @app.get("/things/{name}")
    async def show(name: str) -> Response:
        return Response(f"this is {name}", headers={"ETag": '"v1"'})

    @app.post("/things")
    async def add() -> None: ...

    async def counting(scope, receive, send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                counted.append((scope["method"], route_template(scope)))

    return serve(counting)


def test_it_has_the_same_headers_and_no_content(url, counted):
    with httpx.Client(base_url=url) as client:
        got, asked = client.get("/things/one"), client.head("/things/one")
        assert (asked.status_code, asked.content) == (200, b"")
        names = ("content-length", "etag", "content-type")
        assert [asked.headers.get(name) for name in names] == [got.headers.get(name) for name in names]
        assert client.get("/things/two").text == "this is two"  # on the same connection: nothing was left on it
    assert counted == [(method, "/things/{name}") for method in ("GET", "HEAD", "GET")]


def test_where_there_is_no_get_there_is_no_head(url):
    assert httpx.head(f"{url}/things").status_code == 405
    assert httpx.head(f"{url}/nothing").status_code == 404
