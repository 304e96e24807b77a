"""Reading tokens and claims: whatever is in them ends in an identity or in one of our errors."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from vertice.kernel.auth.claims import RoleRules, identity_of, key_set, read, scopes_of
from vertice.kernel.auth.model import AuthError, ForbiddenError, Role, Scope
from vertice.kernel.errors import InputError

ISSUER = "https://id.example.org"
KEY = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256"})
NOW = datetime(2026, 11, 21, tzinfo=UTC)
ADMINS = RoleRules(roles={"admins": Role.admin, "people": Role.viewer})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "groups", "email", "name", "typ"])


def open_token(token, nonce=None):
    return read(token, KeySet([KEY]), issuer=ISSUER, audience="us", now=NOW, nonce=nonce)


def honest(**changes):
    said = {"iss": ISSUER, "aud": "us", "sub": "ada", "exp": NOW.timestamp() + 1, "iat": NOW.timestamp(), **changes}
    return jwt.encode({"alg": "ES256", "kid": "one"}, said, KEY)


def signed(header, claims):
    """A token with a header that joserfc's own encoder would refuse."""
    payload = f"{encoded(header)}.{encoded(claims)}"
    r, s = decode_dss_signature(KEY.private_key.sign(payload.encode(), ECDSA(SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{payload}.{urlsafe_b64encode(raw).rstrip(b'=').decode()}"


def encoded(value):
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_text_is_refused(text):
    with pytest.raises(AuthError):
        open_token(text)


@given(JSON | st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk"]), JSON), JSON)
def test_any_header_without_a_signature_is_refused(header, claims):
    with pytest.raises(AuthError):
        open_token(f"{encoded(header)}.{encoded(claims)}.")


@given(st.dictionaries(NAMES, JSON), st.sampled_from([None, "n"]))
def test_any_signed_claims_are_believed_or_refused(claims, nonce):
    try:
        identity_of(open_token(honest(**claims), nonce), ISSUER, RoleRules(default=Role.viewer))
    except (AuthError, ForbiddenError):
        return
    assert {"iss": ISSUER, "aud": "us", **claims}["iss"] == ISSUER


@pytest.mark.parametrize(("seconds", "good"), [(-59, True), (-60, False)])
def test_a_minute_of_leeway(seconds, good):
    token = honest(exp=NOW.timestamp() + seconds)
    if good:
        assert open_token(token)["sub"] == "ada"
    else:
        with pytest.raises(AuthError, match="expired"):
            open_token(token)


def test_a_critical_header_that_we_do_not_know_is_refused_and_another_ignored():
    claims = open_token(honest())
    assert open_token(signed({"alg": "ES256", "kid": "one", "x5t#S256": "x", "other": 1}, claims)) == claims
    with pytest.raises(AuthError):
        open_token(signed({"alg": "ES256", "kid": "one", "crit": ["other"], "other": 1}, claims))


def test_weak_foreign_and_broken_keys_are_left_out():
    n = generate_private_key(65537, 1024).public_key().public_numbers().n.to_bytes(128, "big")
    weak = {"kty": "RSA", "e": "AQAB", "n": urlsafe_b64encode(n).rstrip(b"=").decode(), "kid": "weak"}
    sealing = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}).as_dict(private=False)
    good = KEY.as_dict(private=False)
    document = {"keys": [weak, sealing, {"kty": "oct", "k": "YQ"}, {"kty": "EC", "crv": "P-256"}, None, good]}
    assert [key.kid for key in key_set(document)] == ["one"]
    with pytest.raises(InputError, match="no key that we can use"):
        key_set({"keys": [weak]})


@given(JSON | st.fixed_dictionaries({"keys": st.lists(st.dictionaries(st.sampled_from(["kty", "use", "n"]), JSON))}))
def test_any_key_document_without_a_sound_key_is_refused(document):
    with pytest.raises(InputError):
        key_set(document)


@pytest.mark.parametrize(
    ("claims", "rules", "role"),
    [
        ({"groups": ["people", "admins", "x"]}, ADMINS, Role.admin),
        ({"groups": "people"}, ADMINS, Role.viewer),
        ({"groups": ["x"]}, RoleRules(roles=ADMINS.roles, default=Role.viewer), Role.viewer),
        ({"realm_access": {"roles": ["admins"]}}, RoleRules("realm_access.roles", ADMINS.roles), Role.admin),
        ({"https://e.org/roles": ["admins"]}, RoleRules("https://e.org/roles", ADMINS.roles), Role.admin),
    ],
)
def test_the_highest_role_that_the_claim_gives(claims, rules, role):
    assert identity_of({"sub": "ada", **claims}, ISSUER, rules).role is role


@pytest.mark.parametrize("groups", [None, [], "admin", {"admins": True}, [["admins"]], 7, "admins people"])
def test_a_claim_that_gives_no_role_is_refused(groups):
    with pytest.raises(ForbiddenError, match="no role"):
        identity_of({"sub": "ada", "groups": groups}, ISSUER, ADMINS)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "openid write decide"}, {Scope.write, Scope.decide}),
        ({"scp": ["admin", 7]}, {Scope.admin}),
        ({"scp": "write"}, {Scope.write}),
        ({"scope": "openid profile"}, {Scope.read}),
        ({"scope": 7}, {Scope.read}),
        ({}, {Scope.read}),
    ],
)
def test_an_access_token_is_for_the_scopes_it_names_and_else_for_reading(claims, scopes):
    assert scopes_of(claims) == scopes
