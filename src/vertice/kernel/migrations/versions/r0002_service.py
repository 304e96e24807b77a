"""The service: logins, projects, scans, findings, runs, comments, events, messages, workers.

Revision ID: 0002
Revises: 0001
"""

import contextlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)

_NEW_REVIEW_COLUMNS = (
    ("project_id", sa.Uuid()),
    ("published_at", _TIME),
    ("due_at", _TIME),
    ("assignee", sa.String(200)),
    ("assignee_name", sa.String(100)),
    ("claimed_at", _TIME),
    ("package_change", sa.String(200)),
    ("reachability", sa.String(20)),
    ("proposed_by", sa.String(200)),
    ("line", sa.Text()),
    ("document", sa.Text()),
    ("form", sa.Integer()),
)
_TABLES = (
    *("identities", "sessions", "api_tokens", "login_tokens"),
    *("projects", "scans", "scan_documents", "apvs", "feeds"),
    *("wargame_runs", "review_comments"),
    *("event_heads", "events", "outbox", "inbox"),
    *("workers", "finding_codes", "code_counters"),
)


def upgrade() -> None:
    """Create the service's tables and columns."""
    _logins()
    _projects()
    _reviews()
    _events()
    _messages()
    _work()
    _search()


def downgrade() -> None:
    """Drop them again; reviews, decisions and the audit chain stay."""
    op.execute("DROP INDEX IF EXISTS ix_apv_reviews_text")
    for name in reversed(_TABLES):
        op.drop_table(name)
    for name in (
        *("ix_apv_reviews_queue", "ix_apv_reviews_waiting", "ix_apv_reviews_priority"),
        "ix_apv_reviews_created_at",
        "ix_apv_reviews_due_at",
    ):
        op.drop_index(name, "apv_reviews")
    op.drop_index("ix_hitl_decisions_state", "hitl_decisions")
    op.drop_index("ix_hitl_decisions_created_at", "hitl_decisions")
    with op.batch_alter_table("apv_reviews") as table:
        for name, _ in reversed(_NEW_REVIEW_COLUMNS):
            table.drop_column(name)
    with op.batch_alter_table("hitl_decisions") as table:
        table.drop_column("carried_out_at")
        table.drop_column("reviewer_id")


def _logins() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("issuer", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(150), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.UniqueConstraint("issuer", "subject", name="uq_identities_issuer_subject"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identities.id"], name="fk_sessions_identity_id"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("used_at", _TIME),
        sa.Column("revoked_at", _TIME),
        sa.ForeignKeyConstraint(["created_by"], ["identities.id"], name="fk_api_tokens_created_by"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
    )
    op.create_table(
        "login_tokens",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
    )


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("branch", sa.String(200), nullable=False),
        sa.Column("schedule", sa.String(100), nullable=False),
        sa.Column("next_scan_at", _TIME),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.UniqueConstraint("kind", "location", name="uq_projects_kind_location"),
    )
    op.create_table(
        "scans",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("trigger", sa.String(20), nullable=False),
        sa.Column("heal", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.String(200), nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("components", sa.Integer()),
        sa.Column("findings", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.String(100)),
        sa.Column("correlation_id", sa.String(200)),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_scans_project_id"),
    )
    op.create_index("ix_scans_project_id", "scans", ["project_id", "requested_at"])
    op.create_index("ix_scans_state", "scans", ["state"])
    op.create_table(
        "scan_documents",
        sa.Column("scan_id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="fk_scan_documents_scan_id"),
    )
    op.create_table(
        "apvs",
        sa.Column("code", sa.String(50), primary_key=True),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.Uuid()),
        sa.Column("cve_id", sa.String(50), nullable=False),
        sa.Column("advisory_id", sa.String(100), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("package_name", sa.String(100), nullable=False),
        sa.Column("package_version", sa.String(100), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reachability", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("published_at", _TIME),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("fixed_at", _TIME),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_apvs_project_id"),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="fk_apvs_scan_id"),
    )
    op.create_index("ix_apvs_project_id", "apvs", ["project_id", "state"])
    op.create_table(
        "feeds",
        sa.Column("name", sa.String(50), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("updated_at", _TIME),
        sa.Column("checked_at", _TIME, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
    )


def _reviews() -> None:
    for name, kind in _NEW_REVIEW_COLUMNS:
        op.add_column("apv_reviews", sa.Column(name, kind))
    op.create_index("ix_apv_reviews_priority", "apv_reviews", ["priority", "apv_code"])
    waiting = sa.text("status IN ('pending', 'escalated', 'changes_requested')")
    op.create_index(
        "ix_apv_reviews_queue",
        "apv_reviews",
        ["priority", "apv_code"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
    op.create_index(
        "ix_apv_reviews_waiting",
        "apv_reviews",
        ["severity", "status", "project_name", "due_at"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
    op.create_index("ix_apv_reviews_created_at", "apv_reviews", ["created_at", "apv_code"])
    op.create_index("ix_apv_reviews_due_at", "apv_reviews", ["due_at"])
    op.add_column("hitl_decisions", sa.Column("reviewer_id", sa.String(200)))
    op.add_column("hitl_decisions", sa.Column("carried_out_at", _TIME))
    op.create_index("ix_hitl_decisions_state", "hitl_decisions", ["state"])
    op.create_index("ix_hitl_decisions_created_at", "hitl_decisions", ["created_at"])
    op.create_table(
        "wargame_runs",
        sa.Column("code", sa.String(50), primary_key=True),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("revision_key", sa.String(200), nullable=False),
        sa.Column("verdict", sa.String(50), nullable=False),
        sa.Column("grade", sa.String(20), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("arena", sa.String(100), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=False),
        sa.Column("evidence_digest", sa.String(64), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["apv_reviews.id"], name="fk_wargame_runs_review_id"),
    )
    op.create_index("ix_wargame_runs_review_id", "wargame_runs", ["review_id"])
    op.create_table(
        "review_comments",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("author_name", sa.String(100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["apv_reviews.id"], name="fk_review_comments_review_id"),
    )
    op.create_index("ix_review_comments_review_id", "review_comments", ["review_id", "created_at"])


def _events() -> None:
    op.create_table(
        "event_heads",
        sa.Column("channel", sa.String(100), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("channel", sa.String(100), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
    )
    op.create_index("ix_events_at", "events", ["at"])


def _messages() -> None:
    op.create_table(
        "outbox",
        # SQLite counts up by itself only for INTEGER PRIMARY KEY.
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("destination", sa.String(100), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.String(100), nullable=False),
        sa.Column("correlation_id", sa.String(200), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("sent_at", _TIME),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
    )
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at", "seq"])
    op.create_table(
        "inbox",
        sa.Column("source", sa.String(300), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
    )


def _work() -> None:
    op.create_table(
        "workers",
        sa.Column("executor_id", sa.String(100), primary_key=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(50), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
    )
    op.create_table(
        "finding_codes",
        sa.Column("project", sa.String(500), primary_key=True),
        sa.Column("advisory", sa.String(100), primary_key=True),
        sa.Column("package", sa.String(200), primary_key=True),
        sa.Column("version", sa.String(100), primary_key=True),
        sa.Column("code", sa.String(50), nullable=False),
        sa.UniqueConstraint("code", name="uq_finding_codes_code"),
    )
    op.create_table(
        "code_counters",
        sa.Column("prefix", sa.String(20), primary_key=True),
        sa.Column("last", sa.Integer(), nullable=False),
    )


def _search() -> None:
    """Make finding a part of a word quick. It works without, slowly: pg_trgm may be missing or not allowed."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    words = "apv_code || ' ' || cve_id || ' ' || package_name || ' ' || project_name || ' ' || summary"
    with contextlib.suppress(sa.exc.DBAPIError), connection.begin_nested():
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute(f"CREATE INDEX ix_apv_reviews_text ON apv_reviews USING gin (({words}) gin_trgm_ops)")
