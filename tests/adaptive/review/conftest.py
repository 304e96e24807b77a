"""A store on each kind of database."""

import runpy
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import create_async_engine

from vertice.adaptive.review.decide import Standing
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database


@pytest.fixture(scope="session")
def samples() -> types.SimpleNamespace:
    return types.SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("samples.py"))))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest_asyncio.fixture
async def store(home: Path, url: str) -> AsyncIterator[ReviewStore]:
    async with Database.open(url) as database:
        yield ReviewStore(database, home=home)


@pytest_asyncio.fixture
async def tamper(url: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Run SQL past the store: statements between semicolons."""
    engine = create_async_engine(url)

    async def run(script: str) -> None:
        async with engine.begin() as connection:
            for statement in script.split(";"):
                await connection.exec_driver_sql(statement)

    yield run
    await engine.dispose()


@pytest.fixture
def standing() -> Standing:
    """Everything is as the sample review recorded it."""
    return Standing(evidence_digest="e" * 64, head="a" * 40)
