"""What every format must be able to do for a remedy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from packaging.utils import canonicalize_name
from packaging.version import Version

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.remedy.candidates import parse
from vertice.adaptive.remedy.model import Edit
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.resolver import Asked, Runner

__all__ = ["Document", "Move", "Written", "pins"]


@dataclass(frozen=True, slots=True)
class Move:
    """What is to change in a lock. Names are PEP 503 normalised, versions as they shall be written."""

    targets: frozenset[str]
    """The vulnerable packages among `changes`."""
    changes: Mapping[str, tuple[str, str]]
    """Name -> (before, after)."""
    added: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name -> names that ask for it, after the move."""
    overridden: frozenset[str] = frozenset()
    """Targets that a parent excludes."""
    avoided: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name -> versions a range must not let in."""
    bare: bool = False
    """Targets that no file names get no pin of their own: the parent that moves brings them along."""


@dataclass(frozen=True, slots=True)
class Written:
    """The edited files, or why the format cannot express the move."""

    edits: tuple[Edit, ...] = ()
    constraints: int = 0
    """Constraints of the project's own that were edited."""
    problem: str = ""


class Document(Protocol):
    """One manifest with everything that constrains it."""

    @property
    def roots(self) -> tuple[Asked, ...]:
        """What the project asks for."""
        ...

    @property
    def constraints(self) -> tuple[Asked, ...]:
        """What else limits it."""
        ...

    @property
    def overrides(self) -> tuple[str, ...]:
        """PEP 508 lines that already replace what parents ask for."""
        ...

    @property
    def files(self) -> Mapping[str, str]:
        """Path relative to the project -> text, of everything a reader of this manifest needs."""
        ...

    @property
    def overridable(self) -> bool:
        """A parent's cap can be ignored in this format."""
        ...

    @property
    def override_last(self) -> bool:
        """An override is taken only when nothing else resolves (the format has no place to declare it)."""
        ...

    @property
    def universal(self) -> bool:
        """The lock holds for every platform."""
        ...

    def excluding(self, move: Move) -> int:
        """Count the project's own constraints that exclude a version of the move."""
        ...

    def write(self, move: Move, index: Releases, uv: Runner) -> Written:
        """Return the edited files."""
        ...

    def check(self, files: Mapping[str, str], lock: Lock, uv: Runner) -> str:
        """Return "" when the edited `files`, which read as `lock`, resolve, else why not."""
        ...


def pins(lock: Lock) -> dict[str, tuple[str, ...]]:
    """Return PEP 503 name -> versions of a lock; versions that are not PEP 440 are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lock.requirements:
        name, _, version = line.partition(";")[0].strip().partition("==")
        key = canonicalize_name(name.partition("[")[0].strip())
        if parse(version.strip()) is not None and version.strip() not in found.get(key, ()):
            found[key] = (*found.get(key, ()), version.strip())
    return {name: tuple(sorted(versions, key=Version)) for name, versions in found.items()}
