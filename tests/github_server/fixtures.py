"""Fixtures over GitHub's stand-in: import them in a conftest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stamina
from pydantic import SecretStr

from tests.github_server.app import FakeApp
from tests.github_server.fake import FakeGitHub
from tests.github_server.server import Door, Holder, Running, door, everything
from vertice.adaptive.execution.github import GitHub, GitHubSettings
from vertice.adaptive.execution.github_client import Access, App

TOKEN = "github_pat_test"


@dataclass
class Service:
    """GitHub as a test sees it."""

    door: Door
    holder: Holder
    folder: Path
    begun: int = 0
    """How often it was begun anew."""

    @property
    def state(self) -> FakeGitHub:
        return self.holder.github

    @property
    def home(self) -> Path:
        return self.folder / str(self.begun)

    def begin_anew(self) -> None:
        """Forget everything: an empty repository again, and an empty home."""
        self.holder.github = FakeGitHub(self.state.examples, self.state.codeload)
        self.begun += 1

    @property
    def access(self) -> Access:
        return Access(SecretStr(TOKEN), base_url=self.door.url, seconds=10.0)

    def as_app(self, *, known: bool = True, **more: Any) -> Access:
        """Let the app in and nobody else; return its access. `known`: it was told where it is installed."""
        self.state.app = FakeApp(**more)
        app = self.state.app
        login = App(app.id, SecretStr(app.pem), app.installation if known else 0)
        return Access(login, base_url=self.door.url, seconds=10.0)

    def forge(self, **more: Any) -> GitHub:
        values: dict[str, Any] = {
            "access": self.access,
            "leads": ("lead",),
            "review_url": "https://vertice.example.org/reviews/{code}",
        }
        return GitHub(GitHubSettings(**{**values, **more}), self.home)

    def checkout(self, commit: str) -> Path:
        """Where the files of a commit would lie."""
        folder = self.home / "checkouts" / self.state.owner / self.state.repo / commit
        folder.mkdir(parents=True)
        return folder


@pytest.fixture(scope="session")
def github_stand_in() -> Iterator[Running]:
    with everything() as running:
        yield running


@pytest.fixture
def service(github_stand_in: Running, tmp_path: Path) -> Iterator[Service]:
    """An empty repository acme/shop; the test fails when a request or an answer is not as GitHub describes it."""
    running = github_stand_in
    with door(running.prism, running.fake) as opened, stamina.set_testing(True, attempts=4, cap=True):
        found = Service(opened, running.holder, tmp_path)
        found.begin_anew()
        yield found
    assert not opened.violations, "\n".join(opened.violations)
