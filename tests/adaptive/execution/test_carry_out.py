"""From a decision to what is done about it, with a real repository, database and evidence."""

import asyncio
import base64
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from vertice.adaptive.execution import carry_out
from vertice.adaptive.execution.forges import forge_of, propose
from vertice.adaptive.review.decide import ConflictError
from vertice.adaptive.review.evidence import digest_of, export, statement
from vertice.adaptive.review.model import Action, DecisionKind, DecisionState, Proposal, Status
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database, upgrade
from vertice.kernel.errors import InputError

CODE = "APV-20261121-001"


@pytest_asyncio.fixture
async def store(home) -> AsyncIterator[ReviewStore]:
    url = f"sqlite+aiosqlite:///{home}/vertice.db"
    await upgrade(url)
    async with Database.open(url) as database:
        yield ReviewStore(database, home=home)


@pytest_asyncio.fixture
async def review(store, repo, samples, home):
    proposal = propose(repo, samples.a_remedy(), code=CODE, message="Fix", home=home)
    new = samples.proven(samples.a_new_review(proposal=proposal, root=repo))
    evidence = export(home / "evidence" / f"{CODE}.json", statement(samples.a_record()), home=home)
    run = replace(new.run, evidence=evidence.path.read_text())
    return await store.create(replace(new, evidence_digest=evidence.digest, evidence_path=evidence.path, run=run))


@pytest.fixture
def tamper(home):
    """Run SQL past the store."""

    def run(script, *values):
        with sqlite3.connect(home / "vertice.db") as connection:
            assert connection.execute(script, values).rowcount > 0

    return run


async def test_approving_merges_and_says_so(store, review, repo, samples, home):
    record = await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    assert (record.state, record.action) == (DecisionState.done, Action.pr_merged)
    assert (repo / "requirements.txt").read_text() == samples.AFTER
    assert (await store.get(CODE)).status is Status.approved
    assert (await store.verify()).ok


@pytest.mark.parametrize(
    ("kind", "action", "status"),
    [
        (DecisionKind.reject, Action.pr_closed, Status.rejected),
        (DecisionKind.modify, Action.changes_requested, Status.changes_requested),
        (DecisionKind.escalate, Action.escalated, Status.escalated),
    ],
)
async def test_the_other_decisions_leave_the_project_alone(store, review, repo, samples, home, kind, action, status):
    record = await carry_out.decide(store, CODE, samples.a_decision(kind), home=home)
    assert record.action is action
    assert (repo / "requirements.txt").read_text() == samples.BEFORE
    assert (await store.get(CODE)).status is status


async def test_when_it_cannot_be_merged_the_review_is_open_again_and_the_reason_kept(
    store, review, repo, samples, home
):
    (repo / "requirements.txt").write_text("mine==1\n")
    with pytest.raises(InputError, match="not committed"):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    found = await store.get(CODE)
    assert found.status is Status.pending
    assert "not committed" in found.decisions[-1].detail
    (repo / "requirements.txt").write_text(samples.BEFORE)
    record = await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    assert record.action is Action.pr_merged
    assert (await store.verify()).ok


FORGED = {
    "evidence": ("UPDATE wargame_runs SET evidence = evidence || ' '", "its evidence is not the one that was recorded"),
    "evidence and its digest": (
        "UPDATE wargame_runs SET evidence = evidence || ' ', evidence_digest = 'f'",
        "its evidence is not the one that was recorded",
    ),
    "removed evidence": ("DELETE FROM wargame_runs", "its evidence is gone"),
    "evidence of another proposal": ("UPDATE wargame_runs SET revision_key = 'x'", "its evidence is gone"),
    "remedy": ("UPDATE apv_reviews SET remedy = replace(remedy, '==5.4', '==5.3.1')", "its remedy is not the one"),
    "verdict": ("UPDATE apv_reviews SET wargame_confidence = 1.0", "its verdict is not the one"),
    "severity": ("UPDATE apv_reviews SET severity = 'low'", "its findings are not those"),
    "findings": ("UPDATE apv_review_apvs SET severity = 'low'", "its findings are not those"),
}
"""SQL past the store, and what refuses the approval."""


@pytest.mark.parametrize("what", FORGED)
async def test_a_row_that_is_not_what_was_proven_cannot_be_approved_on(
    store, review, repo, samples, home, tamper, what
):
    script, why = FORGED[what]
    tamper(script)
    with pytest.raises(ConflictError, match=why):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    assert (repo / "requirements.txt").read_text() == samples.BEFORE
    assert (await store.get(CODE)).decisions == ()


async def test_a_failed_verdict_does_not_become_a_success_with_evidence_and_digests_to_match(
    store, review, samples, home, tamper
):
    """Whoever also writes a new digest still has evidence that says what was found."""
    text = await store.evidence(review)
    document = json.loads(text)
    payload = base64.b64decode(document["payload"]).replace(b'"word":"success"', b'"word":"failed"')
    forged = json.dumps({**document, "payload": base64.b64encode(payload).decode()})
    tamper("UPDATE wargame_runs SET evidence = ?", forged)
    tamper("UPDATE apv_reviews SET evidence_digest = ?", digest_of(forged))
    with pytest.raises(ConflictError, match="its verdict is not the one that its evidence leads to"):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"payload": 7}', '{"payload": "e30="}', '{"payload": "bnVsbA=="}'])
async def test_evidence_that_cannot_be_read_is_no_ground_for_an_approval(store, review, samples, home, tamper, text):
    tamper("UPDATE wargame_runs SET evidence = ?", text)
    tamper("UPDATE apv_reviews SET evidence_digest = ?", digest_of(text))
    with pytest.raises(ConflictError, match="its evidence cannot be read"):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    record = await carry_out.decide(store, CODE, samples.a_decision(DecisionKind.reject), home=home)
    assert record.action is Action.pr_closed, "a rejection needs none"


async def test_a_row_that_changes_between_the_approval_and_the_merge_is_not_merged(
    store, review, repo, samples, home, tamper
):
    standing = await carry_out.standing_of(store, review, home)
    await store.record_decision(CODE, samples.a_decision(), expected_version=review.version, standing=standing)
    tamper("UPDATE apv_reviews SET remedy = replace(remedy, '==5.4', '==5.3.1')")
    (failed,) = await carry_out.resume(store, home=home)
    assert failed.state is DecisionState.failed
    assert "its remedy is not the one that its evidence is about" in failed.detail
    assert (repo / "requirements.txt").read_text() == samples.BEFORE


async def test_an_approval_needs_nothing_of_the_home_in_which_it_was_proven(
    store, review, repo, samples, home, tmp_path
):
    shutil.rmtree(home / "evidence")
    record = await carry_out.decide(store, CODE, samples.a_decision(), home=tmp_path / "elsewhere")
    assert (record.state, record.action) == (DecisionState.done, Action.pr_merged)
    assert (repo / "requirements.txt").read_text() == samples.AFTER


async def test_a_folder_that_is_on_another_machine_is_said(store, review, repo, samples, home):
    repo.rename(repo.with_name("away"))
    with pytest.raises(InputError, match="the project's folder is not on this machine"):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    with pytest.raises(InputError, match="the project's folder is not on this machine"):
        await carry_out.decide(store, CODE, samples.a_decision(DecisionKind.reject), home=home)
    repo.with_name("away").rename(repo)
    record = await carry_out.decide(store, CODE, samples.a_decision(), home=home)
    assert record.action is Action.pr_merged


async def test_a_branch_that_moved_cannot_be_approved(store, review, git, samples, home):
    git("update-ref", review.proposal.ref, "main")
    with pytest.raises(ConflictError, match="its patch was changed since it was proven"):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home)


async def test_a_decision_on_an_older_version_is_refused(store, review, samples, home):
    await carry_out.decide(store, CODE, samples.a_decision(DecisionKind.escalate, samples.BO), home=home)
    with pytest.raises(ConflictError, match="was changed by Bo Li while you decided"):
        await carry_out.decide(store, CODE, samples.a_decision(), home=home, expected_version=review.version)


async def test_killed_after_the_decision_bound_it_is_carried_out_at_the_next_start(store, review, repo, samples, home):
    standing = await carry_out.standing_of(store, review, home)
    await store.record_decision(CODE, samples.a_decision(), expected_version=review.version, standing=standing)
    (done,) = await carry_out.resume(store, home=home)
    assert (done.state, done.action) == (DecisionState.done, Action.pr_merged)
    assert (repo / "requirements.txt").read_text() == samples.AFTER
    assert await carry_out.resume(store, home=home) == ()


async def test_killed_after_the_merge_it_is_only_recorded(store, review, repo, git, samples, home):
    standing = await carry_out.standing_of(store, review, home)
    await store.record_decision(CODE, samples.a_decision(), expected_version=review.version, standing=standing)
    forge_of(review.proposal, home=home).merge(repo, review.proposal, review.remedy, samples.ANA)
    tip = git("rev-parse", "main")
    (done,) = await carry_out.resume(store, home=home)
    assert (done.action, git("rev-parse", "main")) == (Action.pr_merged, tip)


async def test_two_that_resume_at_once_do_it_once(store, review, git, samples, home):
    standing = await carry_out.standing_of(store, review, home)
    await store.record_decision(CODE, samples.a_decision(), expected_version=review.version, standing=standing)
    await asyncio.gather(carry_out.resume(store, home=home), carry_out.resume(store, home=home))
    assert git("rev-list", "--count", "main") == "3"
    assert [entry.action for entry in await store.audit()].count("decision.carried_out") == 1


async def test_of_an_approval_and_a_rejection_at_once_only_one_is_carried_out(store, review, repo, samples, home):
    results = await asyncio.gather(
        carry_out.decide(store, CODE, samples.a_decision(), home=home, expected_version=1),
        carry_out.decide(
            store, CODE, samples.a_decision(DecisionKind.reject, samples.BO), home=home, expected_version=1
        ),
        return_exceptions=True,
    )
    assert sorted(isinstance(result, ConflictError) for result in results) == [False, True]
    merged = (repo / "requirements.txt").read_text() == samples.AFTER
    assert merged == ((await store.get(CODE)).status is Status.approved)


@pytest.mark.parametrize("kind", list(DecisionKind))
async def test_a_decision_on_a_patch_that_was_replaced_meanwhile_leaves_the_newer_one_alone(
    store, review, repo, git, samples, home, kind
):
    standing = await carry_out.standing_of(store, review, home)
    await store.record_decision(CODE, samples.a_decision(kind), expected_version=review.version, standing=standing)
    remedy = samples.a_remedy(after=samples.AFTER.replace("5.4", "6.0"))
    newer = propose(repo, remedy, code=CODE, message="Fix", home=home)
    await store.create(samples.a_new_review("run-2", remedy=remedy, proposal=newer, root=repo))
    (failed,) = await carry_out.resume(store, home=home)
    assert failed.state is DecisionState.failed
    assert "a newer patch took the place" in failed.detail
    assert (await store.get(CODE)).status is Status.pending
    assert (repo / "requirements.txt").read_text() == samples.BEFORE
    assert git("rev-parse", newer.ref) == newer.head


def test_uncommitted_manifests_fall_back_to_a_patch_file_that_says_why(repo, samples, home):
    made = propose(repo, samples.a_remedy(before=samples.BEFORE + "x==1\n"), code=CODE, message="Fix", home=home)
    assert made.forge == "patch-file"
    assert made.note == "requirements.txt has changes that are not committed"


def test_a_project_outside_git_gets_a_patch_file(tmp_path, samples, home):
    (tmp_path / "plain").mkdir()
    made = propose(tmp_path / "plain", samples.a_remedy(), code=CODE, message="Fix", home=home)
    assert (made.forge, made.note) == ("patch-file", "")


def test_without_git_there_is_still_a_patch_file(repo, samples, home, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    made = propose(repo, samples.a_remedy(), code=CODE, message="Fix", home=home)
    assert (made.forge, made.note) == ("patch-file", "git is not installed")


def test_an_unknown_forge_is_said(home):
    with pytest.raises(InputError, match="there is no forge gitlab"):
        forge_of(Proposal("gitlab", "x", "", ""), home=home)


def test_github_that_is_not_set_up_is_said(home):
    with pytest.raises(InputError, match="GitHub is not set up"):
        forge_of(Proposal("github", "x", "", ""), home=home)


async def test_a_database_without_tables_is_said(home):
    home.mkdir()
    sqlite3.connect(home / "vertice.db").close()
    async with Database.open(f"sqlite+aiosqlite:///{home}/vertice.db") as database:
        with pytest.raises(InputError, match="lacks Vértice's tables"):
            await ReviewStore(database, home=home).find()
