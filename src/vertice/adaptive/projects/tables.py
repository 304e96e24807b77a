"""The tables of this room. Nothing outside sees these classes: its store gives dataclasses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from vertice.kernel.database import Table, UtcDateTime

__all__ = [
    "ApvRow",
    "CodeCounterRow",
    "FeedRow",
    "FindingCodeRow",
    "ProjectRow",
    "ScanDocumentRow",
    "ScanRow",
    "WorkerRow",
]


class ProjectRow(Table):
    """A project that is looked after."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("kind", "location", name="uq_projects_kind_location"),)

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    location: Mapped[str] = mapped_column(Text())
    branch: Mapped[str] = mapped_column(String(200))
    schedule: Mapped[str] = mapped_column(String(100))
    next_scan_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    archived: Mapped[bool] = mapped_column(Boolean())
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime())
    version: Mapped[int] = mapped_column(Integer())


class ScanRow(Table):
    """One look at a project."""

    __tablename__ = "scans"
    __table_args__ = (
        Index("ix_scans_project_id", "project_id", "requested_at"),
        Index("ix_scans_state", "state"),
    )

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(Uuid(), ForeignKey("projects.id", name="fk_scans_project_id"))
    state: Mapped[str] = mapped_column(String(20))
    trigger: Mapped[str] = mapped_column(String(20))
    heal: Mapped[bool] = mapped_column(Boolean())
    priority: Mapped[int] = mapped_column(Integer())
    requested_by: Mapped[str] = mapped_column(String(200))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime())
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    commit: Mapped[str] = mapped_column(String(64))
    components: Mapped[int | None] = mapped_column(Integer())
    findings: Mapped[int | None] = mapped_column(Integer())
    detail: Mapped[str] = mapped_column(Text())
    traceparent: Mapped[str | None] = mapped_column(String(100))
    correlation_id: Mapped[str | None] = mapped_column(String(200))


class ScanDocumentRow(Table):
    """What a scan found, as a document: json, sarif, cyclonedx."""

    __tablename__ = "scan_documents"

    scan_id: Mapped[UUID] = mapped_column(
        Uuid(), ForeignKey("scans.id", name="fk_scan_documents_scan_id"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    content: Mapped[str] = mapped_column(Text())


class ApvRow(Table):
    """One finding of a registered project."""

    __tablename__ = "apvs"
    __table_args__ = (Index("ix_apvs_project_id", "project_id", "state"),)

    code: Mapped[str] = mapped_column(String(50), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(Uuid(), ForeignKey("projects.id", name="fk_apvs_project_id"))
    scan_id: Mapped[UUID | None] = mapped_column(Uuid(), ForeignKey("scans.id", name="fk_apvs_scan_id"))
    cve_id: Mapped[str] = mapped_column(String(50))
    advisory_id: Mapped[str] = mapped_column(String(100))
    severity: Mapped[str] = mapped_column(String(20))
    package_name: Mapped[str] = mapped_column(String(100))
    package_version: Mapped[str] = mapped_column(String(100))
    priority: Mapped[int] = mapped_column(Integer())
    reachability: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    summary: Mapped[str] = mapped_column(Text())
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime())
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime())
    fixed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    data: Mapped[str] = mapped_column(Text())


class FeedRow(Table):
    """Where advisories come from, and how old they are."""

    __tablename__ = "feeds"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    source: Mapped[str] = mapped_column(Text())
    records: Mapped[int] = mapped_column(Integer())
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime())
    error: Mapped[str] = mapped_column(Text())


class WorkerRow(Table):
    """A process that works; one that is not seen any more gives its work back."""

    __tablename__ = "workers"

    executor_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int] = mapped_column(Integer())
    version: Mapped[str] = mapped_column(String(50))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime())
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime())


class FindingCodeRow(Table):
    """The code of a finding, the same ever after."""

    __tablename__ = "finding_codes"
    __table_args__ = (UniqueConstraint("code", name="uq_finding_codes_code"),)

    project: Mapped[str] = mapped_column(String(500), primary_key=True)
    advisory: Mapped[str] = mapped_column(String(100), primary_key=True)
    package: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(100), primary_key=True)
    code: Mapped[str] = mapped_column(String(50))


class CodeCounterRow(Table):
    """A day's last number."""

    __tablename__ = "code_counters"

    prefix: Mapped[str] = mapped_column(String(20), primary_key=True)
    last: Mapped[int] = mapped_column(Integer())
