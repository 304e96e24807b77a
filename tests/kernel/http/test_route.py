"""Which methods an address takes, whichever of its routes and routers take them."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Mount

from vertice.kernel.http.handlers import install


@pytest.fixture(scope="module")
def url(serve) -> str:
    app = FastAPI()
    install(app)
    things, others = APIRouter(prefix="/things"), APIRouter(prefix="/things")

    @things.get("/{name}")
    async def show(name: str) -> None: ...

    @things.post("/all")
    async def add() -> None: ...

    @others.delete("/{name}")
    async def remove(name: str) -> None: ...

    app.include_router(things)
    app.include_router(others)
    app.router.routes.append(Mount("/files", app=FastAPI()))
    return serve(app)


@pytest.mark.parametrize(
    ("path", "allowed"), [("/things/one", "GET, DELETE"), ("/things/all", "GET, POST, DELETE"), ("/docs", "GET, HEAD")]
)
def test_a_refused_method_is_answered_with_all_that_are_taken(url, path, allowed):
    answer = httpx.patch(url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/files/one", 404)])
def test_what_is_not_there_takes_none(url, path, status):
    answer = httpx.patch(url + path)
    assert answer.status_code == status
    assert "allow" not in answer.headers
