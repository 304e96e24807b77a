"""A review, the decision on it, and what it proposes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Remedy, Strategy
from vertice.adaptive.triage.model import Apv, ReachabilityLevel
from vertice.adaptive.wargame.model import Grade, Verdict, VerdictWord
from vertice.kernel.codec import DESCRIBED

__all__ = [
    "Action",
    "Comment",
    "Decision",
    "DecisionKind",
    "DecisionRecord",
    "DecisionState",
    "NewReview",
    "Proposal",
    "Review",
    "ReviewedApv",
    "Reviewer",
    "Run",
    "Status",
]


class Status(StrEnum):
    """Where a review stands."""

    pending = "pending"
    """Waits for a person."""
    approved = "approved"
    rejected = "rejected"
    changes_requested = "changes_requested"
    """Sent back with a version or constraint to try; the next proof makes it pending again."""
    escalated = "escalated"
    """Raised to somebody else; still waits for a decision."""
    superseded = "superseded"
    """A later remedy, under another review, removes the same APVs."""


class DecisionKind(StrEnum):
    """The contract's four decisions."""

    approve = "approve"
    reject = "reject"
    modify = "modify"
    escalate = "escalate"


class Action(StrEnum):
    """The contract's words for what was done about a decision."""

    pr_merged = "pr_merged"
    pr_closed = "pr_closed"
    changes_requested = "changes_requested"
    escalated = "escalated"


class DecisionState(StrEnum):
    """How far a recorded decision has been carried out."""

    waiting = "waiting"
    """An approval that needs a second person's; it does not bind yet."""
    seconded = "seconded"
    """It waited, and a second person approved too: that approval binds."""
    lapsed = "lapsed"
    """It waited for a second person, and what it was about changed or was decided otherwise."""
    recorded = "recorded"
    """It binds, but the forge has not done it yet (or the process died before saying so)."""
    done = "done"
    failed = "failed"
    """The forge could not do it; the review is open again."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who decides. Comes from the login or, in a terminal, from who runs it; never from what is decided on."""

    name: str
    email: str
    id: str = ""
    """Of the login (`issuer|subject`); "" for whoever decides in a terminal."""

    @property
    def key(self) -> str:
        """What tells two people apart."""
        return self.id or self.email.strip().casefold()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch as a forge keeps it until somebody decides."""

    forge: str
    """`local-git`, `patch-file` or `github`: what `forges.forge_of` knows."""
    ref: str
    """Full git ref (`refs/heads/vertice/APV-…`), path of the patch file, or address of the pull request."""
    head: str
    """Commit id of the patch, or sha256 of the patch file. An approval holds for this one only."""
    base: str
    """Commit id it stands on; "" for a patch file."""
    target: str = ""
    """Full ref that an approval moves (`refs/heads/main`); "" where there is none (detached HEAD, patch file)."""
    note: str = ""
    """For people: why it is a patch file although the project lies in a git repository."""


@dataclass(frozen=True, slots=True)
class Run:
    """The wargame that a proposal was judged by, with its signed evidence."""

    code: str
    """`WAR-YYYYMMDD-NNN`."""
    arena: str
    started_at: datetime
    finished_at: datetime
    evidence: str
    """The evidence file's whole text."""


@dataclass(frozen=True, slots=True)
class NewReview:
    """What `ReviewStore.create` takes."""

    key: str
    """Names this proposal for ever (for instance workflow id + step): the same key never makes a second review."""
    project_name: str
    project_root: Path
    apvs: tuple[Apv, ...]
    """Every APV that the remedy removes, the most urgent first."""
    remedy: Remedy
    verdict: Verdict
    proposal: Proposal | None
    evidence_digest: str
    """sha256 hex of the exported evidence file."""
    evidence_path: Path
    summary: str = ""
    """For people, a few lines: what the reviewer should know first (a refuted release, a wrong range)."""
    run: Run | None = None
    project_id: UUID | None = None
    """Of the registered project, None where a person healed a folder."""
    proposed_by: str = ""
    """Who asked for the scan, as `Reviewer.key` names them; "" where a person healed a folder."""


@dataclass(frozen=True, slots=True)
class ReviewedApv:
    """An APV of a review."""

    __pydantic_config__: ClassVar = DESCRIBED

    code: str
    """`APV-YYYYMMDD-NNN`"""
    advisory: str
    """Id of the advisory: CVE, GHSA or PYSEC."""
    severity: Severity
    package: str
    version: str
    """The one in use."""
    summary: str
    """Of the advisory: untrusted text."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer wants."""

    kind: DecisionKind
    justification: str
    """At least 10 characters."""
    reviewer: Reviewer
    wanted: str = ""
    """For `modify`: the version or constraint to try (`2.3.1`, `>=2.3,<3`, `jinja2==3.1.6`)."""
    confidence_override: float | None = None
    """The reviewer's own confidence, 0..1, in place of the wargame's."""
    accept_unproven: bool = False
    """For `approve`: the reviewer knows that the wargame proved nothing."""


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as it was recorded."""

    id: UUID
    code: str
    kind: DecisionKind
    reviewer: Reviewer
    justification: str
    wanted: str
    confidence_override: float | None
    accept_unproven: bool
    created_at: datetime
    review_version: int
    """Version of the review that the reviewer saw."""
    review_revision: int
    evidence_digest: str
    head: str
    """Evidence and patch that were decided on."""
    status_before: Status
    state: DecisionState
    action: Action | None
    detail: str


@dataclass(frozen=True, slots=True)
class Review:
    """One remedy, waiting for a person or decided."""

    id: UUID
    code: str
    """Code of its most urgent APV."""
    cve: str
    severity: Severity
    package: str
    strategy: Strategy
    verdict: VerdictWord
    grade: Grade
    confidence: float
    reasons: tuple[str, ...]
    status: Status
    priority: int
    """1 (most urgent) to 10."""
    created_at: datetime
    updated_at: datetime
    project_name: str
    project_root: Path
    manifest: str
    version: int
    """Counts every change; a decision names the version it was made on."""
    revision: int
    """Counts the remedies that were proposed under this review, from 1."""
    key: str
    summary: str
    remedy: Remedy
    proposal: Proposal | None
    evidence_digest: str
    evidence_path: Path
    superseded_by: str
    """Code of the review that took its place, "" when none did."""
    apvs: tuple[ReviewedApv, ...]
    decisions: tuple[DecisionRecord, ...]
    """Oldest first."""
    project_id: UUID | None = None
    published_at: datetime | None = None
    """When the oldest of its advisories was published."""
    due_at: datetime | None = None
    """When policy wants it decided."""
    assignee: str | None = None
    assignee_name: str | None = None
    claimed_at: datetime | None = None
    package_change: str = ""
    """`2.11.2 → 3.1.6`"""
    reachability: ReachabilityLevel | None = None
    """The strongest of its APVs; None in a review that an earlier schema recorded."""
    proposed_by: str = ""
    """Who asked for the scan that led to its remedy, "" where that is not known."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person said about a review. The text is kept as it was given, and escaped where it is shown."""

    id: UUID
    author: str
    author_name: str
    text: str
    created_at: datetime
