"""Checks of what is not a server: workers, disk."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vertice.kernel.errors import UnfinishedError
from vertice.kernel.health.disk import DiskCheck
from vertice.kernel.health.model import Level
from vertice.kernel.health.workers import WorkersCheck

NOW = datetime(2026, 1, 2, 3, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize(("seen", "level"), [(0, Level.unhealthy), (1, Level.healthy), (7, Level.healthy)])
async def test_at_least_one_worker_was_seen_in_the_last_half_minute(seen: int, level: Level):
    asked = []

    async def seen_since(time: datetime) -> int:
        asked.append(time)
        return seen

    result = await WorkersCheck(seen_since, clock=lambda: NOW).run()
    assert (result.status, result.details["active"]) == (level, seen)
    assert asked == [NOW.replace(second=0)]


async def test_workers_are_unknown_while_the_database_does_not_answer():
    async def seen_since(_: datetime) -> int:
        raise UnfinishedError("cannot reach the database", where="postgresql://vertice:***@db")

    result = await WorkersCheck(seen_since).run()
    assert (result.status, result.details) == (Level.unknown, {"message": "the database does not say"})


@pytest.mark.parametrize(
    ("low", "full", "level"),
    [(1, 0, Level.healthy), (10**9, 0, Level.degraded), (10**9, 10**9, Level.unhealthy)],
)
async def test_little_room_degrades_and_hardly_any_is_unhealthy(low: int, full: int, level: Level, tmp_path: Path):
    result = await DiskCheck(tmp_path, low_mb=low, full_mb=full).run()
    assert result.status is level
    assert 0 < result.details["free_mb"] < result.details["total_mb"]
    assert str(tmp_path) not in str(result.details)
