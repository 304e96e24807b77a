"""What is forgotten and when, and what never is; workflows are those of real workers."""

import asyncio
import signal
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import func, make_url, select

from tests.adaptive.work.conftest import Crew
from tests.adaptive.work.process import no_audit
from vertice.adaptive.projects.model import DocumentKind, Feed, Kind, Scan, ScanState
from vertice.adaptive.projects.scans import Looked, ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.projects.tables import ScanDocumentRow, ScanRow
from vertice.adaptive.work.retention import forget
from vertice.kernel.auth.tables import ApiTokenRow, IdentityRow, LoginTokenRow, SessionRow
from vertice.kernel.bus import outbox
from vertice.kernel.bus.events import emit
from vertice.kernel.bus.tables import EventRow, InboxRow, OutboxRow
from vertice.kernel.database import Database
from vertice.kernel.psycopg_url import psycopg_url

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


async def test_live_events_are_kept_a_week_and_notes_of_taken_messages_four(database: Database) -> None:
    async with database.write() as session:
        for name, days in (("old", 29), ("week", 8), ("new", 6)):
            await emit(session, name, "told", subject="", data={}, at=ago(days))
            session.add(InboxRow(source="test", id=name, at=ago(days), outcome="taken"))
    await forget(database, NOW)
    async with database.read() as session:
        assert (await session.scalars(select(EventRow.channel))).all() == ["new"]
        assert sorted((await session.scalars(select(InboxRow.id))).all()) == ["new", "week"]


async def test_what_was_sent_is_kept_a_week_what_was_given_up_a_month_and_what_waits_for_ever(
    database: Database,
) -> None:
    async with database.write() as session:
        for name, days in (("sent", 8), ("sent-lately", 8), ("parked", 31), ("parked-lately", 29), ("waiting", 400)):
            outbox.post(session, name, "test", subject="", data={}, at=ago(days))
        await session.flush()
        seqs = {row.destination: row.seq for row in await session.scalars(select(OutboxRow))}
        await outbox.sent(session, [seqs["sent"]], ago(8))
        await outbox.sent(session, [seqs["sent-lately"]], ago(6))
        for name in ("parked", "parked-lately"):
            await outbox.not_sent(session, seqs[name], "too large", final=True)
    await forget(database, NOW)
    async with database.read() as session:
        left = set((await session.scalars(select(OutboxRow.destination))).all())
    assert left == {"sent-lately", "parked-lately", "waiting"}


async def test_logins_that_ended_go_and_tokens_that_ended_go_after_ninety_days(database: Database) -> None:
    who = IdentityRow(
        id=uuid4(), issuer="i", subject="s", name="Ana", email="", role="lead", created_at=ago(999), seen_at=NOW
    )

    def token(name: str, *, expires: datetime | None, revoked: datetime | None = None) -> ApiTokenRow:
        made = {"created_by": who.id, "created_at": ago(300), "used_at": None, "role": "lead", "scopes": "read"}
        return ApiTokenRow(id=uuid4(), name=name, token_hash=name, expires_at=expires, revoked_at=revoked, **made)

    async with database.write() as session:
        session.add(who)
        await session.flush()
        for name, ends in (("over", NOW), ("going", NOW + timedelta(seconds=1))):
            session.add(SessionRow(token_hash=name, identity_id=who.id, created_at=ago(1), expires_at=ends))
            session.add(LoginTokenRow(token_hash=name, kind="url", data="{}", expires_at=ends, used_at=None))
        session.add_all(
            [
                token("good", expires=NOW + timedelta(days=1)),
                token("endless", expires=None),
                token("expired", expires=ago(91)),
                token("expired lately", expires=ago(89)),
                token("revoked", expires=NOW + timedelta(days=1), revoked=ago(91)),
                token("revoked lately", expires=NOW + timedelta(days=1), revoked=ago(89)),
            ]
        )
    await forget(database, NOW)
    async with database.read() as session:
        assert (await session.scalars(select(SessionRow.token_hash))).all() == ["going"]
        assert (await session.scalars(select(LoginTokenRow.token_hash))).all() == ["going"]
        tokens = sorted((await session.scalars(select(ApiTokenRow.name))).all())
    assert tokens == ["endless", "expired lately", "good", "revoked lately"]


async def test_documents_of_old_scans_go_but_never_a_projects_newest(database: Database, tmp_path: Path) -> None:
    moment = ago(400)
    projects = ProjectStore(database, audit=no_audit, clock=lambda: moment)
    scans = ScanStore(database, clock=lambda: moment)
    feed = Feed("made-up", "made-up", 1, None, NOW, "")

    async def scanned(project: str, days: float, *, found: bool = True) -> Scan:
        nonlocal moment
        moment = ago(days)
        known = next((one for one in await projects.list() if one.name == project), None)
        (tmp_path / project).mkdir(exist_ok=True)
        known = known or await projects.register(Kind.path, str(tmp_path / project), by="ana")
        scan = await projects.request_scan(known.id, by="ana")
        await scans.begin(scan.id)
        if found:
            documents = dict.fromkeys(DocumentKind, f"{project} {days}")
            await scans.record(scan.id, Looked("", 0, (), (), documents, feed, policy=f"policy {days}"))
        return await scans.finish(scan.id)

    quiet = [await scanned("quiet", days) for days in (300, 200)]
    busy = [await scanned("busy", days) for days in (60, 31, 29)] + [await scanned("busy", 1, found=False)]
    await forget(database, NOW)
    async with database.read() as session:
        rows = await session.execute(select(ScanDocumentRow.scan_id, func.count()).group_by(ScanDocumentRow.scan_id))
        left = dict(rows.all())
        assert len((await session.scalars(select(ScanRow.id))).all()) == 6
    every = len(DocumentKind) + 1
    assert left == {quiet[1].id: every, busy[2].id: every}
    assert await scans.policy(quiet[1].project_id) == "policy 200"
    assert (await scans.last_recorded(busy[2].project_id)).id == busy[2].id


class Engine:
    """The workflows' own tables, as DBOS keeps them."""

    def __init__(self, crew: Crew) -> None:
        self._sqlite = make_url(crew.url).get_backend_name() == "sqlite"
        self._place = (
            str(crew.folder / "work.db")
            if self._sqlite
            else psycopg_url(crew.url).set(drivername="postgresql").render_as_string(hide_password=False)
        )

    def run(self, statement: str) -> list[tuple]:
        """Run one statement, tables as `dbos.<name>`."""
        if self._sqlite:
            with sqlite3.connect(self._place, timeout=60) as connection:
                return connection.execute(statement.replace("dbos.", "")).fetchall()
        with psycopg.connect(self._place) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def age(self, days: float, where: str = "true") -> None:
        """Let workflows be as if they had been begun, and ended, so many days ago."""
        back = int(days * 86400 * 1000)
        self.run(
            f"UPDATE dbos.workflow_status SET created_at = created_at - {back},"
            f" updated_at = updated_at - {back}, completed_at = completed_at - {back} WHERE {where}"
        )

    def names(self) -> dict[str, str]:
        return dict(self.run("SELECT workflow_uuid, status FROM dbos.workflow_status"))

    def rows(self) -> int:
        """Of everything that belongs to a workflow."""
        tables = ("workflow_input", "workflow_output", "operation_outputs", "notifications", "workflow_events")
        return sum(self.run(f"SELECT count(*) FROM dbos.{table}")[0][0] for table in tables)


async def _stopped(process) -> None:
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 60) == 0


async def test_workflows_that_ended_a_month_ago_are_forgotten_with_all_their_steps(either_crew: Crew) -> None:
    engine = Engine(either_crew)
    old, new = await either_crew.project("old"), await either_crew.project("new")
    worker = either_crew.hire()
    scan = await either_crew.projects.request_scan(old.id, by="ana")
    assert (await either_crew.ended(scan.id)).detail == "1 success"
    await _stopped(worker)
    engine.age(31)
    assert len(engine.names()) > 4
    worker = either_crew.hire()
    await either_crew.until(lambda: not engine.names())
    assert engine.rows() == 0
    second = await either_crew.projects.request_scan(new.id, by="ana")
    assert (await either_crew.ended(second.id)).detail == "1 success"
    await _stopped(worker)
    engine.age(29)
    kept = engine.names()
    worker = either_crew.hire(settings={"tidy_seconds": 0.2})
    third = await either_crew.projects.request_scan(old.id, by="ana")  # the same files are proven anew
    assert (await either_crew.ended(third.id)).detail == "1 success"
    assert kept.items() <= engine.names().items()
    assert either_crew.diary.of("conclude") == [("a",)] * 3
    await _stopped(worker)


async def test_nothing_is_forgotten_that_a_workflow_under_way_may_ask_for(either_crew: Crew) -> None:
    """A worker is killed in the midst of a heal, and for two months nobody works."""
    engine = Engine(either_crew)
    project = await either_crew.project("shop")
    worker = either_crew.hire(hold=[["conclude", "a"]])
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    await either_crew.until(lambda: either_crew.diary.of("conclude"))
    worker.kill()
    worker.wait()
    before = engine.names()
    assert {"SUCCESS", "PENDING"} <= set(before.values())
    engine.age(60)
    (either_crew.folder / "release").touch()
    attacks = len(either_crew.diary.of("attack"))
    worker = either_crew.hire(settings={"tidy_seconds": 0.1, "dead_seconds": 1.0})
    done = await either_crew.ended(scan.id)
    assert (done.state, done.detail) == (ScanState.finished, "1 success")
    assert len(either_crew.diary.of("attack")) == attacks  # what was stored was still there
    ended = {name for name, status in before.items() if status == "SUCCESS"}
    await either_crew.until(lambda: not ended & engine.names().keys())  # now nobody asks any more
    await _stopped(worker)
