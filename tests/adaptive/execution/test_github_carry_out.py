"""From a decision to what becomes of its pull request, with a real database."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.github_server.server import Fault
from vertice.adaptive.execution import carry_out
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.execution.interface import NotYetError
from vertice.adaptive.review.decide import ConflictError
from vertice.adaptive.review.model import Action, DecisionKind, DecisionState, Status
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database, upgrade
from vertice.kernel.errors import InputError

CODE = "APV-20261121-001"


@pytest_asyncio.fixture
async def store(service) -> AsyncIterator[ReviewStore]:
    service.home.mkdir(parents=True)
    url = f"sqlite+aiosqlite:///{service.home}/vertice.db"
    await upgrade(url)
    async with Database.open(url) as database:
        yield ReviewStore(database, home=service.home)


@pytest_asyncio.fixture
async def review(store, service, samples):
    root = service.checkout(service.state.commit_files({"requirements.txt": samples.BEFORE}))
    proposal = propose(
        root, samples.a_remedy(), code=CODE, message="Fix", home=service.home, github=service.forge().settings
    )
    return await store.create(samples.proven(samples.a_new_review(proposal=proposal, root=root)))


async def decide(store, service, decision):
    return await carry_out.decide(store, CODE, decision, home=service.home, github=service.forge().settings)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (DecisionKind.approve, Action.pr_merged),
        (DecisionKind.reject, Action.pr_closed),
        (DecisionKind.modify, Action.changes_requested),
        (DecisionKind.escalate, Action.escalated),
    ],
)
async def test_every_decision_reaches_the_pull_request(store, review, service, samples, kind, action):
    record = await decide(store, service, samples.a_decision(kind))
    assert (record.state, record.action) == (DecisionState.done, action)
    pull = service.state.pulls[0]
    assert (pull.merged_at is not None) == (kind is DecisionKind.approve)
    assert (pull.state == "closed") == (kind in {DecisionKind.approve, DecisionKind.reject})
    assert len(pull.comments) == (kind is not DecisionKind.approve)


@pytest.mark.parametrize("kind", DecisionKind)
async def test_a_decision_is_carried_out_by_a_machine_that_never_saw_the_repository(
    store, review, service, samples, tmp_path, kind
):
    shutil.rmtree(service.home / "checkouts")
    elsewhere = tmp_path / "another machine"
    settings = service.forge().settings
    record = await carry_out.decide(store, CODE, samples.a_decision(kind), home=elsewhere, github=settings)
    assert record.state is DecisionState.done
    assert (service.state.pulls[0].merged_at is not None) == (kind is DecisionKind.approve)
    assert not (elsewhere / "checkouts").exists()


async def test_while_checks_run_the_decision_stands_and_is_carried_out_later(store, review, service, samples):
    service.state.checks = [{"name": "unit", "status": "in_progress", "conclusion": None}]
    with pytest.raises(NotYetError, match="checks are running: unit"):
        await decide(store, service, samples.a_decision())
    found = await store.get(CODE)
    assert (found.status, found.decisions[-1].state) == (Status.approved, DecisionState.recorded)
    service.state.checks[0].update(status="completed", conclusion="success")
    (record,) = await carry_out.resume(store, home=service.home, github=service.forge().settings)
    assert (record.state, record.action) == (DecisionState.done, Action.pr_merged)
    assert (await store.verify()).ok


async def test_when_checks_fail_the_review_is_open_again(store, review, service, samples):
    service.state.checks = [{"name": "unit", "status": "completed", "conclusion": "failure"}]
    with pytest.raises(InputError, match="checks failed: unit"):
        await decide(store, service, samples.a_decision())
    assert (await store.get(CODE)).status is Status.pending


async def test_a_branch_that_moved_cannot_be_approved(store, review, service, samples):
    service.state.commit_files({"x": "more\n"}, branch=f"vertice/{CODE}")
    with pytest.raises(ConflictError, match="was changed since it was proven"):
        await decide(store, service, samples.a_decision())


async def test_a_merge_whose_answer_was_lost_is_only_recorded(store, review, service, samples):
    service.door.once("PUT", "/merge", Fault(done=True))
    record = await decide(store, service, samples.a_decision())
    assert record.action is Action.pr_merged
    merges = [one for one in service.state.commits.values() if len(one["parents"]) == 2]
    assert len(merges) == 1
