"""The life of a scan and what it leaves, on both databases."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from tests.adaptive.projects.conftest import NOON, Office
from tests.adaptive.world import an_apv
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.projects.errors import ProjectConflictError
from vertice.adaptive.projects.model import DocumentKind, Feed, FindingState, ScanState
from vertice.adaptive.projects.scans import Looked
from vertice.adaptive.triage.model import Apv
from vertice.kernel.bus.events import since
from vertice.kernel.errors import UnknownError

FEED = Feed("osv", "a dump", 7, NOON, NOON, "")


def looked(*apvs: Apv, waived: tuple[Apv, ...] = (), commit: str = "") -> Looked:
    return Looked(commit, 3, apvs, waived, {kind: f"{kind} of {len(apvs)}\n" for kind in DocumentKind}, FEED)


async def scanned(office: Office, project_id: UUID, found: Looked) -> UUID:
    scan = await office.projects.request_scan(project_id, by="ana")
    await office.scans.begin(scan.id)
    await office.scans.record(scan.id, found)
    await office.scans.finish(scan.id, "done")
    return scan.id


async def test_a_scan_goes_its_way_and_every_step_may_be_repeated(office: Office) -> None:
    project = await office.project()
    scan = await office.projects.request_scan(project.id, by="ana")
    for _ in range(2):
        begun, same = await office.scans.begin(scan.id)
        assert (begun.state, begun.started_at, same) == (ScanState.running, NOON, project)
        recorded = await office.scans.record(scan.id, looked(an_apv("a"), commit="c0ffee"))
        assert (recorded.findings, recorded.components, recorded.commit) == (1, 3, "c0ffee")
    for _ in range(2):
        done = await office.scans.finish(scan.id, "1 success")
        assert (done.state, done.finished_at, done.detail) == (ScanState.finished, NOON, "1 success")
    assert (await office.scans.fail(scan.id, "too late")).state is ScanState.finished
    assert await office.scans.begin(scan.id) is None
    async with office.database.read() as session:
        told = await since(session, {"wargames": 0}, limit=10)
    assert [event.type for event in told] == ["scan_queued", "scan_started", "scan_finished"]


async def test_what_is_not_found_any_more_is_fixed_and_what_comes_back_is_open(office: Office) -> None:
    project = await office.project()
    a, b = an_apv("a"), an_apv("b")
    await scanned(office, project.id, looked(a, b))
    office.later(hours=1)
    await scanned(office, project.id, looked(a))
    states = {one.code: one for one in await office.scans.findings(project_id=project.id)}
    assert [states[apv.code].state for apv in (a, b)] == [FindingState.open, FindingState.fixed]
    assert (states[a.code].first_seen_at, states[a.code].last_seen_at) == (NOON, office.now)
    assert (states[b.code].last_seen_at, states[b.code].fixed_at) == (NOON, office.now)
    await scanned(office, project.id, looked(a, waived=(b,)))
    found, apv = await office.scans.finding(b.code)
    assert (found.state, found.fixed_at, apv) == (FindingState.waived, None, b)


async def test_an_older_scan_that_ends_late_leaves_newer_findings_alone(office: Office) -> None:
    project = await office.project()
    old = await office.projects.request_scan(project.id, by="ana")
    await office.scans.begin(old.id)
    office.later(minutes=1)
    await scanned(office, project.id, looked(an_apv("a")))
    await office.scans.record(old.id, looked(an_apv("b")))
    assert [one.code for one in await office.scans.findings()] == ["APV-20261121-097"]
    assert await office.scans.document(old.id, DocumentKind.json) == "json of 1\n"


async def test_a_code_of_another_project_is_refused_and_nothing_is_changed(office: Office) -> None:
    """As when two homes that number by themselves share a database."""
    shop, bank = await office.project("shop"), await office.project("bank")
    await scanned(office, shop.id, looked(an_apv("a")))
    scan = await office.projects.request_scan(bank.id, by="ana")
    await office.scans.begin(scan.id)
    with pytest.raises(ProjectConflictError, match="belongs to another project"):
        await office.scans.record(scan.id, looked(an_apv("a"), an_apv("b")))
    assert [one.project_id for one in await office.scans.findings()] == [shop.id]


async def test_findings_are_filtered_and_paged_by_urgency(office: Office) -> None:
    project = await office.project()
    apvs = [replace(an_apv(name), priority=priority) for name, priority in (("a", 5), ("b", 1), ("c", 5), ("d", 2))]
    apvs[1] = replace(apvs[1], advisory=replace(apvs[1].advisory, severity=Severity.critical))
    await scanned(office, project.id, looked(*apvs[:3], waived=(apvs[3],)))
    seen, after = [], None
    while page := await office.scans.findings(after=after, limit=3):
        seen += [one.package for one in page]
        after = (page[-1].priority, page[-1].code)
    assert seen == ["b", "d", "a", "c"]

    async def packages(**wanted: object) -> list[str]:
        return [one.package for one in await office.scans.findings(**wanted)]

    assert await packages(state=[FindingState.waived]) == ["d"]
    assert await packages(severity=[Severity.critical]) == ["b"]
    assert await packages(package="c") == ["c"]
    assert await packages(project_id=UUID(int=1)) == []


async def test_hostile_text_is_kept_within_what_a_column_holds(office: Office) -> None:
    project = await office.project()
    apv = an_apv("a")
    evil = replace(apv.advisory, id="G" * 300, aliases=(), summary="x\0\x1b[31m" + "y" * 5000, published="soon")
    await scanned(office, project.id, looked(replace(apv, advisory=evil)))
    found, _ = await office.scans.finding(apv.code)
    assert (len(found.advisory), len(found.summary), found.published_at) == (100, 2000, None)
    assert found.summary.startswith("x\ufffd\x1b[31my")


async def test_scans_are_listed_the_newest_first(office: Office) -> None:
    shop, bank = await office.project("shop"), await office.project("bank")
    ids = []
    for project in (shop, bank, shop):
        office.later(minutes=1)
        ids.append(await scanned(office, project.id, looked()))
    page = await office.scans.list(limit=2)
    assert [one.id for one in page] == [ids[2], ids[1]]
    assert [one.id for one in await office.scans.list(before=(page[-1].requested_at, page[-1].id))] == [ids[0]]
    assert [one.id for one in await office.scans.list(project_id=shop.id)] == [ids[2], ids[0]]
    assert await office.scans.list(state=[ScanState.failed]) == ()
    assert (await office.scans.last_recorded(shop.id)).id == ids[2]


async def test_scans_of_many_projects_tell_the_same_feed_at_once(office: Office) -> None:
    scans = []
    for number in range(6):
        project = await office.project(f"p{number}")
        scan = await office.projects.request_scan(project.id, by="ana")
        await office.scans.begin(scan.id)
        scans.append(office.scans.record(scan.id, looked(replace(an_apv("a"), code=f"APV-{number}"))))
    assert [scan.findings for scan in await asyncio.gather(*scans)] == [1] * 6
    assert await office.scans.feeds() == (FEED,)


async def test_documents_and_the_feed_are_those_of_the_scan(office: Office) -> None:
    project = await office.project()
    scan = await scanned(office, project.id, looked(an_apv("a")))
    assert await office.scans.document(scan, DocumentKind.cyclonedx) == "cyclonedx of 1\n"
    assert await office.scans.feeds() == (FEED,)
    with pytest.raises(UnknownError, match="no json document"):
        await office.scans.document(UUID(int=1), DocumentKind.json)


async def test_why_a_scan_failed_is_kept_escaped(office: Office) -> None:
    project = await office.project()
    scan = await office.projects.request_scan(project.id, by="ana")
    failed = await office.scans.fail(scan.id, "bad \x1b[31m thing\0" + "x" * 5000)
    assert failed.state is ScanState.failed
    assert failed.detail.startswith("bad \\x1b[31m thing\\x00")
    assert failed.detail.endswith("x…")
    assert len(failed.detail) < 2020
