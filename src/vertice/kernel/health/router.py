"""The health endpoints. No login: they say nothing that a stranger could use, and probes have none."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from vertice.kernel.health.model import Level, Report
from vertice.kernel.health.monitor import Health, Readiness
from vertice.kernel.http.problem import responses

__all__ = ["AliveBody", "ComponentBody", "ComponentsBody", "HealthBody", "ReadyBody", "router"]

_UNAVAILABLE = 503
_NOT_WELL = (Level.unhealthy, Level.unknown)


class ComponentBody(BaseModel):
    """The state of one part."""

    status: Level
    details: dict[str, Any] = Field(description="`message`, `latency_ms` (milliseconds), and what else the part tells.")


class ComponentsBody(BaseModel):
    """The state of every part."""

    components: dict[str, ComponentBody] = Field(description="By name.")


class AliveBody(BaseModel):
    """The state of the process."""

    status: Level
    version: str = Field(description="Of the program.")
    timestamp: datetime


class HealthBody(AliveBody):
    """The state of the service and of every part."""

    components: dict[str, ComponentBody] = Field(description="By name.")


class ReadyBody(HealthBody):
    """Whether requests may be sent to this process, and the parts that it does not work without."""

    ready: bool
    reason: str = Field(description="Why not: `starting`, `draining`, or the parts that do not work.")


def router(health: Health, readiness: Readiness, *, prefix: str = "", components: bool = True) -> APIRouter:
    """Return the routes `PREFIX/health`, `…/live`, `…/ready` and, with `components`, `…/components[/{name}]`."""
    routes = APIRouter(prefix=f"{prefix}/health", tags=["health"])
    show = f"show_{prefix.strip('/')}_" if prefix else "show_"

    @routes.get("", operation_id=f"{show}health", response_model=HealthBody, responses=_also(HealthBody, "unhealthy"))
    async def show_health(response: Response) -> dict[str, Any]:
        """Look at every component, in parallel."""
        report = await health.report()
        _answer(response, report.status)
        return report.to_dict()

    @routes.get("/live", operation_id=f"{show}liveness", response_model=AliveBody)
    async def show_liveness(response: Response) -> dict[str, Any]:
        """Say whether the process answers; nothing it depends on is touched."""
        response.headers["Cache-Control"] = "no-store"
        return health.alive().to_dict()

    @routes.get(
        "/ready", operation_id=f"{show}readiness", response_model=ReadyBody, responses=_also(ReadyBody, "not ready")
    )
    async def show_readiness(response: Response) -> dict[str, Any]:
        """Say whether requests may be sent here: started, not draining, and every critical component works."""
        if readiness.why_not:
            return _readiness(response, health.refusing(), readiness.why_not)
        report = await health.report(only_critical=True)
        bad = [part.name for part in report.components if part.status in _NOT_WELL]
        return _readiness(response, report, ", ".join(bad))

    if components:

        @routes.get("/components", response_model=ComponentsBody, responses=_also(ComponentsBody, "unhealthy"))
        async def list_components(response: Response) -> dict[str, Any]:
            """Look at every component."""
            report = await health.report()
            _answer(response, report.status)
            return {"components": report.to_dict()["components"]}

        @routes.get(
            "/components/{name}",
            response_model=ComponentBody,
            responses=_also(ComponentBody, "unhealthy") | responses(404),
        )
        async def show_component(name: str, response: Response) -> dict[str, Any]:
            """Look at one component."""
            component = await health.component(name)
            _answer(response, component.status)
            return component.to_dict()

    return routes


def _readiness(response: Response, report: Report, reason: str) -> dict[str, Any]:
    _answer(response, Level.unhealthy if reason else report.status)
    return {**report.to_dict(), "ready": not reason, "reason": reason}


def _answer(response: Response, level: Level) -> None:
    response.headers["Cache-Control"] = "no-store"
    if level in _NOT_WELL:
        response.status_code = _UNAVAILABLE


def _also(body: type[BaseModel], when: str) -> dict[int | str, dict[str, Any]]:
    return {_UNAVAILABLE: {"model": body, "description": when}}
