"""What was decided makes older proofs out of date: the project is looked at again."""

from uuid import UUID

import pytest

from tests.adaptive.projects.conftest import Office
from tests.adaptive.review import samples
from vertice.adaptive.projects.model import Project, ScanState, Trigger
from vertice.adaptive.review.decide import Standing
from vertice.adaptive.review.model import Action, DecisionKind, DecisionRecord, Reviewer
from vertice.adaptive.review.statistics import AUTOMATIC
from vertice.adaptive.review.store import ReviewStore

BEA = Reviewer("Bea", "bea@example.org")
POLICY = Reviewer("Vértice", "vertice@localhost", AUTOMATIC)


def reviews(office: Office) -> ReviewStore:
    return ReviewStore(office.database, home=office.folder, clock=lambda: office.now)


async def scanned(office: Office, project: Project) -> UUID:
    """Have a scan asked for, begun and finished, a minute each."""
    scan = await office.projects.request_scan(project.id, by="ana")
    for step in (office.scans.begin, office.scans.finish):
        office.later(minutes=1)
        await step(scan.id)
    office.later(minutes=1)
    return scan.id


async def decided(
    office: Office, project: Project, number: int, kind: DecisionKind = DecisionKind.approve, by: Reviewer = BEA
) -> DecisionRecord:
    """Leave a review of the project on which somebody has decided; nothing is carried out yet."""
    code = f"APV-20261121-{number:03d}"
    new = samples.a_new_review(code, apvs=(samples.an_apv(code),), project_id=project.id)
    review = await reviews(office).create(samples.proven(new, f"WAR-20261121-{number:03d}"))
    assert review.proposal is not None
    standing = Standing(review.evidence_digest, review.proposal.head)
    made = await reviews(office).record_decision(
        code, samples.a_decision(kind, by), expected_version=review.version, standing=standing
    )
    office.later(minutes=1)
    return made


async def waiting(office: Office, project: Project, number: int) -> None:
    code = f"APV-20261121-{number:03d}"
    new = samples.a_new_review(code, apvs=(samples.an_apv(code),), project_id=project.id)
    await reviews(office).create(samples.proven(new, f"WAR-20261121-{number:03d}"))


async def test_after_a_merge_what_waits_is_proven_anew_once(office: Office) -> None:
    project, other = await office.project(), await office.project("other")
    await waiting(office, project, 1)
    await waiting(office, other, 2)
    await scanned(office, project)
    made = await decided(office, project, 3)
    assert await office.projects.outdated() == (), "nothing has changed yet"
    await reviews(office).record_outcome(made.id, Action.pr_merged, "main has it")
    (scan,) = await office.projects.outdated()
    assert (scan.project_id, scan.trigger, scan.heal, scan.state) == (
        project.id,
        Trigger.decision,
        True,
        ScanState.queued,
    )
    assert await office.projects.outdated() == (), "the one that waits will see it"
    office.later(minutes=1)
    await office.scans.begin(scan.id)
    assert await office.projects.outdated() == (), "the one that runs sees it"
    await office.scans.fail(scan.id, "no luck")
    assert await office.projects.outdated() == (), "one that failed is not tried for ever"


async def test_a_merge_while_a_scan_runs_needs_another_one(office: Office) -> None:
    project = await office.project()
    await waiting(office, project, 1)
    made = await decided(office, project, 2)
    running = await office.projects.request_scan(project.id, by="ana")
    office.later(minutes=1)
    await office.scans.begin(running.id)
    office.later(minutes=1)
    await reviews(office).record_outcome(made.id, Action.pr_merged, "main has it")
    (scan,) = await office.projects.outdated()
    assert scan.id != running.id


async def test_when_nothing_waits_there_is_nothing_to_prove(office: Office) -> None:
    project = await office.project()
    made = await decided(office, project, 1)
    await reviews(office).record_outcome(made.id, Action.pr_merged, "main has it")
    assert await office.projects.outdated() == ()


async def test_who_asks_for_another_version_waits_for_its_proof(office: Office) -> None:
    project = await office.project()
    made = await decided(office, project, 1, DecisionKind.modify)
    await reviews(office).record_outcome(made.id, Action.changes_requested, "asked")
    (scan,) = await office.projects.outdated()
    assert scan.project_id == project.id


@pytest.mark.parametrize("kind", [DecisionKind.reject, DecisionKind.escalate])
async def test_other_decisions_change_nothing_that_was_proven(office: Office, kind: DecisionKind) -> None:
    project = await office.project()
    await waiting(office, project, 1)
    made = await decided(office, project, 2, kind)
    action = Action.pr_closed if kind is DecisionKind.reject else Action.escalated
    await reviews(office).record_outcome(made.id, action, "done")
    assert await office.projects.outdated() == ()


@pytest.mark.parametrize(("by", "scans"), [(BEA, 1), (POLICY, 0)], ids=["a person", "policy"])
async def test_an_approval_that_could_not_be_carried_out_is_proven_anew_unless_policy_gave_it(
    office: Office, by: Reviewer, scans: int
) -> None:
    project = await office.project()
    await scanned(office, project)
    made = await decided(office, project, 1, by=by)
    await reviews(office).record_failure(made.id, "requirements.txt: was changed on main since the patch was proven")
    assert len(await office.projects.outdated()) == scans


async def test_an_archived_project_is_left_alone(office: Office) -> None:
    project = await office.project()
    await waiting(office, project, 1)
    made = await decided(office, project, 2)
    await reviews(office).record_outcome(made.id, Action.pr_merged, "main has it")
    await office.projects.edit(project.id, by="ana", expected_version=1, archived=True)
    assert await office.projects.outdated() == ()
