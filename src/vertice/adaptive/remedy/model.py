"""A remedy: the smallest change to a manifest that removes one or more APVs and still resolves."""

from dataclasses import dataclass
from enum import StrEnum

from vertice.adaptive.inventory.model import Lock

__all__ = ["Change", "Edit", "ReleaseFacts", "Remedy", "Strategy", "Unremedied"]


class Strategy(StrEnum):
    """How the change is made, from the smallest to the largest intervention."""

    upgrade = "upgrade"
    """Within the project's own constraints."""
    relax = "relax"
    """A constraint of the project's own is changed."""
    parent = "parent"
    """A parent that caps the vulnerable package is bumped with it."""
    override = "override"
    """The resolver is told to ignore a parent's cap."""


@dataclass(frozen=True, slots=True)
class Change:
    """One package goes from one version to another."""

    package: str
    """PEP 503 normalised."""
    before: str
    """Version; "" when it is added."""
    after: str
    """Version; "" when it is removed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """The new content of one file; line ends and encoding are the old file's. `before` is None for a new file."""

    path: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What is known of a release we propose: the fix is a suspect too. None means not known, never "no"."""

    package: str
    version: str
    uploaded_at: str = ""
    """RFC 3339 of the first file of the release."""
    age_days: int | None = None
    """Days since then."""
    yanked: bool | None = None
    attested: bool | None = None
    """Every file has a PEP 740 provenance object."""
    publisher: str = ""
    """Of its PEP 740 attestation, "" when it has none."""
    publisher_changed: bool | None = None
    """The PEP 740 publisher differs from the one of the release in use."""
    pth_files: tuple[str, ...] = ()
    """`.pth` files in the wheel: code that runs at every start of the interpreter."""
    install_time_code: bool | None = None
    """Only an sdist fits, so that installing runs its build code."""
    notes: tuple[str, ...] = ()
    """What else to know, in words."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One proposal. `changes[0]` is the vulnerable package itself."""

    manifest: str
    """`Manifest.path` that it changes."""
    apvs: tuple[str, ...]
    """Codes of every APV that it removes, the most urgent first."""
    strategy: Strategy
    changes: tuple[Change, ...]
    edits: tuple[Edit, ...]
    diff: str
    """Unified diff of the edits with `a/` and `b/` prefixes, appliable by `git apply` in the project's folder."""
    before: Lock
    after: Lock
    why: str
    """One sentence: why this change and no smaller one."""
    facts: tuple[ReleaseFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Unremedied:
    """An APV that no change removes, and why: it can be shielded, or accepted with a reason and an expiry."""

    apv: str
    reason: str
