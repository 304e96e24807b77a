"""Several real processes share the work: each piece is done by exactly one, whoever dies when."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from tests.adaptive.work.conftest import LONG, Crew
from tests.adaptive.world import code_of
from vertice.adaptive.projects.model import FindingState, ScanState, Trigger
from vertice.adaptive.projects.tables import WorkerRow
from vertice.adaptive.work.enqueue import Enqueuer
from vertice.kernel.bus.events import since
from vertice.kernel.bus.tables import OutboxRow
from vertice.kernel.database import Database

THREE = {"a": ["2"], "b": ["2"], "c": ["2"]}
ONCE = ("conclude", "tests", "attack", "find", "plan", "look")
"""What no other process may do again once it is stored."""


async def test_a_scan_that_was_asked_for_is_found_and_done(either_crew: Crew) -> None:
    """Nobody puts it on the queue: as when the process that stored it died before it could."""
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    either_crew.hire(fixed=THREE)
    done = await either_crew.ended(scan.id)
    assert (done.state, done.findings, done.detail) == (ScanState.finished, 3, "3 success")
    found = await either_crew.scans.findings(project_id=project.id)
    assert [(one.code, one.state) for one in found] == [(f"APV-shop-{name}", FindingState.open) for name in "abc"]
    assert sorted(either_crew.diary.of("conclude")) == [("a",), ("b",), ("c",)]


async def test_a_scan_without_a_heal_only_looks(either_crew: Crew) -> None:
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana", heal=False)
    either_crew.hire(fixed=THREE)
    assert (await either_crew.ended(scan.id)).state is ScanState.finished
    assert either_crew.diary.of("find") == []


async def test_progress_is_told_in_order_and_small_things_only_now_and_then(either_crew: Crew) -> None:
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    either_crew.hire(fixed=THREE)
    await either_crew.ended(scan.id)
    async with either_crew.database.read() as session:
        events = await since(session, {"wargames": 0}, limit=1000)
    assert {event.subject for event in events} == {str(scan.id)}
    assert [event.type for event in events[:2]] == ["scan_queued", "scan_started"]
    assert events[-1].type == "scan_finished"
    stages = [event.data["stage"] for event in events[2:-1] if not event.data["detail"]]
    assert stages[:2] == ["scanning", "planning"]
    assert Counter(stages)["done"] == 3
    small = [event for event in events[2:-1] if event.data["detail"]]
    assert len(small) < len(either_crew.diary.of("attack"))


async def test_others_are_told_of_each_remedy_once_though_the_worker_dies_telling(either_crew: Crew) -> None:
    """It dies when its first news is committed and the step that told it is not."""
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    first = either_crew.hire(fixed={"a": ["2", "3"], "b": ["2"]}, weak={"P-a": ["a==1", "a==2"]}, die="announce")
    assert await asyncio.to_thread(first.wait, LONG) == 9
    either_crew.hire(fixed={"a": ["2", "3"], "b": ["2"]}, weak={"P-a": ["a==1", "a==2"]})
    assert (await either_crew.ended(scan.id)).detail == "2 success"
    async with either_crew.database.read() as session:
        found = await session.scalars(select(OutboxRow).where(OutboxRow.destination == "eureka.remedy.status"))
        rows = [(row.type.rpartition(".")[2], json.loads(row.data)) for row in found]
    assert Counter((kind, data["package"], data["to_version"], data["verdict"]) for kind, data in rows) == {
        ("planned", "a", "2", None): 1,
        ("planned", "b", "2", None): 1,
        ("refuted", "a", "2", "failed"): 1,
        ("planned", "a", "3", None): 1,
        ("proposed", "a", "3", "success"): 1,
        ("proposed", "b", "2", "success"): 1,
    }
    assert {(data["project"], *data["apvs"]) for _, data in rows} == {
        (project.location, code_of("a")),
        (project.location, code_of("b")),
    }


async def test_each_wargame_is_run_by_exactly_one_of_several_workers(crew: Crew) -> None:
    """Each has room for one, and holds it until all three have one."""
    scans = []
    for name in ("shop", "bank", "farm"):
        project = await crew.project(name)
        scans.append(await crew.projects.request_scan(project.id, by="ana"))
    for _ in range(3):
        crew.hire(fixed=THREE, hold=[["arm"]], settings={"wargames": 1})
    await crew.until(lambda: len(crew.diary.of("arm")) == 3)
    assert len({pid for pid, event in crew.diary.lines if event[0] == "arm"}) == 3
    (crew.folder / "release").touch()
    for scan in scans:
        assert (await crew.ended(scan.id)).state is ScanState.finished
    assert Counter(crew.diary.of("conclude")) == {("a",): 3, ("b",): 3, ("c",): 3}
    assert set(Counter(crew.diary.of("attack")).values()) == {3 * 2}  # projects times repeats


async def test_a_killed_workers_work_is_ended_by_another_and_nothing_stored_is_done_again(crew: Crew) -> None:
    project = await crew.project("shop")
    scan = await crew.projects.request_scan(project.id, by="ana")
    first = crew.hire(fixed=THREE, hold=[["conclude", "b"]], settings={"wargames": 3})
    await crew.until(lambda: ("b",) in crew.diary.of("conclude"))
    await crew.until(lambda: len(crew.diary.of("conclude")) == 3)
    await asyncio.sleep(0.5)  # what ended beside it is stored
    first.kill()
    done_before = [event for _, event in crew.diary.lines]
    crew.hire(fixed=THREE, settings={"wargames": 3})
    assert (await crew.ended(scan.id)).state is ScanState.finished
    again = [event for _, event in crew.diary.lines[len(done_before) :] if event[0] in ONCE]
    assert again == [("conclude", "b")]


async def test_a_worker_killed_over_and_over_loses_nothing(crew: Crew) -> None:
    """Several workers on several scans, one of them killed every second and replaced."""
    scans = []
    for name in ("shop", "bank"):
        project = await crew.project(name)
        scans.append(await crew.projects.request_scan(project.id, by="ana"))
    for _ in range(2):
        crew.hire(fixed=THREE, slow=0.1)
    for number in range(4):
        await asyncio.sleep(1.5)
        crew.processes[number].kill()
        crew.hire(fixed=THREE, slow=0.1)
    for scan in scans:
        done = await crew.ended(scan.id)
        assert (done.detail, done.state) == ("3 success", ScanState.finished)


async def test_a_worker_that_is_told_to_stop_ends_its_step_and_hands_back_the_rest(crew: Crew) -> None:
    """The other, which thinks nobody dead for an hour, goes on at once and does none of the ended steps again."""
    project = await crew.project("shop")
    scan = await crew.projects.request_scan(project.id, by="ana")
    patient = {"dead_seconds": 3600.0}
    first = crew.hire(fixed=THREE, slow=0.3, settings=patient)
    await crew.until(lambda: len(crew.diary.of("attack")) > 8)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, LONG) == 0
    ended = [event for _, event in crew.diary.lines]
    assert ended[-1][0] == "stopped"
    crew.hire(fixed=THREE, settings=patient)
    assert (await crew.ended(scan.id)).detail == "3 success"
    whole = Counter(crew.diary.of("attack"))
    # 2 repeats of everything, before once for each remedy's own probe: a step that ended was not run again.
    assert set(whole.values()) == {2}
    async with crew.database.read() as session:
        rows = (await session.scalars(select(WorkerRow.pid))).all()
    assert rows == [crew.processes[1].pid]


async def test_a_stop_waits_no_longer_than_its_grace(crew: Crew) -> None:
    project = await crew.project("shop")
    scan = await crew.projects.request_scan(project.id, by="ana")
    first = crew.hire(hold=[["attack"]], settings={"grace_seconds": 0.5})
    await crew.until(lambda: crew.diary.of("attack"))
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, LONG) == 0
    crew.hire()
    assert (await crew.ended(scan.id)).state is ScanState.finished


async def test_a_worker_that_was_away_too_long_works_no_more(crew: Crew) -> None:
    """It is stopped like a machine that sleeps; meanwhile another ends its work; then it wakes up."""
    project = await crew.project("shop")
    scan = await crew.projects.request_scan(project.id, by="ana")
    first = crew.hire(hold=[["conclude"]])
    await crew.until(lambda: crew.diary.of("conclude"))
    first.send_signal(signal.SIGSTOP)
    (crew.folder / "release").touch()
    crew.hire()
    assert (await crew.ended(scan.id)).state is ScanState.finished
    first.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(first.wait, LONG) == 3
    assert (await crew.scans.get(scan.id)).state is ScanState.finished


async def test_the_most_urgent_wargame_is_claimed_first(crew: Crew) -> None:
    """One place, held until two more wait for it, the urgent one behind the other."""
    crew.hire(hold=[["arm of", "first"]], settings={"wargames": 1})
    for waiting, name in enumerate(("first", "calm", "urgent")):
        project = await crew.project(name)
        scan = await crew.projects.request_scan(project.id, by="ana")
        await crew.until(lambda: ("first",) in crew.diary.of("arm of"))
        await _queued(crew, waiting)
    (crew.folder / "release").touch()
    await crew.until(lambda: len(crew.diary.of("concluded")) == 3)
    assert crew.diary.of("concluded") == [("first",), ("urgent",), ("calm",)]
    assert (await crew.ended(scan.id)).state is ScanState.finished


async def _queued(crew: Crew, wanted: int) -> None:
    """Wait until so many wargames wait to be claimed."""
    query = text("SELECT count(*) FROM dbos.workflow_status WHERE queue_name = 'wargames' AND status = 'ENQUEUED'")
    for _ in range(int(LONG / 0.1)):
        async with crew.database.read() as session:
            if (await session.execute(query)).scalar_one() == wanted:
                return
        await asyncio.sleep(0.1)
    pytest.fail(f"there are not {wanted} wargames that wait")


async def test_no_more_wargames_run_at_once_than_the_limits_say(crew: Crew) -> None:
    """Three workers with room for two each, but two everywhere."""
    fixed = {name: ["2"] for name in "abcdef"}
    project = await crew.project("shop")
    scan = await crew.projects.request_scan(project.id, by="ana")
    for _ in range(3):
        crew.hire(fixed=fixed, hold=[["arm"]], settings={"wargames": 2, "wargames_everywhere": 2})
    await crew.until(lambda: len(crew.diary.of("arm")) >= 2)
    await asyncio.sleep(1.5)  # a third one would have come by now
    assert len(crew.diary.of("arm")) == 2
    (crew.folder / "release").touch()
    assert (await crew.ended(scan.id)).detail == "6 success"


async def test_a_step_that_fails_is_tried_again_then_the_scan_fails_and_the_worker_lives_on(either_crew: Crew) -> None:
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    worker = either_crew.hire(fixed=THREE, fail=[["conclude", "b"]])
    done = await either_crew.ended(scan.id)
    assert (done.state, done.detail) == (ScanState.failed, "made-up: the disk is full")
    assert either_crew.diary.of("conclude").count(("b",)) == 3
    assert {("a",), ("c",)} <= set(either_crew.diary.of("conclude"))
    assert worker.poll() is None
    (either_crew.folder / "mended").touch()
    again = await either_crew.projects.request_scan(project.id, by="ana")
    assert (await either_crew.ended(again.id)).state is ScanState.finished


async def test_a_look_that_fails_fails_the_scan(either_crew: Crew) -> None:
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    either_crew.hire(fail=[["look"]])
    assert (await either_crew.ended(scan.id)).state is ScanState.failed


async def test_unchanged_files_are_not_proven_twice(either_crew: Crew) -> None:
    project = await either_crew.project("shop")
    either_crew.hire()
    for _ in range(2):
        scan = await either_crew.projects.request_scan(project.id, by="ana")
        assert (await either_crew.ended(scan.id)).detail == "1 success"
    assert either_crew.diary.of("conclude") == [("a",)]


async def test_a_workflow_that_was_lost_fails_its_scan(crew: Crew) -> None:
    """Somebody cancels it past the service: the scan does not stay open for ever."""
    project = await crew.project("shop")
    scan = await crew.projects.request_scan(project.id, by="ana")
    crew.hire(hold=[["look"]])
    await crew.until(lambda: crew.diary.of("look"))
    async with crew.database.write() as session:
        await session.execute(text("UPDATE dbos.workflow_status SET status = 'CANCELLED', owner_xid = NULL"))
    assert (await crew.ended(scan.id)).state is ScanState.failed


async def test_a_decision_is_carried_out_once(either_crew: Crew) -> None:
    decisions = {str(uuid4()): "go" for _ in range(5)} | {str(uuid4()): "refused"}
    folder = either_crew.folder / "decisions"
    folder.mkdir()
    for name, said in decisions.items():
        (folder / name).write_text(said)
    either_crew.hire()
    if "postgresql" in either_crew.url:
        either_crew.hire()
    await either_crew.until(lambda: all((folder / f"{name}.done").exists() for name in decisions))
    assert Counter(name for (name,) in either_crew.diary.of("carry out")) == dict.fromkeys(decisions, 1)
    (given_up,) = either_crew.diary.of("give up")
    assert (decisions[given_up[0]], given_up[1]) == ("refused", "the forge refused")


async def test_a_worker_tells_what_another_process_asks_for_once(either_crew: Crew) -> None:
    """Its own sweep is an hour away: the API's word is what it hears. Said twice, it is done once."""
    worker = either_crew.hire(settings={"sweep_seconds": 3600.0})
    await either_crew.until(lambda: either_crew.diary.of("started"))
    await asyncio.sleep(1)  # the one sweep at its start
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    enqueuer = Enqueuer(either_crew.url, either_crew.folder)
    await enqueuer.enqueue_scan(scan)
    await enqueuer.enqueue_scan(scan)
    assert (await either_crew.ended(scan.id)).state is ScanState.finished
    await enqueuer.enqueue_scan(scan)
    await enqueuer.close()
    assert either_crew.diary.of("look") == [("shop",)]
    assert worker.poll() is None


async def test_what_cannot_be_put_on_a_queue_is_left_to_the_sweep(either_crew: Crew) -> None:
    """No worker ever ran here, so there are no queues."""
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    enqueuer = Enqueuer(either_crew.url, either_crew.folder)
    await enqueuer.enqueue_scan(scan)
    await enqueuer.enqueue_execution(uuid4())
    await enqueuer.close()
    either_crew.hire()
    assert (await either_crew.ended(scan.id)).state is ScanState.finished


async def test_a_schedule_whose_time_has_come_is_a_scan(crew: Crew) -> None:
    """Two workers look at it: it is one scan."""
    project = await crew.project("shop")
    await crew.projects.edit(project.id, by="ana", expected_version=1, schedule="0 0 1 1 *")
    async with crew.database.write() as session:
        await session.execute(text("UPDATE projects SET next_scan_at = now() - interval '1 minute'"))
    crew.hire()
    crew.hire()
    await crew.until(lambda: crew.diary.of("concluded"))
    (scan,) = await crew.scans.list(project_id=project.id)
    assert (scan.trigger, (await crew.ended(scan.id)).state) == (Trigger.schedule, ScanState.finished)
    assert (await crew.projects.get(project.id)).next_scan_at > scan.requested_at


async def test_on_sqlite_a_second_worker_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    async with Database.open(sqlite_url) as database:
        crew = Crew(sqlite_url, tmp_path, database)
        try:
            crew.hire()
            await crew.until(lambda: crew.diary.of("started"))
            second = crew.hire()
            assert await asyncio.to_thread(second.wait, LONG) != 0
            assert "another process works with this home already" in (tmp_path / "worker-1.log").read_text()
        finally:
            crew.end()


async def test_on_sqlite_a_killed_workers_work_goes_on_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """There is nobody else who could be alive: nobody waits an hour."""
    async with Database.open(sqlite_url) as database:
        crew = Crew(sqlite_url, tmp_path, database)
        try:
            project = await crew.project("shop")
            scan = await crew.projects.request_scan(project.id, by="ana")
            settings = {"dead_seconds": 3600.0}
            first = crew.hire(hold=[["conclude"]], settings=settings)
            await crew.until(lambda: crew.diary.of("conclude"))
            first.kill()
            first.wait()
            attacks = len(crew.diary.of("attack"))
            crew.hire(settings=settings)
            assert (await crew.ended(scan.id)).state is ScanState.finished
            assert len(crew.diary.of("attack")) == attacks
        finally:
            crew.end()
