"""The API as one app: every route, and what each request passes on its way to it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from vertice.adaptive.api import decisions, live, overview, people, projects, records, reviews, webhooks
from vertice.adaptive.api.access import count_logins
from vertice.adaptive.api.console import mount_console
from vertice.adaptive.api.openapi import ABOUT, TAGS, VERSION, describe, operation_id
from vertice.adaptive.api.problems import KINDS, page_of
from vertice.adaptive.api.service import Service
from vertice.adaptive.messages.document import asyncapi_document
from vertice.kernel import tracing
from vertice.kernel.auth import http as login
from vertice.kernel.auth.authenticator import Authenticator
from vertice.kernel.auth.model import AuthError, ForbiddenError, Scope, require
from vertice.kernel.health.monitor import Health, Readiness
from vertice.kernel.health.router import router as health_routes
from vertice.kernel.http.access_log import AccessLogMiddleware
from vertice.kernel.http.body import BodyMiddleware
from vertice.kernel.http.handlers import install as install_problems
from vertice.kernel.http.head import HeadMiddleware
from vertice.kernel.http.headers import HeadersMiddleware
from vertice.kernel.http.problem_pages import router as problem_routes
from vertice.kernel.http.proxy import ProxyMiddleware, TrustedProxies
from vertice.kernel.http.rate import RateLimiter, RateMiddleware
from vertice.kernel.http.request_id import RequestIdMiddleware
from vertice.kernel.metrics import HttpMetrics, Metrics
from vertice.kernel.metrics import router as metric_routes

__all__ = ["Parts", "make_app"]

_QUIET = (
    *("/metrics", "/health", "/health/live", "/health/ready", "/health/components", "/health/components/{name}"),
    *("/hitl/health", "/hitl/health/live", "/hitl/health/ready"),
)
"""Probes: not limited, and logged when debugging only."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the app is made of."""

    service: Service
    authenticator: Authenticator
    limiter: RateLimiter
    metrics: Metrics
    health: Health
    readiness: Readiness
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
    extra_routes: Sequence[APIRouter] = ()


def make_app(parts: Parts) -> FastAPI:
    """Return the app. Nothing is opened before its lifespan begins."""
    settings = parts.service.settings
    app = FastAPI(
        title="Vértice: Adaptive Immune System",
        version=VERSION,
        description=ABOUT,
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
        openapi_url="/hitl/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=parts.lifespan,
        telemetry=tracing.of_requests(),
    )
    install_problems(app, page=page_of)
    describe(app)
    _add_middleware(app, parts)
    parts.authenticator.install(app)
    app.state.limiter = parts.limiter
    for routes in _routes(parts):
        app.include_router(routes)
    app.include_router(login.router("/hitl"), dependencies=[Depends(count_logins)])
    if settings.websocket_enabled:
        _add_socket(app, parts)
    _add_messages(app)
    mount_console(app)
    return app


def _routes(parts: Parts) -> list[APIRouter]:
    service = parts.service
    return [
        reviews.router(service),
        decisions.router(service),
        records.router(service),
        projects.router(service),
        overview.router(service),
        people.router(service),
        webhooks.router(service),
        problem_routes(KINDS),
        health_routes(parts.health, parts.readiness),
        health_routes(parts.health, parts.readiness, prefix="/hitl", components=False),
        *([metric_routes(parts.metrics)] if service.settings.prometheus_enabled else []),
        *parts.extra_routes,
    ]


def _add_middleware(app: FastAPI, parts: Parts) -> None:
    """Add what every request passes. What is added last comes first."""
    settings, counted = parts.service.settings, parts.service.metrics
    app.add_middleware(HeadMiddleware)
    app.add_middleware(BodyMiddleware)
    app.add_middleware(RateMiddleware, limiter=parts.limiter, rate="address", exempt=_QUIET)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                "X-CSRF-Token",
                "X-Request-ID",
            ],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(HeadersMiddleware, content_security_policy=_POLICY, strict=settings.production)
    app.add_middleware(HttpMetrics, requests=counted.http_requests, seconds=counted.http_seconds)
    app.add_middleware(AccessLogMiddleware, quiet=_QUIET)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(ProxyMiddleware, proxies=TrustedProxies(settings.trusted_proxies))


def _add_messages(app: FastAPI) -> None:
    described = asyncapi_document().encode()

    @app.get("/hitl/asyncapi.json", tags=["messages"], response_class=Response, responses={200: _JSON})
    async def show_messages() -> Response:
        """Describe the messages on RabbitMQ and on the WebSocket (AsyncAPI)."""
        return Response(described, media_type="application/json")


_JSON: dict[str, Any] = {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "AsyncAPI 3"}


def _add_socket(app: FastAPI, parts: Parts) -> None:
    service = parts.service

    @app.websocket("/hitl/ws")
    async def attend(socket: WebSocket) -> None:
        require(await parts.authenticator.principal(socket), scope=Scope.read)

        async def still_welcome() -> bool:
            try:
                require(await parts.authenticator.principal(socket), scope=Scope.read)
            except (AuthError, ForbiddenError):
                return False
            return True

        await live.attend(
            socket,
            live=service.live,
            database=service.database,
            audience=service.audience,
            still_welcome=still_welcome,
            metrics=service.metrics,
        )
