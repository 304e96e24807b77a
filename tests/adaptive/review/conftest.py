"""A real SQLite file and a store on it."""

import runpy
import types
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from vertice.adaptive.review.decide import Standing
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database, upgrade


@pytest.fixture(scope="session")
def samples() -> types.SimpleNamespace:
    return types.SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("samples.py"))))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def url(home: Path) -> str:
    return f"sqlite+aiosqlite:///{home}/vertice.db"


@pytest_asyncio.fixture
async def store(home: Path, url: str) -> AsyncIterator[ReviewStore]:
    await upgrade(url)
    async with Database.open(url) as database:
        yield ReviewStore(database, home=home)


@pytest.fixture
def standing() -> Standing:
    """Everything is as the sample review recorded it."""
    return Standing(evidence_digest="e" * 64, head="a" * 40)
