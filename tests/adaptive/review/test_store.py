"""The store: idempotent creation, optimistic decisions, one transaction per call."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event, select

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.decide import ConflictError, Standing
from vertice.adaptive.review.model import Action, DecisionKind, DecisionRecord, DecisionState, Reviewer, Status
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.bus.tables import EventRow, OutboxRow
from vertice.kernel.database import Database
from vertice.kernel.errors import InputError
from vertice.kernel.origin import Origin


async def test_a_review_comes_back_as_it_was_given(store, samples):
    new = samples.a_new_review()
    made = await store.create(new)
    found = await store.get(new.apvs[0].code)
    assert found == made == await store.get(str(made.id))
    assert (found.remedy, found.proposal) == (new.remedy, new.proposal)
    assert (found.status, found.version, found.revision) == (Status.pending, 1, 1)
    assert (found.cve, found.severity, found.package) == ("CVE-2020-14343", Severity.critical, "pyyaml")
    assert found.created_at.tzinfo is not None
    assert found.created_at.utcoffset().total_seconds() == 0
    assert found.apvs[0].advisory == "GHSA-8q59-q68h-6hv4"


async def test_the_same_key_makes_nothing_twice(store, samples):
    first = await store.create(samples.a_new_review())
    again = await store.create(samples.a_new_review())
    assert again == first
    assert len(await store.audit()) == 1


async def test_an_old_key_does_not_bring_an_old_remedy_back(store, samples):
    await store.create(samples.a_new_review("run-1"))
    second = await store.create(samples.a_new_review("run-2", summary="second"))
    again = await store.create(samples.a_new_review("run-1"))
    assert again == second
    assert again.summary == "second"


async def test_a_new_remedy_for_the_same_apv_is_the_next_revision_and_pending_again(store, samples, standing):
    first = await store.create(samples.a_new_review("run-1"))
    await store.record_decision(
        first.code, samples.a_decision(DecisionKind.modify), expected_version=1, standing=standing
    )
    second = await store.create(samples.a_new_review("run-2", evidence_digest="f" * 64))
    assert (second.id, second.revision, second.status) == (first.id, 2, Status.pending)
    assert second.evidence_digest == "f" * 64
    assert len(second.decisions) == 1
    assert (await store.verify()).ok


async def test_who_asked_for_the_remedy_is_kept_with_each_revision(store, samples):
    first = await store.create(samples.a_new_review("run-1", proposed_by="idp|ana"))
    second = await store.create(samples.a_new_review("run-2", proposed_by="idp|bo"))
    third = await store.create(samples.a_new_review("run-3"))
    assert [one.proposed_by for one in (first, second, third)] == ["idp|ana", "idp|bo", ""]
    assert (await store.verify()).ok


async def test_a_revision_with_fewer_apvs_drops_the_others(store, samples):
    one, two = samples.an_apv(), samples.an_apv("APV-20261121-002")
    await store.create(samples.a_new_review("run-1", apvs=(one, two)))
    found = await store.create(samples.a_new_review("run-2", apvs=(one,)))
    assert [apv.code for apv in found.apvs] == [one.code]
    assert (await store.verify()).ok


async def test_a_remedy_that_covers_an_undecided_review_supersedes_it(store, samples, standing):
    old, other = samples.an_apv("APV-20261121-001"), samples.an_apv("APV-20261121-003")
    await store.create(samples.a_new_review("run-1", apvs=(old,)))
    await store.create(samples.a_new_review("run-2", apvs=(other,)))
    await store.create(samples.a_new_review("run-3", apvs=(samples.an_apv("APV-20261121-002"), old)))
    superseded = await store.get(old.code)
    assert (superseded.status, superseded.superseded_by) == (Status.superseded, "APV-20261121-002")
    assert (await store.get(other.code)).status is Status.pending
    with pytest.raises(ConflictError, match="superseded by APV-20261121-002"):
        await store.record_decision(
            old.code, samples.a_decision(), expected_version=superseded.version, standing=standing
        )


async def test_another_projects_review_is_not_superseded(store, samples):
    old = samples.an_apv("APV-20261121-001")
    await store.create(samples.a_new_review("run-1", apvs=(old,), root="/srv/a"))
    await store.create(samples.a_new_review("run-2", apvs=(samples.an_apv("APV-20261121-002"), old), root="/srv/b"))
    assert (await store.get("APV-20261121-001")).status is Status.pending


async def test_a_code_of_another_project_is_refused_not_mixed(store, samples):
    await store.create(samples.a_new_review("run-1", root="/srv/a"))
    with pytest.raises(ConflictError, match="belongs to another project"):
        await store.create(samples.a_new_review("run-2", root="/srv/b"))


async def test_a_key_finds_its_review_at_any_revision(store, samples):
    await store.create(samples.a_new_review("run-1"))
    second = await store.create(samples.a_new_review("run-2"))
    assert await store.with_key("run-1") == await store.with_key("run-2") == second
    assert await store.with_key("run-3") is None


async def test_any_apv_of_a_remedy_finds_its_review(store, samples):
    made = await store.create(samples.a_new_review(apvs=(samples.an_apv(), samples.an_apv("APV-20261121-007"))))
    assert (await store.get("APV-20261121-007")).id == made.id


async def test_an_unknown_review_is_the_askers_error(store):
    with pytest.raises(InputError, match="there is no review APV-1"):
        await store.get("APV-1")


async def test_find_filters_and_puts_the_most_urgent_first(store, samples):
    for number, (severity, priority) in enumerate([(Severity.low, 9), (Severity.critical, 1), (Severity.high, 3)]):
        apv = samples.an_apv(f"APV-20261121-00{number}", severity=severity, priority=priority)
        await store.create(samples.a_new_review(f"run-{number}", apvs=(apv,), root=f"/srv/{number}"))
    assert [review.priority for review in await store.find()] == [1, 3, 9]
    assert [review.severity for review in await store.find(severity=Severity.high)] == ["high"]
    assert [review.code for review in await store.find(project=Path("/srv/0"))] == ["APV-20261121-000"]
    assert len(await store.find(project="shop", status={Status.pending})) == 3
    assert await store.find(status=[Status.approved]) == ()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (DecisionKind.approve, Status.approved),
        (DecisionKind.reject, Status.rejected),
        (DecisionKind.modify, Status.changes_requested),
        (DecisionKind.escalate, Status.escalated),
    ],
)
async def test_a_decision_binds_and_is_kept(store, samples, standing, kind, status):
    review = await store.create(samples.a_new_review())
    decision = samples.a_decision(kind, confidence_override=1)
    record = await store.record_decision(review.code, decision, expected_version=1, standing=standing)
    found = await store.get(review.code)
    assert (found.status, found.version, found.decisions) == (status, 2, (record,))
    assert (record.reviewer, record.confidence_override, record.state) == (samples.ANA, 1.0, DecisionState.recorded)
    assert await store.uncarried() == (record,)
    done = await store.record_outcome(record.id, Action.pr_merged, "merged")
    assert (done.state, done.action, done.detail) == (DecisionState.done, Action.pr_merged, "merged")
    assert await store.record_outcome(record.id, Action.pr_closed, "again") == done
    assert await store.uncarried() == ()
    assert (await store.verify()).ok


async def test_a_failed_execution_opens_the_review_again(store, samples, standing):
    review = await store.create(samples.a_new_review())
    first = await store.record_decision(
        review.code, samples.a_decision(DecisionKind.escalate), expected_version=1, standing=standing
    )
    await store.record_outcome(first.id, Action.escalated)
    second = await store.record_decision(review.code, samples.a_decision(), expected_version=3, standing=standing)
    await store.record_failure(second.id, "the files changed")
    found = await store.get(review.code)
    assert found.status is Status.escalated
    assert found.decisions[-1].detail == "the files changed"
    assert (await store.verify()).ok


async def test_a_decision_that_waits_says_why_and_after_an_hour_people_are_notified(home, url, samples, standing):
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    async with Database.open(url) as database:
        store = ReviewStore(database, home=home, clock=lambda: now)

        async def notified() -> list[str]:
            async with database.read() as session:
                kinds = await session.scalars(select(OutboxRow.type).where(OutboxRow.destination == "notifications"))
                return [kind for kind in kinds if kind.startswith("execution")]

        review = await store.create(samples.a_new_review())
        made = await store.record_decision(review.code, samples.a_decision(), expected_version=1, standing=standing)
        for _ in range(3):
            await store.record_wait(made.id, "acme/shop#1: checks are running: unit")
        waiting = await store.get(review.code)
        assert (waiting.status, waiting.version) == (Status.approved, 3), "the same again changes nothing"
        assert waiting.decisions[-1].detail == "acme/shop#1: checks are running: unit"
        assert await store.uncarried() == waiting.decisions
        now += timedelta(minutes=59)
        await store.record_wait(made.id, "GitHub's rate limit is used up")
        assert await notified() == []
        now += timedelta(minutes=1)
        await store.record_wait(made.id, "GitHub's rate limit is used up")
        assert await notified() == ["execution.waiting"]
        await store.record_outcome(made.id, Action.pr_merged, "merged")
        await store.record_wait(made.id, "too late")
        assert (await store.get(review.code)).decisions[-1].detail == "merged"
        assert (await store.verify()).ok


async def test_of_two_deciders_on_one_version_one_loses_with_a_clear_error(store, samples, standing, url, home):
    review = await store.create(samples.a_new_review())
    async with Database.open(url) as database:
        other = ReviewStore(database, home=home)
        results = await asyncio.gather(
            store.record_decision(review.code, samples.a_decision(), expected_version=1, standing=standing),
            other.record_decision(
                review.code,
                samples.a_decision(DecisionKind.reject, samples.BO),
                expected_version=1,
                standing=standing,
            ),
            return_exceptions=True,
        )
    (lost,) = [result for result in results if isinstance(result, ConflictError)]
    assert "while you decided (version 2, you saw 1)" in lost.what
    found = await store.get(review.code)
    assert len(found.decisions) == 1
    assert f"changed by {found.decisions[0].reviewer.name}" in lost.what
    assert (await store.verify()).ok


@pytest_asyncio.fixture
async def many(store, samples):
    """Twelve reviews, each of a finding of its own."""
    made = []
    for number in range(12):
        code = f"APV-20261121-{number:03d}"
        new = samples.a_new_review(f"run-{number}", apvs=(samples.an_apv(code),), root=f"/srv/shop-{number}")
        made.append(await store.create(new))
    return made


async def test_decisions_at_the_same_time_share_a_transaction_and_each_is_its_own(store, samples, many, url):
    """Who refused, and in which request, is told for each; a refused one and a loser take nobody along."""
    commits: list[int] = []

    def counted(_connection: object) -> None:
        commits.append(1)

    people = [Reviewer(f"Reviewer {number}", f"r{number}@example.org") for number in range(len(many))]

    async def decide(index: int, expected_version: int = 1) -> DecisionRecord:
        with Origin("", f"request-{index}").continued():
            return await store.record_decision(
                many[index].code,
                samples.a_decision(DecisionKind.reject, people[index]),
                expected_version=expected_version,
                standing=Standing(None, None),
            )

    store._begun = True
    event.listen(Engine, "commit", counted)
    try:
        answers = await asyncio.gather(
            *(decide(index) for index in range(10)), decide(10, 7), decide(3), return_exceptions=True
        )
    finally:
        event.remove(Engine, "commit", counted)
    assert all(isinstance(answer, DecisionRecord) for answer in answers[:10])
    assert [str(answer.what) for answer in answers[10:]] == [
        "was changed while you decided (version 1, you saw 7)",
        "was changed by Reviewer 3 while you decided (version 2, you saw 1)",
    ]
    assert len(commits) == 2  # of the twelve but one; of the second one on the same review
    assert [(await store.get(one.code)).status for one in many] == [Status.rejected] * 10 + [Status.pending] * 2
    entries = [entry for entry in await store.audit() if entry.action == "decision.recorded"]
    assert {(entry.subject, entry.actor) for entry in entries} == {
        (many[index].code, f"{people[index].name} <{people[index].email}>") for index in range(10)
    }
    assert [entry.seq for entry in await store.audit()] == list(range(1, 23))
    async with Database.open(url) as database, database.read() as session:
        told = await session.execute(
            select(OutboxRow.subject, OutboxRow.correlation_id).where(OutboxRow.type == "dev.vertice.decision.made")
        )
        assert {tuple(row) for row in told} == {(many[index].code, f"request-{index}") for index in range(10)}
        events = (await session.scalars(select(EventRow.seq).where(EventRow.channel == "decisions"))).all()
        assert sorted(events) == list(range(13, 23))
    assert (await store.verify()).ok


async def test_a_review_that_cannot_be_read_harms_no_other_decision(store, samples, many, tamper):
    await tamper(f"UPDATE apv_reviews SET remedy = 'no JSON' WHERE apv_code = '{many[1].code}'")
    answers = await asyncio.gather(
        *(
            store.record_decision(
                one.code, samples.a_decision(DecisionKind.reject), expected_version=1, standing=Standing(None, None)
            )
            for one in many[:3]
        ),
        return_exceptions=True,
    )
    assert [isinstance(answer, DecisionRecord) for answer in answers] == [True, False, True]
    assert len([entry for entry in await store.audit() if entry.action == "decision.recorded"]) == 2


DECIDER = """
import asyncio, os, sys
from pathlib import Path
from vertice.adaptive.review.decide import ConflictError, Standing
from vertice.adaptive.review.model import Decision, DecisionKind, Reviewer
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database

async def main(url, home, code, name):
    decision = Decision(DecisionKind.reject, "Not worth the risk.", Reviewer(name, "r@example.org"))
    async with Database.open(url) as database:
        store = ReviewStore(database, home=Path(home))
        try:
            await store.record_decision(code, decision, expected_version=1, standing=Standing(None, None))
        except ConflictError:
            return "lost"
        return "won"

for number in range(4):
    if not os.fork():
        print(asyncio.run(main(*sys.argv[1:], f"R{number}")), flush=True)
        os._exit(0)
for number in range(4):
    os.wait()
"""


async def test_of_four_processes_that_decide_at_once_one_wins(store, samples, url, home):
    review = await store.create(samples.a_new_review())
    command = [sys.executable, "-c", DECIDER, url, str(home), review.code]
    deciders = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said = sorted((await deciders.communicate())[0].decode().split())
    assert said == ["lost", "lost", "lost", "won"]
    assert (await store.verify()).ok


async def test_of_twenty_who_decide_at_once_one_wins(store, samples, standing):
    review = await store.create(samples.a_new_review())
    deciders = [Reviewer(f"Reviewer {number}", f"r{number}@example.org") for number in range(20)]
    results = await asyncio.gather(
        *(
            store.record_decision(
                review.code, samples.a_decision(reviewer=decider), expected_version=1, standing=standing
            )
            for decider in deciders
        ),
        return_exceptions=True,
    )
    lost = [result for result in results if isinstance(result, ConflictError)]
    (won,) = [result for result in results if result not in lost]
    assert len(lost) == 19
    found = await store.get(review.code)
    assert (found.version, found.decisions) == (2, (won,))
    assert (await store.verify()).ok


async def test_many_writers_at_once_leave_a_whole_chain(store, samples, standing):
    def proposal(number):
        apv = samples.an_apv(f"APV-20261121-1{number:02}")
        return samples.a_new_review(f"run-{number}", apvs=(apv,), root=f"/srv/{number}")

    async def from_proposal_to_outcome(number):
        review = await store.create(proposal(number))
        record = await store.record_decision(review.code, samples.a_decision(), expected_version=1, standing=standing)
        await store.record_outcome(record.id, Action.pr_merged)

    await asyncio.gather(*(from_proposal_to_outcome(number) for number in range(15)))
    report = await store.verify()
    assert (report.ok, report.entries, report.why) == (True, 45, "")


async def test_one_proposal_that_comes_eight_times_at_once_is_one_review(store, samples):
    made = await asyncio.gather(*(store.create(samples.a_new_review()) for _ in range(8)))
    assert made == [made[0]] * 8
    assert len(await store.audit()) == 1


async def test_a_refused_decision_leaves_no_trace(store, samples):
    review = await store.create(samples.a_new_review())
    with pytest.raises(ConflictError):
        await store.record_decision(
            review.code, samples.a_decision(), expected_version=1, standing=Standing("0" * 64, "a" * 40)
        )
    assert await store.get(review.code) == review
    assert len(await store.audit()) == 1


async def test_the_audit_says_who_did_what(store, samples, standing):
    review = await store.create(samples.a_new_review())
    record = await store.record_decision(review.code, samples.a_decision(), expected_version=1, standing=standing)
    await store.record_outcome(record.id, Action.pr_merged)
    entries = await store.audit()
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("vertice", "review.created", review.code),
        ("Ana Souza <ana@example.org>", "decision.recorded", review.code),
        ("vertice", "decision.carried_out", review.code),
    ]
    assert await store.audit(after=2) == entries[2:]
