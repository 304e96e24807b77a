"""What every test may use."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.machine import ROOT, Machine, commit
from tests.servers import ManagedVhosts, Postgres, RabbitMq, Redis, Vhosts
from tests.shared_broker import shared_vhosts
from vertice.kernel.database import upgrade


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real advisory data: `VERTICE_SHARED`, or `shared` beside the checkout or a folder above it."""
    named = os.environ.get("VERTICE_SHARED")
    places = [Path(named)] if named else [folder / "shared" for folder in ROOT.parents]
    for place in places:
        if (place / "data").is_dir():
            return place
    pytest.skip("the real advisory data is not here: name its folder in VERTICE_SHARED")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with an empty home, but warm caches of releases and environments."""
    return Machine.equipped(tmp_path / "home")


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Make a project from files, in a git repository of its own unless `git` is False."""

    def make(files: dict[str, str], *, git: bool = True) -> Path:
        folder = tmp_path / "service"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if git:
            commit(folder)
        return folder

    return make


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """A copy of examples/patient, in a git repository of its own."""
    folder = tmp_path / "patient"
    shutil.copytree(ROOT / "examples" / "patient", folder)
    commit(folder)
    return folder


@pytest.fixture(scope="session")
def warm_home() -> Path:
    """A home that every test run shares: only for caches of releases and environments."""
    home = ROOT / ".run" / "test"
    home.mkdir(parents=True, exist_ok=True)
    return home


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL that this worker's tests share, with the right to make databases."""
    if named := os.environ.get("VERTICE_TEST_POSTGRES_URL"):
        yield named
        return
    with Postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of a database with the newest schema, to be copied."""
    name = f"vertice_test_{uuid4().hex}"
    _administer(postgres_server, f"CREATE DATABASE {name}")
    asyncio.run(upgrade(_async_url(postgres_server, name)))
    yield name
    _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A database without any table."""
    yield from _database(postgres_server, "template0")


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with the newest schema."""
    yield from _database(postgres_server, postgres_template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "vertice.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite file of the test's own, with the newest schema: `home/vertice.db` in the test's folder."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(sqlite_template, home / "vertice.db")
    return f"sqlite+aiosqlite:///{home}/vertice.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own, with the newest schema; the test runs once on each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/home/vertice.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis that this worker's tests share; of one that is given, each worker has its own database."""
    if named := os.environ.get("VERTICE_TEST_REDIS_URL"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield urlsplit(named)._replace(path=f"/{worker}").geturl()
        return
    with Redis() as server:
        yield server.url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Redis."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(scope="session")
def rabbitmq_vhosts(tmp_path_factory: pytest.TempPathFactory) -> Vhosts | ManagedVhosts:
    """The virtual hosts of the RabbitMQ that all workers of this run share."""
    if named := os.environ.get("VERTICE_TEST_RABBITMQ_URL"):
        return ManagedVhosts(named)
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        return shared_vhosts(folder.parent, os.getppid())
    return shared_vhosts(folder, os.getpid())


@pytest.fixture
def rabbitmq_url(rabbitmq_vhosts: Vhosts | ManagedVhosts) -> Iterator[str]:
    """A RabbitMQ virtual host of the test's own."""
    url = rabbitmq_vhosts.make()
    yield url
    rabbitmq_vhosts.remove(url)


@pytest.fixture
def private_postgres() -> Iterator[Callable[[], Postgres]]:
    """Make a PostgreSQL that the test may stop, kill and pause."""
    with ExitStack() as servers:
        yield lambda: servers.enter_context(Postgres())


@pytest.fixture
def private_redis() -> Iterator[Callable[[], Redis]]:
    """Make a Redis that the test may stop, kill and pause."""
    with ExitStack() as servers:
        yield lambda: servers.enter_context(Redis())


@pytest.fixture
def private_rabbitmq() -> Iterator[Callable[[], RabbitMq]]:
    """Make a RabbitMQ that the test may stop, kill and pause; it takes some five seconds to start."""
    with ExitStack() as servers:
        yield lambda: servers.enter_context(RabbitMq())


def _database(server: str, template: str) -> Iterator[str]:
    name = f"vertice_test_{uuid4().hex}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _async_url(server, name)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _async_url(url: str, database: str) -> str:
    return make_url(url).set(drivername="postgresql+asyncpg", database=database).render_as_string(hide_password=False)
