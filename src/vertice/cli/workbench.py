"""What commands work with, made from the environment when it is first needed."""

import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vertice.adaptive.triage.codes import CodeRegistry
from vertice.kernel.environment import Environment
from vertice.kernel.errors import InputError
from vertice.kernel.home import make_private

if TYPE_CHECKING:
    from vertice.adaptive.advisories.store import Store
    from vertice.adaptive.config import Config
    from vertice.adaptive.remedy.releases import Releases
    from vertice.adaptive.wargame.environment import Environments
    from vertice.kernel.sandbox.bwrap import Bubblewrap
    from vertice.kernel.settings import Settings
    from vertice.kernel.uv import Uv

__all__ = ["Workbench", "progress_line"]

_INDEX_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
"""Where people say which package index they use; the first that is set counts."""


@dataclass
class Workbench:
    """The parts a command asks for; each is made once."""

    environment: Environment = field(default_factory=Environment.of_process)

    @cached_property
    def home(self) -> Path:
        """Vértice's home, made when it is not there."""
        try:
            return make_private(self.environment.home)
        except InputError as error:
            todo = "Name a folder that can be written to in VERTICE_HOME."
            raise InputError(f"Vértice's home: {error.what}", where=error.where, todo=todo) from error

    @cached_property
    def settings(self) -> "Settings":
        """Every setting (slow to load: not for a scan)."""
        from vertice.kernel.settings import load

        return load(self.environment)

    @cached_property
    def sandbox(self) -> "Bubblewrap":
        """The sandbox; raises UnfinishedError where there is none."""
        from vertice.kernel.sandbox.bwrap import Bubblewrap

        return Bubblewrap.find()

    @cached_property
    def indexes(self) -> tuple[str, ...]:
        """The package index the person configured, empty for the public one."""
        named = (self.environment.lookup(name) for name in _INDEX_SETTINGS)
        return tuple(url for url in named if url)[:1]

    @cached_property
    def uv(self) -> "Uv":
        """uv, in the sandbox."""
        from vertice.kernel.uv import Uv

        return Uv(self.sandbox, self.home, self.indexes)

    @cached_property
    def environments(self) -> "Environments":
        """The builder of environments."""
        from vertice.adaptive.wargame.environment import Environments

        return Environments(self.uv, self.home)

    @cached_property
    def releases(self) -> "Releases":
        """What the package index says of packages."""
        from vertice.adaptive.remedy.releases import PYPI, Releases

        return Releases(self.indexes[0] if self.indexes else PYPI, cache=self.home / "index")

    @cached_property
    def codes(self) -> CodeRegistry:
        """The register of APV codes."""
        return CodeRegistry(self.home / "codes.db")

    def store(self, option: str | None, config: "Config | None" = None) -> "Store | None":
        """Return the advisories of `--advisories`, VERTICE_ADVISORIES or vertice.toml; else whichever are here."""
        from vertice.adaptive.scan import open_store

        named = option or self.environment.lookup("VERTICE_ADVISORIES") or (config.scan.advisories if config else "")
        return open_store(self.home, named or None)

    def probe_folders(self, option: list[Path] | None, config: "Config | None" = None) -> tuple[Path, ...]:
        """Return the folders of `--probes`, VERTICE_PROBES and vertice.toml."""
        named = self.environment.path("VERTICE_PROBES")
        return (*(config.wargame.probes if config else ()), *((named,) if named else ()), *(option or ()))


def progress_line(what: str, done: int, total: int) -> None:
    """Show progress on one line of a terminal; say nothing where stderr is none."""
    if sys.stderr.isatty():
        share = f" {100 * done // total} %" if total else ""
        sys.stderr.write(f"\r\033[K{what}{share}" if done < total else "\r\033[K")
        sys.stderr.flush()
