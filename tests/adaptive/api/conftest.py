"""A real API process on a free port, and people who use it."""

import asyncio
import contextlib
import runpy
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import uvicorn

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.api.process import Api, open_api
from vertice.adaptive.api.server import configured
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.projects.model import Scan
from vertice.adaptive.review.model import Review
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.auth.model import SCOPES_OF, Identity, Role, Scope
from vertice.kernel.settings import ServiceSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
VERDICTS = {
    "proven": (VerdictWord.success, Grade.proven, 0.97),
    "partly": (VerdictWord.success, Grade.partly_proven, 0.8),
    "unproven": (VerdictWord.inconclusive, Grade.unproven, 0.3),
    "refuted": (VerdictWord.failed, Grade.refuted, 0.95),
}
PEOPLE = {
    "vera": Role.viewer,
    "rita": Role.reviewer,
    "rui": Role.reviewer,
    "lena": Role.lead,
    "leo": Role.lead,
    "ada": Role.admin,
}


@pytest.fixture(scope="session")
def samples() -> types.SimpleNamespace:
    return types.SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "review" / "samples.py")))


@dataclass
class ToldTasks:
    """What the workers would have been told."""

    scans: list[Scan] = field(default_factory=list)
    executions: list[UUID] = field(default_factory=list)

    async def enqueue_scan(self, scan: Scan) -> None:
        self.scans.append(scan)

    async def enqueue_execution(self, decision_id: UUID) -> None:
        self.executions.append(decision_id)

    async def close(self) -> None:
        pass


@dataclass
class Desk:
    """One running service."""

    api: Api
    url: str
    home: Path
    tasks: ToldTasks
    samples: types.SimpleNamespace
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def machine(self, name: str, *, scopes: frozenset[Scope] | None = None) -> httpx.AsyncClient:
        """Return a client that sends an API token of this person."""
        secret = await self.token(name, scopes=scopes)
        return self.client(headers={"Authorization": f"Bearer {secret}"})

    async def token(self, name: str, *, scopes: frozenset[Scope] | None = None) -> str:
        role = PEOPLE[name]
        store = self.api.authenticator.store
        session = await store.sessions.begin(Identity("test", name, name.title(), f"{name}@example.org", role))
        principal = await store.sessions.find(session.token)
        _, secret = await store.tokens.create(
            principal, name=name, role=role, scopes=scopes or SCOPES_OF[role], lifetime=timedelta(days=1)
        )
        return secret

    async def person(self, name: str, *, email: str | None = None) -> httpx.AsyncClient:
        """Return a client with a session cookie; it sends the CSRF token of its session."""
        email = f"{name}@example.org" if email is None else email
        session = await self.api.authenticator.store.sessions.begin(
            Identity("test", name, name.title(), email, PEOPLE[name])
        )
        csrf = self.api.authenticator.csrf_token(session.token)
        return self.client(cookies={"vertice": session.token}, headers={"X-CSRF-Token": csrf})

    def client(self, **options: object) -> httpx.AsyncClient:
        made = httpx.AsyncClient(base_url=self.url, timeout=30, **options)  # type: ignore[arg-type]
        self._clients.append(made)
        return made

    async def review(
        self,
        number: int = 1,
        *,
        severity: Severity = Severity.high,
        proof: str = "proven",
        package: str = "pyyaml",
        name: str = "shop",
        priority: int = 2,
    ) -> Review:
        """Leave a review waiting, with a real patch file and real evidence to decide on."""
        code, run = f"APV-20261121-{number:03d}", f"WAR-20261121-{number:03d}"
        apv = self.samples.an_apv(code, package=package, severity=severity, priority=priority)
        apv = replace(apv, advisory=replace(apv.advisory, published="2026-11-01T00:00:00Z"))
        root = self.home.parent / "projects" / f"{name}-{number}"
        root.mkdir(parents=True)
        (root / "requirements.txt").write_text(self.samples.BEFORE)
        remedy = self.samples.a_remedy(apvs=(code,))
        word, grade, confidence = VERDICTS[proof]
        new = self.samples.a_new_review(
            f"key-{number}",
            apvs=(apv,),
            remedy=remedy,
            root=str(root),
            verdict=self.samples.a_verdict(word, grade, confidence),
            proposal=await asyncio.to_thread(
                lambda: propose(root, remedy, code=code, message="Fix it", home=self.home)
            ),
            project_name=name,
        )
        return await self.api.service.reviews.create(self.samples.proven(new, run))

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


Start = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def serve(database_url: str, tmp_path: Path, samples: types.SimpleNamespace) -> AsyncIterator[Start]:
    """Start API processes on one database."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(**settings: object) -> Desk:
            home = tmp_path / "home"
            home.mkdir(exist_ok=True)
            tasks = ToldTasks()
            generous = dict.fromkeys(("address", "identity", "decisions", "login"), "1000000/minute")
            given = {f"rate_limit_{name}": rate for name, rate in generous.items()} | settings
            chosen = ServiceSettings(vertice_home=home, database_url=database_url, port=0, **given)  # type: ignore[arg-type]
            api = open_api(chosen, tasks, person=("Ada", "ada@example.org"))
            server = uvicorn.Server(configured(chosen, api.app))
            running = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
                if running.done():
                    running.result()
            port = server.servers[0].sockets[0].getsockname()[1]
            desk = Desk(api, f"http://127.0.0.1:{port}", home, tasks, samples)

            async def stop() -> None:
                await desk.close()
                server.should_exit = True
                await running

            stack.push_async_callback(stop)
            return desk

        yield start


@pytest.fixture
async def desk(serve: Start) -> Desk:
    return await serve()
