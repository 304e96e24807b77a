"""Logins, sessions and API tokens over HTTP, and what those get who try to cheat."""

import asyncio
import re

import pytest
from httpx_ws import WebSocketUpgradeError, aconnect_ws


@pytest.fixture
async def browser(service):
    async with service.browser() as opened:
        yield opened


async def make_token(browser, csrf, **changes):
    wanted = {"name": "ci", "role": "admin", "scopes": ["read"], **changes}
    return await browser.post("/hitl/tokens", json=wanted, headers={"X-CSRF-Token": csrf})


async def test_opening_the_one_time_url_uses_nothing_up_and_its_form_logs_in(service, browser):
    url = await service.local.one_time_url(service.url, prefix="/hitl")
    for _ in range(3):
        page = await browser.get(url)
        assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    action = re.search(r'<form class="actions" method="post" action="([^"]+)"', page.text)[1]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', page.text))
    script = re.search(r'<script src="([^"]+)"', page.text)[1]
    assert (await browser.get(script)).headers["content-type"].startswith("text/javascript")
    answer = await browser.post(action, data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await browser.get("/read")).json() == {
        "id": "local|admin",
        "name": "Ada",
        "role": "admin",
        "kind": "session",
    }
    again = await browser.post(action, data=fields)
    assert again.status_code == 401
    assert [kind for kind, *_ in service.heard] == ["login.succeeded", "login.refused"]


async def test_a_one_time_token_used_twice_at_once_logs_in_once(service):
    token = await service.ticket()
    async with service.browser() as one, service.browser() as two:
        answers = await asyncio.gather(
            *(browser.post("/hitl/session", json={"token": token}) for browser in (one, two) for _ in range(5))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 9


async def test_the_page_shows_a_hostile_token_as_text(service, browser):
    page = await browser.get("/hitl/login", params={"token": '"><script>alert(1)</script>', "next": '/"><b>'})
    assert "<script>alert" not in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize(
    "target", ["//evil.example.org", "https://evil.example.org", "/\\evil.example.org", "/\t/evil.example.org", "x"]
)
async def test_a_login_does_not_lead_to_another_site(service, browser, target):
    token = await service.ticket()
    answer = await browser.post("/hitl/login", data={"token": token, "next": target})
    assert answer.status_code == 422
    assert (await browser.get("/hitl/login", params={"next": target})).status_code == 422
    assert (await browser.post("/hitl/session", json={"token": token})).status_code == 201, "it was not used up"


async def test_the_cookie_over_http_is_for_this_machine_and_hidden_from_scripts(service, browser):
    answer = await browser.post("/hitl/session", json={"token": await service.ticket()})
    session, csrf = answer.headers.get_list("set-cookie")
    assert re.fullmatch(r"vertice=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", session)
    assert re.fullmatch(r"vertice-csrf=[0-9a-f]{64}; Path=/; SameSite=lax", csrf)
    assert answer.json()["csrf_token"] in csrf


async def test_the_cookie_behind_https_is_bound_to_the_host(make_service):
    service = await make_service(public_url="https://vertice.example.org")
    async with service.browser() as browser:
        answer = await browser.post("/hitl/session", json={"token": await service.ticket()})
    session, csrf = answer.headers.get_list("set-cookie")
    assert re.fullmatch(r"__Host-vertice=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", session)
    assert csrf.startswith("__Host-vertice-csrf=")
    assert csrf.endswith("; Secure")


async def test_over_http_from_another_machine_nobody_logs_in(service, browser):
    token = await service.ticket()
    answer = await browser.post("/hitl/session", json={"token": token}, headers={"Host": "vertice.lan:8003"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert (await browser.post("/hitl/session", json={"token": token})).status_code == 201, "it was not used up"


async def test_who_is_logged_in_and_how_to(service, browser):
    ways = [{"kind": "local", "url": "/hitl/login"}]
    nobody = {"principal": None, "csrf_token": None, "methods": ways}
    assert (await browser.get("/hitl/session")).json() == nobody
    csrf = await service.log_in(browser)
    found = (await browser.get("/hitl/session")).json()
    assert found["csrf_token"] == csrf
    assert found["principal"]["scopes"] == ["admin", "decide", "read", "write"]
    service.clock.move(hours=13)
    assert (await browser.get("/hitl/session")).json() == nobody


async def test_logging_out_ends_the_session(service, browser):
    csrf = await service.log_in(browser)
    stolen = browser.cookies.get("vertice")
    answer = await browser.delete("/hitl/session", headers={"X-CSRF-Token": csrf})
    assert (answer.status_code, answer.json()) == (200, {"logout_url": None})
    assert browser.cookies.get("vertice") is None
    assert (await browser.get("/read", headers={"Cookie": f"vertice={stolen}"})).status_code == 401


async def test_a_form_logs_out_without_a_script(service, browser):
    await service.log_in(browser)
    stolen = browser.cookies.get("vertice")
    page = await browser.get("/hitl/logout")
    assert "You are logged in as Ada." in page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', page.text))
    answer = await browser.post("/hitl/logout", data=fields)
    assert (answer.status_code, "<h1>You are logged out</h1>" in answer.text) == (200, True)
    assert browser.cookies.get("vertice") is None
    assert (await browser.get("/read", headers={"Cookie": f"vertice={stolen}"})).status_code == 401
    assert "<h1>You are logged out</h1>" in (await browser.get("/hitl/logout")).text
    assert (await browser.post("/hitl/logout")).status_code == 200


async def test_nobody_elses_form_logs_out(service, browser):
    csrf = await service.log_in(browser)
    async with service.browser() as other:
        theirs = await service.log_in(other)
    for fields in ({}, {"csrf_token": ""}, {"csrf_token": theirs}, {"csrf_token": "é" * 9000}):
        assert (await browser.post("/hitl/logout", data=fields)).status_code == 403
    elsewhere = {"Origin": "https://evil.example.org"}
    assert (await browser.post("/hitl/logout", data={"csrf_token": csrf}, headers=elsewhere)).status_code == 403
    assert (await browser.get("/read")).status_code == 200


async def test_a_new_login_ends_the_session_before_it(service, browser):
    await service.log_in(browser)
    before = browser.cookies.get("vertice")
    await service.log_in(browser)
    assert browser.cookies.get("vertice") != before
    async with service.browser() as other:
        assert (await other.get("/read", headers={"Cookie": f"vertice={before}"})).status_code == 401


@pytest.mark.parametrize("cookie", ["vertice=", "vertice=x", "vertice=" + "A" * 43, "vertice=\xe9", "__Host-vertice=x"])
async def test_a_forged_cookie_is_nobody(service, browser, cookie):
    answer = await browser.get("/read", headers={"Cookie": cookie.encode("latin-1")})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_change_needs_the_csrf_token_of_the_same_session(service, browser):
    mine = await service.log_in(browser)
    async with service.browser() as other:
        theirs = await service.log_in(other)
    assert (await browser.post("/write", headers={"X-CSRF-Token": mine})).status_code == 200
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": theirs}, {"X-CSRF-Token": mine[:-1]}):
        answer = await browser.post("/write", headers=wrong)
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/forbidden"
        assert mine not in answer.text
    answer = await browser.post("/write", headers={"X-CSRF-Token": "é".encode()})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example.org", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
async def test_a_change_from_a_page_of_another_origin_is_refused(service, browser, headers, status):
    csrf = await service.log_in(browser)
    answer = await browser.post("/write", headers={"X-CSRF-Token": csrf, **headers})
    assert answer.status_code == status


async def test_a_change_from_our_own_page_is_taken(service, browser):
    csrf = await service.log_in(browser)
    answer = await browser.post("/write", headers={"X-CSRF-Token": csrf, "Origin": service.url})
    assert answer.status_code == 200


async def test_another_sites_form_cannot_log_a_person_in(service, browser):
    token = await service.ticket()
    answer = await browser.post(
        "/hitl/login", data={"token": token, "next": "/"}, headers={"Origin": "https://evil.example.org"}
    )
    assert answer.status_code == 403
    text = await browser.post(
        "/hitl/session", content=f'{{"token": "{token}"}}', headers={"Content-Type": "text/plain"}
    )
    assert text.status_code == 422


async def test_a_wrong_authorization_header_does_not_fall_back_to_the_cookie(service, browser):
    csrf = await service.log_in(browser)
    for wrong in ("Bearer vrt_wrong", "Bearer", "Bearer a.b.c", "Basic YTpi", ""):
        answer = await browser.post("/write", headers={"Authorization": wrong, "X-CSRF-Token": csrf})
        assert answer.status_code == 401
    assert (await browser.get("/hitl/session", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_an_api_token_needs_no_csrf_token_and_ends_when_revoked(service, browser):
    csrf = await service.log_in(browser)
    made = (await make_token(browser, csrf, scopes=["read", "write"])).json()
    async with service.browser() as machine:
        machine.headers["Authorization"] = f"Bearer {made['secret']}"
        assert (await machine.post("/write", headers={"Origin": "https://evil.example.org"})).status_code == 200
        assert (await machine.post("/lead")).status_code == 403
        gone = await browser.delete(f"/hitl/tokens/{made['id']}", headers={"X-CSRF-Token": csrf})
        assert gone.status_code == 204
        assert (await machine.post("/write")).status_code == 401


async def test_a_token_is_listed_without_its_secret(service, browser):
    csrf = await service.log_in(browser)
    answer = await make_token(browser, csrf, days=7)
    made = answer.json()
    assert answer.status_code == 201
    listed = await browser.get("/hitl/tokens")
    assert made["secret"] not in listed.text
    (found,) = listed.json()["items"]
    assert found == {name: value for name, value in made.items() if name != "secret"}
    assert (found["owner"], found["name"], found["scopes"]) == ("local|admin", "ci", ["read"])


async def test_a_token_does_not_climb(service, browser):
    csrf = await service.log_in(browser)
    weak = (await make_token(browser, csrf, role="viewer")).json()
    strong = (await make_token(browser, csrf)).json()
    async with service.browser() as machine:
        machine.headers["Authorization"] = f"Bearer {weak['secret']}"
        for status, answer in (
            (403, await machine.post("/hitl/tokens", json={"name": "x", "role": "viewer", "scopes": ["read"]})),
            (403, await machine.get("/hitl/tokens?everybody=true")),
            (404, await machine.delete(f"/hitl/tokens/{strong['id']}")),
            (401, await machine.delete("/hitl/session")),
            (403, await machine.post("/write")),
            (204, await machine.delete(f"/hitl/tokens/{weak['id']}")),
            (401, await machine.get("/read")),
        ):
            assert answer.status_code == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "\0"},
        {"name": "x" * 101},
        {"role": "root"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["read"] * 100},
        {"days": 0},
        {"days": 10**400},
    ],
)
async def test_what_cannot_be_a_token_is_a_problem_document(service, browser, wrong):
    csrf = await service.log_in(browser)
    answer = await make_token(browser, csrf, **wrong)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await browser.get("/hitl/tokens")).json() == {"items": []}


async def test_one_time_tokens_are_not_taken_where_a_provider_logs_people_in(make_service, forged):
    service = await make_service(issuer=forged.issuer, local=False)
    async with service.browser() as browser:
        answer = await browser.post("/hitl/session", json={"token": await service.ticket()})
        assert answer.status_code == 403
        ways = (await browser.get("/hitl/session")).json()["methods"]
        assert ways == [{"kind": "oidc", "url": "/hitl/login/oidc"}]
        assert 'href="/hitl/login/oidc"' in (await browser.get("/hitl/login")).text


async def test_without_a_provider_there_is_no_way_to_one(service, browser):
    for path in ("/hitl/login/oidc", "/hitl/login/callback?state=x&code=y"):
        assert (await browser.get(path)).status_code == 403


async def test_a_refused_login_is_heard_of_with_where_it_came_from(service, browser):
    await browser.post("/hitl/session", json={"token": "wrong"})
    ((kind, actor, detail),) = service.heard
    assert (kind, actor) == ("login.refused", "")
    assert detail.endswith("(from 127.0.0.1)")
    assert "wrong" not in detail


@pytest.mark.parametrize(
    ("origin", "let_in"), [("own", True), ("https://evil.example.org", False), ("null", False), (None, False)]
)
async def test_a_websocket_known_by_its_cookie_is_opened_by_our_own_pages_only(service, browser, origin, let_in):
    await service.log_in(browser)
    headers = {"Origin": service.url if origin == "own" else origin} if origin else {}
    if let_in:
        async with aconnect_ws(f"{service.url}/ws", browser, headers=headers) as socket:
            assert (await socket.receive_json())["id"] == "local|admin"
    else:
        with pytest.raises(WebSocketUpgradeError) as refused:
            async with aconnect_ws(f"{service.url}/ws", browser, headers=headers):
                pass
        assert refused.value.response.status_code == 403


async def test_a_websocket_takes_an_api_token_and_nobody_without_one(service, browser):
    csrf = await service.log_in(browser)
    made = (await make_token(browser, csrf)).json()
    async with service.browser() as machine:
        with pytest.raises(WebSocketUpgradeError) as refused:
            async with aconnect_ws(f"{service.url}/ws", machine):
                pass
        assert refused.value.response.status_code == 401
        headers = {"Authorization": f"Bearer {made['secret']}"}
        async with aconnect_ws(f"{service.url}/ws", machine, headers=headers) as socket:
            assert (await socket.receive_json())["kind"] == "token"


async def test_the_openapi_document_tells_every_answer(service, browser):
    paths = (await browser.get("/openapi.json")).json()["paths"]
    told = {
        f"{method} {path}": set(operation["responses"])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/hitl")
    }
    assert told == {
        "get /hitl/login": {"200", "422"},
        "post /hitl/login": {"303", "401", "403", "422"},
        "get /hitl/logout": {"200"},
        "post /hitl/logout": {"200", "403"},
        "get /hitl/login.js": {"200"},
        "get /hitl/login/oidc": {"303", "401", "403", "422", "503"},
        "get /hitl/login/callback": {"303", "401", "403", "422", "503"},
        "get /hitl/session": {"200", "401"},
        "post /hitl/session": {"201", "400", "401", "403", "422"},
        "delete /hitl/session": {"200", "401", "403"},
        "get /hitl/tokens": {"200", "401", "403", "422"},
        "post /hitl/tokens": {"201", "400", "401", "403", "422"},
        "delete /hitl/tokens/{token_id}": {"204", "401", "403", "404", "422"},
    }
