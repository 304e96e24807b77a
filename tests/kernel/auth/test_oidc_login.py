"""A person logs in at a real, certified provider."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.oidc_provider import come_back_url

GOOD = "ana+vertice-leads@example.org"


@pytest.fixture
async def make(make_service, provider, provider_port):
    async def make(**ours):
        return await make_service(issuer=provider.url, port=provider_port, **ours)

    return make


async def log_in(browser, login=GOOD, path="/hitl/login/oidc"):
    departure = await browser.get(path)
    assert departure.status_code == 303, departure.text
    back = await come_back_url(departure.headers["location"], login)
    return await browser.get(back)


@pytest.mark.parametrize(
    ("client", "secret"),
    [
        ("console", None),
        ("console-es256", None),
        ("console-ps256", None),
        ("console-eddsa", None),
        ("console-secret", "a secret: with %, / and +"),
        ("console-post", "posted"),
    ],
)
async def test_a_person_logs_in_and_has_the_role_of_their_group(make, provider, client, secret):
    service = await make(client_id=client, client_secret=secret)
    async with service.browser() as browser:
        answer = await log_in(browser, path="/hitl/login/oidc?next=/reviews?status=pending")
        assert (answer.status_code, answer.headers["location"]) == (303, "/reviews?status=pending"), answer.text
        found = (await browser.get("/hitl/session")).json()
        assert found["principal"]["id"] == f"{provider.url}|{GOOD}"
        assert found["principal"]["role"] == "lead"
        assert found["principal"]["name"] == f"Name of {GOOD}"
        assert found["principal"]["email"] == GOOD
        changed = await browser.post("/lead", headers={"X-CSRF-Token": found["csrf_token"]})
        assert changed.status_code == 200
    assert ("login.succeeded", f"{provider.url}|{GOOD}", "role lead") in service.heard


async def test_who_is_in_no_group_that_has_a_role_stays_outside(make, provider):
    service = await make()
    async with service.browser() as browser:
        answer = await log_in(browser, "bob+visitors@example.org")
        assert answer.status_code == 403
        assert "no role" in answer.json()["detail"]
        assert (await browser.get("/hitl/session")).json()["principal"] is None
    assert service.heard[-1][0] == "login.refused"


async def test_a_person_who_declines_at_the_provider_is_told_so(make, provider):
    service = await make()
    async with service.browser() as browser:
        departure = await browser.get("/hitl/login/oidc")
        state = parse_qs(urlsplit(departure.headers["location"]).query)["state"][0]
        query = {"error": "access_denied", "state": state, "iss": provider.url}
        answer = await browser.get("/hitl/login/callback", params=query)
        assert answer.status_code == 401
        assert "access_denied" in answer.json()["detail"]


async def test_an_answer_is_good_once(make, provider):
    service = await make()
    async with service.browser() as browser:
        departure = await browser.get("/hitl/login/oidc")
        cookie = browser.cookies.get("vertice-login")
        back = await come_back_url(departure.headers["location"], GOOD)
        assert (await browser.get(back)).status_code == 303
        assert browser.cookies.get("vertice-login") is None
    async with service.browser() as other:
        other.cookies.set("vertice-login", cookie, domain="127.0.0.1")
        assert (await other.get(back)).status_code == 401, "the state is used up"
        again = await other.get("/hitl/login/oidc")
        code = parse_qs(urlsplit(back).query)["code"][0]
        state = parse_qs(urlsplit(again.headers["location"]).query)["state"][0]
        query = {"code": code, "state": state, "iss": provider.url}
        replayed = await other.get("/hitl/login/callback", params=query)
        assert replayed.status_code == 401, "the code is used up, and belongs to another verifier"
        assert "invalid_grant" in replayed.json()["detail"]


async def test_a_victim_cannot_be_logged_in_with_an_attackers_answer(make, provider):
    service = await make()
    async with service.browser() as attacker, service.browser() as victim:
        departure = await attacker.get("/hitl/login/oidc")
        back = await come_back_url(departure.headers["location"], GOOD)
        assert (await victim.get(back)).status_code == 401
        await victim.get("/hitl/login/oidc")
        assert (await victim.get(back)).status_code == 401
        assert (await victim.get("/hitl/session")).json()["principal"] is None


async def test_a_state_too_old_is_refused(make, provider):
    service = await make()
    async with service.browser() as browser:
        departure = await browser.get("/hitl/login/oidc")
        back = await come_back_url(departure.headers["location"], GOOD)
        service.clock.move(minutes=11)
        assert (await browser.get(back)).status_code == 401


async def test_logging_out_says_where_to_log_out_of_the_provider(make, provider):
    service = await make()
    async with service.browser() as browser:
        await log_in(browser)
        token = (await browser.get("/hitl/session")).json()["csrf_token"]
        answer = await browser.delete("/hitl/session", headers={"X-CSRF-Token": token})
        assert answer.json() == {"logout_url": f"{provider.url}/session/end?client_id=console"}
        assert (await browser.get(answer.json()["logout_url"])).status_code == 200
        assert (await browser.get("/read")).status_code == 401


async def test_a_machine_comes_with_the_providers_access_token(make, provider):
    service = await make()
    token = provider.access_token("https://api.example.org", "read")
    async with service.browser() as machine:
        machine.headers["Authorization"] = f"Bearer {token}"
        found = await machine.get("/read")
        assert found.json() == {
            "id": f"{provider.url}|robot",
            "name": "robot",
            "role": "reviewer",
            "kind": "token",
        }
        refused = await machine.post("/write")
        assert (refused.status_code, refused.json()["detail"]) == (403, "the token lacks the scope write")
        more = provider.access_token("https://api.example.org", "read write")
        assert (await machine.post("/write", headers={"Authorization": f"Bearer {more}"})).status_code == 200


async def test_an_access_token_for_another_api_is_refused(make, provider):
    service = await make()
    token = provider.access_token("https://other.example.org", "read")
    async with service.browser() as machine:
        answer = await machine.get("/read", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["detail"] == "the token has a wrong or no claim aud"
