"""A registered project, its scans and what they found."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.triage.model import ReachabilityLevel
from vertice.kernel.codec import DESCRIBED

__all__ = [
    "DocumentKind",
    "Feed",
    "Finding",
    "FindingState",
    "Kind",
    "Project",
    "Scan",
    "ScanState",
    "Trigger",
]


class Kind(StrEnum):
    """Where a project's files come from."""

    path = "path"
    """A folder that every worker sees under the same path."""
    github = "github"


class ScanState(StrEnum):
    """How far a scan is."""

    queued = "queued"
    running = "running"
    finished = "finished"
    failed = "failed"


class Trigger(StrEnum):
    """Why a scan was asked for."""

    person = "person"
    schedule = "schedule"
    webhook = "webhook"
    message = "message"
    decision = "decision"
    """One merged a patch, or asked for another: what waits has to be proven on what is there now."""


class FindingState(StrEnum):
    """Whether a finding is still there."""

    open = "open"
    waived = "waived"
    fixed = "fixed"
    """A later scan did not find it any more."""


class DocumentKind(StrEnum):
    """The documents that a scan leaves."""

    json = "json"
    sarif = "sarif"
    cyclonedx = "cyclonedx"
    """Software bill of materials and VEX in one."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project that is looked after."""

    __pydantic_config__: ClassVar = DESCRIBED

    id: UUID
    """What it is asked for by."""
    name: str
    kind: Kind
    location: str
    """Absolute path, or `owner/repo`."""
    branch: str
    """"": whatever the folder has, or the repository's default branch."""
    schedule: str
    """Cron expression in UTC; "": scanned when asked for only."""
    next_scan_at: datetime | None
    """When its schedule has it scanned next; None without one."""
    archived: bool
    """Kept, but not scanned any more."""
    created_by: str
    """Id of the login that registered it."""
    created_at: datetime
    updated_at: datetime
    version: int
    """Counts every edit; an edit names the version it was made on. Also the ETag."""

    @property
    def known_as(self) -> str:
        """What tells projects apart in codes, reviews and folders: the path, or `github:owner/repo`."""
        return self.location if self.kind is Kind.path else f"{self.kind}:{self.location}"


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at a project."""

    __pydantic_config__: ClassVar = DESCRIBED

    id: UUID
    """What it is asked for by."""
    project_id: UUID
    """Of the project that is looked at."""
    state: ScanState
    trigger: Trigger
    heal: bool
    """Remedies are prepared and proven, too."""
    priority: int
    """1 (most urgent) to 10."""
    requested_by: str
    """Id of the login that asked; for whom no person asked, what did."""
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    commit: str
    """Commit id that was looked at, "" for a folder."""
    components: int | None
    """How many packages the project uses; None before it is known."""
    findings: int | None
    """How many APVs it has, without waived ones; None before it is known."""
    detail: str
    """Why it failed, or how the heal ended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One APV of a registered project."""

    __pydantic_config__: ClassVar = DESCRIBED

    code: str
    """`APV-YYYYMMDD-NNN`"""
    project_id: UUID
    """Of the project that has it."""
    scan_id: UUID | None
    """The last scan that saw it, None when an outside scanner told of it."""
    cve: str
    """CVE id, or the advisory's own id where it has none."""
    advisory: str
    """Id of the advisory: CVE, GHSA or PYSEC."""
    severity: Severity
    package: str
    version: str
    """The one in use."""
    priority: int
    """1 (most urgent) to 10."""
    reachability: ReachabilityLevel
    state: FindingState
    summary: str
    """Of the advisory: untrusted text."""
    published_at: datetime | None
    """When the advisory was published."""
    first_seen_at: datetime
    last_seen_at: datetime
    fixed_at: datetime | None
    """When a scan did not find it any more."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Where advisories come from, and how old they are."""

    __pydantic_config__: ClassVar = DESCRIBED

    name: str
    source: str
    """What it was read from: URL or file."""
    records: int
    """How many it has."""
    updated_at: datetime | None
    """When its newest record changed."""
    checked_at: datetime
    error: str
    """Why it could not be renewed, "" when it could."""
