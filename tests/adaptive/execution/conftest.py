"""Real git repositories."""

import os
import runpy
import subprocess
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.github_server.fixtures import github_stand_in, service

__all__ = ["github_stand_in", "service"]

SAMPLES = types.SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "review" / "samples.py")))


@pytest.fixture
def samples() -> types.SimpleNamespace:
    return SAMPLES


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's own git configuration, and nobody else's."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Dev\n\temail = dev@example.org\n[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    def run(*args: str, cwd: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *args], cwd=cwd or tmp_path / "repo", capture_output=True, text=True, check=False, env=os.environ
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Callable[..., str]) -> Path:
    """A repository on `main` with the sample's requirements.txt and an app."""
    root = tmp_path / "repo"
    root.mkdir()
    git("init", "--quiet")
    (root / "requirements.txt").write_text(SAMPLES.BEFORE)
    (root / "app.py").write_text("import yaml\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    return root
