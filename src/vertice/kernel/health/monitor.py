"""Runs the checks: in parallel, each within its time limit, and at most once a second however many ask."""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from time import monotonic, perf_counter

from vertice.kernel.errors import UnknownError
from vertice.kernel.health.interface import Check
from vertice.kernel.health.model import Component, Level, Report, Result, judged, overall
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["Health", "Readiness"]

_log = get_logger(__name__)


class Readiness:
    """Whether this process takes requests: not while it starts, and not from the moment it was asked to stop."""

    def __init__(self) -> None:
        self._why_not = "starting"

    @property
    def why_not(self) -> str:
        """`starting` or `draining`; empty when it takes requests."""
        return self._why_not

    def started(self) -> None:
        """Say that requests may come, unless it is draining already."""
        if self._why_not == "starting":
            self._why_not = ""

    def draining(self) -> None:
        """Say that no more requests should be sent; those under way are finished."""
        self._why_not = "draining"


class Health:
    """The state of a service's parts. Close it at the end."""

    def __init__(
        self,
        checks: Collection[Check],
        *,
        version: str,
        fresh_seconds: float = 1.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._watches = {check.name: _Watch(check, fresh_seconds) for check in checks}
        self._version = version
        self._clock = clock

    async def report(self, *, only_critical: bool = False) -> Report:
        """Return the state of every part, or of the critical ones alone."""
        watches = [watch for watch in self._watches.values() if watch.critical or not only_critical]
        components = tuple(await asyncio.gather(*(watch.component() for watch in watches)))
        return Report(overall(components), self._version, self._clock(), components)

    def alive(self) -> Report:
        """Return the state of the process itself: that it answers is all that is asked."""
        return Report(Level.healthy, self._version, self._clock())

    def refusing(self) -> Report:
        """Return the state of a process that starts or drains."""
        return Report(Level.unhealthy, self._version, self._clock())

    async def component(self, name: str) -> Component:
        """Return the state of one part; raise UnknownError when there is none of that name."""
        watch = self._watches.get(name)
        if watch is None:
            raise UnknownError(
                f"no component is called {printable(name, limit=50)}",
                where="health",
                todo=f"There are: {', '.join(self._watches) or 'none'}.",
            )
        return await watch.component()

    async def close(self) -> None:
        """Stop looking, and give every connection back."""
        await asyncio.gather(*(watch.close() for watch in self._watches.values()))


class _Watch:
    """One check, its last result, and the look that is under way."""

    def __init__(self, check: Check, fresh_seconds: float) -> None:
        self._check = check
        self._fresh = fresh_seconds
        self._last: Result | None = None
        self._looked_at = 0.0
        self._look: asyncio.Task[Result] | None = None
        self._run: asyncio.Task[Result] | None = None

    @property
    def critical(self) -> bool:
        return self._check.critical

    async def component(self) -> Component:
        if self._last is not None and monotonic() - self._looked_at < self._fresh:
            result = self._last
        else:
            if self._look is None or self._look.done():
                self._look = asyncio.create_task(self._new_result())
            # Others wait for the same look: whoever goes away does not take it with them.
            result = await asyncio.shield(self._look)
        return Component(self._check.name, self._check.critical, result)

    async def close(self) -> None:
        tasks = [task for task in (self._look, self._run) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        try:
            async with asyncio.timeout(1):
                await self._check.close()
        except Exception as error:  # noqa: BLE001  (nothing is left to do with a connection that will not close)
            _log.info("health check did not close", component=self._check.name, error=str(error))

    async def _new_result(self) -> Result:
        started = perf_counter()
        error = ""
        try:
            result = await self._within_limit()
        except Exception as raised:  # noqa: BLE001  (whatever a driver raises means the same here)
            error = f"{type(raised).__name__}: {raised}"
            result = Result(Level.unhealthy, {"message": _public(raised)})
        if "latency_ms" not in result.details:
            result = Result(
                result.status, {**result.details, "latency_ms": round((perf_counter() - started) * 1000, 1)}
            )
        result = judged(result, self._check.limits)
        self._tell(result, error)
        self._last, self._looked_at = result, monotonic()
        return result

    async def _within_limit(self) -> Result:
        # A driver may take long to be cancelled, too (it tells the server, which does not answer). So nobody waits for
        # the end of a cancelled run, and until it has ended there is no other: hung connections do not pile up.
        if self._run is not None and not self._run.done():
            raise TimeoutError
        self._run = asyncio.create_task(self._check.run())
        done, _ = await asyncio.wait({self._run}, timeout=self._check.limits.time_limit_ms / 1000)
        if not done:
            self._run.cancel()
            self._run.add_done_callback(_ignore)
            raise TimeoutError
        return self._run.result()

    def _tell(self, result: Result, error: str) -> None:
        before = None if self._last is None else self._last.status
        if before is result.status or (before is None and result.status is Level.healthy):
            return
        say = _log.info if result.status is Level.healthy else _log.warning
        say(
            "component changed",
            component=self._check.name,
            was=before,
            now=result.status,
            message=result.details.get("message", ""),
            error=error,
        )


def _ignore(run: "asyncio.Task[Result]") -> None:
    if not run.cancelled():
        run.exception()  # looked at, else asyncio logs that nobody did


def _public(error: Exception) -> str:
    """Say an error without what a driver puts in it: hosts, users, paths."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return "cannot connect"
    return f"the check failed ({type(error).__name__})"
