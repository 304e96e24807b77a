"""Between the tables' rows and the frozen dataclasses."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import inspect

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Change, Remedy, Strategy
from vertice.adaptive.review.model import (
    Action,
    Comment,
    Decision,
    DecisionKind,
    DecisionRecord,
    DecisionState,
    NewReview,
    Proposal,
    Review,
    ReviewedApv,
    Reviewer,
    Run,
    Status,
)
from vertice.adaptive.review.tables import (
    ApvReview,
    HitlDecision,
    ReviewApv,
    ReviewComment,
    ReviewRevision,
    WargameRunRow,
)
from vertice.adaptive.triage.model import ReachabilityLevel
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.codec import canonical, from_json, to_json
from vertice.kernel.database import Table
from vertice.kernel.text import moment

__all__ = [
    "apv_rows",
    "decision_row",
    "digest",
    "fill",
    "name_of",
    "revision_row",
    "run_row",
    "to_comment",
    "to_decision",
    "to_review",
]


_LATER = frozenset(
    {
        *("project_id", "published_at", "due_at", "assignee", "assignee_name", "claimed_at"),
        *("package_change", "reachability", "proposed_by", "reviewer_id", "carried_out_at"),
    }
)
"""Columns that a later revision of the schema added: rows that were sealed before it have nothing in them."""


_DERIVED = frozenset({"evidence", "line", "document", "form"})
"""Columns whose digest is a column too, or that are made from the others."""


def name_of(row: Table) -> str:
    """Return the name an audit entry gives to the row: `hitl_decisions/<primary key>`."""
    key = "/".join(str(part) for part in inspect(row).mapper.primary_key_from_instance(row))
    return f"{row.__tablename__}/{key}"


def digest(row: Table) -> str:
    """Return sha256 hex over every column of the row; one of a later schema counts when something is in it."""
    columns = (column.key for column in inspect(row).mapper.column_attrs if column.key not in _DERIVED)
    values = {name: getattr(row, name) for name in columns}
    values = {name: value for name, value in values.items() if value is not None or name not in _LATER}
    return hashlib.sha256(canonical(values)).hexdigest()


def fill(row: ApvReview, new: NewReview) -> None:
    """Write everything that a proposal says into its review's row."""
    first = new.apvs[0]
    row.apv_code = first.code
    row.cve_id = first.advisory.cve[:50]
    row.severity = first.advisory.severity
    row.package_name = first.component.name[:100]
    row.patch_strategy = new.remedy.strategy
    row.wargame_verdict = new.verdict.word
    row.wargame_confidence = float(new.verdict.confidence)
    row.priority = min(apv.priority for apv in new.apvs)
    row.project_name = new.project_name[:200]
    row.project_root = str(new.project_root)
    row.manifest = new.remedy.manifest
    row.key = new.key
    row.grade = new.verdict.grade
    row.reasons = to_json(new.verdict.reasons)
    row.summary = new.summary
    row.remedy = to_json(new.remedy)
    row.proposal = to_json(new.proposal)
    row.evidence_digest = new.evidence_digest
    row.evidence_path = str(new.evidence_path)
    row.project_id = new.project_id
    row.published_at = min(filter(None, (moment(apv.advisory.published) for apv in new.apvs)), default=None)
    row.package_change = _change_of(first.component.name, new.remedy)[:200]
    row.proposed_by = new.proposed_by[:200] or None
    row.reachability = max((apv.reachability.level for apv in new.apvs), key=list(ReachabilityLevel).index)


def _change_of(package: str, remedy: Remedy) -> str:
    """Return `before → after` of the package; where only others change, of the first of them, with its name."""
    change = next((one for one in remedy.changes if one.package == package), None)
    if change is not None:
        return _versions(change)
    return f"{remedy.changes[0].package} {_versions(remedy.changes[0])}"


def _versions(change: Change) -> str:
    return f"{change.before or 'new'} → {change.after or 'gone'}"


def run_row(row: ApvReview, new: NewReview, run: Run) -> WargameRunRow:
    """Return the record of the wargame with its evidence."""
    return WargameRunRow(
        code=run.code,
        review_id=row.id,
        revision_key=new.key,
        verdict=new.verdict.word,
        grade=new.verdict.grade,
        confidence=float(new.verdict.confidence),
        arena=run.arena[:100],
        started_at=run.started_at,
        finished_at=run.finished_at,
        evidence_digest=new.evidence_digest,
        evidence=run.evidence,
    )


def apv_rows(row: ApvReview, new: NewReview) -> list[ReviewApv]:
    """Return the child rows, one per APV, in the order of urgency."""
    return [
        ReviewApv(
            review_id=row.id,
            apv_code=apv.code,
            position=position,
            advisory_id=apv.advisory.id[:100],
            severity=apv.advisory.severity,
            package_name=apv.component.name[:100],
            package_version=apv.component.version[:100],
            summary=apv.advisory.summary,
        )
        for position, apv in enumerate(new.apvs)
    ]


def revision_row(row: ApvReview, new: NewReview) -> ReviewRevision:
    """Return the record of this proposal, which stays when a later one takes its place."""
    return ReviewRevision(
        key=new.key,
        review_id=row.id,
        number=row.revision,
        verdict=new.verdict.word,
        confidence=float(new.verdict.confidence),
        remedy=row.remedy,
        proposal=row.proposal,
        evidence_digest=row.evidence_digest,
        evidence_path=row.evidence_path,
        created_at=row.updated_at,
    )


def to_review(
    row: ApvReview, apvs: Sequence[ReviewApv], decisions: Sequence[HitlDecision], superseded_by: str
) -> Review:
    """Return the review with its children, which are given in order."""
    remedy = from_json(Remedy, row.remedy)
    return Review(
        id=row.id,
        code=row.apv_code,
        cve=row.cve_id,
        severity=Severity(row.severity),
        package=row.package_name,
        strategy=Strategy(row.patch_strategy or remedy.strategy),
        verdict=VerdictWord(row.wargame_verdict or VerdictWord.inconclusive),
        grade=Grade(row.grade),
        confidence=row.wargame_confidence or 0.0,
        reasons=from_json(tuple[str, ...], row.reasons),
        status=Status(row.status),
        priority=row.priority,
        created_at=row.created_at,
        updated_at=row.updated_at,
        project_name=row.project_name,
        project_root=Path(row.project_root),
        manifest=row.manifest,
        version=row.version,
        revision=row.revision,
        key=row.key,
        summary=row.summary,
        remedy=remedy,
        proposal=None if row.proposal == "null" else from_json(Proposal, row.proposal),
        evidence_digest=row.evidence_digest,
        evidence_path=Path(row.evidence_path),
        superseded_by=superseded_by,
        apvs=tuple(
            ReviewedApv(
                code=apv.apv_code,
                advisory=apv.advisory_id,
                severity=Severity(apv.severity),
                package=apv.package_name,
                version=apv.package_version,
                summary=apv.summary,
            )
            for apv in apvs
        ),
        decisions=tuple(to_decision(decision) for decision in decisions),
        project_id=row.project_id,
        published_at=row.published_at,
        due_at=row.due_at,
        assignee=row.assignee,
        assignee_name=row.assignee_name,
        claimed_at=row.claimed_at,
        package_change=row.package_change or "",
        reachability=None if row.reachability is None else ReachabilityLevel(row.reachability),
        proposed_by=row.proposed_by or "",
    )


def to_decision(row: HitlDecision) -> DecisionRecord:
    """Return the decision as a dataclass."""
    return DecisionRecord(
        id=row.id,
        code=row.apv_code,
        kind=DecisionKind(row.decision),
        reviewer=Reviewer(row.reviewer_name, row.reviewer_email, row.reviewer_id or ""),
        justification=row.comments or "",
        wanted=row.wanted,
        confidence_override=row.confidence_override,
        accept_unproven=row.accept_unproven,
        created_at=row.created_at,
        review_version=row.review_version,
        review_revision=row.review_revision,
        evidence_digest=row.evidence_digest,
        head=row.patch_head,
        status_before=Status(row.status_before),
        state=DecisionState(row.state),
        action=None if row.action_taken is None else Action(row.action_taken),
        detail=row.detail,
    )


def decision_row(review: Review, decision: Decision, at: datetime) -> HitlDecision:
    """Return the record of a decision on what the review is now."""
    return HitlDecision(
        id=uuid4(),
        apv_id=review.id,
        apv_code=review.code,
        decision=decision.kind,
        reviewer_name=decision.reviewer.name.strip(),
        reviewer_email=decision.reviewer.email.strip(),
        action_taken=None,
        comments=decision.justification.strip(),
        confidence_override=None if decision.confidence_override is None else float(decision.confidence_override),
        created_at=at,
        review_version=review.version,
        review_revision=review.revision,
        wanted=decision.wanted.strip(),
        accept_unproven=decision.accept_unproven,
        evidence_digest=review.evidence_digest,
        patch_head=review.proposal.head if review.proposal else "",
        status_before=review.status,
        state=DecisionState.recorded,
        detail="",
        reviewer_id=decision.reviewer.id or None,
    )


def to_comment(row: ReviewComment) -> Comment:
    """Return the comment as a dataclass."""
    return Comment(row.id, row.author, row.author_name, row.text, row.created_at)
