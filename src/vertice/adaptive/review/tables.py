"""The tables (CONTRACT §3 and our additions). Nothing outside `review` sees these classes: the store gives dataclasses.

`tests/adaptive/review/test_migrations.py` holds them equal to what the migrations make.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from vertice.kernel.database import Table, UtcDateTime

__all__ = [
    "ApvReview",
    "AuditEntryRow",
    "AuditHead",
    "HitlDecision",
    "ReviewApv",
    "ReviewComment",
    "ReviewRevision",
    "WargameRunRow",
]


_WAITING = text("status IN ('pending', 'escalated', 'changes_requested')")


class ApvReview(Table):
    """One review."""

    __tablename__ = "apv_reviews"
    __table_args__ = (
        UniqueConstraint("apv_code", name="uq_apv_reviews_apv_code"),
        Index("ix_apv_reviews_status", "status"),
        Index("ix_apv_reviews_severity", "severity"),
        Index("ix_apv_reviews_priority", "priority", "apv_code"),
        Index("ix_apv_reviews_queue", "priority", "apv_code", postgresql_where=_WAITING, sqlite_where=_WAITING),
        Index(
            "ix_apv_reviews_waiting",
            *("severity", "status", "project_name", "due_at"),
            postgresql_where=_WAITING,
            sqlite_where=_WAITING,
        ),
        Index("ix_apv_reviews_created_at", "created_at", "apv_code"),
        Index("ix_apv_reviews_due_at", "due_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    apv_code: Mapped[str] = mapped_column(String(50))
    cve_id: Mapped[str] = mapped_column(String(50))
    severity: Mapped[str] = mapped_column(String(20))
    package_name: Mapped[str] = mapped_column(String(100))
    patch_strategy: Mapped[str | None] = mapped_column(String(50))
    wargame_verdict: Mapped[str | None] = mapped_column(String(50))
    wargame_confidence: Mapped[float | None] = mapped_column(Float())
    status: Mapped[str] = mapped_column(String(20), server_default="pending")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime())
    priority: Mapped[int] = mapped_column(Integer())
    project_name: Mapped[str] = mapped_column(String(200))
    project_root: Mapped[str] = mapped_column(Text())
    manifest: Mapped[str] = mapped_column(Text())
    version: Mapped[int] = mapped_column(Integer())
    revision: Mapped[int] = mapped_column(Integer())
    key: Mapped[str] = mapped_column(String(200))
    grade: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[str] = mapped_column(Text())
    summary: Mapped[str] = mapped_column(Text())
    remedy: Mapped[str] = mapped_column(Text())
    proposal: Mapped[str] = mapped_column(Text())
    evidence_digest: Mapped[str] = mapped_column(String(64))
    evidence_path: Mapped[str] = mapped_column(Text())
    superseded_by: Mapped[UUID | None] = mapped_column(
        Uuid(), ForeignKey("apv_reviews.id", name="fk_apv_reviews_superseded_by")
    )
    project_id: Mapped[UUID | None] = mapped_column(Uuid())
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    assignee: Mapped[str | None] = mapped_column(String(200))
    assignee_name: Mapped[str | None] = mapped_column(String(100))
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    package_change: Mapped[str | None] = mapped_column(String(200))
    reachability: Mapped[str | None] = mapped_column(String(20))
    proposed_by: Mapped[str | None] = mapped_column(String(200))
    line: Mapped[str | None] = mapped_column(Text())
    document: Mapped[str | None] = mapped_column(Text(), deferred=True)
    form: Mapped[int | None] = mapped_column(Integer())


class ReviewApv(Table):
    """Every APV that a review's remedy removes."""

    __tablename__ = "apv_review_apvs"
    __table_args__ = (Index("ix_apv_review_apvs_apv_code", "apv_code"),)

    review_id: Mapped[UUID] = mapped_column(
        Uuid(), ForeignKey("apv_reviews.id", name="fk_apv_review_apvs_review_id"), primary_key=True
    )
    apv_code: Mapped[str] = mapped_column(String(50), primary_key=True)
    position: Mapped[int] = mapped_column(Integer())
    advisory_id: Mapped[str] = mapped_column(String(100))
    severity: Mapped[str] = mapped_column(String(20))
    package_name: Mapped[str] = mapped_column(String(100))
    package_version: Mapped[str] = mapped_column(String(100))
    summary: Mapped[str] = mapped_column(Text())


class ReviewRevision(Table):
    """Every remedy that was ever proposed under a review, by its idempotency key."""

    __tablename__ = "apv_review_revisions"
    __table_args__ = (UniqueConstraint("review_id", "number", name="uq_apv_review_revisions_review_id_number"),)

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    review_id: Mapped[UUID] = mapped_column(
        Uuid(), ForeignKey("apv_reviews.id", name="fk_apv_review_revisions_review_id")
    )
    number: Mapped[int] = mapped_column(Integer())
    verdict: Mapped[str] = mapped_column(String(50))
    confidence: Mapped[float] = mapped_column(Float())
    remedy: Mapped[str] = mapped_column(Text())
    proposal: Mapped[str] = mapped_column(Text())
    evidence_digest: Mapped[str] = mapped_column(String(64))
    evidence_path: Mapped[str] = mapped_column(Text())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class HitlDecision(Table):
    """One decision of one person on one version of one review."""

    __tablename__ = "hitl_decisions"
    __table_args__ = (
        UniqueConstraint("apv_id", "review_version", name="uq_hitl_decisions_apv_id_review_version"),
        Index("ix_hitl_decisions_apv_id", "apv_id"),
        Index("ix_hitl_decisions_state", "state"),
        Index("ix_hitl_decisions_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    apv_id: Mapped[UUID] = mapped_column(Uuid(), ForeignKey("apv_reviews.id", name="fk_hitl_decisions_apv_id"))
    apv_code: Mapped[str] = mapped_column(String(50))
    decision: Mapped[str] = mapped_column(String(20))
    reviewer_name: Mapped[str] = mapped_column(String(100))
    reviewer_email: Mapped[str] = mapped_column(String(150))
    action_taken: Mapped[str | None] = mapped_column(String(50))
    comments: Mapped[str | None] = mapped_column(Text())
    confidence_override: Mapped[float | None] = mapped_column(Float())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    review_version: Mapped[int] = mapped_column(Integer())
    review_revision: Mapped[int] = mapped_column(Integer())
    wanted: Mapped[str] = mapped_column(Text())
    accept_unproven: Mapped[bool] = mapped_column(Boolean())
    evidence_digest: Mapped[str] = mapped_column(String(64))
    patch_head: Mapped[str] = mapped_column(String(64))
    status_before: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text())
    reviewer_id: Mapped[str | None] = mapped_column(String(200))
    carried_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class AuditEntryRow(Table):
    """One link of the audit chain. Everything is text, so that what is hashed is exactly what is kept."""

    __tablename__ = "audit_entries"

    seq: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(Text())
    action: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(Text())
    payload: Mapped[str] = mapped_column(Text())
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Table):
    """One row: the last link. Its row lock puts writers in a queue."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Integer())
    hash: Mapped[str] = mapped_column(String(64))


class WargameRunRow(Table):
    """One wargame with its signed evidence."""

    __tablename__ = "wargame_runs"
    __table_args__ = (Index("ix_wargame_runs_review_id", "review_id"),)

    code: Mapped[str] = mapped_column(String(50), primary_key=True)
    review_id: Mapped[UUID] = mapped_column(Uuid(), ForeignKey("apv_reviews.id", name="fk_wargame_runs_review_id"))
    revision_key: Mapped[str] = mapped_column(String(200))
    verdict: Mapped[str] = mapped_column(String(50))
    grade: Mapped[str] = mapped_column(String(20))
    confidence: Mapped[float] = mapped_column(Float())
    arena: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime())
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime())
    evidence_digest: Mapped[str] = mapped_column(String(64))
    evidence: Mapped[str] = mapped_column(Text())


class ReviewComment(Table):
    """What a person said about a review."""

    __tablename__ = "review_comments"
    __table_args__ = (Index("ix_review_comments_review_id", "review_id", "created_at"),)

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    review_id: Mapped[UUID] = mapped_column(Uuid(), ForeignKey("apv_reviews.id", name="fk_review_comments_review_id"))
    author: Mapped[str] = mapped_column(String(200))
    author_name: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
