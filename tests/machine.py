"""The real command in a process of its own, and real projects to run it on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
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
    unseen: Path | None = field(default=None, kw_only=True)
    """The home of another machine: for the command there is an empty folder in its place."""

    @classmethod
    def equipped(cls, home: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Self:
        """Make an empty home with warm caches of releases and environments, and a person who works there."""
        home.mkdir()
        for name in WARM:
            warm = ROOT / ".run" / "test" / name
            warm.mkdir(parents=True, exist_ok=True)
            (home / name).symlink_to(warm)
        (home / "gitconfig").write_text("[user]\n\tname = Rita Reviewer\n\temail = rita@example.org\n")
        return cls(home, dict(environment))

    def command(self, *args: str | Path) -> list[str]:
        command = [str(VERTICE), *map(str, args)]
        if self.unseen is None:
            return command
        # The command takes the place of the shell, so that signals reach it.
        hidden = 'mount -t tmpfs none "$0" && exec "$@"'
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", hidden, str(self.unseen), *command]

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


def git(folder: Path, *args: str) -> str:
    command = ["git", "-c", "user.name=Owner", "-c", "user.email=owner@example.org", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "As it is")
