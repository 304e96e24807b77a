"""Room on the disk."""

import asyncio
import shutil
from pathlib import Path

from vertice.kernel.health.model import USUAL, Level, Limits, Result

__all__ = ["DiskCheck"]


class DiskCheck:
    """The disk that holds the home: evidence, databases and environments need room. Bounds in MiB."""

    name = "disk"

    def __init__(
        self,
        folder: Path,
        *,
        low_mb: int = 1024,
        full_mb: int = 100,
        critical: bool = False,
        limits: Limits = USUAL,
    ) -> None:
        self.critical = critical
        self.limits = limits
        self._folder = folder
        self._low = low_mb
        self._full = full_mb

    async def run(self) -> Result:
        """Return the free and the whole room; degraded below `low_mb`, unhealthy below `full_mb`."""
        usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
        free = usage.free // 1024**2
        details = {"free_mb": free, "total_mb": usage.total // 1024**2}
        if free < self._full:
            return Result(Level.unhealthy, {"message": f"less than {self._full} MiB are left", **details})
        if free < self._low:
            return Result(Level.degraded, {"message": f"less than {self._low} MiB are left", **details})
        return Result(Level.healthy, details)

    async def close(self) -> None:
        """Nothing is held."""
