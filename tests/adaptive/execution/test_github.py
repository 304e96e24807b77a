"""The GitHub forge against a stateful stand-in whose every request and answer is held to GitHub's own description."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import stamina

from tests.github_server.fixtures import TOKEN
from tests.github_server.server import Fault
from vertice.adaptive.execution.interface import Dossier, NotYetError
from vertice.adaptive.review.model import (
    Action,
    DecisionKind,
    DecisionRecord,
    DecisionState,
    Proposal,
    Status,
)
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.errors import InputError, VerticeError

CODE = "APV-20261121-001"
BRANCH = f"refs/heads/vertice/{CODE}"
MESSAGE = "Fix CVE-2020-14343: pyyaml 5.3.1 -> 5.4\n\nProven.\n"


@dataclasses.dataclass
class Case:
    """A repository with the sample's requirements.txt, scanned, and the forge."""

    service: object
    samples: object
    root: Path = Path()
    commit: str = ""

    def begin(self):
        self.service.begin_anew()
        self.commit = self.service.state.commit_files({"requirements.txt": self.samples.BEFORE, "app.py": "1\n"})
        self.root = self.service.checkout(self.commit)
        return self

    @property
    def state(self):
        return self.service.state

    @property
    def door(self):
        return self.service.door

    def propose(self, remedy=None, dossier=None, **settings) -> Proposal:
        forge = self.service.forge(**settings)
        return forge.propose(
            self.root, remedy or self.samples.a_remedy(), CODE, MESSAGE, dossier or a_dossier(self.samples)
        )

    def merge(self, proposal, **settings):
        return self.service.forge(**settings).merge(self.root, proposal, self.samples.a_remedy(), self.samples.ANA)

    def close(self, proposal, **more):
        return self.service.forge().close(self.root, proposal, a_record(self.samples, DecisionKind.reject, **more))

    def request_changes(self, proposal, **more):
        record = a_record(self.samples, DecisionKind.modify, wanted="5.4.1", **more)
        return self.service.forge().request_changes(self.root, proposal, record)

    def escalate(self, proposal, **settings):
        record = a_record(self.samples, DecisionKind.escalate)
        return self.service.forge(**settings).escalate(self.root, proposal, record)


def a_dossier(samples, verdict=None) -> Dossier:
    return Dossier(
        run="WAR-20261121-001",
        apvs=(samples.an_apv(),),
        evidence=samples.an_evidence(),
        verdict=verdict or samples.a_verdict(),
        evidence_digest="e" * 64,
        signer="f" * 64,
        arena="bwrap 0.8.0",
    )


def a_record(samples, kind, *, reason="It breaks the importer.", wanted="") -> DecisionRecord:
    return DecisionRecord(
        id=UUID(int=7),
        code=CODE,
        kind=kind,
        reviewer=samples.ANA,
        justification=reason,
        wanted=wanted,
        confidence_override=None,
        accept_unproven=False,
        created_at=None,
        review_version=1,
        review_revision=1,
        evidence_digest="e" * 64,
        head="",
        status_before=Status.pending,
        state=DecisionState.recorded,
        action=None,
        detail="",
    )


@pytest.fixture
def case(service, samples) -> Case:
    return Case(service, samples).begin()


def test_what_is_not_as_github_describes_it_is_noticed(case):
    httpx.post(f"{case.door.url}/repos/acme/shop/statuses/{case.commit}", json={"state": "fine"})
    assert len(case.door.violations) == 1
    assert "state" in case.door.violations.pop()


# Proposing.


def test_a_proposal_is_one_commit_on_what_was_scanned_and_a_pull_request(case, samples):
    later = case.state.commit_files({"app.py": "2\n"})
    made = case.propose()
    assert made == Proposal(
        "github",
        ref=BRANCH,
        head=case.state.refs[BRANCH],
        base=case.commit,
        target="refs/heads/main",
        note="https://github.com/acme/shop/pull/1",
    )
    assert case.state.commits[made.head]["parents"] == [case.commit]
    assert case.state.file(f"vertice/{CODE}", "requirements.txt") == samples.AFTER
    assert case.state.file(f"vertice/{CODE}", "app.py") == "1\n"
    assert case.state.refs["refs/heads/main"] == later
    pull = case.state.pulls[0]
    assert (pull.title, pull.head_ref, pull.base_ref) == (
        "Fix CVE-2020-14343: pyyaml 5.3.1 → 5.4",
        f"vertice/{CODE}",
        "main",
    )
    assert pull.labels == ["vertice", "security", "severity:critical"]
    assert [status for _, status in case.state.statuses] == [
        {
            "context": "vertice/wargame",
            "state": "success",
            "description": "proven, confidence 0.97: 3 of 3 attacks blocked",
            "target_url": f"https://vertice.example.org/reviews/{CODE}",
        }
    ]


@pytest.mark.parametrize(
    ("word", "grade", "state"),
    [
        (VerdictWord.failed, Grade.refuted, "failure"),
        (VerdictWord.error, Grade.broken, "error"),
        (VerdictWord.inconclusive, Grade.unproven, "pending"),
    ],
)
def test_the_status_check_says_what_the_wargame_says(case, samples, word, grade, state):
    case.propose(dossier=a_dossier(samples, samples.a_verdict(word, grade, 0.1)))
    assert case.state.statuses[0][1]["state"] == state


def test_proposing_again_makes_nothing_new(case):
    made = case.propose()
    before = case.state.outcome()
    assert case.propose() == made
    assert case.state.outcome() == before


def test_a_branch_that_is_not_ours_is_left_and_the_next_name_taken(case):
    theirs = case.state.commit_files({"x": "theirs\n"}, branch=f"vertice/{CODE}")
    made = case.propose()
    assert made.ref == f"{BRANCH}-2"
    assert case.state.refs[BRANCH] == theirs


def test_a_project_below_the_top_changes_files_there(case, samples):
    commit = case.state.commit_files({"services/shop/requirements.txt": samples.BEFORE})
    case.root = case.service.checkout(commit) / "services" / "shop"
    case.propose()
    assert case.state.file(f"vertice/{CODE}", "services/shop/requirements.txt") == samples.AFTER
    assert case.state.file(f"vertice/{CODE}", "requirements.txt") == samples.BEFORE


def test_line_ends_that_the_archive_turned_stay_as_they_are_committed(case, samples):
    crlf = samples.a_remedy(before=samples.BEFORE.replace("\n", "\r\n"), after=samples.AFTER.replace("\n", "\r\n"))
    case.propose(crlf)
    assert case.state.file(f"vertice/{CODE}", "requirements.txt") == samples.AFTER


def test_a_file_that_is_not_committed_as_it_was_scanned_is_refused(case, samples):
    with pytest.raises(InputError, match="differs from what was scanned"):
        case.propose(samples.a_remedy(before="other==1\n"))
    with pytest.raises(InputError, match="is no committed file"):
        case.propose(samples.a_remedy(path="missing.txt"))
    with pytest.raises(InputError, match="was not there when it was scanned"):
        case.propose(samples.a_remedy(before=None))
    assert not case.state.pulls


def test_a_path_that_leads_out_is_refused(case, samples):
    with pytest.raises(InputError, match="outside the project"):
        case.propose(samples.a_remedy(path="../../x", before=None))


def test_without_rights_for_labels_the_rest_is_done(case):
    refused = Fault(403, body={"message": "Resource not accessible by integration"})
    case.door.once("POST", "/labels", refused)
    case.propose()
    assert case.state.pulls[0].labels == []
    assert case.state.statuses


# Merging.


def test_approving_merges_what_was_proven(case, samples):
    made = case.propose()
    done = case.merge(made)
    assert done.action is Action.pr_merged
    assert case.state.refs["refs/heads/main"].startswith(done.detail.rpartition(" ")[2])
    assert case.state.file("main", "requirements.txt") == samples.AFTER
    assert case.state.pulls[0].message.endswith("Approved-by: Ana Souza <ana@example.org>")


def test_the_target_may_have_moved_on_elsewhere(case, samples):
    made = case.propose()
    case.state.commit_files({"app.py": "2\n"})
    case.merge(made)
    assert case.state.file("main", "app.py") == "2\n"
    assert case.state.file("main", "requirements.txt") == samples.AFTER


def test_files_that_changed_on_the_target_since_the_proof_are_not_merged_into(case):
    made = case.propose()
    case.state.commit_files({"requirements.txt": "pyyaml==5.3.1\nextra==1\n"})
    with pytest.raises(InputError, match="changed on main since the patch was proven"):
        case.merge(made)
    assert case.state.pulls[0].state == "open"


def test_a_branch_that_moved_since_the_proof_is_not_merged(case):
    made = case.propose()
    case.state.commit_files({"x": "more\n"}, branch=f"vertice/{CODE}")
    with pytest.raises(InputError, match="was given commits that were not proven"):
        case.merge(made)
    assert case.state.pulls[0].state == "open"


def test_a_branch_that_moves_at_the_last_moment_is_not_merged(case):
    made = case.propose()

    def move(_number, method, _path):
        if method == "PUT":
            case.state.commit_files({"x": "more\n"}, branch=f"vertice/{CODE}")

    case.door.plan = move
    with pytest.raises(InputError, match="was given commits that were not proven"):
        case.merge(made)
    assert case.state.pulls[0].state == "open"


def test_merged_by_hand_counts_as_merged(case):
    made = case.propose()
    case.state.merge_by_hand(1)
    assert "is merged into main" in case.merge(made).detail


def test_merged_by_hand_with_other_commits_is_said(case):
    made = case.propose()
    case.state.commit_files({"x": "more\n"}, branch=f"vertice/{CODE}")
    case.state.merge_by_hand(1)
    with pytest.raises(InputError, match="was merged with commits that were not proven"):
        case.merge(made)


def test_closed_by_hand_is_not_merged(case):
    made = case.propose()
    case.state.pulls[0].state = "closed"
    with pytest.raises(InputError, match="was closed by hand"):
        case.merge(made)


def test_sent_to_another_branch_by_hand_is_not_merged(case):
    made = case.propose()
    case.state.commit_files({"requirements.txt": case.samples.BEFORE}, branch="release")
    case.state.pulls[0].base_ref = "release"
    with pytest.raises(InputError, match="now goes to release"):
        case.merge(made)


def run(name, status="completed", conclusion="success"):
    return {"name": name, "status": status, "conclusion": conclusion if status == "completed" else None}


def test_checks_that_run_are_waited_for(case):
    made = case.propose()
    case.state.checks = [run("unit", "in_progress"), run("lint")]
    with pytest.raises(NotYetError, match="checks are running: unit"):
        case.merge(made)
    case.state.checks = [run("unit"), run("lint", conclusion="skipped")]
    assert case.merge(made).action is Action.pr_merged


def test_checks_that_failed_stand_in_the_way(case):
    made = case.propose()
    case.state.checks = [run("unit", conclusion="failure")]
    with pytest.raises(InputError, match="checks failed: unit") as caught:
        case.merge(made)
    assert not isinstance(caught.value, NotYetError)


def test_where_checks_are_required_only_those_count(case):
    made = case.propose()
    case.state.required = ["unit"]
    case.state.rules = [
        {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "ci/build"}],
                                                          "strict_required_status_checks_policy": False}}
    ]  # fmt: skip
    case.state.checks = [run("unit"), run("flaky", conclusion="failure")]
    with pytest.raises(NotYetError, match="checks are running: ci/build"):
        case.merge(made)
    case.state.statuses.append((made.head, {"context": "ci/build", "state": "success"}))
    assert case.merge(made).action is Action.pr_merged


def test_an_unproven_patch_that_was_accepted_passes_our_own_check(case, samples):
    made = case.propose(dossier=a_dossier(samples, samples.a_verdict(VerdictWord.inconclusive, Grade.unproven, 0.4)))
    case.state.required = ["vertice/wargame"]
    case.merge(made)
    assert case.state.statuses[-1][1]["state"] == "success"
    assert case.state.statuses[-1][1]["description"] == "not proven by the wargame; accepted by Ana Souza"


@pytest.mark.parametrize(
    ("mergeable", "state", "kind", "said"),
    [
        (None, "unknown", NotYetError, "is working out"),
        (False, "dirty", InputError, "conflicts"),
        (True, "blocked", InputError, "rules do not allow"),
        (True, "behind", InputError, "is behind"),
        (True, "draft", InputError, "is a draft"),
    ],
)
def test_what_cannot_be_merged_is_said(case, mergeable, state, kind, said):
    made = case.propose()
    case.state.mergeable, case.state.mergeable_state = mergeable, state
    with pytest.raises(kind, match=said):
        case.merge(made)
    assert case.state.pulls[0].state == "open"


@pytest.mark.parametrize(
    ("wanted", "allowed", "rules", "used"),
    [
        ("", (True, True, True), [], "merge"),
        ("", (False, True, True), [], "squash"),
        ("", (False, False, True), [], "rebase"),
        ("", (True, True, True), [{"type": "required_linear_history"}], "squash"),
        ("rebase", (True, True, True), [], "rebase"),
    ],
)
def test_it_is_merged_the_way_the_repository_allows(case, wanted, allowed, rules, used):
    case.state.allowed, case.state.rules = allowed, rules
    made = case.propose()
    case.merge(made, merge_method=wanted)
    assert case.state.pulls[0].method == used


def test_a_way_to_merge_that_is_not_allowed_is_said(case):
    case.state.allowed = (False, True, True)
    made = case.propose()
    with pytest.raises(InputError, match="merge is not allowed on this repository"):
        case.merge(made, merge_method="merge")


def test_a_target_that_moved_while_merging_is_tried_again_later(case):
    made = case.propose()
    said = "Base branch was modified. Review and try the merge again."
    case.door.once("PUT", "/merge", Fault(405, body={"message": said}))
    with pytest.raises(NotYetError, match="Base branch was modified"):
        case.merge(made)


# The other decisions.


def test_rejecting_closes_with_the_reason_and_removes_our_branch(case):
    made = case.propose()
    assert case.close(made, reason="No @everyone, fixes #1 <img src=x>").action is Action.pr_closed
    pull = case.state.pulls[0]
    assert (pull.state, pull.merged_at) == ("closed", None)
    assert len(pull.comments) == 1
    assert "**Rejected** in Vértice by `Ana Souza`" in pull.comments[0]
    assert "@everyone" not in pull.comments[0]
    assert "#1" not in pull.comments[0]
    assert BRANCH not in case.state.refs


def test_rejecting_what_was_closed_by_hand_is_fine(case):
    made = case.propose()
    case.state.pulls[0].state = "closed"
    assert case.close(made).action is Action.pr_closed


def test_rejecting_leaves_a_branch_with_commits_of_others(case):
    made = case.propose()
    theirs = case.state.commit_files({"x": "more\n"}, branch=f"vertice/{CODE}")
    assert "was left" in case.close(made).detail
    assert case.state.refs[BRANCH] == theirs


def test_rejecting_what_was_merged_by_hand_is_said(case):
    made = case.propose()
    case.state.merge_by_hand(1)
    with pytest.raises(InputError, match="was merged by hand"):
        case.close(made)


def test_asking_for_changes_is_a_review_where_that_is_allowed(case):
    case.state.author_may_review = True
    made = case.propose()
    assert case.request_changes(made).action is Action.changes_requested
    (event, body) = case.state.pulls[0].reviews[0]
    assert event == "REQUEST_CHANGES"
    assert "who wants `5.4.1`" in body
    assert not case.state.pulls[0].comments


def test_asking_for_changes_is_a_comment_and_a_label_where_the_author_may_not_review(case):
    made = case.propose()
    case.request_changes(made)
    assert len(case.state.pulls[0].comments) == 1
    assert "changes requested" in case.state.pulls[0].labels
    assert case.state.pulls[0].state == "open"


def test_escalating_labels_and_assigns_the_lead(case):
    made = case.propose()
    assert case.escalate(made, leads=("lead", "second")).action is Action.escalated
    assert "escalated" in case.state.pulls[0].labels
    assert case.state.pulls[0].assignees == ["lead", "second"]
    assert case.escalate(made, leads=()).action is Action.escalated


def test_head_is_the_branch_as_it_is_now(case):
    made = case.propose()
    forge = case.service.forge()
    assert forge.head(case.root, made) == made.head
    del case.state.refs[BRANCH]
    assert forge.head(case.root, made) is None


def test_our_comment_is_found_among_hundreds(case):
    made = case.propose()
    case.escalate(made)
    ours = case.state.pulls[0].comments[0]
    case.state.pulls[0].comments = [*["chatter"] * 250, ours]
    case.escalate(made)
    assert case.state.pulls[0].comments.count(ours) == 1


# Faults.

Act = Callable[[Case], object]
ACTS: dict[str, tuple[Act, Act]] = {
    "propose": (lambda _: None, lambda case: case.propose()),
    "merge": (lambda case: case.propose(), lambda case: case.merge(first(case))),
    "close": (lambda case: case.propose(), lambda case: case.close(first(case))),
    "request changes": (lambda case: case.propose(), lambda case: case.request_changes(first(case))),
    "escalate": (lambda case: case.propose(), lambda case: case.escalate(first(case))),
}


def first(case) -> Proposal:
    head = case.state.pulls[0].head
    return Proposal("github", BRANCH, head, case.commit, "refs/heads/main")


@pytest.mark.slow
@pytest.mark.parametrize("done", [False, True], ids=["before it was heard", "after it was carried out"])
@pytest.mark.parametrize("name", ACTS)
def test_killed_at_any_request_and_called_again_everything_is_there_once(case, name, done):
    prepare, act = ACTS[name]
    prepare(case)
    case.door.heal()
    act(case)
    wanted, requests = case.state.outcome(), len(case.door.requests)
    assert requests > 3
    for number in range(1, requests + 1):
        case.begin()
        prepare(case)
        case.door.break_at(number, done=done)
        with stamina.set_testing(True, attempts=1), pytest.raises(NotYetError):
            act(case)
        case.door.heal()
        act(case)
        assert case.state.outcome() == wanted, f"killed at request {number}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(502),
        Fault(503, body={"message": "unavailable"}),
        Fault(done=True),
        Fault(500, done=True),
        Fault(403, {"retry-after": "0"}, {"message": "You have exceeded a secondary rate limit."}),
        Fault(429, {"retry-after": "1"}, {"message": "Too many requests"}),
    ],
    ids=["502", "503", "broken off", "500 but done", "secondary limit", "429"],
)
@pytest.mark.parametrize("name", ACTS)
def test_a_fault_that_passes_is_not_noticed(case, name, fault):
    prepare, act = ACTS[name]
    prepare(case)
    case.door.heal()
    act(case)
    wanted, requests = case.state.outcome(), len(case.door.requests)
    case.begin()
    prepare(case)
    case.door.heal()
    case.door.plan = lambda number, _method, _path: fault if number == requests else None
    act(case)
    assert case.state.outcome() == wanted


def test_a_time_limit_is_kept(case):
    made = case.propose()
    case.door.plan = lambda *_: Fault(200, seconds=1.0)
    slow = dataclasses.replace(case.service.access, seconds=0.2)
    with stamina.set_testing(True, attempts=1), pytest.raises(NotYetError, match="did not answer in time"):
        case.service.forge(access=slow).head(case.root, made)


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(503), NotYetError, "HTTP 503"),
        (Fault(), NotYetError, "cannot be reached"),
        (Fault(401, body={"message": "Bad credentials"}), InputError, "does not accept the token"),
        (Fault(404, body={"message": "Not Found"}), InputError, "or the token may not see it"),
        (Fault(409, body={"message": "Git Repository is empty."}), NotYetError, "Git Repository is empty"),
        (Fault(422, body={"message": "Validation Failed", "errors": ["odd"]}), InputError, "Validation Failed; odd"),
        (Fault(403, body={"message": "no\x1b[31m rights"}), InputError, r"no\\x1b\[31m rights"),
        (Fault(200, body="<html>"), VerticeError, "cannot be read"),
        (Fault(200, body={"default_branch": 5}), VerticeError, "cannot be read"),
        (Fault(418, body=["odd"]), InputError, "HTTP 418"),
    ],
)
def test_what_github_refuses_is_said(case, fault, kind, said):
    case.door.plan = lambda *_: fault
    with pytest.raises(kind, match=said):
        case.propose()
    assert not case.state.pulls


def test_missing_rights_are_named(case):
    refused = Fault(
        403,
        {"x-accepted-github-permissions": "contents=write"},
        {"message": "Resource not accessible by personal access token"},
    )
    case.door.once("POST", "/git/trees", refused)
    with pytest.raises(InputError, match="contents=write"):
        case.propose()


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_that_ends_late_is_not_waited_for(case, status):
    reset = int(time.time()) + 1800
    limit = Fault(
        status,
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)},
        {"message": "API rate limit exceeded for user ID 1."},
    )
    case.door.plan = lambda *_: limit
    with pytest.raises(NotYetError, match="rate limit is used up") as caught:
        case.propose()
    assert time.strftime("%H:%M", time.gmtime(reset)) in caught.value.todo
    assert len(case.door.requests) == 1


def test_a_secondary_limit_without_a_time_is_not_waited_for(case):
    case.door.plan = lambda *_: Fault(403, body={"message": "You have exceeded a secondary rate limit."})
    with pytest.raises(NotYetError, match="rate limit"):
        case.propose()
    assert len(case.door.requests) == 1


def test_a_retry_after_that_is_no_number_is_said(case):
    case.door.plan = lambda *_: Fault(429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"message": "x"})
    with pytest.raises(VerticeError):
        case.propose()


def test_the_token_is_in_no_error(case):
    for fault in (Fault(401, body={"message": "Bad"}), Fault(404), Fault(500), Fault()):
        case.door.plan = lambda *_, fault=fault: fault
        with stamina.set_testing(True, attempts=1), pytest.raises(VerticeError) as caught:
            case.propose()
        assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(case.service.access)


def test_a_folder_that_was_not_fetched_is_said(case, samples, tmp_path):
    with pytest.raises(InputError, match="was not fetched from GitHub"):
        case.service.forge().propose(tmp_path, samples.a_remedy(), CODE, MESSAGE)
