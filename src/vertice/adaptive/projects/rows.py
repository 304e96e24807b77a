"""Between this room's rows and its frozen dataclasses."""

from datetime import datetime
from typing import Any
from uuid import UUID

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.messages.live import ScanFacts
from vertice.adaptive.projects.model import Feed, Finding, FindingState, Kind, Project, Scan, ScanState, Trigger
from vertice.adaptive.projects.tables import ApvRow, FeedRow, ProjectRow, ScanRow
from vertice.adaptive.triage.model import Apv, ReachabilityLevel
from vertice.kernel.codec import to_json
from vertice.kernel.text import moment

__all__ = ["facts_of", "fill_finding", "to_feed", "to_finding", "to_project", "to_scan"]


def to_project(row: ProjectRow) -> Project:
    """Return the project of a row."""
    return Project(
        id=row.id,
        name=row.name,
        kind=Kind(row.kind),
        location=row.location,
        branch=row.branch,
        schedule=row.schedule,
        next_scan_at=row.next_scan_at,
        archived=row.archived,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


def to_scan(row: ScanRow) -> Scan:
    """Return the scan of a row."""
    return Scan(
        id=row.id,
        project_id=row.project_id,
        state=ScanState(row.state),
        trigger=Trigger(row.trigger),
        heal=row.heal,
        priority=row.priority,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        commit=row.commit,
        components=row.components,
        findings=row.findings,
        detail=row.detail,
    )


def to_finding(row: ApvRow) -> Finding:
    """Return the finding of a row."""
    return Finding(
        code=row.code,
        project_id=row.project_id,
        scan_id=row.scan_id,
        cve=row.cve_id,
        advisory=row.advisory_id,
        severity=Severity(row.severity),
        package=row.package_name,
        version=row.package_version,
        priority=row.priority,
        reachability=ReachabilityLevel(row.reachability),
        state=FindingState(row.state),
        summary=row.summary,
        published_at=row.published_at,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        fixed_at=row.fixed_at,
    )


def to_feed(row: FeedRow) -> Feed:
    """Return the feed of a row."""
    return Feed(row.name, row.source, row.records, row.updated_at, row.checked_at, row.error)


def facts_of(row: ScanRow) -> dict[str, Any]:
    """Return what is told of a scan to whoever watches, as plain JSON values."""
    facts = ScanFacts.model_validate(
        {
            "project": row.project_id,
            "state": str(row.state),
            "trigger": str(row.trigger),
            "heal": row.heal,
            "priority": row.priority,
            "findings": row.findings,
            "detail": row.detail,
        }
    )
    return facts.model_dump(mode="json")


def fill_finding(row: ApvRow, apv: Apv, *, scan_id: UUID, state: FindingState, at: datetime) -> None:
    """Write what a scan says of a finding; when it was seen first stays."""
    advisory = apv.advisory
    row.scan_id = scan_id
    row.cve_id = _kept(advisory.cve, 50)
    row.advisory_id = _kept(advisory.id, 100)
    row.severity = advisory.severity
    row.package_name = _kept(apv.component.name, 100)
    row.package_version = _kept(apv.component.version, 100)
    row.priority = apv.priority
    row.reachability = apv.reachability.level
    row.state = state
    row.summary = _kept(advisory.summary, 2000)
    row.published_at = moment(advisory.published)
    row.last_seen_at = at
    row.fixed_at = None
    row.data = to_json(apv)


def _kept(text: str, limit: int) -> str:
    """Return what every database takes: no NUL, no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:limit]
