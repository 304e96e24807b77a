"""Login by an OpenID provider: authorization code with PKCE for the console, access tokens for machines.

Whoever comes back from the provider must be the browser that was sent there: the state is good once, and only with
the cookie that was set when it was given out.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from vertice.kernel.auth import claims
from vertice.kernel.auth.claims import RoleRules, UnknownKeyError
from vertice.kernel.auth.model import AuthError, Identity, Scope
from vertice.kernel.auth.provider import Metadata, Provider, ProviderError, secure_url
from vertice.kernel.auth.secret import digest, new_secret
from vertice.kernel.auth.tickets import TicketStore
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["Departure", "Oidc", "OidcClient"]

_KIND = "oidc"
_AGAIN = "Start the login again."


@dataclass(frozen=True, slots=True)
class OidcClient:
    """What the provider's operator and ours agreed on."""

    client_id: str
    redirect_uri: str
    """`https://…/hitl/login/callback`, as registered with the provider."""
    client_secret: str | None = None
    """None for a public client, which has PKCE alone."""
    audience: str = ""
    """`aud` of access tokens for us; never the client's own id, which is that of ID tokens. Empty: none are taken."""
    scopes: str = "openid profile email"
    roles: RoleRules = field(default_factory=RoleRules)
    after_logout: str = ""
    """Where the provider sends a person after its own logout; must be registered with it. Empty: it decides."""

    def __repr__(self) -> str:
        return f"OidcClient(client_id={self.client_id!r}, redirect_uri={self.redirect_uri!r})"


@dataclass(frozen=True, slots=True)
class Departure:
    """A browser on its way to the provider."""

    url: str
    secret: str
    """For a cookie of that browser; `finish` wants it back."""


class Oidc:
    """One provider and our client at it."""

    def __init__(
        self,
        issuer: str,
        ours: OidcClient,
        *,
        tickets: TicketStore,
        clock: Callable[[], datetime],
        http: httpx.AsyncClient,
    ) -> None:
        """Check the settings. Nothing is asked of the provider before the first login.

        Raises InputError for an issuer or redirect URI that is not https (http to this machine will do), and for an
        audience that is the client's id.
        """
        if not secure_url(ours.redirect_uri):
            raise InputError("the redirect URI is no https URL", where=printable(ours.redirect_uri, limit=200))
        if ours.audience == ours.client_id:
            raise InputError(
                "the audience of access tokens is the client's id: ID tokens would pass as access tokens",
                where=printable(ours.client_id, limit=100),
                todo="Register an API (resource) of its own with the provider and name that.",
            )
        self.issuer = issuer
        self._ours = ours
        self._tickets = tickets
        self._clock = clock
        self._provider = Provider(issuer, clock=clock, client=http)

    async def start(self, then: str) -> Departure:
        """Begin a login that ends at the local path `then`. Raises ProviderError when the provider is down."""
        metadata = await self._provider.metadata()
        verifier, nonce, secret = new_secret(), new_secret(), new_secret()
        state = await self._tickets.issue(
            _KIND, {"verifier": verifier, "nonce": nonce, "browser": digest(secret), "then": then}
        )
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._ours.client_id,
                "redirect_uri": self._ours.redirect_uri,
                "scope": self._ours.scopes,
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return Departure(f"{metadata.authorization_endpoint}{joint}{query}", secret)

    async def finish(self, answer: Mapping[str, str], secret: str) -> tuple[Identity, str]:
        """Return who logged in and the path to go to, from the query that the provider sent the browser back with.

        Raises AuthError when the answer is not one to a login that this browser began, ForbiddenError when the
        provider gives the person no role.
        """
        ticket = await self._tickets.take(_KIND, answer.get("state", ""), name="this login attempt", todo=_AGAIN)
        if not hmac.compare_digest(ticket["browser"], digest(secret)):
            raise _refused("the login was begun in another browser")
        metadata = await self._provider.metadata()
        named = answer.get("iss")
        if (named is not None or metadata.says_issuer) and named != self.issuer:
            raise _refused("the answer is not from the provider that was asked")
        if "error" in answer:
            raise _refused(f"the provider refuses the login: {_reason(answer)}")
        if not answer.get("code"):
            raise _refused("the provider sent no code")
        tokens = await self._redeem(metadata, answer["code"], ticket["verifier"])
        said = await self._read(_text(tokens, "id_token"), audience=self._ours.client_id, nonce=ticket["nonce"])
        said |= await self._more_about(said, metadata, _text(tokens, "access_token"))
        return claims.identity_of(said, self.issuer, self._ours.roles), ticket["then"]

    async def bearer(self, token: str) -> tuple[Identity, frozenset[Scope]]:
        """Return who an access token of the provider speaks for, and what it is for. Raises AuthError."""
        if not self._ours.audience:
            raise AuthError("access tokens of the provider are not taken here", where="token", todo="Use an API token.")
        said = await self._read(token, audience=self._ours.audience)
        return claims.identity_of(said, self.issuer, self._ours.roles), claims.scopes_of(said)

    async def logout_url(self) -> str:
        """Return where the person can end their session at the provider as well, "" where it offers none."""
        try:
            metadata = await self._provider.metadata()
        except ProviderError:
            return ""
        if not metadata.end_session_endpoint:
            return ""
        query = {"client_id": self._ours.client_id}
        if self._ours.after_logout:
            query["post_logout_redirect_uri"] = self._ours.after_logout
        return f"{metadata.end_session_endpoint}?{urlencode(query)}"

    async def _redeem(self, metadata: Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._ours.redirect_uri,
            "code_verifier": verifier,
        }
        secret, basic = self._ours.client_secret, None
        if secret is not None and not metadata.secret_in_body:
            # RFC 6749, section 2.3.1: both are form-encoded before they are put together.
            basic = (quote(self._ours.client_id, safe=""), quote(secret, safe=""))
        else:
            form["client_id"] = self._ours.client_id
            if secret is not None:
                form["client_secret"] = secret
        status, tokens = await self._provider.post_form(metadata.token_endpoint, form, basic=basic)
        if tokens.get("error") == "invalid_client":
            raise ProviderError(
                "the login provider does not accept our client id and secret",
                where=self.issuer,
                todo="Correct the client's settings.",
            )
        if status != httpx.codes.OK:
            raise _refused(f"the provider does not take the code ({printable(str(tokens.get('error')), limit=100)})")
        return tokens

    async def _more_about(self, said: Mapping[str, Any], metadata: Metadata, access_token: str) -> Mapping[str, Any]:
        """Claims that the ID token lacks: a provider may give them at its userinfo endpoint alone."""
        wanted = (self._ours.roles.claim.partition(".")[0], "name", "email")
        if all(name in said for name in wanted) or not (metadata.userinfo_endpoint and access_token):
            return {}
        found = await self._provider.get_json(metadata.userinfo_endpoint, {"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != said["sub"]:
            raise _refused("the provider describes somebody else")
        return {name: value for name, value in found.items() if name not in said}

    async def _read(self, token: str, *, audience: str, nonce: str | None = None) -> dict[str, Any]:
        keys = await self._provider.keys()
        rules: dict[str, Any] = {"issuer": self.issuer, "audience": audience, "nonce": nonce}
        try:
            return claims.read(token, keys, now=self._clock(), **rules)
        except UnknownKeyError:
            renewed = await self._provider.keys(instead_of=keys)
            if renewed is keys:
                raise
            return claims.read(token, renewed, now=self._clock(), **rules)


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _refused(why: str) -> AuthError:
    return AuthError(why, where="login", todo=_AGAIN)


def _reason(answer: Mapping[str, str]) -> str:
    """Return the error of an authorization (RFC 6749 §4.1.2.1): its code, and what the provider says of it."""
    described = answer.get("error_description", "")
    more = f" ({printable(described, limit=200)})" if described else ""
    return f"{printable(answer['error'], limit=100)}{more}"
