"""What strangers and mistakes send: a problem document each, nothing changed, nothing leaked."""

import asyncio
import json

import pytest

from vertice.adaptive.review.model import Status

WRITES = [
    ("POST", "/hitl/reviews/{code}/decisions", {"decision": "reject", "justification": "It is not for us."}),
    ("POST", "/hitl/reviews/{code}/claim", None),
    ("DELETE", "/hitl/reviews/{code}/claim", None),
    ("PUT", "/hitl/reviews/{code}/assignee", {"id": "test|rita"}),
    ("POST", "/hitl/reviews/{code}/comments", {"text": "hello there"}),
    ("POST", "/hitl/decisions/bulk", {"decision": "reject", "justification": "It is not for us."}),
    ("POST", "/hitl/projects", {"kind": "path", "location": "/tmp"}),
    ("POST", "/hitl/tokens", {"name": "mine", "role": "viewer", "scopes": ["read"]}),
]
READS = [
    "/hitl/reviews",
    "/hitl/reviews/{code}",
    "/hitl/reviews/{code}/comments",
    "/hitl/reviews/{code}/options",
    "/hitl/decisions",
    "/hitl/remedies",
    "/hitl/wargames",
    "/hitl/wargames/WAR-20261121-001/evidence",
    "/hitl/projects",
    "/hitl/scans",
    "/hitl/apvs",
    "/hitl/feeds",
    "/hitl/audit",
    "/hitl/audit/verify",
    "/hitl/statistics",
    "/hitl/tokens",
]


def is_problem(answer, status: int | set[int], desk) -> dict:
    assert answer.status_code in ({status} if isinstance(status, int) else status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["instance"] == answer.headers["x-request-id"]
    for secret in ("Traceback", "sqlalchemy", "site-packages", str(desk.home), "asyncpg", "sqlite3"):
        assert secret not in answer.text
    return said


async def unchanged(desk, review) -> None:
    now = await desk.api.service.reviews.get(review.code)
    assert (now.status, now.version) == (Status.pending, review.version)
    assert await desk.api.service.reviews.comments(review.code) == ()
    assert desk.tasks.executions == []


async def test_without_a_login_nothing_is_shown_and_nothing_done(desk):
    review = await desk.review()
    nobody = desk.client()
    for path in READS:
        said = is_problem(await nobody.get(path.format(code=review.code)), 401, desk)
        assert said["type"] == "/problems/not-logged-in"
    for method, path, body in WRITES:
        is_problem(await nobody.request(method, path.format(code=review.code), json=body), 401, desk)
    await unchanged(desk, review)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer vrt_" + "A" * 43,
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.",
        "Bearer",
        "bearer",
        "Basic YWRhOmFkYQ==",
        "Bearer " + "x" * 7000,
        "Bearer vrt_\xff\xfe",
    ],
    ids=["unknown", "alg none", "nothing after it", "scheme only", "basic", "long", "not ascii"],
)
async def test_wrong_tokens_are_refused_alike(desk, header):
    review = await desk.review()
    client = desk.client(headers={"Authorization": header.encode("latin-1")})
    answer = await client.get("/hitl/reviews")
    is_problem(answer, 401, desk)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    await unchanged(desk, review)


async def test_a_viewer_and_a_token_for_reading_change_nothing(desk):
    from vertice.kernel.auth.model import Scope

    review = await desk.review()
    at = {"If-Match": f'"v{review.version}"'}
    vera = await desk.person("vera")
    reader = await desk.machine("ada", scopes=frozenset({Scope.read}))
    for client in (vera, reader):
        for method, path, body in WRITES:
            if path == "/hitl/tokens" and client is vera:
                continue  # a viewer may make tokens of her own
            answer = await client.request(method, path.format(code=review.code), json=body, headers=at)
            is_problem(answer, 403, desk)
    await unchanged(desk, review)


async def test_a_cookie_alone_changes_nothing_nor_does_somebody_elses_csrf_token(desk):
    review = await desk.review()
    rita, rui = await desk.person("rita"), await desk.person("rui")
    at = {"If-Match": f'"v{review.version}"'}
    cookie = {"vertice": rita.cookies["vertice"]}
    for csrf in (None, "", "wrong", rui.headers["x-csrf-token"], "\xff" * 40):
        headers = {} if csrf is None else {"X-CSRF-Token": csrf.encode("latin-1")}
        browser = desk.client(cookies=cookie, headers=headers)
        for method, path, body in WRITES:
            is_problem(await browser.request(method, path.format(code=review.code), json=body, headers=at), 403, desk)
    for origin in ("https://evil.example", "null"):
        browser = desk.client(cookies=cookie, headers={"X-CSRF-Token": rita.headers["x-csrf-token"], "Origin": origin})
        answer = await browser.post(f"/hitl/reviews/{review.code}/comments", json={"text": "hello there"})
        is_problem(answer, 403, desk)
    await unchanged(desk, review)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (10 * 1024 * 1024), 413),
        (b'{"text": "' + b"x" * (10 * 1024 * 1024) + b'"}', 413),
        (b"[" * 100_000, 400),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 400),
        (b'{"text": "\xff\xfe"}', 400),
        (b'{"text": "a', {400, 422}),
        (b"", {400, 422}),
        (b'{"text": "\\ud800"}', {400, 422}),
        (b'{"text": "\\u0000"}', {400, 422}),
        (b'{"text": NaN}', {400, 422}),
        (b'{"text": "one", "text": 2}', 422),
        (b'{"text": "hello there", "author": "ada"}', 422),
    ],
    ids=[
        "10 MB",
        "10 MB of JSON",
        "deep",
        "nested",
        "not UTF-8",
        "cut off",
        "empty",
        "surrogate",
        "NUL",
        "NaN",
        "twice",
        "more",
    ],
)
async def test_bodies_that_are_no_comment_are_refused(desk, body, status):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await rita.post(
        f"/hitl/reviews/{review.code}/comments", content=body, headers={"Content-Type": "application/json"}
    )
    is_problem(answer, status, desk)
    await unchanged(desk, review)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hitl/reviews/APV-20261121-999", 404),
        ("/hitl/reviews/00000000-0000-0000-0000-000000000000", 404),
        ("/hitl/reviews/..%2f..%2fetc%2fpasswd", {404, 422}),
        ("/hitl/reviews/a%00b", {400, 404, 422}),
        ("/hitl/reviews?limit=0", 422),
        ("/hitl/reviews?limit=100000", 422),
        ("/hitl/reviews?cursor=%21%21", 422),
        ("/hitl/reviews?cursor=eyJrIjpbXSwicyI6InByaW9yaXR5In0", 422),
        ("/hitl/reviews?sort=drop+table", 422),
        ("/hitl/reviews?status=nonsense", 422),
        ("/hitl/reviews?q=" + "x" * 300, 422),
        ("/hitl/reviews?q=%00", {400, 422}),
        ("/hitl/wargames/WAR-1/evidence", 422),
        ("/hitl/wargames/WAR-20261121-777/evidence", 404),
        ("/hitl/remedies/none", 404),
        ("/hitl/decisions/not-an-id", 404),
        ("/hitl/projects/not-an-id", 422),
        ("/hitl/projects/00000000-0000-0000-0000-000000000000", 404),
        ("/hitl/projects/00000000-0000-0000-0000-000000000000/export/sarif", 404),
        ("/hitl/projects/00000000-0000-0000-0000-000000000000/export/exe", 422),
        ("/hitl/scans/00000000-0000-0000-0000-000000000000", 404),
        ("/hitl/apvs/APV-1", 404),
        ("/hitl/apvs/%F0%9F%90%8D", 404),
        ("/hitl/audit?after=-1", 422),
        ("/hitl/statistics?days=0", 422),
        ("/hitl/nothing", 404),
        ("/hitl/reviews/", {307, 404}),
    ],
)
async def test_what_is_not_there_or_cannot_be_meant_is_said(desk, path, status):
    rita = await desk.person("rita")
    answer = await rita.get(path)
    if answer.status_code != 307:
        is_problem(answer, status, desk)


@pytest.mark.parametrize("tag", ['"v999"', 'W/"v1"', '"x"', "*x", "v1", '"v1', ""])
async def test_stale_and_broken_etags_change_nothing(desk, tag):
    review = await desk.review()
    rita = await desk.person("rita")
    for method, path, body in WRITES[:3]:
        answer = await rita.request(method, path.format(code=review.code), json=body, headers={"If-Match": tag})
        is_problem(answer, {400, 409, 412, 428}, desk)
    await unchanged(desk, review)


async def test_methods_that_an_address_does_not_take_are_said_with_those_that_it_does(desk):
    rita = await desk.person("rita")
    answer = await rita.delete("/hitl/reviews")
    is_problem(answer, 405, desk)
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("name", ["X-Request-ID", "X-Forwarded-For", "X-Forwarded-Proto", "Host"])
async def test_headers_that_lie_change_nothing(desk, name):
    rita = await desk.person("rita")
    answer = await rita.get("/hitl/reviews", headers={name: "evil.example\t<script>"})
    assert answer.status_code in {200, 400}
    assert "<script>" not in json.dumps(dict(answer.headers))


async def test_every_answer_has_the_security_headers(desk):
    rita = await desk.person("rita")
    for answer in (await rita.get("/hitl/reviews"), await rita.get("/hitl/none"), await desk.client().get("/")):
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
    assert (await rita.get("/hitl/reviews")).headers["cache-control"] == "no-store"


async def test_too_many_requests_are_told_when_to_come_back(serve):
    desk = await serve(rate_limit_identity="5/minute")
    rita, rui = await desk.person("rita"), await desk.person("rui")
    answers = [await rita.get("/hitl/reviews") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    is_problem(answers[-1], 429, desk)
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await rui.get("/hitl/reviews")).status_code == 200, "each person by themselves"


async def test_guessing_tokens_is_slowed_down(serve):
    desk = await serve(rate_limit_login="3/minute")
    nobody = desk.client()
    answers = [await nobody.post("/hitl/session", json={"token": f"guess-{number}"}) for number in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]


async def test_projects_that_cannot_be_are_refused(desk):
    ada, lena = await desk.person("ada"), await desk.person("lena")
    for body in (
        {"kind": "path", "location": "relative/path"},
        {"kind": "path", "location": "/nowhere/at/all"},
        {"kind": "path", "location": "/etc/passwd"},
        {"kind": "github", "location": "not a repository"},
        {"kind": "github", "location": "owner/../../etc"},
        {"kind": "gitlab", "location": "a/b"},
        {"kind": "github", "location": "a/b", "schedule": "* * * * *"},
        {"kind": "github", "location": "a/b", "schedule": "nonsense"},
        {"kind": "github", "location": "a/b", "branch": "--upload-pack=x"},
    ):
        is_problem(await ada.post("/hitl/projects", json=body), 422, desk)
    is_problem(await lena.post("/hitl/projects", json={"kind": "path", "location": "/tmp"}), 403, desk)
    assert (await ada.get("/hitl/projects")).json()["items"] == []


async def test_a_request_whose_body_never_comes_does_not_hold_the_others_up(desk):
    host, port = desk.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /hitl/session HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{"
    )
    await writer.drain()
    rita = await desk.person("rita")
    assert (await rita.get("/hitl/reviews")).status_code == 200
    writer.close()
