"""One API process, put together from its settings. Nothing else knows all the parts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx
from fastapi import FastAPI
from sqlalchemy import func, select

from vertice.adaptive.api.app import Parts, make_app
from vertice.adaptive.api.live import Audience
from vertice.adaptive.api.overview import tell_statistics
from vertice.adaptive.api.service import Service, Tasks
from vertice.adaptive.execution.github_settings import github_of
from vertice.adaptive.messages.queues import TOPOLOGY
from vertice.adaptive.metrics import HitlMetrics
from vertice.adaptive.policies import Policies
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.projects.tables import WorkerRow
from vertice.adaptive.review.audit import append
from vertice.adaptive.review.figures import counts
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel import tracing
from vertice.kernel.auth.audit import OnEvent
from vertice.kernel.auth.authenticator import Authenticator
from vertice.kernel.auth.claims import RoleRules
from vertice.kernel.auth.keys import home_secret
from vertice.kernel.auth.local import LocalLogin
from vertice.kernel.auth.model import Role
from vertice.kernel.auth.oidc import Oidc, OidcClient
from vertice.kernel.auth.store import AuthStore
from vertice.kernel.bus.live import Live
from vertice.kernel.bus.rabbit import Address
from vertice.kernel.bus.redis import CHANNEL, RedisHints
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError
from vertice.kernel.garbage import settle
from vertice.kernel.health.disk import DiskCheck
from vertice.kernel.health.interface import Check
from vertice.kernel.health.model import Limits
from vertice.kernel.health.monitor import Health, Readiness
from vertice.kernel.health.postgres import PostgresCheck
from vertice.kernel.health.rabbitmq import RabbitMqCheck
from vertice.kernel.health.redis import RedisCheck
from vertice.kernel.health.sqlite import SqliteCheck
from vertice.kernel.health.workers import WorkersCheck
from vertice.kernel.http.rate import RateLimiter
from vertice.kernel.logging import get_logger
from vertice.kernel.metrics import Metrics
from vertice.kernel.settings import ServiceSettings
from vertice.kernel.text import printable

__all__ = ["Api", "kept_running", "open_api"]

_PAUSE_SECONDS = 1.0
"""Before what was stopped by a fault begins anew."""


@dataclass(frozen=True, slots=True)
class Api:
    """One API process; `app` opens and closes everything with its lifespan."""

    app: FastAPI
    service: Service
    authenticator: Authenticator
    readiness: Readiness
    local: LocalLogin | None
    """The login of the embedded default; None where a provider vouches for people."""


def open_api(settings: ServiceSettings, tasks: Tasks, *, person: tuple[str, str] = ("", "")) -> Api:
    """Put one API process together. `person`: name and e-mail of who started it, for the local login.

    Raises InputError for settings that cannot be used.
    """
    home, clock = settings.vertice_home, _now
    database = Database.open(settings.database)
    redis_url = settings.redis_url.get_secret_value()
    hints = RedisHints(redis_url, CHANNEL) if redis_url else None
    live = Live(database, hints)
    scans = ScanStore(database, clock=clock)
    policies = Policies.of(settings, scans)
    metrics = Metrics()
    service = Service(
        settings=settings,
        database=database,
        reviews=ReviewStore(
            database,
            home=home,
            clock=clock,
            due_at=policies.due_at,
            changed=live.wake,
        ),
        projects=ProjectStore(database, audit=_Audited(clock), clock=clock),
        scans=scans,
        live=live,
        audience=Audience(),
        tasks=tasks,
        policy_of=policies,
        github=github_of(settings),
        metrics=HitlMetrics(metrics, active_reviews=lambda: _active(database, clock)),
        clock=clock,
    )
    logins = AuthStore(database, clock=clock, on_event=_login_audited(clock))
    http = httpx.AsyncClient(timeout=10, follow_redirects=False)
    oidc = _oidc(settings, logins, clock, http)
    local = None if oidc else LocalLogin(logins.tickets, name=person[0], email=person[1])
    authenticator = Authenticator(
        logins,
        secret=_secret(settings),
        local=local,
        oidc=oidc,
        origins=settings.cors_origins,
        public_url=settings.public_url,
    )
    limiter = RateLimiter(
        {
            "address": settings.rate_limit_address,
            "identity": settings.rate_limit_identity,
            "decisions": settings.rate_limit_decisions,
            "login": settings.rate_limit_login,
        },
        redis_url=redis_url,
        prefix="vertice:rates",
    )
    health = Health(_checks(settings, database), version=settings.app_version)
    readiness = Readiness()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for closing in (service.tasks.close, database.close, http.aclose, limiter.close, health.close):
                stack.push_async_callback(closing)
            if hints is not None:
                stack.push_async_callback(hints.close)
            await service.reviews.adopt_anchor()
            await service.reviews.render()
            running = {"live events": live.run, "statistics": lambda: tell_statistics(database, live, clock)}
            running |= {"hints": hints.run} if hints else {}
            tasks = [asyncio.create_task(kept_running(name, run)) for name, run in running.items()]
            settle()
            readiness.started()
            try:
                yield
            finally:
                readiness.draining()
                service.audience.end()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.to_thread(tracing.stop)

    app = make_app(
        Parts(
            service=service,
            authenticator=authenticator,
            limiter=limiter,
            metrics=metrics,
            health=health,
            readiness=readiness,
            lifespan=lifespan,
        )
    )
    return Api(app, service, authenticator, readiness, local)


async def kept_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Begin anew what ends by a fault of ours: nobody would notice that it is gone."""
    while True:
        try:
            await run()
        except Exception:  # noqa: BLE001  (whatever it is)
            get_logger(__name__).exception("stopped by a fault; begins anew", what=name)
        await asyncio.sleep(_PAUSE_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)


async def _active(database: Database, clock: Callable[[], datetime]) -> int:
    async with database.read() as session:
        return (await counts(session, clock())).total


@dataclass(frozen=True, slots=True)
class _Audited:
    """Enters what stores below the audit chain do."""

    clock: Callable[[], datetime]

    async def __call__(
        self, session: WriteSession, *, actor: str, action: str, subject: str, payload: Mapping[str, object]
    ) -> None:
        await append(session, actor=actor, action=action, subject=subject, payload=payload, clock=self.clock)


def _login_audited(clock: Callable[[], datetime]) -> OnEvent:
    async def enter(session: WriteSession, kind: str, actor: str, detail: str) -> None:
        payload = {"detail": detail}
        await append(session, actor=actor or "nobody", action=kind, subject="login", payload=payload, clock=clock)

    return enter


def _oidc(
    settings: ServiceSettings, logins: AuthStore, clock: Callable[[], datetime], http: httpx.AsyncClient
) -> Oidc | None:
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        raise InputError(
            "OIDC_ISSUER is set, and OIDC_CLIENT_ID is not", where="OIDC_CLIENT_ID", todo="Set both, or neither."
        )
    ours = OidcClient(
        client_id=settings.oidc_client_id,
        redirect_uri=f"{settings.url()}/hitl/login/callback",
        client_secret=settings.oidc_client_secret.get_secret_value() or None,
        audience=settings.oidc_audience,
        scopes=settings.oidc_scopes,
        roles=RoleRules(claim=settings.oidc_role_claim, roles=_roles(settings.oidc_roles)),
    )
    return Oidc(settings.oidc_issuer, ours, tickets=logins.tickets, clock=clock, http=http)


def _roles(named: Mapping[str, str]) -> Mapping[str, Role]:
    try:
        return {name: Role(role) for name, role in named.items()}
    except ValueError as error:
        raise InputError(
            f"{printable(str(error), limit=100)}", where="OIDC_ROLES", todo=f"Roles are {', '.join(Role)}."
        ) from error


def _secret(settings: ServiceSettings) -> bytes:
    return settings.secret_key.get_secret_value().encode() or home_secret(settings.vertice_home)


def _checks(settings: ServiceSettings, database: Database) -> list[Check]:
    async def seen_since(moment: datetime) -> int:
        async with database.read() as session:
            query = select(func.count()).select_from(WorkerRow).where(WorkerRow.seen_at >= moment)
            return (await session.execute(query)).scalar_one()

    limits = Limits(slow_after_ms=settings.health_latency_threshold_ms)
    if database.url.get_backend_name() == "sqlite":
        checks: list[Check] = [SqliteCheck(Path(cast("str", database.url.database)), limits=limits)]
    else:
        checks = [PostgresCheck(settings.database, pool=lambda: database.pool, limits=limits)]
    if url := settings.redis_url.get_secret_value():
        checks.append(RedisCheck(url, limits=limits))
    if url := settings.rabbitmq_url.get_secret_value():
        names = [queue.name for queue in TOPOLOGY.queues]
        checks.append(RabbitMqCheck(Address.parse(url).url, queues=names, limits=limits))
    return [*checks, WorkersCheck(seen_since, limits=limits), DiskCheck(settings.vertice_home, limits=limits)]
