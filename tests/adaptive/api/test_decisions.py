"""Deciding over HTTP: who may, once, on what they saw; two people for critical; many at once."""

import asyncio
import hashlib
import shutil
import subprocess
from uuid import uuid4

import pytest
from sqlalchemy import update

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.model import Action, DecisionState, Status
from vertice.adaptive.review.tables import WargameRunRow

WHY = "The proof is convincing."


def decision(kind: str = "approve", **more: object) -> dict[str, object]:
    return {"decision": kind, "justification": WHY, **more}


def at(review) -> dict[str, str]:
    return {"If-Match": f'"v{review.version}"'}


async def decide(client, review, kind: str = "approve", **more: object):
    return await client.post(f"/hitl/reviews/{review.code}/decisions", json=decision(kind, **more), headers=at(review))


@pytest.mark.parametrize(
    ("kind", "status", "more"),
    [
        ("approve", "approved", {"confidence_override": 0.9}),
        ("reject", "rejected", {}),
        ("modify", "changes_requested", {"wanted": "5.4.1"}),
        ("escalate", "escalated", {}),
    ],
)
async def test_a_decision_binds_is_told_to_the_workers_and_is_audited(desk, kind, status, more):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await decide(rita, review, kind, **more)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["reviewer"], made["reviewer_email"]) == ("recorded", "Rita", "rita@example.org")
    assert made["evidence_digest"] == review.evidence_digest
    assert [str(one) for one in desk.tasks.executions] == [made["id"]]
    after = await rita.get(f"/hitl/reviews/{review.code}")
    assert (after.json()["status"], after.headers["etag"]) == (status, answer.headers["etag"])
    assert (await rita.get(answer.headers["location"])).json() == made
    listed = (await rita.get("/hitl/decisions", params={"decision": kind})).json()["items"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert (await desk.api.service.reviews.verify()).ok


async def test_who_has_no_e_mail_address_decides_all_the_same(desk):
    """A newcomer without git's user.email, or one whose identity provider does not tell it."""
    answer = await decide(await desk.person("rita", email=""), await desk.review())
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["reviewer"], made["reviewer_email"]) == ("Rita", "unknown@email.invalid")


async def test_of_many_who_decide_at_once_exactly_one_wins_and_the_others_see_what_is_now(desk):
    review = await desk.review()
    people = [await desk.person(name) for name in ("rita", "rui", "lena", "leo", "ada")] * 3
    answers = await asyncio.gather(
        *(decide(person, review, ("approve", "reject")[number % 2]) for number, person in enumerate(people))
    )
    winners = [answer for answer in answers if answer.status_code == 201]
    losers = [answer for answer in answers if answer.status_code == 409]
    assert (len(winners), len(losers)) == (1, len(people) - 1)
    now = (await desk.api.service.reviews.get(review.code)).status
    for answer in losers:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == "/problems/conflict"
        assert problem["current"]["status"] == now
        assert problem["current"]["version"] == review.version + 1
    assert len(desk.tasks.executions) == 1
    assert (await desk.api.service.reviews.verify()).ok


async def test_a_decision_on_a_decided_review_and_on_an_old_version_is_refused_with_what_is_now(desk):
    review = await desk.review()
    rita, rui = await desk.person("rita"), await desk.person("rui")
    assert (await decide(rita, review, "reject")).status_code == 201
    late = await decide(rui, review)
    assert (late.status_code, late.json()["current"]["status"]) == (409, "rejected")
    now = await desk.api.service.reviews.get(review.code)
    again = await decide(rui, now)
    assert again.status_code == 409
    assert "already rejected" in again.json()["detail"]


async def test_an_approval_is_bound_to_the_evidence_and_the_patch_it_was_given_on(desk):
    review = await desk.review()
    rita = await desk.person("rita")
    other = await decide(rita, review, evidence_digest="0" * 64)
    assert (other.status_code, other.json()["detail"]) == (409, "its evidence is not the one you saw")
    kept = await desk.api.service.reviews.evidence(review)
    await _keep(desk, review, kept.replace("payload", "Payload"))
    changed = await decide(rita, review, evidence_digest=review.evidence_digest)
    assert (changed.status_code, changed.json()["detail"]) == (409, "its evidence is not the one that was recorded")
    assert changed.json()["where"] == review.code
    await _keep(desk, review, kept)
    patch = desk.home / review.proposal.ref
    patch.write_text(patch.read_text() + "\n+evil\n")
    moved = await decide(rita, review)
    assert (moved.status_code, moved.json()["detail"]) == (409, "its patch was changed since it was proven")
    assert (await desk.api.service.reviews.get(review.code)).status is Status.pending
    assert (await decide(rita, review, "reject")).status_code == 201, "a rejection needs neither"


async def _keep(desk, review, text: str) -> None:
    """Change the evidence past the store."""
    async with desk.api.service.database.write() as session:
        mine = WargameRunRow.review_id == review.id
        await session.execute(update(WargameRunRow).where(mine).values(evidence=text))


async def test_a_project_on_another_machine_is_said_and_its_path_is_not(desk):
    review = await desk.review()
    review.project_root.rename(review.project_root.with_name("away"))
    answer = await decide(await desk.person("rita"), review)
    assert (answer.status_code, answer.json()["detail"]) == (422, "the project's folder is not on this machine")
    assert str(desk.home.parent) not in answer.text


async def test_critical_takes_two_different_people(desk):
    review = await desk.review(severity=Severity.critical)
    desk = await _with_two_approvals(desk)
    lena, leo, rita = [await desk.person(name) for name in ("lena", "leo", "rita")]
    assert (await decide(rita, review)).status_code == 403
    first = await decide(lena, review)
    assert (first.status_code, first.json()["state"]) == (201, "waiting")
    assert desk.tasks.executions == [], "it does not bind yet"
    review = await desk.api.service.reviews.get(review.code)
    assert review.status is Status.pending
    again = await decide(lena, review)
    assert (again.status_code, "you have approved it already" in again.json()["detail"]) == (403, True)
    second = await decide(leo, review)
    assert (second.status_code, second.json()["state"]) == (201, "recorded")
    assert [str(one) for one in desk.tasks.executions] == [second.json()["id"]]
    review = await desk.api.service.reviews.get(review.code)
    assert [made.state for made in review.decisions] == [DecisionState.seconded, DecisionState.recorded]
    assert (await desk.api.service.reviews.verify()).ok


async def _with_two_approvals(desk):
    """The same service with the policy of a team: where an identity provider is set, it is the default."""
    from vertice.adaptive.review.policy import TEAM

    async def team(_: object) -> object:
        return TEAM

    object.__setattr__(desk.api.service, "policy_of", team)
    return desk


async def test_a_first_approval_lapses_when_somebody_rejects(desk):
    review = await desk.review(severity=Severity.critical)
    desk = await _with_two_approvals(desk)
    lena, leo = await desk.person("lena"), await desk.person("leo")
    await decide(lena, review)
    review = await desk.api.service.reviews.get(review.code)
    assert (await decide(leo, review, "reject")).status_code == 201
    review = await desk.api.service.reviews.get(review.code)
    assert [made.state for made in review.decisions] == [DecisionState.lapsed, DecisionState.recorded]
    assert (await desk.api.service.reviews.verify()).ok


async def test_what_was_not_proven_is_not_approved_by_accident(desk):
    refuted = await desk.review(1, proof="refuted")
    unproven = await desk.review(2, proof="unproven")
    rita = await desk.person("rita")
    answer = await decide(rita, refuted)
    assert (answer.status_code, "it cannot be approved" in answer.json()["detail"]) == (409, True)
    assert (await decide(rita, unproven)).status_code == 409
    assert (await decide(rita, unproven, accept_unproven=True)).status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"decision": "approve"}, 422),
        ({"decision": "approve", "justification": "too short"}, 422),
        ({"decision": "approve", "justification": " " * 20}, 422),
        ({"decision": "approve", "justification": "x" * 10_001}, 422),
        ({"decision": "merge", "justification": WHY}, 422),
        ({"decision": "approve", "justification": WHY, "reviewer": "Mallory"}, 422),
        ({"decision": "approve", "justification": WHY, "confidence_override": 1.5}, 422),
        ({"decision": "approve", "justification": WHY, "confidence_override": "high"}, 422),
        ({"decision": "modify", "justification": WHY}, 422),
        ({"decision": "modify", "justification": WHY, "wanted": "$(rm -rf /)"}, 422),
        ({"decision": "reject", "justification": "nul in it \0 here"}, 400),
        ([], 422),
        ("approve", 422),
        (None, 422),
    ],
    ids=range(15),
)
async def test_a_decision_that_is_not_one_changes_nothing(desk, body, status):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await rita.post(f"/hitl/reviews/{review.code}/decisions", json=body, headers=at(review))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await desk.api.service.reviews.get(review.code)).version == review.version


async def test_without_if_match_nothing_is_decided(desk):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await rita.post(f"/hitl/reviews/{review.code}/decisions", json=decision())
    assert answer.status_code == 428
    assert (
        await rita.post("/hitl/reviews/APV-20261121-999/decisions", json=decision(), headers=at(review))
    ).status_code == 404
    assert (await rita.get(f"/hitl/decisions/{uuid4()}")).status_code == 404


async def test_bulk_decides_on_low_risk_alone_each_by_itself(desk):
    low = [await desk.review(number, severity=Severity.medium) for number in (1, 2, 3)]
    await desk.review(4, severity=Severity.high)
    await desk.review(5, severity=Severity.low, proof="partly")
    rita = await desk.person("rita")
    tried = await rita.post("/hitl/decisions/bulk", json={**decision(), "dry_run": True})
    assert (tried.json()["dry_run"], tried.json()["decided"], tried.json()["left"]) == (True, 3, 2)
    assert [one for one in tried.json()["items"] if one["decision"]] == desk.tasks.executions == []
    assert (await rita.get("/hitl/decisions")).json()["items"] == []
    done = await rita.post("/hitl/decisions/bulk", params={"status": "pending"}, json=decision())
    outcome = done.json()
    assert (done.status_code, outcome["decided"], outcome["left"]) == (200, 3, 2)
    reasons = {one["review"][-1]: one["reason"] for one in outcome["items"] if not one["decided"]}
    assert "severity high is above medium" in reasons["4"]
    assert "partly" in reasons["5"]
    assert len(desk.tasks.executions) == 3
    entries = await desk.api.service.reviews.audit()
    decided = [entry.subject for entry in entries if entry.action == "decision.recorded"]
    assert sorted(decided) == sorted(review.code for review in low)
    again = await rita.post("/hitl/decisions/bulk", json={**decision(), "dry_run": True})
    assert (again.json()["decided"], again.json()["left"]) == (0, 5)
    assert str(again.json()["items"]).count("is already approved") == 3
    assert (await desk.api.service.reviews.verify()).ok


def commit_and_remove(folder):
    """Make a repository of `folder` in which all that is there is committed, and leave an empty working tree."""
    mine = ("-c", "user.name=D", "-c", "user.email=d@example.org")
    for command in (["init", "-q"], ["add", "."], [*mine, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    for inside in folder.glob("[!.]*"):
        shutil.rmtree(inside)


async def test_bulk_tells_no_more_of_a_fault_than_any_other_answer(desk):
    projects = desk.home.parent / "projects"
    (projects / "shop-1").mkdir(parents=True)
    (projects / "shop-1" / "requirements.txt").write_text(desk.samples.BEFORE)
    await asyncio.to_thread(commit_and_remove, projects)
    review = await desk.review(1, severity=Severity.low)
    assert review.proposal.forge == "local-git"
    (projects / ".git" / "config").write_text("[broken")
    rita = await desk.person("rita")
    done = await rita.post("/hitl/decisions/bulk", json=decision())
    assert (done.status_code, done.json()["left"]) == (200, 1)
    assert done.json()["items"][0]["reason"] == "something went wrong here"


@pytest.mark.parametrize(
    ("query", "kind", "said"),
    [
        ({"serverity": "low"}, "approve", "serverity is no filter"),
        ({"limit": "1"}, "approve", "limit is no filter"),
        ({}, "modify", "many reviews cannot be modified at once"),
    ],
)
async def test_bulk_decides_on_no_more_than_was_meant(desk, query, kind, said):
    review = await desk.review(severity=Severity.low)
    rita = await desk.person("rita")
    refused = await rita.post("/hitl/decisions/bulk", params=query, json={**decision(), "decision": kind})
    assert (refused.status_code, refused.json()["detail"]) == (422, said)
    assert (await desk.api.service.reviews.get(review.code)).status is Status.pending


async def test_bulk_may_name_the_reviews(desk):
    for number in (1, 2):
        await desk.review(number, severity=Severity.low)
    rita = await desk.person("rita")
    body = {**decision("reject"), "codes": ["APV-20261121-002"]}
    assert (await rita.post("/hitl/decisions/bulk", json=body)).json()["decided"] == 1
    assert (await desk.api.service.reviews.get("APV-20261121-001")).status is Status.pending


async def test_evidence_can_be_downloaded_and_is_what_was_recorded(desk):
    review = await desk.review()
    vera = await desk.person("vera")
    runs = (await vera.get("/hitl/wargames", params={"review": review.code})).json()["items"]
    assert [(run["code"], run["verdict"]) for run in runs] == [("WAR-20261121-001", "success")]
    answer = await vera.get(f"/hitl/wargames/{runs[0]['code']}/evidence")
    assert hashlib.sha256(answer.content).hexdigest() == review.evidence_digest == runs[0]["evidence_digest"]
    assert "attachment" in answer.headers["content-disposition"]
    remedies = (await vera.get("/hitl/remedies")).json()["items"]
    assert [(one["review"], one["number"]) for one in remedies] == [(review.code, 1)]
    assert (await vera.get(f"/hitl/remedies/{remedies[0]['key']}")).json() == remedies[0]


async def test_the_audit_log_can_be_read_on_and_verified(desk):
    await desk.review(1)
    await desk.review(2)
    vera = await desk.person("vera")
    first = (await vera.get("/hitl/audit", params={"limit": 1})).json()
    rest = (await vera.get("/hitl/audit", params={"after": first["next"]})).json()
    assert [entry["seq"] for entry in first["items"] + rest["items"]] == list(range(1, len(rest["items"]) + 2))
    assert (await vera.get("/hitl/audit/verify")).json()["ok"]


async def test_statistics_count_what_was_decided(desk):
    review = await desk.review(1)
    await desk.review(2, severity=Severity.low)
    rita = await desk.person("rita")
    made = (await decide(rita, review)).json()
    from uuid import UUID

    await desk.api.service.reviews.record_outcome(UUID(made["id"]), Action.pr_merged, "merged")
    found = (await rita.get("/hitl/statistics")).json()
    assert (found["pending"]["total"], found["decided"]["today"]) == (1, 1)
    assert found["decided"]["by_decision"]["approve"] == 1
