"""A registered project, its scans and what they found."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.triage.model import ReachabilityLevel

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

    id: UUID
    name: str
    kind: Kind
    location: str
    """Absolute path, or `owner/repo`."""
    branch: str
    """"": whatever the folder has, or the repository's default branch."""
    schedule: str
    """Cron expression in UTC; "": scanned when asked for only."""
    next_scan_at: datetime | None
    archived: bool
    """Kept, but not scanned any more."""
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int
    """Counts every edit; an edit names the version it was made on."""

    @property
    def known_as(self) -> str:
        """What tells projects apart in codes, reviews and folders: the path, or `github:owner/repo`."""
        return self.location if self.kind is Kind.path else f"{self.kind}:{self.location}"


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at a project."""

    id: UUID
    project_id: UUID
    state: ScanState
    trigger: Trigger
    heal: bool
    """Remedies are prepared and proven, too."""
    priority: int
    """1 (most urgent) to 10."""
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    commit: str
    """Commit id that was looked at, "" for a folder."""
    components: int | None
    findings: int | None
    """How many, None before they are known."""
    detail: str
    """Why it failed, or how the heal ended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One APV of a registered project."""

    code: str
    project_id: UUID
    scan_id: UUID | None
    """The last scan that saw it, None when an outside scanner told of it."""
    cve: str
    advisory: str
    severity: Severity
    package: str
    version: str
    priority: int
    """1 (most urgent) to 10."""
    reachability: ReachabilityLevel
    state: FindingState
    summary: str
    published_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    fixed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Feed:
    """Where advisories come from, and how old they are."""

    name: str
    source: str
    records: int
    updated_at: datetime | None
    """When its newest record changed."""
    checked_at: datetime
    error: str
