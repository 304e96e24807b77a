"""A review as others read it: a line of the list, and the document with all that a decision needs.

Both are made when the review changes and kept beside it as JSON, so that reading costs one query and nothing to make.
They say nothing that is not in the review's own columns: `ReviewStore.verify` makes them anew and compares.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from vertice.adaptive.remedy.model import Change, ReleaseFacts
from vertice.adaptive.review.model import DecisionKind, DecisionRecord, DecisionState, Review, ReviewedApv
from vertice.kernel.codec import to_json

__all__ = [
    "FORM",
    "DecisionDocument",
    "ProposalDocument",
    "RemedyDocument",
    "ReviewDocument",
    "Summary",
    "decision_document",
    "rendered",
    "review_document",
    "summary_of",
]

FORM = 1
"""Version of what is kept as JSON: one more when a line or document says anything else, or says it otherwise."""

_DESCRIBED = {"use_attribute_docstrings": True}


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list."""

    __pydantic_config__: ClassVar = _DESCRIBED

    id: UUID
    code: str
    cve: str
    severity: str
    package: str
    package_change: str
    project: str
    project_id: UUID | None
    manifest: str
    strategy: str
    verdict: str
    grade: str
    confidence: float
    status: str
    priority: int
    reachability: str
    apvs: int
    assignee: str | None
    assignee_name: str | None
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    due_at: datetime | None
    version: int
    revision: int


@dataclass(frozen=True, slots=True)
class DecisionDocument:
    """A decision as it was recorded."""

    __pydantic_config__: ClassVar = _DESCRIBED

    id: UUID
    review: str
    """Code of the review."""
    decision: DecisionKind
    reviewer: str
    reviewer_email: str
    justification: str
    """As it was given: untrusted text."""
    wanted: str
    """With modify: the version or constraint to try."""
    confidence_override: float | None
    accept_unproven: bool
    created_at: datetime
    review_version: int
    review_revision: int
    evidence_digest: str
    """sha256 of the evidence it was given on."""
    state: DecisionState
    action: str | None
    """What was done: pr_merged, pr_closed, changes_requested, escalated."""
    detail: str


@dataclass(frozen=True, slots=True)
class ProposalDocument:
    """The patch as the forge keeps it."""

    __pydantic_config__: ClassVar = _DESCRIBED

    forge: str
    ref: str
    """Branch, patch file or pull request."""
    head: str
    """Commit, or sha256 of the patch file: what an approval holds for."""
    base: str
    target: str
    note: str


@dataclass(frozen=True, slots=True)
class RemedyDocument:
    """The change that was proven."""

    __pydantic_config__: ClassVar = _DESCRIBED

    manifest: str
    strategy: str
    why: str
    changes: tuple[Change, ...]
    diff: str
    """Unified diff."""
    facts: tuple[ReleaseFacts, ...]
    """What is known of the releases it brings."""


@dataclass(frozen=True, slots=True)
class ReviewDocument:
    """One review with everything that a decision needs."""

    __pydantic_config__: ClassVar = _DESCRIBED

    id: UUID
    code: str
    cve: str
    severity: str
    package: str
    package_change: str
    project: str
    project_id: UUID | None
    verdict: str
    grade: str
    confidence: float
    reasons: tuple[str, ...]
    """Why that verdict, in words."""
    summary: str
    """What to know first."""
    status: str
    priority: int
    """1 (most urgent) to 10."""
    reachability: str
    assignee: str | None
    assignee_name: str | None
    claimed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    """When the oldest of its advisories was published."""
    due_at: datetime | None
    version: int
    """Counts every change; also the ETag."""
    revision: int
    """Counts the remedies that were proposed under this review."""
    superseded_by: str
    evidence_digest: str
    remedy: RemedyDocument
    proposal: ProposalDocument | None
    apvs: tuple[ReviewedApv, ...]
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
    remedy, proposal = review.remedy, review.proposal
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
        remedy=RemedyDocument(
            manifest=remedy.manifest,
            strategy=remedy.strategy,
            why=remedy.why,
            changes=remedy.changes,
            diff=remedy.diff,
            facts=remedy.facts,
        ),
        proposal=None
        if proposal is None
        else ProposalDocument(
            proposal.forge, _name_of(proposal.ref), proposal.head, proposal.base, proposal.target, proposal.note
        ),
        apvs=review.apvs,
        decisions=tuple(decision_document(made) for made in review.decisions),
    )
