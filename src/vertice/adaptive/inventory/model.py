"""What a project is made of: components, the manifests that name them, and locks an environment is built from."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from packageurl import PackageURL
from packaging.utils import canonicalize_name

__all__ = ["Component", "Lock", "Manifest", "ManifestKind", "Project"]


class ManifestKind(StrEnum):
    """Where a manifest's versions come from."""

    requirements = "requirements"
    uv_lock = "uv.lock"
    poetry_lock = "poetry.lock"
    pylock = "pylock.toml"
    pyproject = "pyproject.toml"
    installed = "installed"


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """One package at one version, as one manifest names it."""

    name: str
    """PEP 503 normalised."""
    version: str
    """As written in the manifest; usually, not always, a PEP 440 version."""
    source: str
    """File that names it, relative to the project (`requirements.txt`), or the environment's path."""
    line: int = 0
    """1-based line in `source`; 0 where a line means nothing."""
    direct: bool = True
    """The project asks for it by name (not only another package does)."""
    dev: bool = False
    """Needed for development or tests only."""
    dependency_path: tuple[str, ...] = ()
    """Names from a direct dependency down to this one, both included: `("fastapi", "starlette")`; the shortest such."""
    dependencies: tuple[str, ...] = ()
    """PEP 503 names of the packages it requires here, sorted."""
    extras: tuple[str, ...] = ()
    """Extras asked of it, sorted."""
    marker: str = ""
    """PEP 508 environment marker, `""` when always needed."""

    @property
    def purl(self) -> str:
        """Package URL (purl-spec, type `pypi`)."""
        return str(PackageURL("pypi", None, canonicalize_name(self.name), self.version))


@dataclass(frozen=True, slots=True)
class Lock:
    """Exact requirements from which an environment can be built by `uv pip install --no-deps`."""

    requirements: tuple[str, ...]
    """PEP 508 lines, every one pinned: `pyyaml==5.3.1`, with marker and extras where the manifest has them; sorted."""
    hashes: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """`"pyyaml==5.3.1"` -> `("sha256:…", …)` where the manifest has hashes."""
    requires_python: str = ""
    """PEP 440 specifier of the project (`>=3.9,<3.12`), `""` when it says nothing."""
    python_version: str = ""
    """Version asked for by `.python-version` or alike (`3.11`), `""` when nothing asks."""
    indexes: tuple[str, ...] = ()
    """Index URLs the manifest names, the first is the default index; empty: uv's own default."""

    @property
    def digest(self) -> str:
        """sha256 hex over everything above; equal locks build equal environments."""
        parts = [self.requires_python, self.python_version, *self.indexes, *self.requirements]
        parts += [f"{pin} {' '.join(sorted(found))}" for pin, found in sorted(self.hashes.items())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """One lock, or one group of requirement files that are installed together."""

    kind: ManifestKind
    path: str
    """Root file, relative to the project: `uv.lock`, `requirements.txt`."""
    files: tuple[str, ...]
    """Every file that was read for it (also by `-r` and `-c`), relative to the project, `path` first."""
    components: tuple[Component, ...]
    """Sorted by name, then version."""
    lock: Lock
    resolved: bool = False
    """True when versions were not all pinned and uv had to resolve them."""
    complete: bool = True
    """False when what would be installed with these is not known: nothing could be, or should be, resolved."""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with at least one manifest, or an installed environment."""

    name: str
    root: Path
    manifests: tuple[Manifest, ...]
    warnings: tuple[str, ...] = ()
    """What was left out and why (a local path, a VCS requirement): never silently."""

    @property
    def components(self) -> tuple[Component, ...]:
        """Every component of every manifest, without exact duplicates, sorted."""
        return tuple(sorted({component for manifest in self.manifests for component in manifest.components}))
