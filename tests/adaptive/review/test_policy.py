"""Policy as data, and joining a project's with the service's."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Change, Strategy
from vertice.adaptive.review.model import DecisionKind, Reviewer, Status
from vertice.adaptive.review.policy import (
    ALONE,
    TEAM,
    UNRESTRICTED,
    AutoMerge,
    Bulk,
    BySeverity,
    ChangeSize,
    Policy,
    Roles,
    due_at,
    stricter,
)
from vertice.adaptive.review.rules import (
    Allowed,
    Facts,
    NeedsSecond,
    Refused,
    Ruling,
    auto_merge,
    low_risk,
    may_decide,
    overdue,
)
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.auth.model import Role
from vertice.kernel.codec import from_json, to_json

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PEOPLE = tuple(Reviewer(name, f"{name}@example.org", f"idp|{name}") for name in ("ana", "bo", "cy"))


def by_severity(values: st.SearchStrategy[object]) -> st.SearchStrategy[BySeverity]:
    return st.builds(BySeverity, values, values, values, values)


def some_of(words: type) -> st.SearchStrategy[tuple[object, ...]]:
    return st.sets(st.sampled_from(words)).map(lambda chosen: tuple(word for word in words if word in chosen))


roles = by_severity(st.sampled_from([Role.reviewer, Role.lead, Role.admin]))
shares = st.floats(0, 1)
policies = st.builds(
    Policy,
    hold_younger_than_days=st.integers(0, 5),
    roles=st.builds(Roles, roles, roles, roles, roles),
    approvals=by_severity(st.integers(1, 3)),
    proposer_may_approve=st.booleans(),
    time_limits=by_severity(st.none() | st.timedeltas(timedelta(minutes=1), timedelta(days=9))),
    escalate_to=st.sampled_from([(), ("lead@example.org",), ("other@example.org",)]),
    auto_merge=st.builds(
        AutoMerge,
        enabled=st.booleans(),
        severities=some_of(Severity),
        strategies=some_of(Strategy),
        change=st.sampled_from(ChangeSize),
        confidence=shares,
        minimum_age_days=st.integers(0, 5),
    ),
    bulk=st.builds(Bulk, enabled=st.booleans(), severity=st.sampled_from(Severity), confidence=shares),
)
facts = st.builds(
    Facts,
    severity=st.sampled_from(Severity),
    verdict=st.sampled_from(VerdictWord),
    grade=st.sampled_from(Grade),
    confidence=shares,
    strategy=st.sampled_from(Strategy),
    changes=st.lists(
        st.builds(Change, st.just("x"), st.just("1.2.3"), st.sampled_from(["1.2.4", "1.3", "2.0", ""])), max_size=2
    ).map(tuple),
    youngest_days=st.none() | st.integers(0, 6),
    status=st.sampled_from(Status),
    created_at=st.timedeltas(timedelta(0), timedelta(days=20)).map(lambda age: NOW - age),
    due_at=st.none(),
    approved_by=st.sets(st.sampled_from(PEOPLE)).map(tuple),
    proposed_by=st.sets(st.sampled_from([person.key for person in PEOPLE])).map(frozenset),
    touched=st.booleans(),
)
mergeable = st.builds(
    Facts,
    severity=st.sampled_from(Severity),
    verdict=st.just(VerdictWord.success),
    grade=st.just(Grade.proven),
    confidence=st.floats(0.8, 1),
    strategy=st.sampled_from(Strategy),
    changes=st.just((Change("x", "1.2.3", "1.2.4"),)),
    youngest_days=st.integers(3, 6),
    status=st.just(Status.pending),
    created_at=st.just(NOW),
)


def leeway(ruling: Ruling) -> float:
    """How much a ruling allows: an approval that binds the most, one that needs many others less, a refusal nothing."""
    match ruling:
        case Allowed():
            return 0
        case NeedsSecond(have, want):
            return have - want
        case Refused():
            return float("-inf")


@given(policies, policies, facts, st.sampled_from(PEOPLE), st.sampled_from(Role), st.sampled_from(DecisionKind))
def test_two_policies_together_never_allow_a_decision_that_either_refuses(one, other, seen, person, role, kind):
    together, *apart = (may_decide(policy, person, role, seen, kind) for policy in (stricter(one, other), one, other))
    assert leeway(together) == min(map(leeway, apart))


@given(policies, policies, facts | mergeable)
def test_nor_merge_or_count_as_low_risk_what_either_does_not(one, other, seen):
    both = stricter(one, other)
    if auto_merge(both, seen)[0]:
        assert auto_merge(one, seen)[0]
        assert auto_merge(other, seen)[0]
    assert low_risk(both, seen)[0] == (low_risk(one, seen)[0] and low_risk(other, seen)[0])


@given(policies, policies, facts)
def test_nor_leave_more_time_than_either(one, other, seen):
    both = stricter(one, other)
    limits = [found for policy in (one, other) if (found := due_at(policy, seen.severity, NOW))]
    assert due_at(both, seen.severity, NOW) == min(limits, default=None)
    late = [found for policy in (one, other) if (found := overdue(policy, seen, NOW))]
    assert (overdue(both, seen, NOW) is not None) == bool(late)
    assert both.hold_younger_than_days == max(one.hold_younger_than_days, other.hold_younger_than_days)


@given(policies, policies)
def test_who_hears_of_escalations_is_the_services_to_say(service, project):
    assert stricter(service, project).escalate_to == service.escalate_to


@given(policies, policies, policies)
def test_joining_has_no_order_and_adds_nothing_of_its_own(one, other, third):
    assert stricter(one, UNRESTRICTED) == one
    assert stricter(one, one) == one
    assert stricter(stricter(one, other), third) == stricter(one, stricter(other, third))


@given(policies)
def test_a_policy_survives_a_workflow_step(policy):
    assert from_json(Policy, to_json(policy)) == policy


def test_the_default_asks_two_leads_for_what_is_critical_and_nobody_merges_by_itself():
    assert TEAM.approvals == BySeverity(2, 1, 1, 1)
    assert TEAM.roles.of(DecisionKind.approve, Severity.critical) is Role.lead
    assert TEAM.roles.of(DecisionKind.approve, Severity.high) is Role.reviewer
    assert not TEAM.auto_merge.enabled
    assert ALONE.approvals == BySeverity.all(1)


@pytest.mark.parametrize(
    ("severity", "limit"),
    [
        (Severity.critical, timedelta(hours=24)),
        (Severity.high, timedelta(days=3)),
        (Severity.medium, timedelta(days=14)),
        (Severity.low, timedelta(days=30)),
    ],
)
def test_how_much_time_a_severity_has(severity, limit):
    assert due_at(TEAM, severity, NOW) == NOW + limit
    assert due_at(UNRESTRICTED, severity, NOW) is None
