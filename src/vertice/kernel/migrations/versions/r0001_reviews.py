"""Reviews, decisions and the audit chain.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_GENESIS = "0" * 64
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create every table."""
    _reviews()
    _decisions()
    _audit()


def downgrade() -> None:
    """Drop every table: reviews and their audit trail are lost."""
    for table in ("audit_head", "audit_entries", "hitl_decisions", "apv_review_revisions", "apv_review_apvs"):
        op.drop_table(table)
    op.drop_table("apv_reviews")


def _reviews() -> None:
    op.create_table(
        "apv_reviews",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("apv_code", sa.String(50), nullable=False),
        sa.Column("cve_id", sa.String(50), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("package_name", sa.String(100), nullable=False),
        sa.Column("patch_strategy", sa.String(50)),
        sa.Column("wargame_verdict", sa.String(50)),
        sa.Column("wargame_confidence", sa.Float()),
        sa.Column("status", sa.String(20), nullable=False, server_default="pending"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("project_name", sa.String(200), nullable=False),
        sa.Column("project_root", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("grade", sa.String(20), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("proposal", sa.Text(), nullable=False),
        sa.Column("evidence_digest", sa.String(64), nullable=False),
        sa.Column("evidence_path", sa.Text(), nullable=False),
        sa.Column("superseded_by", sa.Uuid()),
        sa.ForeignKeyConstraint(["superseded_by"], ["apv_reviews.id"], name="fk_apv_reviews_superseded_by"),
        sa.UniqueConstraint("apv_code", name="uq_apv_reviews_apv_code"),
    )
    op.create_index("ix_apv_reviews_status", "apv_reviews", ["status"])
    op.create_index("ix_apv_reviews_severity", "apv_reviews", ["severity"])
    op.create_table(
        "apv_review_apvs",
        sa.Column("review_id", sa.Uuid(), primary_key=True),
        sa.Column("apv_code", sa.String(50), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("advisory_id", sa.String(100), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("package_name", sa.String(100), nullable=False),
        sa.Column("package_version", sa.String(100), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["apv_reviews.id"], name="fk_apv_review_apvs_review_id"),
    )
    op.create_index("ix_apv_review_apvs_apv_code", "apv_review_apvs", ["apv_code"])
    op.create_table(
        "apv_review_revisions",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(50), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("proposal", sa.Text(), nullable=False),
        sa.Column("evidence_digest", sa.String(64), nullable=False),
        sa.Column("evidence_path", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["apv_reviews.id"], name="fk_apv_review_revisions_review_id"),
        sa.UniqueConstraint("review_id", "number", name="uq_apv_review_revisions_review_id_number"),
    )


def _decisions() -> None:
    op.create_table(
        "hitl_decisions",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("apv_id", sa.Uuid(), nullable=False),
        sa.Column("apv_code", sa.String(50), nullable=False),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("reviewer_name", sa.String(100), nullable=False),
        sa.Column("reviewer_email", sa.String(150), nullable=False),
        sa.Column("action_taken", sa.String(50)),
        sa.Column("comments", sa.Text()),
        sa.Column("confidence_override", sa.Float()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("review_version", sa.Integer(), nullable=False),
        sa.Column("review_revision", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("accept_unproven", sa.Boolean(), nullable=False),
        sa.Column("evidence_digest", sa.String(64), nullable=False),
        sa.Column("patch_head", sa.String(64), nullable=False),
        sa.Column("status_before", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["apv_id"], ["apv_reviews.id"], name="fk_hitl_decisions_apv_id"),
        sa.UniqueConstraint("apv_id", "review_version", name="uq_hitl_decisions_apv_id_review_version"),
    )
    op.create_index("ix_hitl_decisions_apv_id", "hitl_decisions", ["apv_id"])


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": _GENESIS}])
