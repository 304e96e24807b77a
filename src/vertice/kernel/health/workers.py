"""The processes that do the work."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from vertice.kernel.errors import VerticeError
from vertice.kernel.health.model import USUAL, Level, Limits, Result

__all__ = ["WorkersCheck"]


class WorkersCheck:
    """Workers that were seen of late. `seen_since` says how many were seen after a time."""

    name = "workers"

    def __init__(
        self,
        seen_since: Callable[[datetime], Awaitable[int]],
        *,
        within_seconds: int = 30,
        critical: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits = USUAL,
    ) -> None:
        self.critical = critical
        self.limits = limits
        self._seen_since = seen_since
        self._within = within_seconds
        self._clock = clock

    async def run(self) -> Result:
        """Return how many work; unhealthy when none does, unknown when it cannot be read."""
        try:
            active = await self._seen_since(self._clock() - timedelta(seconds=self._within))
        except VerticeError:
            return Result(Level.unknown, {"message": "the database does not say"})
        if active == 0:
            message = f"no worker was seen in the last {self._within} s"
            return Result(Level.unhealthy, {"message": message, "active": 0})
        return Result(Level.healthy, {"active": active, "within_seconds": self._within})

    async def close(self) -> None:
        """Nothing is held."""
