"""What happens in a heal, told live: every stage, and of the many small things a few each second."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from vertice.adaptive.messages.live import WargameStep
from vertice.adaptive.model import Request, Step
from vertice.kernel.errors import VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["Progress"]

_DETAIL_SECONDS = 0.2
"""Between two small things of one scan that are told."""
_WAITING = 1000
"""Untold things that are kept while the database does not answer; what comes then is not told."""
_SCANS = 1000

Tell = Callable[[UUID, WargameStep], Awaitable[None]]


class Progress:
    """Takes steps from any thread and tells of them in their order, from the loop that it was made in."""

    def __init__(self, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[tuple[UUID, WargameStep]] = asyncio.Queue(_WAITING)
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request, step: Step) -> None:
        """Take note of one step."""
        if not request.scan or (step.detail and not self._turn(request.scan)):
            return
        told = WargameStep.model_validate(
            {
                "stage": str(step.stage),
                "text": printable(step.text, limit=300),
                "remedy": step.remedy,
                "side": str(step.side),
                "detail": step.detail,
            }
        )
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, UUID(request.scan), told)

    async def run(self) -> None:
        """Tell, until cancelled."""
        while True:
            scan, told = await self._waiting.get()
            try:
                await self._tell(scan, told)
            except VerticeError as error:
                get_logger(__name__).warning("progress not told", why=printable(str(error)))
            finally:
                self._waiting.task_done()

    async def drain(self) -> None:
        """Return when everything is told."""
        await self._waiting.join()

    def _put(self, scan: UUID, told: WargameStep) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait((scan, told))

    def _turn(self, scan: str) -> bool:
        now = self._clock()
        with self._lock:
            last = self._told.get(scan)
            if last is not None and now - last < _DETAIL_SECONDS:
                return False
            if len(self._told) >= _SCANS:
                self._told.clear()
            self._told[scan] = now
            return True
