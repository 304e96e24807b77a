"""Registered projects, and asking for scans, on both databases."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.adaptive.projects.conftest import NOON, Office
from vertice.adaptive.projects.errors import ProjectConflictError
from vertice.adaptive.projects.model import Kind, ScanState, Trigger
from vertice.kernel.bus.events import since
from vertice.kernel.errors import InputError, UnknownError


async def test_a_project_is_kept_as_it_was_registered(office: Office) -> None:
    made = await office.project(schedule="0 2 * * *", branch="main")
    assert await office.projects.get(made.id) == made
    assert (made.name, made.location, made.version) == ("shop", str(office.folder / "shop"), 1)
    assert made.next_scan_at == NOON.replace(hour=2) + timedelta(days=1)
    assert office.audited == [("ana", "project.registered", str(made.id))]
    assert made.known_as == made.location


async def test_one_place_is_registered_once_however_many_try(office: Office) -> None:
    asked = [office.projects.register(Kind.github, name, by="ana") for name in ("Acme/shop", "acme/Shop", "acme/shop")]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Project", "ProjectConflictError", "ProjectConflictError"]
    (made,) = await office.projects.list()
    assert made.known_as == "github:acme/shop"
    with pytest.raises(ProjectConflictError, match="registered already"):
        await office.projects.register(Kind.github, "ACME/SHOP", by="ana")


async def test_projects_are_listed_by_name_a_page_at_a_time(office: Office) -> None:
    for name in "dacb":
        await office.project(name)
    seen, after = [], None
    while page := await office.projects.list(after=after, limit=3):
        seen += [one.name for one in page]
        after = (page[-1].name, page[-1].id)
    assert seen == ["a", "b", "c", "d"]


async def test_an_edit_names_the_version_it_was_made_on(office: Office) -> None:
    made = await office.project()
    edited = await office.projects.edit(made.id, by="bea", expected_version=1, schedule="0 3 * * *", name="Shop")
    assert (edited.name, edited.version, edited.next_scan_at) == ("Shop", 2, NOON.replace(hour=3) + timedelta(days=1))
    with pytest.raises(ProjectConflictError, match="changed meanwhile"):
        await office.projects.edit(made.id, by="ana", expected_version=1, name="Mine")
    assert await office.projects.get(made.id) == edited
    with pytest.raises(InputError, match="cron"):
        await office.projects.edit(made.id, by="ana", expected_version=2, schedule="often")
    unplanned = await office.projects.edit(made.id, by="ana", expected_version=2, schedule="")
    assert (unplanned.schedule, unplanned.next_scan_at) == ("", None)


async def test_of_two_edits_at_once_one_is_told_to_look_again(office: Office) -> None:
    made = await office.project()
    edits = [office.projects.edit(made.id, by="ana", expected_version=1, name=name) for name in ("A", "B")]
    done = await asyncio.gather(*edits, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Project", "ProjectConflictError"]


async def test_an_archived_project_is_neither_listed_nor_scanned(office: Office) -> None:
    made = await office.project(schedule="0 3 * * *")
    await office.projects.edit(made.id, by="ana", expected_version=1, archived=True)
    assert await office.projects.list() == ()
    assert len(await office.projects.list(archived=None)) == 1
    with pytest.raises(ProjectConflictError, match="archived"):
        await office.projects.request_scan(made.id, by="ana")
    office.later(days=2)
    assert await office.projects.due() == ()


async def test_what_is_not_there_is_said(office: Office) -> None:
    for call in (
        office.projects.get(uuid4()),
        office.projects.edit(uuid4(), by="ana", expected_version=1, name="x"),
        office.projects.request_scan(uuid4(), by="ana"),
        office.scans.get(uuid4()),
        office.scans.finding("APV-1"),
        office.scans.last_recorded(uuid4()),
    ):
        with pytest.raises(UnknownError, match="there is no"):
            await call


async def test_a_scan_that_waits_is_returned_in_place_of_a_second_and_takes_what_more_is_asked(office: Office) -> None:
    """Whoever asks for the remedy, too, is its proposer: ana asked for a look alone."""
    made = await office.project()
    first = await office.projects.request_scan(made.id, by="ana", heal=False, priority=7)
    second = await office.projects.request_scan(made.id, by="bea", heal=True, priority=3)
    assert (second.id, second.heal, second.priority, second.requested_by) == (first.id, True, 3, "bea")
    await office.scans.begin(first.id)
    third = await office.projects.request_scan(made.id, by="ana")
    again = await office.projects.request_scan(made.id, by="bea")
    assert (again.id, again.requested_by) == (third.id, "ana")
    assert third.id != first.id
    asked = [(who, subject) for who, action, subject in office.audited if action == "scan.requested"]
    assert asked == [("ana", str(first.id)), ("bea", str(first.id)), ("ana", str(third.id))], "who changed what, too"
    async with office.database.read() as session:
        told = await since(session, {"wargames": 0}, limit=10)
    assert [(event.type, event.subject) for event in told] == [
        ("scan_queued", str(first.id)),
        ("scan_started", str(first.id)),
        ("scan_queued", str(third.id)),
    ]
    with pytest.raises(InputError, match="no priority"):
        await office.projects.request_scan(made.id, by="ana", priority=0)


async def test_many_who_ask_at_once_get_one_scan(office: Office) -> None:
    made = await office.project()
    scans = await asyncio.gather(*(office.projects.request_scan(made.id, by="ana") for _ in range(10)))
    assert len({scan.id for scan in scans}) == 1


async def test_a_schedule_whose_time_has_come_is_asked_for_once(office: Office) -> None:
    made = await office.project(schedule="0 13 * * *")
    await office.project("unplanned")
    assert await office.projects.due() == ()
    office.later(hours=30)
    done = await asyncio.gather(*(office.projects.due() for _ in range(5)))
    ((scan,),) = [scans for scans in done if scans]
    assert (scan.project_id, scan.trigger, scan.state) == (made.id, Trigger.schedule, ScanState.queued)
    assert (await office.projects.get(made.id)).next_scan_at == NOON.replace(hour=13) + timedelta(days=2)
