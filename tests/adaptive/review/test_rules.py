"""What policy allows, and who."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Change, ReleaseFacts
from vertice.adaptive.review.model import DecisionKind, DecisionState, Reviewer, Status
from vertice.adaptive.review.policy import TEAM, UNRESTRICTED, AutoMerge, Bulk, BySeverity, ChangeSize
from vertice.adaptive.review.rules import (
    Allowed,
    Escalation,
    Facts,
    NeedsSecond,
    Refusal,
    Refused,
    auto_merge,
    facts_of,
    low_risk,
    may_decide,
    overdue,
    permit,
)
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.auth.model import ForbiddenError, Role

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANA = Reviewer("Ana", "ana@example.org", "https://idp.example.org|1")
BO = Reviewer("Bo", "bo@example.org", "https://idp.example.org|2")
FACTS = Facts(
    severity=Severity.medium,
    verdict=VerdictWord.success,
    grade=Grade.proven,
    confidence=0.97,
    strategy="upgrade",
    changes=(Change("pyyaml", "5.3.1", "5.3.2"),),
    youngest_days=30,
    status=Status.pending,
    created_at=NOW,
)
MERGING = replace(TEAM, auto_merge=AutoMerge(enabled=True))


def ruling(policy=TEAM, person=ANA, role=Role.lead, facts=FACTS, kind=DecisionKind.approve):
    return may_decide(policy, person, role, facts, kind)


@pytest.mark.parametrize(
    ("role", "kind", "severity", "allowed"),
    [
        (Role.viewer, DecisionKind.escalate, Severity.low, False),
        (Role.reviewer, DecisionKind.approve, Severity.high, True),
        (Role.reviewer, DecisionKind.approve, Severity.critical, False),
        (Role.reviewer, DecisionKind.reject, Severity.critical, False),
        (Role.reviewer, DecisionKind.modify, Severity.critical, True),
        (Role.reviewer, DecisionKind.escalate, Severity.critical, True),
        (Role.lead, DecisionKind.reject, Severity.critical, True),
        (Role.admin, DecisionKind.reject, Severity.critical, True),
    ],
)
def test_who_may_decide_what(role, kind, severity, allowed):
    found = ruling(role=role, kind=kind, facts=replace(FACTS, severity=severity))
    assert isinstance(found, Allowed if allowed else Refused)


def test_a_refusal_says_which_role_it_takes():
    found = ruling(role=Role.reviewer, facts=replace(FACTS, severity=Severity.critical))
    assert found.code is Refusal.role
    assert found.reason == "to approve a review of severity critical takes the role lead, you have reviewer"
    assert found.todo == "Ask a lead to do it."


def test_viewers_never_decide_whatever_the_policy_says():
    assert ruling(UNRESTRICTED, role=Role.viewer, kind=DecisionKind.escalate).code is Refusal.role


def test_what_is_critical_takes_two_different_people():
    critical = replace(FACTS, severity=Severity.critical)
    assert ruling(facts=critical) == NeedsSecond(1, 2)
    half = replace(critical, approved_by=(ANA,))
    assert ruling(facts=half).code is Refusal.same_person
    assert ruling(facts=half, person=BO) == Allowed()


def test_one_rejection_is_enough():
    assert ruling(facts=replace(FACTS, severity=Severity.critical), kind=DecisionKind.reject) == Allowed()


@pytest.mark.parametrize(
    "again",
    [
        Reviewer("Ana in a terminal", " ANA@example.org"),
        Reviewer("Ana of another provider", "Ana@Example.org", "https://other.example.org|77"),
        Reviewer("Ana with a new address", "ana.souza@example.org", ANA.id),
    ],
)
def test_one_person_in_two_guises_is_one(again):
    half = replace(FACTS, severity=Severity.critical, approved_by=(ANA,))
    assert ruling(facts=half, person=again).code is Refusal.same_person
    twice = replace(half, approved_by=(ANA, again))
    assert ruling(replace(TEAM, approvals=BySeverity.all(3)), BO, facts=twice) == NeedsSecond(2, 3)


def test_an_approval_more_than_asked_for_is_no_harm():
    assert ruling(facts=replace(FACTS, approved_by=(BO,))) == Allowed()


@pytest.mark.parametrize("proposer", [ANA.id, ANA.email])
def test_a_proposer_may_approve_unless_policy_says_no(proposer):
    own = replace(FACTS, proposed_by=frozenset({proposer}))
    assert ruling(facts=own) == Allowed()
    strict = replace(TEAM, proposer_may_approve=False)
    assert ruling(strict, facts=own).code is Refusal.proposer
    assert ruling(strict, facts=own, kind=DecisionKind.reject) == Allowed()
    assert ruling(strict, BO, facts=own) == Allowed()


async def test_the_facts_are_those_of_the_review(store, samples):
    review = await store.create(samples.a_new_review())
    found = facts_of(review, {"idp|ana"})
    assert found == Facts(
        severity=Severity.critical,
        verdict=VerdictWord.success,
        grade=Grade.proven,
        confidence=0.97,
        strategy="upgrade",
        changes=(Change("pyyaml", "5.3.1", "5.4"),),
        youngest_days=2000,
        status=Status.pending,
        created_at=review.created_at,
        proposed_by=frozenset({"idp|ana"}),
    )


@pytest.mark.parametrize(
    ("facts", "days"),
    [
        ((ReleaseFacts("pyyaml", "5.4", age_days=9),), 9),
        ((ReleaseFacts("pyyaml", "5.4"),), None),
        ((ReleaseFacts("other", "1.0", age_days=9),), None),
        ((), None),
    ],
)
async def test_the_age_of_a_remedy_is_known_when_that_of_every_release_is(store, samples, facts, days):
    remedy = replace(samples.a_remedy(), facts=facts)
    review = await store.create(samples.a_new_review(remedy=remedy))
    assert facts_of(review).youngest_days == days


async def test_an_approval_counts_for_the_proof_and_patch_it_was_given_on(store, samples, standing):
    review = await store.create(samples.a_new_review())
    await store.record_decision(
        review.code,
        samples.a_decision(reviewer=ANA),
        expected_version=review.version,
        standing=standing,
        permit=permit(TEAM, Role.lead),
    )
    held = await store.get(review.code)
    assert facts_of(held).approved_by == (ANA,)
    assert facts_of(held).touched
    assert facts_of(replace(held, evidence_digest="f" * 64)).approved_by == ()
    assert facts_of(replace(held, proposal=samples.a_proposal("f" * 40))).approved_by == ()
    assert facts_of(replace(held, revision=2)).approved_by == ()
    lapsed = replace(held.decisions[0], state=DecisionState.lapsed)
    assert facts_of(replace(held, decisions=(lapsed,))).approved_by == ()


async def test_who_asked_for_another_version_is_a_proposer(store, samples, standing):
    review = await store.create(samples.a_new_review("run-1"))
    modify = samples.a_decision(DecisionKind.modify, ANA)
    await store.record_decision(review.code, modify, expected_version=1, standing=standing)
    again = await store.create(samples.a_new_review("run-2"))
    assert facts_of(again).proposed_by == {ANA.id, ANA.email}


async def test_the_store_asks_for_a_second_person_and_refuses_the_same_one(store, samples, standing):
    review = await store.create(samples.a_new_review())
    allow = permit(TEAM, Role.lead)
    first = await store.record_decision(
        review.code, samples.a_decision(reviewer=ANA), expected_version=1, standing=standing, permit=allow
    )
    assert (first.state, (await store.get(review.code)).status) == (DecisionState.waiting, Status.pending)
    with pytest.raises(ForbiddenError, match="you have approved it already"):
        await store.record_decision(
            review.code, samples.a_decision(reviewer=ANA), expected_version=2, standing=standing, permit=allow
        )
    with pytest.raises(ForbiddenError, match="takes the role lead, you have reviewer"):
        await store.record_decision(
            review.code,
            samples.a_decision(reviewer=BO),
            expected_version=2,
            standing=standing,
            permit=permit(TEAM, Role.reviewer),
        )
    second = await store.record_decision(
        review.code, samples.a_decision(reviewer=BO), expected_version=2, standing=standing, permit=allow
    )
    assert (second.state, (await store.get(review.code)).status) == (DecisionState.recorded, Status.approved)


@pytest.mark.parametrize("status", [Status.pending, Status.changes_requested])
def test_an_undecided_review_is_overdue_from_its_very_time_on(status):
    policy = replace(TEAM, escalate_to=("lead@example.org",))
    due = NOW + timedelta(days=14)
    waiting = replace(FACTS, status=status)
    assert overdue(policy, waiting, due - timedelta(microseconds=1)) is None
    assert overdue(policy, waiting, due) == Escalation(("lead@example.org",), due)


def test_the_time_that_was_set_for_a_review_counts_whatever_policy_says_now():
    set_then = replace(FACTS, due_at=NOW + timedelta(hours=1))
    assert overdue(UNRESTRICTED, set_then, NOW + timedelta(hours=2)) == Escalation((), NOW + timedelta(hours=1))
    assert overdue(UNRESTRICTED, FACTS, NOW + timedelta(days=999)) is None


@pytest.mark.parametrize("status", [Status.escalated, Status.approved, Status.rejected, Status.superseded])
def test_who_is_decided_or_escalated_is_not_overdue(status):
    assert overdue(TEAM, replace(FACTS, status=status), NOW + timedelta(days=99)) is None


def test_a_small_proven_change_goes_without_a_person_where_policy_says_so():
    assert auto_merge(MERGING, FACTS) == (True, ("proven, medium, upgrade of size patch, confidence 0.97",))
    assert auto_merge(TEAM, FACTS) == (False, ("auto-merge is off",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verdict": VerdictWord.inconclusive, "grade": Grade.unproven}, "the verdict is inconclusive (unproven)"),
        ({"grade": Grade.partly_proven}, "the verdict is success (partly proven)"),
        ({"confidence": 0.949}, "confidence 0.95, asked 0.95"),
        ({"confidence": float("nan")}, "confidence nan, asked 0.95"),
        ({"severity": Severity.high}, "severity high waits for a person"),
        ({"strategy": "override"}, "strategy override waits for a person"),
        ({"changes": (Change("x", "1.2.3", "1.3.0"),)}, "the change is larger than patch"),
        ({"changes": (*FACTS.changes, Change("x", "1!1.2.3", "2!1.2.4"))}, "the change is larger than patch"),
        ({"changes": (*FACTS.changes, Change("x", "", "1.0"))}, "the change is larger than patch"),
        ({"changes": (*FACTS.changes, Change("x", "1.0", ""))}, "the change is larger than patch"),
        ({"changes": ()}, "the change is larger than patch"),
        ({"changes": (Change("x", "2013b", "2013c-odd"),)}, "the change is larger than patch"),
        ({"youngest_days": 6}, "a release was younger than 7 days when it was proven"),
        ({"status": Status.escalated}, "a person has decided on it before"),
        ({"touched": True}, "a person has decided on it before"),
    ],
)
def test_what_waits_for_a_person_all_the_same(change, reason):
    assert auto_merge(MERGING, replace(FACTS, **change)) == (False, (reason,))


def test_a_release_of_unknown_age_is_new():
    merged, reasons = auto_merge(MERGING, replace(FACTS, youngest_days=None))
    assert not merged
    assert "the age of a release is not known" in reasons
    careless = replace(MERGING, auto_merge=AutoMerge(enabled=True, minimum_age_days=0))
    assert auto_merge(careless, replace(FACTS, youngest_days=None))[0]
    assert not auto_merge(replace(careless, hold_younger_than_days=31), FACTS)[0]


def test_every_reason_is_said():
    bad = replace(FACTS, severity=Severity.critical, verdict=VerdictWord.failed, grade=Grade.refuted, confidence=0.0)
    assert auto_merge(TEAM, bad)[1] == (
        "auto-merge is off",
        "severity critical asks for 2 people",
        "severity critical waits for a person",
        "the verdict is failed (refuted)",
        "confidence 0.00, asked 0.95",
    )


def test_nothing_merges_by_itself_where_two_people_have_to_approve():
    careless = replace(UNRESTRICTED, approvals=BySeverity(2, 1, 1, 1))
    critical = replace(FACTS, severity=Severity.critical)
    assert auto_merge(UNRESTRICTED, critical)[0]
    assert auto_merge(careless, critical) == (False, ("severity critical asks for 2 people",))


@pytest.mark.parametrize("grade", [grade for grade in Grade if grade is not Grade.proven])
def test_no_policy_lets_go_what_is_not_proven(grade):
    doubtful = replace(FACTS, grade=grade)
    assert not auto_merge(UNRESTRICTED, doubtful)[0]
    assert not low_risk(UNRESTRICTED, doubtful)[0]


@pytest.mark.parametrize(
    ("largest", "after", "merged"),
    [
        (ChangeSize.patch, "5.3.2", True),
        (ChangeSize.patch, "5.4", False),
        (ChangeSize.minor, "5.4", True),
        (ChangeSize.minor, "6.0", False),
        (ChangeSize.any, "6.0", True),
    ],
)
def test_how_large_a_change_may_be(largest, after, merged):
    policy = replace(TEAM, auto_merge=AutoMerge(enabled=True, change=largest))
    assert auto_merge(policy, replace(FACTS, changes=(Change("pyyaml", "5.3.1", after),)))[0] is merged


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({}, (True, "proven, medium, confidence 0.97")),
        ({"severity": Severity.high}, (False, "severity high is above medium")),
        ({"grade": Grade.partly_proven}, (False, "the verdict is success (partly proven)")),
        ({"confidence": 0.89}, (False, "confidence 0.89, asked 0.90")),
        ({"confidence": float("nan")}, (False, "confidence nan, asked 0.90")),
    ],
)
def test_what_is_low_risk(change, answer):
    assert low_risk(TEAM, replace(FACTS, **change)) == answer


def test_bulk_decisions_can_be_off():
    assert low_risk(replace(TEAM, bulk=Bulk(enabled=False)), FACTS) == (False, "bulk decisions are off")
