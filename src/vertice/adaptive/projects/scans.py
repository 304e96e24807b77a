"""The life of a scan in the database, and what it leaves: findings, documents, the age of the feed."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.messages.live import WargameStep
from vertice.adaptive.projects.errors import ProjectConflictError
from vertice.adaptive.projects.model import DocumentKind, Feed, Finding, FindingState, Project, Scan, ScanState
from vertice.adaptive.projects.rows import facts_of, fill_finding, to_feed, to_finding, to_project, to_scan
from vertice.adaptive.projects.store import CHANNEL
from vertice.adaptive.projects.tables import ApvRow, FeedRow, ProjectRow, ScanDocumentRow, ScanRow
from vertice.adaptive.triage.model import Apv
from vertice.kernel.bus.events import emit
from vertice.kernel.bus.outbox import post
from vertice.kernel.codec import from_json
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import UnfinishedError, UnknownError
from vertice.kernel.origin import Origin
from vertice.kernel.text import printable

__all__ = ["Looked", "ScanStore"]

_OPEN = (ScanState.queued, ScanState.running)
_MAX_DETAIL = 2000


_POLICY = "policy"
"""Kind of the document that is for us alone."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a project showed."""

    commit: str
    """Commit id, "" for a folder."""
    components: int
    apvs: tuple[Apv, ...]
    waived: tuple[Apv, ...]
    documents: Mapping[DocumentKind, str]
    feed: Feed
    policy: str = ""
    """The project's own `Policy` as JSON, "" when it says nothing."""


def _now() -> datetime:
    return datetime.now(UTC)


def _nobody() -> None:
    """Nobody listens."""


class ScanStore:
    """Scans and findings. What changes a scan may be repeated: it is done once."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = _now, changed: Callable[[], None] = _nobody
    ) -> None:
        """`changed` is called after each live event, so that whoever listens in this process looks at once."""
        self._database = database
        self._clock = clock
        self._changed = changed

    async def get(self, scan_id: UUID) -> Scan:
        """Return the scan. Raises UnknownError."""
        async with self._database.read() as session:
            row = await session.get(ScanRow, scan_id)
        if row is None:
            raise _unknown("scan", scan_id)
        return to_scan(row)

    async def list(
        self,
        *,
        project_id: UUID | None = None,
        state: Collection[ScanState] = (),
        before: tuple[datetime, UUID] | None = None,
        limit: int = 50,
    ) -> tuple[Scan, ...]:
        """Return scans, the newest first. `before`: (requested_at, id) of the last one that was shown."""
        query = select(ScanRow).order_by(ScanRow.requested_at.desc(), ScanRow.id.desc()).limit(limit)
        if project_id is not None:
            query = query.where(ScanRow.project_id == project_id)
        if state:
            query = query.where(ScanRow.state.in_(state))
        if before is not None:
            at, key = before
            same = and_(ScanRow.requested_at == at, ScanRow.id < key)
            query = query.where(or_(ScanRow.requested_at < at, same))
        async with self._database.read() as session:
            return tuple(to_scan(row) for row in await session.scalars(query))

    async def begin(self, scan_id: UUID) -> tuple[Scan, Project] | None:
        """Say that work on the scan has begun; None when it has ended already."""
        async with self._database.write() as session:
            row = await _locked(session, scan_id)
            if row.state not in _OPEN:
                return None
            project = (await session.scalars(select(ProjectRow).where(ProjectRow.id == row.project_id))).one()
            if row.state == ScanState.queued:
                row.state, row.started_at = ScanState.running, self._clock()
                await self._tell(session, row, "scan_started")
            begun = to_scan(row), to_project(project)
        self._changed()
        return begun

    async def origin(self, scan_id: UUID) -> Origin:
        """Return which request asked for the scan."""
        async with self._database.read() as session:
            query = select(ScanRow.traceparent, ScanRow.correlation_id).where(ScanRow.id == scan_id)
            found = (await session.execute(query)).one_or_none()
        return Origin(found[0] or "", found[1] or "") if found else Origin()

    async def record(self, scan_id: UUID, looked: Looked) -> Scan:
        """Keep what the look at the project showed. Findings that it did not show any more are fixed.

        A scan that was asked for before one that is already recorded leaves the findings alone. Raises
        ProjectConflictError when a code belongs to another project.
        """
        try:
            return await self._record(scan_id, looked)
        except IntegrityError as error:
            raise UnfinishedError(
                "another scan wrote the same finding at the same moment", where=str(scan_id), todo="Try it again."
            ) from error

    async def _record(self, scan_id: UUID, looked: Looked) -> Scan:
        now = self._clock()
        async with self._database.write() as session:
            row = await _locked(session, scan_id)
            # All records of one project wait here for each other.
            await session.execute(select(ProjectRow.id).where(ProjectRow.id == row.project_id).with_for_update())
            later = select(ScanRow.id).where(
                ScanRow.project_id == row.project_id,
                ScanRow.requested_at > row.requested_at,
                ScanRow.findings.is_not(None),
            )
            if (await session.scalars(later.limit(1))).first() is None:
                await _record_findings(session, row, looked, now)
            row.commit, row.components, row.findings = looked.commit, looked.components, len(looked.apvs)
            for kind, content in looked.documents.items():
                await session.merge(ScanDocumentRow(scan_id=scan_id, kind=kind, content=content))
            if looked.policy:
                await session.merge(ScanDocumentRow(scan_id=scan_id, kind=_POLICY, content=looked.policy))
            await _record_feed(session, looked.feed)
            return to_scan(row)

    async def finish(self, scan_id: UUID, detail: str = "") -> Scan:
        """Say that the scan ended well. A scan that has ended stays as it is."""
        return await self._end(scan_id, ScanState.finished, detail)

    async def fail(self, scan_id: UUID, why: str) -> Scan:
        """Say why the scan could not be finished. A scan that has ended stays as it is."""
        return await self._end(scan_id, ScanState.failed, why)

    async def findings(
        self,
        *,
        project_id: UUID | None = None,
        state: Collection[FindingState] = (),
        severity: Collection[Severity] = (),
        package: str = "",
        after: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> tuple[Finding, ...]:
        """Return findings, the most urgent first. `after`: (priority, code) of the last one that was shown."""
        query = select(ApvRow).order_by(ApvRow.priority, ApvRow.code).limit(limit)
        if project_id is not None:
            query = query.where(ApvRow.project_id == project_id)
        if state:
            query = query.where(ApvRow.state.in_(state))
        if severity:
            query = query.where(ApvRow.severity.in_(severity))
        if package:
            query = query.where(ApvRow.package_name == package)
        if after is not None:
            priority, code = after
            query = query.where(or_(ApvRow.priority > priority, and_(ApvRow.priority == priority, ApvRow.code > code)))
        async with self._database.read() as session:
            return tuple(to_finding(row) for row in await session.scalars(query))

    async def finding(self, code: str) -> tuple[Finding, Apv]:
        """Return the finding and all that is known of it. Raises UnknownError."""
        async with self._database.read() as session:
            row = await session.get(ApvRow, code)
        if row is None:
            raise _unknown("finding", code)
        return to_finding(row), from_json(Apv, row.data)

    async def document(self, scan_id: UUID, kind: DocumentKind) -> str:
        """Return a document of a scan. Raises UnknownError."""
        async with self._database.read() as session:
            row = await session.get(ScanDocumentRow, (scan_id, kind))
        if row is None:
            raise _unknown(f"{kind} document of scan", scan_id)
        return row.content

    async def policy(self, project_id: UUID) -> str:
        """Return the project's own policy as its newest scan saw it, as JSON; "" when it says nothing."""
        query = (
            select(ScanDocumentRow.content)
            .join(ScanRow, ScanRow.id == ScanDocumentRow.scan_id)
            .where(ScanRow.project_id == project_id, ScanDocumentRow.kind == _POLICY)
            .order_by(ScanRow.requested_at.desc())
            .limit(1)
        )
        async with self._database.read() as session:
            return (await session.execute(query)).scalar() or ""

    async def last_recorded(self, project_id: UUID) -> Scan:
        """Return the newest scan of a project that has documents. Raises UnknownError."""
        query = (
            select(ScanRow)
            .where(ScanRow.project_id == project_id, ScanRow.findings.is_not(None))
            .order_by(ScanRow.requested_at.desc(), ScanRow.id.desc())
            .limit(1)
        )
        async with self._database.read() as session:
            row = (await session.scalars(query)).first()
        if row is None:
            raise _unknown("finished scan of project", project_id)
        return to_scan(row)

    async def feeds(self) -> tuple[Feed, ...]:
        """Return the advisory feeds by name."""
        async with self._database.read() as session:
            return tuple(to_feed(row) for row in await session.scalars(select(FeedRow).order_by(FeedRow.name)))

    async def unfinished(self, *, limit: int = 500) -> tuple[Scan, ...]:
        """Return the scans that have not ended, in the order in which they should be worked on."""
        order = (ScanRow.priority, ScanRow.requested_at, ScanRow.id)
        query = select(ScanRow).where(ScanRow.state.in_(_OPEN)).order_by(*order).limit(limit)
        async with self._database.read() as session:
            return tuple(to_scan(row) for row in await session.scalars(query))

    async def progress(self, scan_id: UUID, step: WargameStep) -> None:
        """Tell whoever watches how far a scan is."""
        data = step.model_dump(mode="json")
        async with self._database.write() as session:
            await emit(session, CHANNEL, "wargame_progress", subject=str(scan_id), data=data, at=self._clock())
        self._changed()

    async def _end(self, scan_id: UUID, state: ScanState, detail: str) -> Scan:
        async with self._database.write() as session:
            row = await _locked(session, scan_id)
            if row.state in _OPEN:
                row.state, row.finished_at = state, self._clock()
                row.detail = printable(detail, limit=_MAX_DETAIL)
                await self._tell(session, row, f"scan_{state}")
                if state is ScanState.failed:
                    await _notify(session, row, self._clock())
            ended = to_scan(row)
        self._changed()
        return ended

    async def _tell(self, session: WriteSession, row: ScanRow, kind: str) -> None:
        await emit(session, CHANNEL, kind, subject=str(row.id), data=facts_of(row), at=self._clock())


async def _notify(session: WriteSession, row: ScanRow, at: datetime) -> None:
    name = (await session.scalars(select(ProjectRow.name).where(ProjectRow.id == row.project_id))).one()
    data = {"project": name, "trigger": row.trigger, "requested_at": row.requested_at, "detail": row.detail}
    post(session, "notifications", "scan.failed", subject=str(row.id), data=data, at=at)


async def _record_findings(session: WriteSession, row: ScanRow, looked: Looked, now: datetime) -> None:
    states = dict.fromkeys((apv.code for apv in looked.apvs), FindingState.open)
    states |= dict.fromkeys((apv.code for apv in looked.waived), FindingState.waived)
    mine = await session.scalars(select(ApvRow).where(ApvRow.project_id == row.project_id))
    known = {found.code: found for found in mine}
    new = states.keys() - known.keys()
    taken = await session.scalars(select(ApvRow.code).where(ApvRow.code.in_(new)).order_by(ApvRow.code))
    if (code := taken.first()) is not None:
        raise ProjectConflictError(
            "the code belongs to another project",
            where=code,
            todo="Two homes number their findings by themselves: give each a database of its own.",
        )
    for apv in (*looked.apvs, *looked.waived):
        found = known.get(apv.code)
        if found is None:
            found = ApvRow(code=apv.code, project_id=row.project_id, first_seen_at=now)
            session.add(found)
        fill_finding(found, apv, scan_id=row.id, state=states[apv.code], at=now)
    for code, found in known.items():
        # What an outside scanner alone told of was never there for us to miss.
        if code not in states and found.scan_id is not None and found.state != FindingState.fixed:
            found.state, found.fixed_at = FindingState.fixed, now


async def _record_feed(session: WriteSession, feed: Feed) -> None:
    """Keep how old the feed is; scans of several projects say so at the same time."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {column.key: getattr(feed, column.key) for column in FeedRow.__table__.columns}
    insert = dialect.insert(FeedRow).values(row)
    await session.execute(insert.on_conflict_do_update(index_elements=[FeedRow.name], set_=row))


async def _locked(session: WriteSession, scan_id: UUID) -> ScanRow:
    row = (await session.scalars(select(ScanRow).where(ScanRow.id == scan_id).with_for_update())).one_or_none()
    if row is None:
        raise _unknown("scan", scan_id)
    return row


def _unknown(what: str, key: object) -> UnknownError:
    return UnknownError(f"there is no {what} {printable(str(key), limit=80)}", where="projects")
