"""Levels of health, what a check found, and how the levels of the parts make the level of the whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from vertice.kernel.errors import InputError

__all__ = ["USUAL", "Component", "Level", "Limits", "Report", "Result", "judged", "overall"]

_LONGEST_MS = 900


class Level(StrEnum):
    """The contract's words."""

    healthy = "healthy"
    degraded = "degraded"
    """It works, but slowly, or without something it can do without."""
    unhealthy = "unhealthy"
    unknown = "unknown"
    """It cannot be told."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a check may take, and from which latency on its component counts as slow. Milliseconds.

    No answer within the time limit is unhealthy, so a `slow_after_ms` at or above it never shows: lower it to be told
    of slowness first. Raises InputError for a time limit with which the whole could not answer within a second.
    """

    time_limit_ms: int = 800
    slow_after_ms: float = 1000

    def __post_init__(self) -> None:
        if not 0 < self.time_limit_ms <= _LONGEST_MS:
            raise InputError(
                f"a health check's time limit of {self.time_limit_ms} ms is not between 1 and {_LONGEST_MS}",
                todo="The whole has to answer within a second.",
            )
        if self.slow_after_ms <= 0:
            raise InputError("a health check's latency threshold has to be above 0 ms", todo="The default is 1000.")


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found. `details` are plain JSON values; they never hold a host, a password or a path."""

    status: Level
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Component:
    """One part and its state."""

    name: str
    critical: bool
    """Without it the service does not work at all."""
    result: Result

    @property
    def status(self) -> Level:
        """Its level."""
        return self.result.status

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's JSON form, without the name."""
        return {"status": str(self.status), "details": dict(self.result.details)}


@dataclass(frozen=True, slots=True)
class Report:
    """The state of the service."""

    status: Level
    version: str
    at: datetime
    components: tuple[Component, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's JSON form."""
        return {
            "status": str(self.status),
            "version": self.version,
            "timestamp": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "components": {component.name: component.to_dict() for component in self.components},
        }


def overall(components: Iterable[Component]) -> Level:
    """Return the level of the whole.

    A critical part decides when it is unhealthy, or else when it is unknown. Anything else that is not healthy
    degrades the whole, no more: the service works without it.
    """
    components = tuple(components)
    critical = {component.status for component in components if component.critical}
    for level in (Level.unhealthy, Level.unknown):
        if level in critical:
            return level
    if any(component.status is not Level.healthy for component in components):
        return Level.degraded
    return Level.healthy


def judged(result: Result, limits: Limits) -> Result:
    """Return `result`, degraded when it is healthy but its `latency_ms` is above the threshold."""
    latency = result.details.get("latency_ms", 0.0)
    if result.status is not Level.healthy or latency <= limits.slow_after_ms:
        return result
    message = f"slow: above {limits.slow_after_ms:g} ms"
    return Result(Level.degraded, {"message": message, **result.details})
