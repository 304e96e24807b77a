"""What a person sees in a browser without the console: logins that work and that do not, and addresses without a page.

No script runs here: each page has to do without.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.oidc_provider import ForgedProvider
from tests.server import free_port

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
HOSTILE = "<script>alert(1)</script>\u202e\x1b[2J" + "no " * 400


@pytest.fixture
def forged():
    with ForgedProvider() as running:
        yield running


@pytest.fixture
async def company(serve, forged):
    """A service whose people log in at a provider."""
    return await serve(oidc_issuer=forged.issuer, oidc_client_id="console", oidc_roles={"vertice-leads": "lead"})


async def one_time(desk) -> str:
    return await desk.api.local.one_time_url(desk.url, prefix="/hitl")


async def depart(browser) -> dict[str, str]:
    """Begin a login at the provider; return what it was sent."""
    answer = await browser.get("/hitl/login/oidc")
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def press(browser, page: httpx.Response) -> httpx.Response:
    """Press the button of the page's form."""
    action = re.search(r'<form class="actions" method="post" action="([^"]+)"', page.text)[1]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return await browser.post(action, data={name: unescape(value) for name, value in fields})


def is_page(answer: httpx.Response, status: int, heading: str) -> str:
    """Check what holds of every page; return its words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    html = answer.text
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)[1]
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert re.findall("<h1>(.*?)</h1>", html) == [heading]
    assert not re.findall(r"<script(?! src=)| style=| on\w+=|javascript:", html)
    if status >= 400:
        assert answer.headers["x-request-id"] in html
    body = re.sub("<style>.*?</style>", "", html[html.index("<main>") :], flags=re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]+>", " ", body)).split())


def leads_to(answer: httpx.Response) -> str:
    """Return the address of the page's button."""
    return unescape(re.search(r'<a class="button" href="([^"]+)"', answer.text)[1])


async def test_a_one_time_link_logs_in_and_the_start_page_says_who_is_there(desk):
    browser = desk.client(headers=BROWSER)
    start = await browser.get("/")
    assert "Nobody is logged in." in is_page(start, 200, "Vértice is running")
    page = await browser.get(leads_to(start))
    assert "vertice login" in is_page(page, 200, "Log in")
    page = await browser.get(await one_time(desk))
    is_page(page, 200, "Log in")
    answer = await press(browser, page)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "You are logged in as Ada (admin)." in is_page(await browser.get("/"), 200, "Vértice is running")
    out = await browser.get("/hitl/logout")
    is_page(out, 200, "Log out")
    is_page(await press(browser, out), 200, "You are logged out")
    assert "Nobody is logged in." in is_page(await browser.get("/"), 200, "Vértice is running")


async def test_a_link_that_was_used_says_so_and_leads_on(desk):
    browser = desk.client(headers=BROWSER)
    page = await browser.get(await one_time(desk))
    await press(browser, page)
    again = await press(browser, page)
    words = is_page(again, 401, "The login did not work")
    assert "This login link was used already. vertice login prints a new one, where the server runs." in words
    assert leads_to(again) == "/hitl/login"
    data = await press(desk.client(), page)
    assert (data.status_code, data.headers["content-type"]) == (401, "application/problem+json")
    assert data.json()["detail"] == "this login link was used already"


@pytest.mark.parametrize("token", ["wrong", "", "x" * 10_240, '"><script>alert(1)</script>', "\u202eé"])
async def test_a_link_that_never_was_says_so(desk, token):
    browser = desk.client(headers=BROWSER)
    answer = await browser.post("/hitl/login", data={"token": token})
    assert "This login link is not known here" in is_page(answer, 401, "The login did not work")


async def test_addresses_that_were_changed_on_the_way_are_no_riddle(desk):
    browser = desk.client(headers=BROWSER)
    for query in ({"token": "x" * 10_240}, {"token": "x", "next": "//evil.example.org"}, {"next": "/\\evil"}):
        answer = await browser.get("/hitl/login", params=query)
        words = is_page(answer, 422, "The login did not work")
        assert "This address is not complete, or was changed on the way." in words
        assert "evil" not in answer.text
        assert len(answer.text) < 10_000
    is_page(await browser.get("/hitl/login?token="), 200, "Log in")
    assert (await desk.client().get("/hitl/login", params={"token": "x" * 201})).json()["where"] == "query.token"


async def test_a_form_from_elsewhere_is_refused_with_a_page(desk):
    browser = desk.client(headers={**BROWSER, "Origin": "https://evil.example.org"})
    answer = await browser.post("/hitl/login", data={"token": "x"})
    assert "The request comes from a page of another origin." in is_page(answer, 403, "The login did not work")
    await desk.client().get("/")
    ada = await desk.person("ada")
    ada.headers.update(BROWSER)
    answer = await ada.post("/hitl/logout", data={"csrf_token": "wrong"})
    is_page(answer, 403, "The logout did not work")
    assert leads_to(answer) == "/hitl/logout"


async def test_without_a_provider_its_addresses_lead_to_the_login_page(desk):
    answer = await desk.client(headers=BROWSER).get("/hitl/login/oidc")
    assert "No login provider is configured." in is_page(answer, 403, "The login did not work")
    assert leads_to(answer) == "/hitl/login"


async def test_a_person_logs_in_and_out_at_a_provider(company, forged):
    forged.document["end_session_endpoint"] = f"{forged.issuer}/end"
    browser = company.client(headers=BROWSER)
    page = await browser.get("/hitl/login", params={"next": "/reviews?status=pending&q=a b"})
    is_page(page, 200, "Log in")
    assert parse_qs(urlsplit(leads_to(page)).query) == {"next": ["/reviews?status=pending&q=a b"]}
    sent = await depart(browser)
    forged.nonce = sent["nonce"]
    forged.claims = {"name": "<b>Ana</b>"}
    answer = await browser.get("/hitl/login/callback", params={"state": sent["state"], "code": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    start = await browser.get("/")
    assert "You are logged in as <b>Ana</b> (lead)." in is_page(start, 200, "Vértice is running")
    assert "<b>" not in start.text
    answer = await press(browser, await browser.get("/hitl/logout"))
    assert "You are still logged in at your organisation" in is_page(answer, 200, "You are logged out")
    assert f'href="{forged.issuer}/end?client_id=console"' in answer.text


async def test_a_one_time_link_is_no_way_in_where_a_provider_is(company):
    page = await company.client(headers=BROWSER).get("/hitl/login?token=x")
    is_page(page, 200, "Log in")
    assert (leads_to(page), "<form" in page.text) == ("/hitl/login/oidc", False)


async def test_what_the_provider_says_against_it_is_shown_short_and_as_text(company, forged):
    browser = company.client(headers=BROWSER)
    query = {"state": (await depart(browser))["state"], "error": "access_denied", "error_description": HOSTILE}
    answer = await browser.get("/hitl/login/callback", params=query)
    words = is_page(answer, 401, "The login did not work")
    assert "The provider refuses the login: access_denied ( <script>" not in answer.text
    assert "The provider refuses the login: access_denied (<script>alert(1)</script>\\u202e\\x1b[2Jno" in words
    assert len(words) < 600
    assert leads_to(answer) == "/hitl/login/oidc"


async def test_a_way_back_is_good_once_in_one_browser_and_for_ten_minutes(company, forged):
    browser, other = company.client(headers=BROWSER), company.client(headers=BROWSER)
    sent = await depart(browser)
    back = {"state": sent["state"], "code": "x"}
    answer = await other.get("/hitl/login/callback", params=back)
    assert "The login was begun in another browser." in is_page(answer, 401, "The login did not work")
    answer = await browser.get("/hitl/login/callback", params=back)
    assert "This login attempt was used already." in is_page(answer, 401, "The login did not work")
    for state in ("forged", "", "é" * 2000):
        answer = await browser.get("/hitl/login/callback", params={"state": state, "code": "x"})
        assert "This login attempt is not known here" in is_page(answer, 401, "The login did not work")
    answer = await browser.get("/hitl/login/callback", params={"state": "x" * 10_240})
    assert "This address is not complete" in is_page(answer, 422, "The login did not work")
    assert leads_to(answer) == "/hitl/login/oidc"
    data = await company.client().get("/hitl/login/callback", params=back)
    assert (data.status_code, data.headers["content-type"]) == (401, "application/problem+json")


async def test_who_has_no_role_is_told_whom_to_ask(company, forged):
    browser = company.client(headers=BROWSER)
    sent = await depart(browser)
    forged.nonce, forged.claims = sent["nonce"], {"groups": ["visitors"]}
    answer = await browser.get("/hitl/login/callback", params={"state": sent["state"], "code": "x"})
    words = is_page(answer, 403, "The login did not work")
    assert "The provider gives you no role here (claim groups). Ask an admin" in words
    assert "Nobody is logged in." in is_page(await browser.get("/"), 200, "Vértice is running")


async def test_a_provider_that_is_down_is_named_but_not_its_address(serve):
    port = free_port()
    desk = await serve(oidc_issuer=f"http://127.0.0.1:{port}", oidc_client_id="console")
    answer = await desk.client(headers=BROWSER).get("/hitl/login/oidc")
    words = is_page(answer, 503, "The login did not work")
    assert "The login provider does not answer" in words
    assert str(port) not in answer.text
    assert leads_to(answer) == "/hitl/login/oidc"
    data = await desk.client().get("/hitl/login/oidc")
    assert (data.status_code, data.json()["type"]) == (503, "/problems/provider-unavailable")


async def test_a_page_that_is_not_there_leads_to_the_start(desk):
    for path in ("/nowhere", "/reviews/1", "/problems/nonsense", "/hitl"):
        answer = await desk.client(headers=BROWSER).get(path)
        assert "There is nothing at this address." in is_page(answer, 404, "Not found")
        assert leads_to(answer) == "/"
        assert (await desk.client().get(path)).headers["content-type"] == "application/problem+json"


async def test_the_api_answers_data_whatever_is_asked_for(desk):
    for path, status in (("/hitl/reviews", 401), ("/hitl/nothing", 404), ("/health/nothing", 404)):
        answer = await desk.client(headers={"Accept": "text/html"}).get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_who_is_too_fast_sees_a_page_that_needs_nothing_more(serve):
    desk = await serve(rate_limit_login="1/minute")
    browser = desk.client(headers=BROWSER)
    await browser.post("/hitl/login", data={"token": "guess"})
    answer = await browser.post("/hitl/login", data={"token": "guess"})
    assert "More than 1 requests in 60 s. Wait" in is_page(answer, 429, "Too many requests")
    assert int(answer.headers["retry-after"]) >= 1
    desk = await serve(rate_limit_address="1/minute")
    browser = desk.client(headers=BROWSER)
    await browser.get("/")
    answer = await browser.get("/")
    assert "Wait" in is_page(answer, 429, "Too many requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert "<link" not in answer.text


async def test_what_is_too_much_or_no_text_is_refused_with_a_page(desk):
    browser = desk.client(headers=BROWSER)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await browser.post("/hitl/login", content=b"token=" + b"x" * 2 * 1024 * 1024, headers=form)
    is_page(answer, 413, "The login did not work")
    is_page(await browser.get("/hitl/login?token=%00"), 400, "The login did not work")
    answer = await browser.post("/hitl/login", content=b"token=%ff%fe&&&==&token", headers=form)
    is_page(answer, 401, "The login did not work")


async def test_the_kinds_of_problems_are_explained_at_their_own_addresses(desk):
    browser, machine = desk.client(headers=BROWSER), desk.client()
    index = await browser.get("/problems")
    is_page(index, 200, "Kinds of problems")
    items = (await machine.get("/problems")).json()["items"]
    assert {"not-logged-in", "project-conflict", "provider-unavailable"} <= {item["code"] for item in items}
    assert re.findall(r'<li><a href="([^"]+)"', index.text) == [item["type"] for item in items]
    for item in items:
        words = is_page(await browser.get(item["type"]), 200, item["title"])
        assert item["meaning"].replace("`", "").split(":")[0] in words
        assert str(item["status"]) in words
    refused = (await machine.get("/hitl/reviews")).json()
    assert (await machine.get(refused["type"])).json()["code"] == "not-logged-in"
