"""An OpenID provider: what it says of itself, its keys, its endpoints. HTTP with limits on time and size."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.jwk import KeySet

from vertice.kernel.auth.claims import key_set
from vertice.kernel.auth.kept import Kept
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.text import printable

__all__ = ["Metadata", "Provider", "ProviderError", "is_loopback", "secure_url"]

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_WHOLE_SECONDS = 15.0
_MAX_BYTES = 1024 * 1024


class ProviderError(UnfinishedError):
    """Catch me when the provider does not answer, or not in the way that we were set up for."""

    code = "provider-unavailable"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider's discovery document says, as far as we use it."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    """Empty when there is none; so is the next."""
    end_session_endpoint: str
    secret_in_body: bool
    """The client's secret goes in the form: the provider does not take it in the header."""
    says_issuer: bool
    """It names itself in the answer to an authorization (RFC 9207)."""


def is_loopback(host: str) -> bool:
    """Say whether the host is this machine, by name or address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def secure_url(url: str) -> bool:
    """Say whether what is sent to the URL is safe on the way: https, or http to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


class Provider:
    """One issuer. Its document and keys are kept for an hour, and longer while it cannot be reached."""

    def __init__(self, issuer: str, *, clock: Callable[[], datetime], client: httpx.AsyncClient) -> None:
        if not secure_url(issuer):
            raise InputError("the issuer is no https URL", where=printable(issuer, limit=200), todo="Use https.")
        self.issuer = issuer
        self._clock = clock
        self._client = client
        self._metadata = Kept[Metadata](self._discover, clock)
        self._keys = Kept[KeySet](self._fetch_keys, clock)

    async def metadata(self) -> Metadata:
        """Return the discovery document. Raises ProviderError when the provider cannot be reached."""
        return await self._metadata.get()

    async def keys(self, *, instead_of: KeySet | None = None) -> KeySet:
        """Return the provider's signing keys.

        `instead_of`: those that lacked a key; they come again when the provider was asked less than a minute ago.
        """
        return await self._keys.get(instead_of=instead_of)

    async def get_json(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return the JSON object at `url`. Raises ProviderError for anything else."""
        status, document = await self._ask("GET", url, headers=headers)
        if status != httpx.codes.OK:
            raise _unfinished(f"answers {status}", url)
        return document

    async def post_form(
        self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None
    ) -> tuple[int, dict[str, Any]]:
        """Send a form; return the status and the JSON object of the answer, which may say an error (4xx)."""
        auth = None if basic is None else httpx.BasicAuth(*basic)
        status, document = await self._ask("POST", url, data=dict(form), auth=auth)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            raise _unfinished(f"answers {status}", url)
        return status, document

    async def _discover(self) -> Metadata:
        url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        said = await self.get_json(url, {})
        if said.get("issuer") != self.issuer:
            raise ProviderError(
                f"the provider calls itself {printable(str(said.get('issuer')), limit=200)}",
                where=self.issuer,
                todo="Name the issuer exactly as the provider does.",
            )
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Metadata(
            authorization_endpoint=_endpoint(said, "authorization_endpoint"),
            token_endpoint=_endpoint(said, "token_endpoint"),
            jwks_uri=_endpoint(said, "jwks_uri"),
            userinfo_endpoint=_endpoint(said, "userinfo_endpoint", needed=False),
            end_session_endpoint=_endpoint(said, "end_session_endpoint", needed=False),
            secret_in_body="client_secret_basic" not in methods,
            says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _fetch_keys(self) -> KeySet:
        metadata = await self.metadata()
        document = await self.get_json(metadata.jwks_uri, {})
        try:
            return key_set(document)
        except InputError as error:
            raise ProviderError(error.what, where=metadata.jwks_uri, todo=error.todo) from error

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        try:
            async with (
                asyncio.timeout(_WHOLE_SECONDS),
                self._client.stream(method, url, timeout=_TIMEOUT, follow_redirects=False, **options) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise _unfinished("sends too much", url)
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise _unfinished(f"cannot be reached ({type(error).__name__})", url) from error
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _unfinished(f"answers {status} with something that is not JSON", url) from error
        if not isinstance(document, dict):
            raise _unfinished(f"answers {status} with something that is no JSON object", url)
        return status, document


def _endpoint(said: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    url = said.get(name, "")
    if url == "" and not needed:
        return ""
    if not isinstance(url, str) or not secure_url(url):
        raise ProviderError(
            f"the provider names no https URL as {name}", where="openid-configuration", todo="Ask its operator."
        )
    return url


def _unfinished(what: str, url: str) -> ProviderError:
    return ProviderError(
        f"the login provider {what}", where=printable(url, limit=200), todo="Try it again in a minute."
    )
