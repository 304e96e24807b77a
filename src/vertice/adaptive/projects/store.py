"""Registered projects in the database. Every call is one transaction; who changed what is audited in it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from vertice.adaptive.projects.errors import ProjectConflictError
from vertice.adaptive.projects.location import check_branch, check_location, check_name
from vertice.adaptive.projects.model import Kind, Project, Scan, ScanState, Trigger
from vertice.adaptive.projects.rows import facts_of, to_project, to_scan
from vertice.adaptive.projects.schedule import check_schedule, next_after
from vertice.adaptive.projects.tables import ProjectRow, ScanRow
from vertice.adaptive.review.decide import UNDECIDED
from vertice.adaptive.review.model import Action, DecisionKind, DecisionState, Status
from vertice.adaptive.review.statistics import AUTOMATIC
from vertice.adaptive.review.tables import ApvReview, HitlDecision
from vertice.kernel.bus.events import emit
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError, UnknownError
from vertice.kernel.origin import here
from vertice.kernel.text import printable

__all__ = ["CHANNEL", "Audit", "ProjectStore"]

CHANNEL = "wargames"
"""Channel of every live event about scans."""

_SYSTEM = "vertice"
_PRIORITIES = range(1, 11)
_PLANNED = 5
_AFTER_DECISION = 3
"""Priority of a scan that a decision made necessary: a person waits for what it shows."""
_UNSETTLED = sorted(UNDECIDED | {Status.changes_requested})
_DUE_AT_ONCE = 20
"""Scans that one look at the schedules asks for; the next look asks for the next."""


class Audit(Protocol):
    """Enters a change in the audit chain, in the caller's transaction."""

    async def __call__(
        self, session: WriteSession, *, actor: str, action: str, subject: str, payload: Mapping[str, object]
    ) -> None:
        """Add one entry."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class ProjectStore:
    """What is looked after, and asking for a look at it."""

    def __init__(self, database: Database, *, audit: Audit, clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def register(
        self, kind: Kind, location: str, *, by: str, name: str = "", branch: str = "", schedule: str = ""
    ) -> Project:
        """Look after a project from now on.

        Raises InputError for what cannot be read, ProjectConflictError when it is registered already.
        """
        place = check_location(kind, location)
        now = self._clock()
        cron = check_schedule(schedule) if schedule else ""
        row = ProjectRow(
            id=uuid4(),
            name=check_name(name, default=location if kind is Kind.github else Path(place).name or "project"),
            kind=kind,
            location=place,
            branch=check_branch(branch),
            schedule=cron,
            next_scan_at=next_after(cron, now) if cron else None,
            archived=False,
            created_by=by,
            created_at=now,
            updated_at=now,
            version=1,
        )
        try:
            async with self._database.write() as session:
                same = select(ProjectRow.id).where(ProjectRow.kind == kind, ProjectRow.location == place)
                if (await session.scalars(same)).first() is not None:
                    raise _registered(place)
                session.add(row)
                await session.flush()
                await self._audit(
                    session,
                    actor=by,
                    action="project.registered",
                    subject=str(row.id),
                    payload={"kind": kind, "location": place, "branch": row.branch, "schedule": cron},
                )
        except IntegrityError as error:
            raise _registered(place) from error
        return to_project(row)

    async def get(self, project_id: UUID) -> Project:
        """Return the project. Raises UnknownError."""
        async with self._database.read() as session:
            row = await session.get(ProjectRow, project_id)
        if row is None:
            raise _unknown(project_id)
        return to_project(row)

    async def list(
        self, *, archived: bool | None = False, after: tuple[str, UUID] | None = None, limit: int = 50
    ) -> tuple[Project, ...]:
        """Return projects by name. `archived` None: both kinds. `after`: (name, id) of the last one that was shown."""
        query = select(ProjectRow).order_by(ProjectRow.name, ProjectRow.id).limit(limit)
        if archived is not None:
            query = query.where(ProjectRow.archived == archived)
        if after is not None:
            name, key = after
            query = query.where(or_(ProjectRow.name > name, and_(ProjectRow.name == name, ProjectRow.id > key)))
        async with self._database.read() as session:
            return tuple(to_project(row) for row in await session.scalars(query))

    async def edit(
        self,
        project_id: UUID,
        *,
        by: str,
        expected_version: int,
        name: str | None = None,
        branch: str | None = None,
        schedule: str | None = None,
        archived: bool | None = None,
    ) -> Project:
        """Change what is not None. Raises ProjectConflictError when it is no longer at `expected_version`."""
        now = self._clock()
        cron = check_schedule(schedule) if schedule else schedule
        async with self._database.write() as session:
            row = await _locked(session, project_id)
            if row.version != expected_version:
                raise ProjectConflictError(
                    f"was changed meanwhile (version {row.version}, you saw {expected_version})",
                    where=str(project_id),
                    todo="Look at it again.",
                )
            if name is not None:
                row.name = check_name(name, default=row.name)
            if branch is not None:
                row.branch = check_branch(branch)
            if archived is not None:
                row.archived = archived
            if cron is not None:
                row.schedule = cron
            row.next_scan_at = next_after(row.schedule, now) if row.schedule and not row.archived else None
            row.version += 1
            row.updated_at = now
            await self._audit(
                session,
                actor=by,
                action="project.edited",
                subject=str(row.id),
                payload={
                    "name": row.name,
                    "branch": row.branch,
                    "schedule": row.schedule,
                    "archived": row.archived,
                    "version": row.version,
                },
            )
            return to_project(row)

    async def request_scan(
        self, project_id: UUID, *, by: str, trigger: Trigger = Trigger.person, heal: bool = True, priority: int = 5
    ) -> Scan:
        """Ask for a scan and return it; one that waits already is returned in place of a second.

        Raises UnknownError, InputError for another priority than 1 to 10, ProjectConflictError when the project
        is archived.
        """
        if priority not in _PRIORITIES:
            raise InputError(f"{priority} is no priority", where="priority", todo="Give 1 (most urgent) to 10.")
        async with self._database.write() as session:
            project = await _locked(session, project_id)
            if project.archived:
                raise ProjectConflictError(
                    "is archived", where=printable(project.name), todo="Take it out of the archive."
                )
            row, asked = await self._ask(session, project, by=by, trigger=trigger, heal=heal, priority=priority)
            if asked or session.is_modified(row):
                await self._audit(
                    session,
                    actor=by,
                    action="scan.requested",
                    subject=str(row.id),
                    payload={"project": str(project.id), "trigger": trigger, "heal": heal, "priority": priority},
                )
            if asked:
                await self._tell(session, row)
            return to_scan(row)

    async def dispatched(
        self, session: WriteSession, named: str, *, by: str, priority: int, payload: Mapping[str, object]
    ) -> Scan:
        """Ask, in the caller's transaction, for a scan of the project that an outside scanner names or locates.

        What it said is audited. Raises UnknownError, and InputError where the name stands for several projects.
        """
        query = select(ProjectRow).where(
            ProjectRow.archived.is_(False), or_(ProjectRow.name == named, ProjectRow.location == named)
        )
        found = (await session.scalars(query.order_by(ProjectRow.id).with_for_update())).all()
        if not found:
            raise UnknownError(
                f"there is no project {printable(named, limit=200)}", where="project", todo="Register it first."
            )
        if len(found) > 1:
            raise InputError(
                f"{len(found)} projects are called {printable(named, limit=200)}",
                where="project",
                todo="Say where it is.",
            )
        row, asked = await self._ask(session, found[0], by=by, trigger=Trigger.message, heal=True, priority=priority)
        data = {**payload, "project": str(found[0].id), "scan": str(row.id)}
        await self._audit(session, actor=by, action="apv.dispatched", subject=str(row.id), payload=data)
        if asked:
            await self._tell(session, row)
        return to_scan(row)

    async def due(self) -> tuple[Scan, ...]:
        """Ask for the scans whose time has come. Several processes may do it at once: each is asked for once."""
        return await self._ask_each(ProjectRow.next_scan_at <= self._clock(), Trigger.schedule, _PLANNED)

    async def outdated(self) -> tuple[Scan, ...]:
        """Ask for a scan of each project whose last one began before a decision that changed what it saw.

        A patch that was merged changes the files other patches were proven on; a person who asked for another version
        waits for its proof; an approval that could not be carried out mostly met such a change. Whoever else merges
        something is seen by the project's schedule.
        """
        return await self._ask_each(_outdated(), Trigger.decision, _AFTER_DECISION)

    async def _ask_each(self, wanted: ColumnElement[bool], trigger: Trigger, priority: int) -> tuple[Scan, ...]:
        query = (
            select(ProjectRow)
            .where(wanted, ProjectRow.archived.is_(False))
            .order_by(ProjectRow.next_scan_at, ProjectRow.id)
            .limit(_DUE_AT_ONCE)
        )
        async with self._database.read() as session:
            if (await session.scalars(query)).first() is None:
                return ()
        asked = []
        async with self._database.write() as session:
            for project in (await session.scalars(query.with_for_update(skip_locked=True))).all():
                if trigger is Trigger.schedule:
                    project.next_scan_at = next_after(project.schedule, self._clock()) if project.schedule else None
                row, new = await self._ask(session, project, by=_SYSTEM, trigger=trigger, heal=True, priority=priority)
                if new:
                    asked.append(row)
            for row in asked:
                await self._tell(session, row)
            return tuple(to_scan(row) for row in asked)

    async def _ask(
        self, session: WriteSession, project: ProjectRow, *, by: str, trigger: Trigger, heal: bool, priority: int
    ) -> tuple[ScanRow, bool]:
        """Return the scan that waits for the (locked) project, and whether it is new."""
        waiting = select(ScanRow).where(ScanRow.project_id == project.id, ScanRow.state == ScanState.queued)
        row = (await session.scalars(waiting.with_for_update())).first()
        if row is not None:
            if heal and not row.heal:
                row.heal, row.requested_by = True, by  # who asks for a remedy is its proposer
            row.priority = min(row.priority, priority)
            return row, False
        origin = here()
        row = ScanRow(
            id=uuid4(),
            project_id=project.id,
            state=ScanState.queued,
            trigger=trigger,
            heal=heal,
            priority=priority,
            requested_by=by,
            requested_at=self._clock(),
            commit="",
            detail="",
            traceparent=origin.traceparent or None,
            correlation_id=origin.correlation_id or None,
        )
        session.add(row)
        await session.flush()
        return row, True

    async def _tell(self, session: WriteSession, row: ScanRow) -> None:
        await emit(session, CHANNEL, "scan_queued", subject=str(row.id), data=facts_of(row), at=self._clock())


def _outdated() -> ColumnElement[bool]:
    done, review = aliased(HitlDecision), aliased(ApvReview)
    changed = done.action_taken.in_([Action.pr_merged, Action.changes_requested])
    # What policy approves by itself is not tried anew for ever.
    refused = and_(
        done.state == DecisionState.failed,
        done.decision == DecisionKind.approve,
        done.reviewer_id.is_distinct_from(AUTOMATIC),
    )
    begun = func.coalesce(ScanRow.started_at, ScanRow.requested_at)
    seen = exists().where(
        ScanRow.project_id == ProjectRow.id,
        or_(ScanRow.state == ScanState.queued, begun >= func.coalesce(done.carried_out_at, done.created_at)),
    )
    waiting = exists().where(ApvReview.project_id == ProjectRow.id, ApvReview.status.in_(_UNSETTLED))
    return and_(
        exists().where(done.apv_id == review.id, review.project_id == ProjectRow.id, or_(changed, refused), ~seen),
        waiting,
    )


async def _locked(session: WriteSession, project_id: UUID) -> ProjectRow:
    query = select(ProjectRow).where(ProjectRow.id == project_id).with_for_update()
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise _unknown(project_id)
    return row


def _unknown(project_id: UUID) -> UnknownError:
    return UnknownError(f"there is no project {project_id}", where="projects")


def _registered(place: str) -> ProjectConflictError:
    return ProjectConflictError("is registered already", where=printable(place), todo="See the list of projects.")
