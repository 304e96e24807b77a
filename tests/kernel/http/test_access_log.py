"""One line per request."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from httpx_ws import aconnect_ws

from vertice.kernel.errors import InputError


@pytest.fixture(scope="module")
def url(serve, stacked):
    made = FastAPI()
    inner, outer = APIRouter(prefix="/reviews"), APIRouter(prefix="/hitl")

    @inner.get("/{code}")
    async def review(code: str) -> str:
        if code == "broken":
            raise RuntimeError
        if code == "bad":
            raise InputError("no")
        return code

    @outer.websocket("/ws/{name}")
    async def ws(socket: WebSocket, name: str) -> None:
        await socket.accept()
        await socket.receive_text()

    @made.get("/health")
    async def health() -> str:
        return "ok"

    outer.include_router(inner)
    made.include_router(outer)
    return serve(stacked(made, trusted=("127.0.0.1/32",)))


def requests(lines) -> list[dict]:
    return [line for line in lines if line["event"] == "request"]


@pytest.mark.parametrize(
    ("path", "endpoint", "status", "level"),
    [
        ("/hitl/reviews/APV-1?token=secret", "/hitl/reviews/{code}", 200, "info"),
        ("/hitl/reviews/bad", "/hitl/reviews/{code}", 422, "info"),
        ("/hitl/reviews/broken", "/hitl/reviews/{code}", 500, "warning"),
        ("/etc/passwd", "(none)", 404, "info"),
        ("/health", "/health", 200, "debug"),
    ],
)
def test_a_request_is_logged_by_its_whole_template(url, lines, path, endpoint, status, level):
    httpx.get(f"{url}{path}", headers={"X-Request-ID": "seen", "X-Forwarded-For": "203.0.113.9"})
    (line,) = requests(lines)
    assert (line["method"], line["endpoint"], line["status"], line["level"]) == ("GET", endpoint, status, level)
    assert (line["client"], line["correlation_id"]) == ("203.0.113.9", "seen")
    assert line["duration_ms"] > 0
    assert "secret" not in str(line)


def test_an_answer_below_an_included_router_counts_for_its_method(url, lines):
    assert httpx.put(f"{url}/hitl/reviews/APV-1").status_code == 405
    (line,) = requests(lines)
    assert (line["method"], line["endpoint"], line["status"]) == ("PUT", "/hitl/reviews/{code}", 405)


async def test_a_websocket_is_logged_when_it_ends(url, lines):
    async with httpx.AsyncClient() as client:
        async with aconnect_ws(f"{url}/hitl/ws/mine", client):
            assert requests(lines) == []
        await client.get(f"{url}/health")
    (line, _) = requests(lines)
    assert (line["method"], line["endpoint"], line["status"]) == ("WEBSOCKET", "/hitl/ws/{name}", 101)
