"""The routes of logins, sessions and API tokens."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from vertice.kernel.auth import csrf
from vertice.kernel.auth.authenticator import Authenticator, authenticator, needs
from vertice.kernel.auth.local import LocalLogin
from vertice.kernel.auth.model import AuthError, ForbiddenError, Identity, Principal, Scope, require
from vertice.kernel.auth.oidc import Oidc
from vertice.kernel.auth.page import logged_out_page, login_page, login_script, logout_page
from vertice.kernel.auth.schemas import (
    LoggedOut,
    LoginMethod,
    NewToken,
    OneTimeToken,
    SessionState,
    Tokens,
    TokenWithSecret,
    token_of,
    who_of,
)
from vertice.kernel.auth.sessions import NewSession
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.http.problem import responses
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["router"]

_Auth = Annotated[Authenticator, Depends(authenticator)]
_Person = Annotated[Principal, Depends(needs())]
_Reader = Annotated[Principal, Depends(needs(scope=Scope.read))]
_OneTime = Annotated[str, Query(max_length=200, description="The token of a one-time URL.")]
_Then = Annotated[str, Query(alias="next", max_length=500, description="The local path to go to afterwards.")]
_Answer = Annotated[str, Query(max_length=4096, description="As the provider says it.")]
_TokenId = Annotated[UUID, Path(description="The token's id.")]
_PUBLIC: dict[str, Any] = {"security": []}
_ANYBODY: dict[str, Any] = {"security": [{}, {"token": []}, {"session": []}]}
"""By the names that the schemes have in the app's document."""


def router(prefix: str) -> APIRouter:
    """Return the routes under `prefix` (`/hitl`). The app has an authenticator (`Authenticator.install`)."""
    routes = APIRouter(prefix=prefix, tags=["login"])
    _add_pages(routes, prefix)
    _add_provider(routes)
    _add_session(routes, prefix)
    _add_tokens(routes)
    return routes


def _add_pages(routes: APIRouter, prefix: str) -> None:
    @routes.get("/login", response_class=Response, responses={200: _as("text/html"), **responses(422)})
    async def show_login(auth: _Auth, token: _OneTime = "", then: _Then = "/") -> Response:
        """Show where to log in. With a one-time token a form that uses it up; opening the page does not."""
        wanted = token if auth.local is not None else ""
        return login_page(prefix, token=wanted, then=_local(then), provider=auth.oidc is not None)

    @routes.get("/login.js", response_class=Response, responses={200: _as("text/javascript")})
    async def show_login_script() -> Response:
        """Return the script of the login page."""
        return login_script()

    @routes.post(
        "/login",
        response_class=Response,
        status_code=303,
        responses={303: _leads("Logged in"), **responses(401, 403, 422)},
        openapi_extra=_form("token", "next", needed=["token"]),
    )
    async def log_in_by_form(request: Request, auth: _Auth) -> Response:
        """Use a one-time token up and begin a session."""
        fields = await _fields(request)
        answer = RedirectResponse(_local(fields.get("next", "/")), status_code=303)
        await _log_in_locally(request, auth, answer, fields.get("token", ""))
        return answer

    @routes.get("/logout", response_class=Response, responses={200: _as("text/html")}, openapi_extra=_PUBLIC)
    async def show_logout(request: Request, auth: _Auth) -> Response:
        """Show who is logged in, and a button that ends the session."""
        person, session = await auth.person(request), auth.cookies.session(request)
        if person is None or session is None:
            return logged_out_page(prefix, provider_url="")
        return logout_page(prefix, name=person.name, csrf_token=auth.csrf_token(session))

    @routes.post(
        "/logout",
        response_class=Response,
        responses={200: _as("text/html"), **responses(403)},
        openapi_extra=_form("csrf_token"),
    )
    async def log_out_by_form(request: Request, auth: _Auth) -> Response:
        """End the session of the cookie, if there is one, and show that it has ended."""
        person, session = await auth.person(request), auth.cookies.session(request)
        if person is None or session is None:
            return logged_out_page(prefix, provider_url="")
        auth.check_form(request, (await _fields(request)).get("csrf_token", ""), session)
        await auth.store.sessions.end(session)
        answer = logged_out_page(prefix, provider_url=await _logout_url(auth, person))
        auth.cookies.clear(request, answer, session=True)
        return answer


def _add_provider(routes: APIRouter) -> None:
    @routes.get(
        "/login/oidc",
        response_class=Response,
        status_code=303,
        responses={303: _leads("To the provider"), **responses(401, 403, 422, 503)},
        openapi_extra=_PUBLIC,
    )
    async def go_to_provider(request: Request, auth: _Auth, then: _Then = "/") -> Response:
        """Send the browser to the provider."""
        auth.cookies.check(request)
        departure = await _provider(auth).start(_local(then))
        answer = RedirectResponse(departure.url, status_code=303)
        auth.cookies.set_departure(request, answer, departure.secret)
        return answer

    @routes.get(
        "/login/callback",
        response_class=Response,
        status_code=303,
        responses={303: _leads("Logged in"), **responses(401, 403, 422, 503)},
        openapi_extra=_PUBLIC,
    )
    async def come_back(  # the names are the standard's
        request: Request,
        auth: _Auth,
        state: _Answer = "",
        code: _Answer = "",
        iss: _Answer | None = None,
        error: _Answer | None = None,
        error_description: _Answer | None = None,
    ) -> Response:
        """Take the browser back from the provider and begin a session."""
        said = {"state": state, "code": code, "iss": iss, "error": error, "error_description": error_description}
        given = {name: value for name, value in said.items() if value is not None}
        try:
            auth.cookies.check(request)
            identity, then = await _provider(auth).finish(given, auth.cookies.departure(request))
            answer = RedirectResponse(then, status_code=303)
            await _begin(request, auth, answer, identity)
        except (AuthError, ForbiddenError) as refusal:
            await _note_refusal(request, auth, refusal)
            raise
        auth.cookies.clear(request, answer, session=False)
        return answer


def _add_session(routes: APIRouter, prefix: str) -> None:
    @routes.get("/session", responses=responses(401), openapi_extra=_ANYBODY)
    async def show_session(request: Request, auth: _Auth) -> SessionState:
        """Say who is logged in, if anybody, and how to log in."""
        try:
            principal = await auth.principal(request)
        except AuthError:
            if "authorization" in request.headers:
                raise
            return _state(auth, prefix, None, None)
        session = auth.cookies.session(request) if principal.kind == "session" else None
        return _state(auth, prefix, principal, session)

    @routes.post("/session", status_code=201, responses=responses(400, 401, 403, 422), openapi_extra=_PUBLIC)
    async def log_in(request: Request, response: Response, auth: _Auth, body: OneTimeToken) -> SessionState:
        """Use a one-time token up and begin a session, whose cookie the answer sets."""
        made = await _log_in_locally(request, auth, response, body.token)
        return _state(auth, prefix, made.principal, made.token)

    @routes.delete("/session", responses=responses(401, 403))
    async def log_out(request: Request, response: Response, auth: _Auth, principal: _Person) -> LoggedOut:
        """End the session of the cookie."""
        token = auth.cookies.session(request)
        if token is None or principal.kind != "session":
            raise AuthError("there is no session to end", where="session", todo="Revoke the token instead.")
        await auth.store.sessions.end(token)
        auth.cookies.clear(request, response, session=True)
        return LoggedOut(logout_url=await _logout_url(auth, principal) or None)


def _add_tokens(routes: APIRouter) -> None:
    @routes.get("/tokens", responses=responses(401, 403, 422))
    async def list_tokens(auth: _Auth, principal: _Reader, everybody: bool = False) -> Tokens:
        """List your API tokens, or with the scope `admin` everybody's."""
        if everybody:
            require(principal, scope=Scope.admin)
        found = await auth.store.tokens.made_by(None if everybody else principal.identity)
        return Tokens(items=[token_of(token) for token in found])

    @routes.post("/tokens", status_code=201, responses=responses(400, 401, 403, 422))
    async def make_token(auth: _Auth, principal: _Person, body: NewToken) -> TokenWithSecret:
        """Make an API token that may do at most what you may. Its secret is shown this once."""
        token, secret = await auth.store.tokens.create(
            principal, name=body.name, role=body.role, scopes=set(body.scopes), lifetime=timedelta(days=body.days)
        )
        return TokenWithSecret(**token_of(token).model_dump(), secret=secret)

    @routes.delete("/tokens/{token_id}", status_code=204, responses=responses(401, 403, 404, 422))
    async def revoke_token(auth: _Auth, principal: _Person, token_id: _TokenId) -> None:
        """Revoke an API token: yours, the one you send, or with the scope `admin` any."""
        await auth.store.tokens.revoke(token_id, principal)


async def _log_in_locally(request: Request, auth: Authenticator, answer: Response, token: str) -> NewSession:
    try:
        csrf.check_origin(request, auth.origins)
        auth.cookies.check(request)
        identity = await _local_login(auth).finish(token)
        return await _begin(request, auth, answer, identity)
    except (AuthError, ForbiddenError) as error:
        await _note_refusal(request, auth, error)
        raise


async def _fields(request: Request) -> dict[str, str]:
    """Return what a form of ours sent; of what is there more than once, the first."""
    sent = parse_qs((await request.body()).decode("utf-8", errors="replace"))
    return {name: values[0] for name, values in sent.items()}


async def _logout_url(auth: Authenticator, principal: Principal) -> str:
    """Return where the person ends their session at the provider as well, "" where there is no such place."""
    if auth.oidc is None or not principal.id.startswith(f"{auth.oidc.issuer}|"):
        return ""
    return await auth.oidc.logout_url()


async def _begin(request: Request, auth: Authenticator, answer: Response, identity: Identity) -> NewSession:
    made = await auth.store.sessions.begin(identity)
    before = auth.cookies.session(request)
    if before is not None:
        await auth.store.sessions.end(before)
    auth.cookies.set_session(request, answer, made.token, auth.csrf_token(made.token))
    get_logger(__name__).info("login succeeded", who=made.principal.id, role=made.principal.role.value)
    return made


async def _note_refusal(request: Request, auth: Authenticator, error: VerticeError) -> None:
    client = printable(request.client.host, limit=100) if request.client else "unknown"
    get_logger(__name__).warning("login refused", reason=error.what, client=client)
    await auth.store.refused(error.what, client=client)


def _local_login(auth: Authenticator) -> LocalLogin:
    if auth.local is None:
        raise ForbiddenError("one-time tokens are not taken here", where="login", todo="Use the provider's login.")
    return auth.local


def _provider(auth: Authenticator) -> Oidc:
    if auth.oidc is None:
        raise ForbiddenError("no login provider is configured", where="login", todo="Use the one-time URL.")
    return auth.oidc


def _state(auth: Authenticator, prefix: str, principal: Principal | None, session: str | None) -> SessionState:
    methods = []
    if auth.oidc is not None:
        methods.append(LoginMethod(kind="oidc", url=f"{prefix}/login/oidc"))
    if auth.local is not None:
        methods.append(LoginMethod(kind="local", url=f"{prefix}/login"))
    return SessionState(
        principal=None if principal is None else who_of(principal),
        csrf_token=None if session is None else auth.csrf_token(session),
        methods=methods,
    )


def _form(*names: str, needed: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the OpenAPI document says of a form with these fields that needs no login."""
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    if needed:
        schema["required"] = list(needed)
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {**_PUBLIC, "requestBody": {"required": bool(needed), "content": content}}


def _as(media_type: str) -> dict[str, Any]:
    return {"description": "The page", "content": {media_type: {"schema": {"type": "string"}}}}


def _leads(where: str) -> dict[str, Any]:
    return {"description": where, "headers": {"Location": {"description": "Where.", "schema": {"type": "string"}}}}


def _local(path: str) -> str:
    """Return the path if it leads to this service: browsers take `//host`, `/\\host` and `/<tab>/host` for another."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or printable(path) != path:
        raise InputError("is not a path of this service", where="next", todo="Begin it with one slash.")
    return path
