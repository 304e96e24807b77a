"""Security headers, on every answer."""

import httpx
import pytest
from fastapi import FastAPI, Response

from vertice.kernel.http.headers import HeadersMiddleware


def app() -> FastAPI:
    made = FastAPI()

    @made.get("/plain")
    async def plain() -> str:
        return "x"

    @made.get("/asset")
    async def asset(response: Response) -> str:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Content-Security-Policy"] = "sandbox"
        return "x"

    @made.get("/broken")
    async def broken() -> None:
        raise RuntimeError

    return made


def bare(*, strict: bool) -> FastAPI:
    made = app()
    made.add_middleware(HeadersMiddleware, content_security_policy="default-src 'self'", strict=strict)
    return made


def test_every_answer_has_them(serve):
    found = httpx.get(f"{serve(bare(strict=False))}/plain").headers
    assert found["x-frame-options"] == "DENY"
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert found["cross-origin-opener-policy"] == "same-origin"
    assert found["content-security-policy"] == "default-src 'self'"
    assert found["cache-control"] == "no-store"
    assert "camera=()" in found["permissions-policy"]


def test_what_the_route_set_is_kept(serve):
    found = httpx.get(f"{serve(bare(strict=False))}/asset").headers
    assert found.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    assert found.get_list("content-security-policy") == ["sandbox"]
    assert found["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/broken", "/nowhere"])
def test_errors_have_them_and_the_id_and_cors(serve, stacked, path, lines):
    answer = httpx.get(f"{serve(stacked(app()))}{path}", headers={"Origin": "http://console.example"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["access-control-allow-origin"] == "http://console.example"
    assert answer.headers["x-request-id"] == answer.json()["instance"]


def test_https_alone_is_demanded_only_where_it_is_spoken(serve):
    assert "strict-transport-security" not in httpx.get(f"{serve(bare(strict=False))}/plain").headers
    assert "strict-transport-security" in httpx.get(f"{serve(bare(strict=True))}/plain").headers


@pytest.mark.parametrize(("trusted", "secure"), [(("127.0.0.0/8",), True), (("10.0.0.0/8",), False), ((), False)])
def test_only_a_trusted_proxy_is_believed_that_https_is_spoken(serve, stacked, trusted, secure):
    url = serve(stacked(app(), trusted=trusted))
    found = httpx.get(f"{url}/plain", headers={"X-Forwarded-Proto": "https"}).headers
    assert ("strict-transport-security" in found) is secure
