"""Which checks stand in the way of a merge."""

import pytest

from vertice.adaptive.execution.github_checks import Checks, checks_of, method_of, required_checks
from vertice.adaptive.execution.github_models import (
    BranchState,
    CheckRun,
    Created,
    Protection,
    Repository,
    RequiredChecks,
    Rule,
    Status,
)

NONE = frozenset()
PASSED = CheckRun("unit", "completed", "success")


@pytest.mark.parametrize(
    "conclusion", ["failure", "cancelled", "timed_out", "action_required", "startup_failure", "stale"]
)
def test_only_what_passed_is_no_hindrance(conclusion):
    assert checks_of((), [PASSED, CheckRun("lint", "completed", conclusion)], NONE) == Checks((), ("lint",))


@pytest.mark.parametrize("conclusion", ["success", "neutral", "skipped"])
def test_neutral_and_skipped_count_as_passed(conclusion):
    assert checks_of((), [CheckRun("lint", "completed", conclusion)], frozenset({"lint"})) == Checks((), ())


@pytest.mark.parametrize("status", ["queued", "in_progress", "waiting", "requested", "pending"])
def test_what_is_not_completed_runs(status):
    assert checks_of((), [CheckRun("lint", status)], NONE) == Checks(("lint",), ())


def test_a_required_check_that_nobody_has_reported_runs():
    assert checks_of((), [PASSED], frozenset({"unit", "ci/build"})) == Checks(("ci/build",), ())


def test_one_failure_among_checks_of_one_name_counts():
    assert checks_of([Status("unit", "error")], [PASSED], NONE) == Checks((), ("unit",))


def test_our_own_check_never_counts():
    own = [Status("vertice/wargame", "failure")]
    assert checks_of(own, (), frozenset({"vertice/wargame"})) == Checks((), ())


def test_required_checks_come_from_protection_and_rulesets():
    branch = BranchState(Created("a"), Protection(RequiredChecks(("unit",))))
    rules = [
        Rule("required_status_checks", {"required_status_checks": [{"context": "build"}, "odd", {"context": 5}]}),
        Rule("required_status_checks", {"required_status_checks": "odd"}),
        Rule("deletion"),
    ]
    assert required_checks(branch, rules) == {"unit", "build"}
    assert required_checks(BranchState(Created("a")), ()) == NONE


def test_rules_narrow_the_ways_to_merge():
    every = Repository("main", allow_merge_commit=True, allow_squash_merge=True, allow_rebase_merge=True)
    only = [Rule("pull_request", {"allowed_merge_methods": ["rebase"]})]
    assert method_of(every, only, "") == "rebase"
    assert method_of(Repository("main"), (), "") == ""
    assert method_of(Repository("main"), [Rule("required_linear_history")], "") == "squash"
