"""Every error answer of an app is a problem document and tells nothing it should not."""

import asyncio
import json
import socket
from enum import StrEnum
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Query, WebSocket
from fastapi.responses import StreamingResponse
from httpx_ws import WebSocketDisconnect, aconnect_ws
from pydantic import BaseModel, Field, field_validator

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.http.handlers import install
from vertice.kernel.http.problem import HttpError, Problem, responses

SECRET = "hunter2-and-/very/private/place"


class Kind(StrEnum):
    cat = "cat"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Body(BaseModel, extra="forbid"):
    count: int
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    word: str = ""

    @field_validator("word")
    @classmethod
    def _check(cls, value: str) -> str:
        if value:
            raise ValueError("needs ten characters" if len(value) < 10 else f"I dislike {value}")
        return value


class NotLoggedInError(InputError):
    code = "http-test-not-logged-in"
    http_status = 401


plain = APIRouter()
inner = APIRouter(prefix="/inner")


@plain.get("/input")
async def bad_input() -> None:
    raise InputError("cannot read /home/ana/uv.lock", where="/home/ana/uv.lock", todo="Look into /home/ana/x.")


@plain.get("/unfinished")
async def unfinished() -> None:
    raise UnfinishedError(f"the database refused: {SECRET}", where=f"postgresql://{SECRET}", todo=SECRET)


@plain.get("/broken")
async def broken() -> None:
    raise RuntimeError(SECRET)


@plain.get("/refused")
async def refused() -> None:
    raise HttpError("slow down", where="here", headers={"Retry-After": "7"})


@plain.get("/login")
async def login() -> None:
    raise NotLoggedInError("who are you?")


@plain.get("/http/{status}")
async def with_status(status: int) -> None:
    raise HTTPException(status, detail={"secret": SECRET} if status == 403 else SECRET, headers={"X-Kept": "yes"})


@inner.post("/body")
async def body(given: Body, size: Annotated[int, Query(ge=1)] = 1) -> int:
    return given.count + size


@plain.get("/half")
async def half() -> StreamingResponse:
    async def chunks():
        yield b"first"
        raise RuntimeError(SECRET)

    return StreamingResponse(chunks())


@plain.get("/response", response_model=Body)
async def response() -> Any:
    return {"count": SECRET}


@plain.websocket("/ws/{when}")
async def ws(socket: WebSocket, when: str, size: int = 1) -> None:
    if when == "input":
        raise InputError("no such channel")
    if when == "broken":
        raise RuntimeError(SECRET)
    await socket.accept()
    if when == "late-input":
        raise InputError("no such channel")
    if when == "late-broken":
        raise RuntimeError(SECRET)
    if when.startswith("closed"):
        await socket.close(4000)
        raise RuntimeError(SECRET) if when == "closed-broken" else InputError("no such channel")
    await socket.receive_text()


def app() -> FastAPI:
    made = FastAPI(responses=responses(500))
    made.include_router(plain)
    made.include_router(inner)
    install(made)
    return made


@pytest.fixture(scope="module")
def client(serve):
    with httpx.Client(base_url=serve(app())) as made:
        yield made


def shown(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    Problem.model_validate(found)
    assert (found["type"], found["status"]) == (f"/problems/{code}", status)
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    return found


def test_an_error_of_ours_says_what_where_and_what_to_do_without_folders(client):
    found = shown(client.get("/input"), 422, "bad-input")
    assert (found["detail"], found["where"], found["todo"]) == ("cannot read uv.lock", "uv.lock", "Look into x.")
    assert found["title"] == "Bad input"


def test_of_an_error_that_is_not_the_clients_only_the_code_is_told(client, lines):
    found = shown(client.get("/unfinished"), 503, "unfinished")
    assert found["detail"] == "something went wrong here"
    (line,) = lines
    assert (line["level"], line["code"]) == ("error", "unfinished")
    assert SECRET in line["what"]


def test_the_unexpected_is_logged_with_its_traceback_and_not_shown(client, lines):
    shown(client.get("/broken"), 500, "internal-error")
    (line,) = lines
    assert line["event"] == "request failed"
    assert isinstance(line["exc_info"], RuntimeError)


def test_a_response_that_does_not_fit_its_model_is_the_unexpected_too(client, lines):
    shown(client.get("/response"), 500, "internal-error")


def test_headers_of_an_error_are_kept(client):
    answer = client.get("/refused")
    shown(answer, 400, "bad-request")
    assert answer.headers["retry-after"] == "7"
    assert client.get("/http/409").headers["x-kept"] == "yes"


def test_a_401_says_how_to_log_in(client):
    answer = client.get("/login")
    shown(answer, 401, "http-test-not-logged-in")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_unknown_addresses_and_methods(client):
    shown(client.get("/nowhere"), 404, "not-found")
    answer = client.delete("/input")
    shown(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"
    head = client.head("/nowhere")
    assert (head.status_code, head.content) == (404, b"")


@pytest.mark.parametrize(
    ("status", "code"), [(403, "forbidden"), (500, "internal-error"), (503, "service-unavailable")]
)
def test_details_that_are_no_text_or_of_the_server_are_not_shown(client, status, code):
    shown(client.get(f"/http/{status}"), status, code)


def test_a_304_has_no_body(client):
    answer = client.get("/http/304")
    assert (answer.status_code, answer.content, answer.headers["x-kept"]) == (304, b"", "yes")


@pytest.mark.parametrize(
    "body",
    [
        {"count": SECRET},
        {"count": 1, "pet": {"kind": SECRET}},
        {"count": 1, "word": SECRET},
    ],
)
def test_values_that_cannot_be_used_are_named_but_not_repeated(client, body):
    found = shown(client.post("/inner/body", json=body), 422, "bad-input")
    assert found["errors"][0]["loc"][0] == "body"
    assert found["where"].startswith("body.")
    assert "dislike" not in str(found)


def test_a_validator_of_ours_says_what_is_wrong_in_its_own_words(client):
    found = shown(client.post("/inner/body", json={"count": 1, "word": "short"}), 422, "bad-input")
    assert found["errors"] == [{"loc": ["body", "word"], "msg": "needs ten characters"}]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_json_that_is_sent_as_something_else_is_told_so(client, kind):
    answer = client.post("/inner/body", content=b'{"count": 1}', headers={"content-type": kind})
    assert shown(answer, 422, "bad-input")["todo"] == "Send JSON, with Content-Type: application/json"


def test_every_wrong_value_is_named(client):
    found = shown(client.post("/inner/body?size=0", json={"count": "x", "\x1bodd": 1}), 422, "bad-input")
    assert [error["loc"] for error in found["errors"]] == [["query", "size"], ["body", "count"], ["body", "\\x1bodd"]]


def test_thousands_of_wrong_values_make_a_short_answer(client):
    answer = client.post("/inner/body", json={"x" * 200 + str(number): 1 for number in range(3000)})
    assert len(shown(answer, 422, "bad-input")["errors"]) == 20
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("body", [b'{"count": 1', b"", b"{count: 1}", b"[" * 100_000, b"1" * 10_000])
def test_a_body_that_is_no_json_is_the_clients_error(client, body):
    answer = client.post("/inner/body", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_malformed_json_says_where(client):
    answer = client.post("/inner/body", content=b'{"count": ]', headers={"content-type": "application/json"})
    found = shown(answer, 400, "malformed-json")
    assert (found["detail"], found["where"]) == ("the body is not JSON: Expecting value", "character 10")


def test_half_an_answer_is_cut_off_not_ended(client, lines):
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/half")


def test_a_client_that_leaves_is_no_error(serve, lines):
    url = httpx.URL(serve(app()))
    with socket.create_connection((url.host, url.port)) as raw:
        raw.sendall(b"POST /inner/body HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        raw.sendall(b"Content-Length: 100\r\n\r\n{")
    assert httpx.get(f"{url}/nowhere").status_code == 404
    assert lines == []


@pytest.mark.parametrize(
    ("when", "status", "code"),
    [("input", 422, "bad-input"), ("broken", 500, "internal-error"), ("ok?size=x", 422, "bad-input")],
)
def test_a_websocket_that_is_not_accepted_gets_a_problem(client, when, status, code, lines):
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    shown(client.get(f"/ws/{when}", headers=handshake), status, code)


@pytest.mark.parametrize(
    ("when", "code"), [("late-input", 1008), ("late-broken", 1011), ("closed-input", 4000), ("closed-broken", 4000)]
)
async def test_a_websocket_that_is_open_is_closed_with_a_reason(serve, when, code, lines, caplog):
    async with httpx.AsyncClient() as made, aconnect_ws(f"{serve(app())}/ws/{when}", made) as ws:
        with pytest.raises(WebSocketDisconnect) as closed:
            await ws.receive_text(timeout=10)
        assert closed.value.code == code
    assert "Exception in ASGI" not in caplog.text


async def test_a_websocket_client_that_leaves_is_no_error(serve, lines):
    url = serve(app())
    async with httpx.AsyncClient() as made:
        async with aconnect_ws(f"{url}/ws/ok", made):
            pass
        assert (await made.get(f"{url}/nowhere")).status_code == 404
    await asyncio.sleep(0)
    assert lines == []


def test_the_document_describes_problems_and_no_other_errors():
    document = app().openapi()
    schemas = document["components"]["schemas"]
    assert {"Problem", "FieldProblem"} <= schemas.keys()
    assert "HTTPValidationError" not in schemas
    post = document["paths"]["/inner/body"]["post"]["responses"]
    assert list(post["422"]["content"]) == list(post["500"]["content"]) == ["application/problem+json"]
    assert "#/components/schemas/HTTPValidationError" not in json.dumps(document)


def test_the_document_is_made_once():
    made = app()
    assert made.openapi() is made.openapi()
