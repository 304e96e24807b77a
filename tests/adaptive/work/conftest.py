"""Real worker processes, and what they share."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from tests.adaptive.work.process import Diary, no_audit
from tests.machine import ROOT
from vertice.adaptive.projects.model import Kind, Project, Scan, ScanState
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.kernel.database import Database

LONG = 120.0
"""Seconds after which a test gives up on something that has to happen soon."""


@dataclass
class Crew:
    """Worker processes on one database, and the stores that the API would use."""

    url: str
    folder: Path
    database: Database
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def diary(self) -> Diary:
        return Diary(self.folder)

    @property
    def projects(self) -> ProjectStore:
        return ProjectStore(self.database, audit=no_audit)

    @property
    def scans(self) -> ScanStore:
        return ScanStore(self.database)

    def hire(self, **config: Any) -> subprocess.Popen[bytes]:
        """Start a worker."""
        number = len(self.processes)
        path = self.folder / f"worker-{number}.json"
        path.write_text(json.dumps({"url": self.url, "folder": str(self.folder), "home": str(self.folder), **config}))
        log = (self.folder / f"worker-{number}.log").open("wb")
        command = [sys.executable, "-m", "tests.adaptive.work.process", str(path)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log)
        log.close()
        self.processes.append(process)
        return process

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait for something that has to happen."""
        for _ in range(int(LONG / 0.05)):
            if true():
                return
            await asyncio.sleep(0.05)
        logs = "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("worker-*.log")))
        pytest.fail(f"it did not happen; the diary ends {self.diary.lines[-20:]}\n{logs}")

    async def project(self, name: str) -> Project:
        place = self.folder / "projects" / name
        place.mkdir(parents=True, exist_ok=True)
        return await self.projects.register(Kind.path, str(place), by="ana")

    async def ended(self, scan_id: UUID) -> Scan:
        """Wait for the end of a scan."""
        for _ in range(int(LONG / 0.1)):
            scan = await self.scans.get(scan_id)
            if scan.state in {ScanState.finished, ScanState.failed}:
                return scan
            await asyncio.sleep(0.1)
        await self.until(lambda: False)
        raise AssertionError

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def crew(postgres_url: str, tmp_path: Path) -> AsyncIterator[Crew]:
    """Workers on PostgreSQL."""
    async with Database.open(postgres_url) as opened:
        crew = Crew(postgres_url, tmp_path, opened)
        yield crew
        crew.end()


@pytest_asyncio.fixture
async def either_crew(database_url: str, tmp_path: Path) -> AsyncIterator[Crew]:
    """Workers on one database or the other; on SQLite there can be one."""
    async with Database.open(database_url) as opened:
        crew = Crew(database_url, tmp_path, opened)
        yield crew
        crew.end()
