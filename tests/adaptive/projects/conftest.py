"""Stores on a real database, and a clock that stands still until it is told to go."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from vertice.adaptive.projects.model import Kind, Project
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.kernel.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Office:
    """Both stores, who was audited, and the time."""

    database: Database
    folder: Path
    now: datetime = NOON
    audited: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def projects(self) -> ProjectStore:
        return ProjectStore(self.database, audit=self.audit, clock=lambda: self.now)

    @property
    def scans(self) -> ScanStore:
        return ScanStore(self.database, clock=lambda: self.now)

    async def audit(self, session, *, actor, action, subject, payload) -> None:
        self.audited.append((actor, action, subject))

    def later(self, **much: float) -> None:
        self.now += timedelta(**much)

    async def project(self, name: str = "shop", **more: str) -> Project:
        place = self.folder / name
        place.mkdir(exist_ok=True)
        return await self.projects.register(Kind.path, str(place), by="ana", **more)


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with Database.open(database_url) as opened:
        yield Office(opened, tmp_path)


@pytest.fixture
def noon() -> datetime:
    return NOON
