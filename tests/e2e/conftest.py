"""Whole journeys: the real command in a process of its own, on real projects, with real releases."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERTICE = Path(sys.executable).parent / "vertice"
WARM = ("store", "wheels", "locks")
"""Folders of Vértice's home that hold caches: every test's home has the same ones."""


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Machine:
    """A home of its own, and the command run in it."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *args: str | Path) -> list[str]:
        return [str(VERTICE), *map(str, args)]

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VERTICE_")}
        git = {"GIT_CONFIG_GLOBAL": str(self.home / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
        return {**kept, **git, "VERTICE_HOME": str(self.home), "COLUMNS": "160", **self.environment}

    def run(self, *args: str | Path, cwd: Path | None = None) -> Done:
        done = subprocess.run(
            self.command(*args),
            env=self.variables,
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=560,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


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


def git(folder: Path, *args: str) -> str:
    command: Sequence[str] = ["git", "-c", "user.name=Owner", "-c", "user.email=owner@example.org", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "As it is")
