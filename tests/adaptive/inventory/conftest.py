"""A project laid down from text, the stored locks, and the real resolver."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.uv import Uv

Lay = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of stored locks."""
    return Path(__file__).parent / "assets"


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Write files (relative path -> content) into the folder `shop` and return it."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "shop"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Uv]:
    """The real uv in the real sandbox, with a cache of its own."""
    home = tmp_path_factory.mktemp("uv-home")
    return lambda: Uv(Bubblewrap.find(), home)
