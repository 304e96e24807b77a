"""The command called as a function, in a home of its own, and projects that need no package index."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine import Done
from vertice.adaptive.advisories.sync import sync
from vertice.cli.main import main

HASH = " --hash=sha256:" + "0" * 64 + "\n"
"""A pin with a hash is complete: whatever else is installed has a hash, too. So nothing is resolved."""
VULNERABLE = f"pyyaml==5.3.1{HASH}"
CLEAN = f"idna==3.99{HASH}"


Call = Callable[..., Done]


@pytest.fixture(scope="session")
def osv(shared: Path) -> Path:
    """The real feed."""
    return shared / "data" / "osv" / "PyPI-all.zip"


@pytest.fixture(scope="session")
def fed(osv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds the real feed; copy it, do not use it."""
    home = tmp_path_factory.mktemp("fed")
    sync(home, osv)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("VERTICE_HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Rita Reviewer\n\temail = rita@example.org\n")
    for name in ("VERTICE_ADVISORIES", "VERTICE_PROBES", "DATABASE_URL", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def call(home: Path) -> Call:
    """Call `main` with these arguments, in an empty home, in an empty working directory."""

    def run(*argv: str | Path) -> Done:
        out, err = io.StringIO(), io.StringIO()
        code = main([str(part) for part in argv], out, err)
        return Done(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def fed_home(home: Path, fed: Path) -> Path:
    """The home of `call`, with the real feed in it."""
    shutil.copytree(fed, home)
    return home
