"""What every test may use."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine import ROOT, WARM, Machine, commit


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
    home = tmp_path / "home"
    home.mkdir()
    for name in WARM:
        warm = ROOT / ".run" / "test" / name
        warm.mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(warm)
    (home / "gitconfig").write_text("[user]\n\tname = Rita Reviewer\n\temail = rita@example.org\n")
    return Machine(home)


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
