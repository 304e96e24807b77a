"""One id for one request."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from httpx_ws import aconnect_ws

from vertice.kernel.http.request_id import RequestIdMiddleware, current_request_id
from vertice.kernel.logging import get_logger


def app() -> FastAPI:
    made = FastAPI()

    @made.get("/id")
    async def shown() -> str:
        await asyncio.sleep(0.01)
        get_logger("x").info("seen")
        return current_request_id()

    @made.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(current_request_id())
        await socket.close()

    made.add_middleware(RequestIdMiddleware)
    return made


@pytest.fixture(scope="module")
def url(serve):
    return serve(app())


def test_a_fit_id_is_taken_and_given_back(url, lines):
    answer = httpx.get(f"{url}/id", headers={"X-Request-ID": "Build-7._x"})
    assert answer.json() == answer.headers["x-request-id"] == "Build-7._x"
    assert [line["correlation_id"] for line in lines] == ["Build-7._x"]


@pytest.mark.parametrize("given", [None, "", "a" * 129, "a b", "a;b", "a\u00e9", "{{7*7}}", "<script>"])
def test_anything_else_is_replaced_by_a_new_one(url, given):
    headers = {} if given is None else {"X-Request-ID": given.encode("latin-1")}
    answer = httpx.get(f"{url}/id", headers=headers)
    made = answer.headers["x-request-id"]
    assert answer.json() == made
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")


async def test_requests_at_the_same_time_do_not_mix_theirs(url, lines):
    async with httpx.AsyncClient() as client:
        asked = [f"request-{number}" for number in range(50)]
        answers = await asyncio.gather(*(client.get(f"{url}/id", headers={"X-Request-ID": one}) for one in asked))
    assert [answer.json() for answer in answers] == asked
    assert sorted(line["correlation_id"] for line in lines) == sorted(asked)


async def test_a_websocket_has_one_too(url):
    async with httpx.AsyncClient() as client, aconnect_ws(f"{url}/ws", client, headers={"X-Request-ID": "ws-1"}) as ws:
        assert await ws.receive_text(timeout=10) == "ws-1"
        assert ws.response.headers["x-request-id"] == "ws-1"


def test_outside_of_a_request_there_is_none():
    assert current_request_id() == ""
