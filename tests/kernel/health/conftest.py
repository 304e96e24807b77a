"""A service with health endpoints."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi import FastAPI

from tests.kernel.health.parts import Service
from vertice.kernel.health.interface import Check
from vertice.kernel.health.monitor import Health, Readiness
from vertice.kernel.health.router import router
from vertice.kernel.http.handlers import install


@pytest.fixture
async def service() -> AsyncIterator[Callable[..., Service]]:
    """Make a client of an app with these checks; it is ready."""
    async with AsyncExitStack() as stack:

        def make(*checks: Check, fresh_seconds: float = 0.0) -> Service:
            health, readiness = Health(checks, version="1.2.3", fresh_seconds=fresh_seconds), Readiness()
            readiness.started()
            app = FastAPI()
            app.include_router(router(health, readiness))
            app.include_router(router(health, readiness, prefix="/hitl", components=False))
            install(app)
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
            stack.push_async_callback(client.aclose)
            stack.push_async_callback(health.close)
            return Service(health, client, readiness)

        yield make
