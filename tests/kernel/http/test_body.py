"""Bodies that are too large, too slow, or not what they say."""

import json
import socket
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from vertice.kernel.http.body import flaw
from vertice.kernel.http.problem import Problem

LIMIT = 64 * 1024
JSON = {"Content-Type": "application/json"}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
)


def nested(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nested, value.values()), default=0)
    return 1 + max(map(nested, value), default=0) if isinstance(value, list) else 0


def app() -> FastAPI:
    made = FastAPI()

    @made.post("/json")
    async def parsed(body: dict[str, Any]) -> int:
        return len(body)

    @made.post("/bytes")
    async def counted(request: Request) -> int:
        return len(await request.body())

    @made.post("/stream")
    async def streamed(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @made.get("/text/{word}")
    async def text(word: str) -> str:
        return word

    return made


@pytest.fixture(scope="module")
def url(serve, stacked):
    return serve(stacked(app()))


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-frame-options"] == "DENY"
    return Problem.model_validate(answer.json()).detail


@pytest.mark.parametrize("path", ["/json", "/bytes", "/stream", "/nowhere"])
def test_a_body_that_says_it_is_too_large_is_not_read(url, path):
    for size in (LIMIT + 1, 10 * 1024 * 1024):
        answer = httpx.post(f"{url}{path}", content=b"x" * size, headers=JSON)
        assert refused(answer, 413) == "the body is larger than 65,536 bytes"
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(("path", "headers"), [("/json", JSON), ("/bytes", {}), ("/stream", {})])
def test_a_body_in_chunks_is_counted(url, path, headers):
    sent = 0

    def chunks():
        nonlocal sent
        while sent < 50 * 1024 * 1024:
            sent += 1024
            yield b"x" * 1024

    refused(httpx.post(f"{url}{path}", content=chunks(), headers=headers), 413)
    assert sent < 50 * 1024 * 1024


@pytest.mark.parametrize("path", ["/bytes", "/stream"])
def test_a_body_of_just_the_limit_is_fine(url, path):
    assert httpx.post(f"{url}{path}", content=b"x" * LIMIT).json() == LIMIT
    assert httpx.post(f"{url}{path}", content=iter([b"x" * LIMIT])).json() == LIMIT


def test_json_in_chunks_arrives_whole(url):
    parts = iter([b'{"a": 1', b', "b"', b": 2}"])
    assert httpx.post(f"{url}/json", content=parts, headers=JSON).json() == 2
    assert httpx.post(f"{url}/json", json={"a": 1}).json() == 1


@pytest.mark.parametrize("path", ["/json", "/stream"])
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_body_that_never_ends_is_given_up(serve, stacked, path, framing):
    made = httpx.URL(serve(stacked(app(), seconds=0.2)))
    kind = "application/json" if path == "/json" else "text/plain"
    with socket.create_connection((made.host, made.port), timeout=20) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n".encode())
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["type"] == "/problems/request-timeout"


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-16", "application/merge-patch+json"]
)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": "\xff"}', "the body is not UTF-8 at byte 7"),
        (b"[" * 33 + b"]" * 33, "the body is nested deeper than 32"),
        (b'{"a":' * 12_000 + b"1" + b"}" * 4, "the body is nested deeper than 32"),
        ('{"a": 1}'.encode("utf-16"), "the body is not UTF-8 at byte 0"),
        ('{"a": 1}'.encode("utf-16-le"), "the body holds the character U+0000"),
        (b'{"a": "\\u0000"}', "the body holds the character U+0000"),
        (b'{"a": NaN}', "the body holds NaN or Infinity, which are not JSON"),
        (b'{"a": -Infinity}', "the body holds NaN or Infinity, which are not JSON"),
    ],
)
def test_json_with_a_flaw_is_refused_before_it_is_parsed(url, kind, body, said):
    assert refused(httpx.post(f"{url}/json", content=body, headers={"Content-Type": kind}), 400) == said


def test_the_address_holds_no_nul(url):
    assert refused(httpx.get(f"{url}/text/a%00b"), 400) == "the address holds the character U+0000"
    assert refused(httpx.get(f"{url}/text/ab?q=a%00b"), 400) == "the address holds the character U+0000"


@pytest.mark.parametrize("path", ["/text/%FF", "/text/ab?q=%FF", "/text/ab?%C3=1", "/text/ab?q=%ED%A0%80"])
def test_the_address_is_utf_8(url, path):
    assert refused(httpx.get(f"{url}{path}"), 400) == "the address is not UTF-8"


def test_requests_without_a_body_pass(url):
    assert httpx.get(f"{url}/text/word").json() == "word"


def test_a_second_content_type_does_not_hide_json(url):
    headers = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    assert (
        refused(httpx.post(f"{url}/json", content=b"[" * 40, headers=headers), 400)
        == "the body is nested deeper than 32"
    )


@given(values)
def test_json_is_without_flaw_just_as_deep_as_it_is_nested(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        depth = nested(value)
        if "\\u0000" in json.dumps(value):
            continue
        assert flaw(text.encode("utf-8", "replace"), depth=depth) == ""
        if depth:
            assert (
                flaw(text.encode("utf-8", "replace"), depth=depth - 1) == f"the body is nested deeper than {depth - 1}"
            )


@given(st.text(st.sampled_from('[]{}"\\a0uNI')) | st.text(), st.integers(0, 3))
def test_what_passes_and_is_json_is_not_too_deep(text, depth):
    if flaw(text.encode("utf-8", "replace"), depth=depth):
        return
    try:
        value = json.loads(text)
    except ValueError:
        return
    assert nested(value) <= depth
    assert "\0" not in json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(
    "body",
    [b'"NaN [[[[ \\" [[[["', b'"\\\\u0000"', b'{"Infinity": "NaN"}', b'["[[[[", "]]]]"]'],
)
def test_what_stands_in_a_string_is_no_flaw(body):
    assert flaw(body, depth=1) == ""
    json.loads(body)


@pytest.mark.timeout(60)  # what takes time in the square of its length takes hours
@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 500_000,
        b'"' + b'\\"' * 500_000 + b"\\",
        b'"' * 1_000_000,
        b"\\" * 1_000_000,
        b"[]" * 500_000,
        b'\\u0000"[' * 120_000,
    ],
    ids=["open", "open-and-cut", "quotes", "backslashes", "brackets", "mixed"],
)
def test_a_megabyte_made_to_be_slow_ends(body):
    flaw(b"[" * 40 + b"NaN" + body, depth=32)
