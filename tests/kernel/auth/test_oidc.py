"""What is believed of a provider that lies, forges, sends nonsense or is not there."""

import hmac
import json
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from vertice.kernel.auth.oidc import OidcClient
from vertice.kernel.errors import InputError


@pytest.fixture
def database_url(sqlite_url):
    """What is believed of a provider does not depend on the database."""
    return sqlite_url


async def begin(service, browser, forged):
    departure = await browser.get("/hitl/login/oidc")
    assert departure.status_code == 303, departure.text
    query = {name: values[0] for name, values in parse_qs(urlsplit(departure.headers["location"]).query).items()}
    forged.nonce = query["nonce"]
    return query


async def end(browser, query, **changes):
    return await browser.get("/hitl/login/callback", params={"code": "c", "state": query["state"], **changes})


@pytest.fixture
async def service(make_service, forged, clock):
    forged.clock = lambda: clock().timestamp()
    return await make_service(issuer=forged.issuer)


async def log_in(service, forged, **changes):
    async with service.browser() as browser:
        return await end(browser, await begin(service, browser, forged), **changes)


async def test_an_honest_answer_logs_in(service, forged):
    assert (await log_in(service, forged)).status_code == 303
    assert forged.form["code_verifier"]
    assert "client_secret" not in forged.form


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://evil.example.org"}, "iss"),
        ({"iss": None}, "iss"),
        ({"iss": ["https://evil.example.org"]}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["another"]}, "aud"),
        ({"aud": ["console", "another"]}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "never"}, "exp"),
        ({"nbf": 4_000_000_000}, "nbf"),
        ({"iat": 4_000_000_000}, "iat"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
    ],
)
async def test_an_id_token_that_says_the_wrong_thing_is_refused(service, forged, claims, why):
    forged.claims = claims
    answer = await log_in(service, forged)
    assert answer.status_code == 401
    assert why in answer.json()["detail"]
    assert service.heard[-1][:2] == ("login.refused", "")


@pytest.mark.parametrize("key_type", ["RSA", "EC", "OKP"])
async def test_a_token_of_somebody_elses_key_is_refused(service, forged, key_type):
    kind, size, alg = {
        "RSA": (RSAKey, 2048, "RS256"),
        "EC": (ECKey, "P-256", "ES256"),
        "OKP": (OKPKey, "Ed25519", "EdDSA"),
    }[key_type]
    if alg == "EdDSA":
        alg = "Ed25519"
    forged.key = kind.generate_key(size, {"kid": "forged-1", "alg": alg})
    assert (await log_in(service, forged)).status_code == 401


async def test_a_token_without_a_signature_is_refused(service, forged):
    async with service.browser() as browser:
        query = await begin(service, browser, forged)
        honest = forged.token(aud="console", nonce=query["nonce"], groups=["vertice-admins"])
        payload = honest.split(".")[1]
        forged.id_token = f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."  # {"alg":"none","typ":"JWT"}
        answer = await end(browser, query)
        assert (answer.status_code, answer.json()["detail"]) == (
            401,
            "the token is signed with an algorithm that is not allowed",
        )


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(service, forged):
    async with service.browser() as browser:
        query = await begin(service, browser, forged)
        honest = forged.token(aud="console", nonce=query["nonce"], groups=["vertice-admins"])
        header = urlsafe_b64encode(b'{"alg":"HS256","kid":"forged-1"}').rstrip(b"=").decode()
        signed = f"{header}.{honest.split('.')[1]}"
        secret = forged.published[0].as_pem(private=False)
        signature = urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).rstrip(b"=").decode()
        forged.id_token = f"{signed}.{signature}"
        answer = await end(browser, query)
        assert (answer.status_code, answer.json()["detail"]) == (
            401,
            "the token is signed with an algorithm that is not allowed",
        )


async def test_a_key_that_the_token_brings_along_is_not_used(service, forged):
    mine = RSAKey.generate_key(2048, {"kid": "forged-1", "alg": "RS256"})
    forged.key, forged.header = mine, {"jwk": mine.as_dict(private=False)}
    assert (await log_in(service, forged)).status_code == 401


async def test_secrets_among_the_published_keys_are_not_used(service, forged):
    secret = OctKey.generate_key(256, {"kid": "secret", "alg": "HS256"})
    forged.published.append(secret)
    forged.answers["/jwks"] = (200, _jwks(*forged.published, private=True))
    forged.key = secret
    assert (await log_in(service, forged)).status_code == 401


async def test_a_new_key_is_found_but_the_provider_is_not_asked_for_every_unknown_one(service, forged):
    assert (await log_in(service, forged)).status_code == 303
    forged.key = RSAKey.generate_key(2048, {"kid": "unpublished", "alg": "RS256"})
    service.clock.move(minutes=2)
    before = forged.asked.count("GET /jwks")
    for _ in range(3):
        answer = await log_in(service, forged)
        assert answer.status_code == 401
        assert answer.json()["type"].endswith("unknown-key")
    assert forged.asked.count("GET /jwks") == before + 1
    forged.published.append(forged.key)
    service.clock.move(minutes=2)
    assert (await log_in(service, forged)).status_code == 303, "the key is published now"


async def test_a_key_that_is_published_no_longer_is_forgotten_within_the_hour(service, forged):
    assert (await log_in(service, forged)).status_code == 303
    forged.published = [RSAKey.generate_key(2048, {"kid": "next", "alg": "RS256"})]
    service.clock.move(minutes=61)
    assert (await log_in(service, forged)).status_code == 401


async def test_the_role_may_come_from_userinfo_but_only_from_that_of_the_same_person(service, forged):
    forged.claims = {"groups": None, "email": None}
    forged.document = {"userinfo_endpoint": f"{forged.issuer}/userinfo"}
    forged.userinfo = {"sub": "mallory", "groups": ["vertice-admins"], "name": "Mal"}
    async with service.browser() as browser:
        assert (await end(browser, await begin(service, browser, forged))).status_code == 303
        found = (await browser.get("/hitl/session")).json()["principal"]
        assert (found["role"], found["name"]) == ("admin", "Mal")
    forged.userinfo["sub"] = "ada"
    answer = await log_in(service, forged)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the provider describes somebody else")


async def test_an_answer_of_another_provider_is_refused(service, forged):
    assert (await log_in(service, forged, iss="https://evil.example.org")).status_code == 401
    forged.document = {"authorization_response_iss_parameter_supported": True}
    service.clock.move(minutes=61)
    assert (await log_in(service, forged)).status_code == 401, "it promised to name itself"
    assert (await log_in(service, forged, iss=forged.issuer)).status_code == 303


@pytest.mark.parametrize("subject", ["x" * 200, "a\u202eb", "a\nb", "a\0b"])
async def test_a_subject_that_cannot_be_kept_whole_is_refused(service, forged, subject):
    forged.claims = {"sub": subject}
    assert (await log_in(service, forged)).status_code == 401


async def test_hostile_names_are_kept_harmless(service, forged):
    forged.claims = {"name": "Ana\n\x1b[31m\0" + "x" * 500, "email": "a@b\r\nBcc: c@d"}
    async with service.browser() as browser:
        await end(browser, await begin(service, browser, forged))
        found = (await browser.get("/hitl/session")).json()["principal"]
        assert found["name"].startswith("Ana\\x0a\\x1b[31m\\x00")
        assert len(found["name"]) == 100
        assert found["email"] == "a@b\\x0d\\x0aBcc: c@d"


async def test_an_unverified_email_is_not_taken(service, forged):
    forged.claims = {"email_verified": False}
    async with service.browser() as browser:
        await end(browser, await begin(service, browser, forged))
        assert (await browser.get("/hitl/session")).json()["principal"]["email"] == ""


@pytest.mark.parametrize(
    ("document", "change"),
    [
        ({}, lambda honest: (500, honest)),
        ({}, lambda _: (200, b"<html>")),
        ({}, lambda _: (200, b"[]")),
        ({}, lambda _: (200, b"[" * 100_000)),
        ({}, lambda honest: (200, honest + b" " * 2_000_000)),
        ({}, lambda _: (302, b"/elsewhere")),
        ({"issuer": "https://evil.example.org"}, None),
        ({"jwks_uri": "http://id.example.org/jwks"}, None),
        ({"token_endpoint": 7}, None),
        ({"authorization_endpoint": "javascript:alert(1)"}, None),
    ],
)
async def test_a_provider_without_a_sound_document_is_not_used(service, forged, document, change):
    honest = json.dumps(forged._discovery()).encode()
    forged.answers["/elsewhere"] = (200, honest)
    forged.document = document
    if change is not None:
        forged.answers["/.well-known/openid-configuration"] = change(honest)
    async with service.browser() as browser:
        assert (await browser.get("/hitl/login/oidc")).status_code == 503
        forged.document, forged.answers = {}, {}
        service.clock.move(seconds=6)
        assert (await browser.get("/hitl/login/oidc")).status_code == 303, "it is sound again"


@pytest.mark.parametrize(
    ("path", "answer", "status"),
    [
        ("/jwks", (500, b"{}"), 503),
        ("/jwks", (200, b'{"keys": []}'), 503),
        ("/jwks", (200, b'{"keys": [{"kty": "RSA", "n": 1}, 7, {"kty": []}]}'), 503),
        ("/token", (502, b"{}"), 503),
        ("/token", (200, b"nonsense"), 503),
        ("/token", (401, b'{"error": "invalid_client"}'), 503),
        ("/token", (400, b'{"error": "invalid_grant"}'), 401),
        ("/token", (200, b"{}"), 401),
        ("/token", (200, b'{"id_token": 7}'), 401),
        ("/token", (200, b'{"id_token": "a.b.c"}'), 401),
        ("/token", (200, b'{"id_token": "e30.e30."}'), 401),
        ("/token", (200, b'{"id_token": "bnVsbA.bnVsbA.bnVsbA"}'), 401),
    ],
)
async def test_nonsense_is_a_clear_answer_and_no_login(service, forged, path, answer, status):
    forged.answers[path] = answer
    found = await log_in(service, forged)
    assert found.status_code == status
    assert found.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in found.headers


async def test_a_provider_that_is_down_is_a_503_and_those_logged_in_stay(service, forged):
    async with service.browser() as browser:
        assert (await end(browser, await begin(service, browser, forged))).status_code == 303
        forged.close()
        service.clock.move(minutes=70)
        assert (await browser.get("/read")).status_code == 200
        answer = await end(browser, {"state": "x"})
        assert answer.status_code == 401
        departure = await browser.get("/hitl/login/oidc")
        assert departure.status_code == 303, "what it said before still serves"
        state = parse_qs(urlsplit(departure.headers["location"]).query)["state"][0]
        assert (await end(browser, {"state": state})).status_code == 503
        token = (await browser.get("/hitl/session")).json()["csrf_token"]
        assert (await browser.delete("/hitl/session", headers={"X-CSRF-Token": token})).status_code == 200


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "console"}, "aud"),
        ({"nonce": "n"}, "not an access token"),
        ({"typ": "ID"}, "not an access token"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"iss": "https://evil.example.org"}, "iss"),
    ],
)
async def test_an_access_token_that_says_the_wrong_thing_is_refused(service, forged, claims, why):
    forged.claims = claims
    token = forged.token(aud="https://api.example.org", groups=["vertice-admins"])
    async with service.browser() as machine:
        answer = await machine.get("/read", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert why in answer.json()["detail"]


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt"])
async def test_a_signed_token_for_another_purpose_is_refused(service, forged, typ):
    forged.header = {"typ": typ}
    token = forged.token(aud="https://api.example.org", groups=["vertice-admins"])
    async with service.browser() as machine:
        assert (await machine.get("/read", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_an_access_token_ends_when_it_says(service, forged):
    token = forged.token(aud="https://api.example.org", groups=["vertice-admins"])
    async with service.browser() as machine:
        machine.headers["Authorization"] = f"Bearer {token}"
        assert (await machine.get("/read")).json()["role"] == "admin"
        service.clock.move(seconds=300 + 61 + 5)
        assert (await machine.get("/read")).status_code == 401


async def test_an_access_token_changes_nothing_about_the_person(service, forged):
    async with service.browser() as browser:
        await end(browser, await begin(service, browser, forged))
        token = forged.token(aud="https://api.example.org", groups=["vertice-reviewers"])
        machine = await browser.get("/read", headers={"Authorization": f"Bearer {token}"})
        assert machine.json()["role"] == "reviewer"
        service.clock.move(seconds=6)
        assert (await browser.get("/hitl/session")).json()["principal"]["role"] == "lead"


@pytest.mark.parametrize("issuer", ["http://id.example.org", "ftp://id.example.org", "id.example.org", "https://"])
async def test_an_issuer_that_is_not_https_is_refused_at_the_start(make_service, issuer):
    with pytest.raises(InputError, match="https"):
        await make_service(issuer=issuer)


async def test_an_audience_that_is_the_clients_id_is_refused_at_the_start(make_service, forged):
    with pytest.raises(InputError, match="ID tokens would pass"):
        await make_service(issuer=forged.issuer, audience="console")


def test_the_clients_secret_is_not_shown():
    assert "hush" not in repr(OidcClient("console", "https://a/cb", client_secret="hush"))


def _jwks(*keys, private):
    return json.dumps({"keys": [key.as_dict(private=private) for key in keys]}).encode()
