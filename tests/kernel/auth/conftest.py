"""A real service with the routes of logins, on a real server and database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import Depends, FastAPI, WebSocket

from tests.oidc_provider import ForgedProvider, OidcProvider
from tests.server import free_port
from vertice.kernel.auth.authenticator import Authenticator, authenticator, needs
from vertice.kernel.auth.claims import RoleRules
from vertice.kernel.auth.http import router
from vertice.kernel.auth.local import LocalLogin
from vertice.kernel.auth.model import Identity, Principal, Role, Scope
from vertice.kernel.auth.oidc import Oidc, OidcClient
from vertice.kernel.auth.store import AuthStore
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.http import handlers
from vertice.kernel.http.headers import HeadersMiddleware

ROLES = {"vertice-admins": Role.admin, "vertice-leads": Role.lead, "vertice-reviewers": Role.reviewer}
AUDIENCE = "https://api.example.org"


@dataclass
class Clock:
    """The time, until somebody moves it."""

    moved: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.moved

    def move(self, **by: float) -> None:
        self.moved += timedelta(**by)


@dataclass
class Ear:
    """Keeps what `on_event` said."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)

    async def __call__(self, session: WriteSession, kind: str, actor: str, detail: str) -> None:
        assert session.in_transaction()
        self.heard.append((kind, actor, detail))


@dataclass
class Service:
    """A running service."""

    url: str
    store: AuthStore
    local: LocalLogin
    clock: Clock
    heard: list[tuple[str, str, str]]

    def browser(self) -> httpx.AsyncClient:
        """A browser that has not been here; it does not follow redirects by itself."""
        return httpx.AsyncClient(base_url=self.url, timeout=60)

    async def ticket(self) -> str:
        """The token of a new one-time URL."""
        url = await self.local.one_time_url(self.url, prefix="/hitl")
        return parse_qs(urlsplit(url).query)["token"][0]

    async def log_in(self, browser: httpx.AsyncClient) -> str:
        """Log the browser in as the local admin; return its CSRF token."""
        answer = await browser.post("/hitl/session", json={"token": await self.ticket()})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["csrf_token"])


MakeService = Callable[..., Awaitable[Service]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@pytest.fixture
def store(database: Database, clock: Clock, ear: Ear) -> AuthStore:
    return AuthStore(database, clock=clock, on_event=ear)


@pytest.fixture
def rita() -> Identity:
    return Identity("https://id.example.org", "rita", "Rita Reviewer", "rita@example.org", Role.reviewer)


@pytest_asyncio.fixture
async def make_service(store: AuthStore, clock: Clock, ear: Ear) -> AsyncIterator[MakeService]:
    """Start a service: `issuer` is that of its provider, `ours` changes our client there."""
    async with AsyncExitStack() as stack:

        async def make(
            *, issuer: str = "", port: int | None = None, public_url: str = "", local: bool = True, **ours: object
        ) -> Service:
            port = port or free_port()
            url = f"http://127.0.0.1:{port}"
            login, oidc = LocalLogin(store.tickets, name="Ada", email="ada@example.org"), None
            if issuer:
                http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
                settings: dict[str, object] = {
                    "client_id": "console",
                    "redirect_uri": f"{url}/hitl/login/callback",
                    "audience": AUDIENCE,
                    "scopes": "openid profile email groups",
                    "roles": RoleRules(roles=ROLES),
                    **ours,
                }
                client = OidcClient(**settings)  # type: ignore[arg-type]
                oidc = Oidc(issuer, client, tickets=store.tickets, clock=clock, http=http)
            auth = Authenticator(
                store, secret=b"k" * 32, local=login if local else None, oidc=oidc, public_url=public_url
            )
            await stack.enter_async_context(_serving(_app(auth), port))
            return Service(url, store, login, clock, ear.heard)

        yield make


@pytest_asyncio.fixture
async def service(make_service: MakeService) -> Service:
    return await make_service()


@pytest.fixture(scope="session")
def provider_port() -> int:
    """The port of the service that the provider sends people back to."""
    return free_port()


@pytest.fixture(scope="session")
def provider(provider_port: int) -> Iterator[OidcProvider]:
    with OidcProvider(f"http://127.0.0.1:{provider_port}/hitl/login/callback") as running:
        yield running


@pytest.fixture
def forged() -> Iterator[ForgedProvider]:
    with ForgedProvider() as running:
        yield running


def _app(auth: Authenticator) -> FastAPI:
    app = FastAPI()
    handlers.install(app)
    app.add_middleware(HeadersMiddleware, content_security_policy="default-src 'self'", strict=False)
    auth.install(app)
    app.include_router(router("/hitl"))

    def say(principal: Principal) -> dict[str, str]:
        return {"id": principal.id, "name": principal.name, "role": principal.role, "kind": principal.kind}

    @app.get("/read")
    async def read(principal: Annotated[Principal, Depends(needs(scope=Scope.read))]) -> dict[str, str]:
        return say(principal)

    @app.post("/write")
    async def write(principal: Annotated[Principal, Depends(needs(scope=Scope.write))]) -> dict[str, str]:
        return say(principal)

    @app.post("/lead")
    async def lead(principal: Annotated[Principal, Depends(needs(Role.lead, Scope.decide))]) -> dict[str, str]:
        return say(principal)

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        principal = await authenticator(websocket).principal(websocket)
        await websocket.accept()
        await websocket.send_json(say(principal))
        await websocket.close()

    return app


class _serving:  # noqa: N801  (reads as a verb in `async with`)
    """Runs the app on a real server in this event loop."""

    def __init__(self, app: FastAPI, port: int) -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="websockets-sansio"
        )
        self._server = uvicorn.Server(config)

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.01)

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task
