"""From a request to its principal: cookie, API token or access token."""

from collections.abc import Awaitable, Callable, Collection

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from vertice.kernel.auth import csrf
from vertice.kernel.auth.cache import Recent
from vertice.kernel.auth.cookies import Cookies
from vertice.kernel.auth.keys import derive
from vertice.kernel.auth.local import LocalLogin
from vertice.kernel.auth.model import AuthError, Principal, Role, Scope, require
from vertice.kernel.auth.oidc import Oidc
from vertice.kernel.auth.secret import digest
from vertice.kernel.auth.store import AuthStore
from vertice.kernel.auth.tokens import PREFIX

__all__ = ["Authenticator", "authenticator", "needs"]


class Authenticator:
    """Tells who makes a request, and that no other site makes it for them."""

    def __init__(
        self,
        store: AuthStore,
        *,
        secret: bytes,
        local: LocalLogin | None = None,
        oidc: Oidc | None = None,
        origins: Collection[str] = (),
        public_url: str = "",
    ) -> None:
        """Take the ways to log in that there are.

        `origins`: those of other pages that may use the API with a person's cookie. `public_url`: where people find
        the service when it stands behind a gateway (`https://vertice.example.org`).
        """
        self.store = store
        self.local = local
        self.oidc = oidc
        public = public_url.rstrip("/")
        self.origins = frozenset(origin.lower() for origin in (*origins, public) if origin)
        self.cookies = Cookies(always_secure=public.startswith("https://"))
        self._csrf_key = derive(secret, "csrf")
        self._recent = Recent(store.clock)

    def install(self, app: FastAPI) -> None:
        """Make it the one that `needs` asks in this app."""
        app.state.authenticator = self

    async def principal(self, connection: HTTPConnection) -> Principal:
        """Return who asks; `connection.state.principal` says it to middlewares afterwards.

        An Authorization header counts alone, whatever cookies come with it. Raises AuthError when nobody is logged in,
        ForbiddenError when a cookie's request changes something, or opens a WebSocket, and may be another site's.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            principal = await self._bearer(header)
        else:
            token = self.cookies.session(connection)
            if token is None:
                raise AuthError("nobody is logged in", where="session", todo="Log in, or send an API token.")
            principal = await self.store.sessions.find(token)
            self._check_forgery(connection, token)
        connection.state.principal = principal
        return principal

    async def person(self, connection: HTTPConnection) -> Principal | None:
        """Return who is logged in in this browser, None when nobody is: for pages that anybody may open."""
        token = self.cookies.session(connection)
        try:
            return None if token is None else await self.store.sessions.find(token)
        except AuthError:
            return None

    def check_form(self, connection: HTTPConnection, sent: str, session: str) -> None:
        """Raise ForbiddenError unless a form is of our own page, and `sent` is the CSRF token of the session."""
        csrf.check_origin(connection, self.origins)
        csrf.check_token(sent, self._csrf_key, session)

    def csrf_token(self, session: str) -> str:
        """Return the CSRF token of the session."""
        return csrf.csrf_token(self._csrf_key, session)

    def _check_forgery(self, connection: HTTPConnection, token: str) -> None:
        if connection.scope["type"] == "websocket":
            csrf.check_origin(connection, self.origins, needed=True)
        elif not csrf.is_safe(connection.scope["method"]):
            csrf.check_origin(connection, self.origins)
            csrf.check_token(connection.headers.get(csrf.HEADER, ""), self._csrf_key, token)

    async def _bearer(self, header: str) -> Principal:
        scheme, _, value = header.partition(" ")
        value = value.strip()
        if scheme.lower() != "bearer" or not value:
            raise AuthError("the Authorization header is not `Bearer` and a token", where="Authorization")
        if value.startswith(PREFIX):
            return await self.store.tokens.find(value)
        if self.oidc is None:
            raise AuthError("the token is not one of ours", where="Authorization", todo=f"Ours begin with {PREFIX}.")
        return await self._access_token(self.oidc, value)

    async def _access_token(self, oidc: Oidc, token: str) -> Principal:
        key = digest(token)
        found = self._recent.get(key)
        if found is None:
            mark = self._recent.mark
            identity, scopes = await oidc.bearer(token)
            found = await self.store.known(identity, scopes)
            self._recent.keep(key, found, ends=None, mark=mark)
        return found


def authenticator(connection: HTTPConnection) -> Authenticator:
    """Return the app's authenticator; a dependency of routes."""
    found: Authenticator = connection.app.state.authenticator
    return found


def needs(role: Role | None = None, scope: Scope | None = None) -> Callable[[HTTPConnection], Awaitable[Principal]]:
    """Return a dependency that gives the principal, for `Annotated[Principal, Depends(needs(scope=Scope.write))]`.

    It raises AuthError when nobody is logged in and ForbiddenError when role or scope is lacking.
    """

    async def principal(connection: HTTPConnection) -> Principal:
        found = await authenticator(connection).principal(connection)
        require(found, role=role, scope=scope)
        return found

    return principal
