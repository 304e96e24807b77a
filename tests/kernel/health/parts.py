"""A component that does as it is told, and a client of a service that is made of some."""

import asyncio

import httpx

from vertice.kernel.health.model import Level, Limits, Result
from vertice.kernel.health.monitor import Health, Readiness

__all__ = ["Part", "Service"]


class Part:
    """A component whose state the test sets."""

    def __init__(self, name: str, *, critical: bool = False, limits: Limits | None = None) -> None:
        self.name = name
        self.critical = critical
        self.limits = limits or Limits()
        self.result = Result(Level.healthy)
        self.error: Exception | None = None
        self.seconds = 0.0
        self.stubborn = False
        """Does not end when it is cancelled."""
        self.runs = 0

    async def run(self) -> Result:
        self.runs += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            if not self.stubborn:
                raise
            await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.result

    async def close(self) -> None:
        pass


class Service:
    """A client of an app with these checks."""

    def __init__(self, health: Health, client: httpx.AsyncClient, readiness: Readiness) -> None:
        self.health = health
        self.readiness = readiness
        self._client = client

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)
