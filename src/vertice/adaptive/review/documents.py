"""A review as others read it: a line of the list, and the document with all that a decision needs.

Both are made when the review changes and kept beside it as JSON, so that reading costs one query and nothing to make.
They say nothing that is not in the review's own columns: `ReviewStore.verify` makes them anew and compares.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Change, ReleaseFacts, Remedy, Strategy
from vertice.adaptive.review.model import (
    Action,
    DecisionKind,
    DecisionRecord,
    DecisionState,
    Review,
    ReviewedApv,
    Status,
)
from vertice.adaptive.triage.model import ReachabilityLevel
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.codec import DESCRIBED, to_json

__all__ = [
    "FORM",
    "DecisionDocument",
    "ProposalDocument",
    "RemedyDocument",
    "ReviewDocument",
    "Summary",
    "decision_document",
    "remedy_document",
    "rendered",
    "review_document",
    "summary_of",
]

FORM = 2
"""Version of what is kept as JSON: one more when a line or document says anything else, or says it otherwise."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list."""

    __pydantic_config__: ClassVar = DESCRIBED

    id: UUID
    """Stays, whatever the code."""
    code: str
    """Code of its most urgent APV, `APV-YYYYMMDD-NNN`: what a review is asked for by."""
    cve: str
    """CVE id of that APV, or the advisory's own id where it has none."""
    severity: Severity
    package: str
    package_change: str
    """`2.11.2 → 3.1.6`"""
    project: str
    """Name of the project."""
    project_id: UUID | None
    """Id of the registered project; null where a person healed a folder."""
    manifest: str
    """File that the remedy changes, relative to the project."""
    strategy: Strategy
    verdict: VerdictWord
    grade: Grade
    confidence: float
    """Of the verdict, 0..1."""
    status: Status
    priority: int
    """1 (most urgent) to 10."""
    reachability: ReachabilityLevel | None
    """The strongest of its APVs; null where it was not recorded."""
    apvs: int
    """How many APVs the remedy removes."""
    assignee: str | None
    """Id of the login that has it; null: nobody has."""
    assignee_name: str | None
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    """When the oldest of its advisories was published."""
    due_at: datetime | None
    """When policy wants it decided."""
    version: int
    """Counts every change; also the ETag."""
    revision: int
    """Counts the remedies that were proposed under this review."""


@dataclass(frozen=True, slots=True)
class DecisionDocument:
    """A decision as it was recorded."""

    __pydantic_config__: ClassVar = DESCRIBED

    id: UUID
    """What it is asked for by."""
    review: str
    """Code of the review."""
    decision: DecisionKind
    reviewer: str
    """Name, as the login said it."""
    reviewer_email: str
    justification: str
    """As it was given: untrusted text."""
    wanted: str
    """With modify: the version or constraint to try."""
    confidence_override: float | None
    """The reviewer's own confidence, 0..1, in place of the wargame's."""
    accept_unproven: bool
    created_at: datetime
    review_version: int
    """Version of the review that the reviewer saw."""
    review_revision: int
    """Which of the review's remedies it was given on, counted from 1."""
    evidence_digest: str
    """sha256 of the evidence it was given on."""
    state: DecisionState
    action: Action | None
    """What was done; null until something was."""
    detail: str
    """How it was done, or why it could not be."""


@dataclass(frozen=True, slots=True)
class ProposalDocument:
    """The patch as the forge keeps it."""

    __pydantic_config__: ClassVar = DESCRIBED

    forge: str
    """`local-git`, `patch-file` or `github`; there may be more, in a database that a later version wrote to."""
    ref: str
    """Branch, patch file or pull request."""
    head: str
    """Commit, or sha256 of the patch file: what an approval holds for."""
    base: str
    """Commit that it stands on; "" for a patch file."""
    target: str
    """Branch that an approval moves, in full; "" where there is none."""
    note: str
    """Why it is a patch file although the project lies in a git repository."""


@dataclass(frozen=True, slots=True)
class RemedyDocument:
    """A change to a manifest."""

    __pydantic_config__: ClassVar = DESCRIBED

    manifest: str
    """File that it changes, relative to the project."""
    strategy: Strategy
    why: str
    """One sentence: why this change and no smaller one."""
    changes: tuple[Change, ...]
    """The vulnerable package first."""
    diff: str
    """Unified diff."""
    facts: tuple[ReleaseFacts, ...]
    """What is known of the releases it brings."""


@dataclass(frozen=True, slots=True)
class ReviewDocument:
    """One review with everything that a decision needs."""

    __pydantic_config__: ClassVar = DESCRIBED

    id: UUID
    """Stays, whatever the code."""
    code: str
    """Code of its most urgent APV, `APV-YYYYMMDD-NNN`: what a review is asked for by."""
    cve: str
    """CVE id of that APV, or the advisory's own id where it has none."""
    severity: Severity
    package: str
    package_change: str
    """`2.11.2 → 3.1.6`"""
    project: str
    """Name of the project."""
    project_id: UUID | None
    """Id of the registered project; null where a person healed a folder."""
    verdict: VerdictWord
    grade: Grade
    confidence: float
    """Of the verdict, 0..1."""
    reasons: tuple[str, ...]
    """Why that verdict, in words."""
    summary: str
    """What to know first."""
    status: Status
    priority: int
    """1 (most urgent) to 10."""
    reachability: ReachabilityLevel | None
    """The strongest of its APVs; null where it was not recorded."""
    assignee: str | None
    """Id of the login that has it; null: nobody has."""
    assignee_name: str | None
    claimed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    """When the oldest of its advisories was published."""
    due_at: datetime | None
    """When policy wants it decided."""
    version: int
    """Counts every change; also the ETag."""
    revision: int
    """Counts the remedies that were proposed under this review."""
    superseded_by: str
    """Code of the review that took its place, "" when none did."""
    evidence_digest: str
    """sha256 of the wargame's signed evidence: what an approval holds for."""
    remedy: RemedyDocument
    proposal: ProposalDocument | None
    apvs: tuple[ReviewedApv, ...]
    """Every APV that the remedy removes, the most urgent first."""
    decisions: tuple[DecisionDocument, ...]
    """Oldest first."""


def _name_of(ref: str) -> str:
    """Return a patch file's name without this machine's folders; a git ref is none of its paths."""
    return ref.rpartition("/")[2] if ref.startswith("/") else ref


def rendered(review: Review) -> tuple[str, str]:
    """Return the review's line and its document as JSON."""
    return to_json(summary_of(review)), to_json(review_document(review))


def decision_document(record: DecisionRecord) -> DecisionDocument:
    """Return the document of a decision."""
    return DecisionDocument(
        id=record.id,
        review=record.code,
        decision=record.kind,
        reviewer=record.reviewer.name,
        reviewer_email=record.reviewer.email,
        justification=record.justification,
        wanted=record.wanted,
        confidence_override=record.confidence_override,
        accept_unproven=record.accept_unproven,
        created_at=record.created_at,
        review_version=record.review_version,
        review_revision=record.review_revision,
        evidence_digest=record.evidence_digest,
        state=record.state,
        action=record.action,
        detail=record.detail,
    )


def remedy_document(remedy: Remedy) -> RemedyDocument:
    """Return the document of a remedy."""
    return RemedyDocument(
        manifest=remedy.manifest,
        strategy=remedy.strategy,
        why=remedy.why,
        changes=remedy.changes,
        diff=remedy.diff,
        facts=remedy.facts,
    )


def summary_of(review: Review) -> Summary:
    """Return the line of a review."""
    return Summary(
        id=review.id,
        code=review.code,
        cve=review.cve,
        severity=review.severity,
        package=review.package,
        package_change=review.package_change,
        project=review.project_name,
        project_id=review.project_id,
        manifest=review.manifest,
        strategy=review.strategy,
        verdict=review.verdict,
        grade=review.grade,
        confidence=review.confidence,
        status=review.status,
        priority=review.priority,
        reachability=review.reachability,
        apvs=len(review.apvs),
        assignee=review.assignee,
        assignee_name=review.assignee_name,
        created_at=review.created_at,
        updated_at=review.updated_at,
        published_at=review.published_at,
        due_at=review.due_at,
        version=review.version,
        revision=review.revision,
    )


def review_document(review: Review) -> ReviewDocument:
    """Return the document of a review."""
    proposal = review.proposal
    return ReviewDocument(
        id=review.id,
        code=review.code,
        cve=review.cve,
        severity=review.severity,
        package=review.package,
        package_change=review.package_change,
        project=review.project_name,
        project_id=review.project_id,
        verdict=review.verdict,
        grade=review.grade,
        confidence=review.confidence,
        reasons=review.reasons,
        summary=review.summary,
        status=review.status,
        priority=review.priority,
        reachability=review.reachability,
        assignee=review.assignee,
        assignee_name=review.assignee_name,
        claimed_at=review.claimed_at,
        created_at=review.created_at,
        updated_at=review.updated_at,
        published_at=review.published_at,
        due_at=review.due_at,
        version=review.version,
        revision=review.revision,
        superseded_by=review.superseded_by,
        evidence_digest=review.evidence_digest,
        remedy=remedy_document(review.remedy),
        proposal=None
        if proposal is None
        else ProposalDocument(
            proposal.forge, _name_of(proposal.ref), proposal.head, proposal.base, proposal.target, proposal.note
        ),
        apvs=review.apvs,
        decisions=tuple(decision_document(made) for made in review.decisions),
    )
