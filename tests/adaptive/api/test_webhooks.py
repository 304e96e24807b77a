"""What GitHub tells of pull requests and workflows: believed when it is signed, and once."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from vertice.adaptive.api.webhooks import WORKFLOWS
from vertice.adaptive.projects.model import Kind
from vertice.adaptive.review.decide import Standing
from vertice.adaptive.review.model import Action, Decision, DecisionKind, DecisionState, Proposal, Review, Status
from vertice.adaptive.wargame.actions import WORKFLOW_PATH
from vertice.kernel.bus.events import since
from vertice.kernel.bus.tables import OutboxRow

SECRET = "It's a Secret to Everybody"
PROVEN = "a" * 40
CODE = "APV-20261121-001"


@dataclass
class Hook:
    """A service that GitHub tells things, and a review of a pull request in `acme/shop`."""

    desk: object
    client: httpx.AsyncClient
    project: UUID

    async def tell(self, event: str, told: object, *, secret: str = SECRET, **headers: str) -> httpx.Response:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        given = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await self.client.post("/hitl/webhooks/github", content=body, headers=given)

    @property
    def reviews(self):
        return self.desk.api.service.reviews

    async def review(self) -> Review:
        return await self.reviews.get(CODE)

    async def entries(self) -> list[tuple[str, str]]:
        return [(entry.actor, entry.action) for entry in await self.reviews.audit()]

    async def events(self, channel: str) -> list[str]:
        async with self.desk.api.service.database.read() as session:
            return [event.type for event in await since(session, {channel: 0}, limit=100)]

    async def left_for(self, destination: str) -> list[OutboxRow]:
        query = select(OutboxRow).where(OutboxRow.destination == destination).order_by(OutboxRow.seq)
        async with self.desk.api.service.database.read() as session:
            return list(await session.scalars(query))


@pytest.fixture
async def hook(serve, samples, tmp_path) -> Hook:
    desk = await serve(github_webhook_secret=SECRET)
    project = await desk.api.service.projects.register(Kind.github, "acme/shop", by="test|ada")
    await desk.api.service.reviews.create(
        samples.a_new_review(
            root=str(tmp_path),
            proposal=Proposal("github", f"refs/heads/vertice/{CODE}", PROVEN, "b" * 40, "refs/heads/main"),
            project_id=project.id,
        )
    )
    return Hook(desk, desk.client(), project.id)


def closed(
    *,
    merged: bool = True,
    branch: str = f"vertice/{CODE}",
    source: str | None = None,
    target: str = "main",
    head: str = PROVEN,
    repository: str = "acme/shop",
):
    """A pull request that was closed. `source`: repository of its branch; None: the same one, "": one that is gone."""
    source = repository if source is None else source
    return {
        "action": "closed",
        "number": 7,
        "pull_request": {
            "number": 7,
            "merged": merged,
            "head": {"ref": branch, "sha": head, "repo": {"full_name": source} if source else None},
            "base": {"ref": target, "sha": "b" * 40},
        },
        "repository": {"full_name": repository},
        "sender": {"login": "ana"},
    }


def finished(path: str = WORKFLOW_PATH):
    run = {"id": 42, "name": "wargame", "path": path, "run_attempt": 1, "conclusion": "success"}
    run |= {"head_sha": PROVEN, "display_title": "WAR-20261121-001"}
    return {"action": "completed", "workflow_run": run, "repository": {"full_name": "acme/shop"}}


async def test_a_pull_request_merged_by_hand_approves_its_review(hook):
    assert (await hook.tell("pull_request", closed())).status_code == 204
    review = await hook.review()
    (made,) = review.decisions
    assert (review.status, made.kind, made.state) == (Status.approved, DecisionKind.approve, DecisionState.done)
    assert (made.action, made.detail) == (Action.pr_merged, "merged on GitHub, not here")
    assert (made.reviewer.name, made.reviewer.id) == ("ana", "GitHub|ana")
    assert made.justification == "Merged on GitHub by ana."
    assert (await hook.entries())[-1] == ("ana (GitHub)", "decision.made_elsewhere")
    assert (await hook.reviews.verify()).ok
    assert await hook.events("decisions") == ["decision_made"]
    assert (await hook.events(f"review:{CODE}"))[-1] == "decision_made"
    (message,) = await hook.left_for("hitl.decision")
    assert message.type == "dev.vertice.decision.carried_out"
    assert json.loads(message.data)["action"] == "pr_merged"


async def test_a_commit_that_was_not_proven_is_said(hook):
    await hook.tell("pull_request", closed(head="c" * 40))
    (made,) = (await hook.review()).decisions
    assert made.detail == f"merged on GitHub, not here; {'c' * 40} is not the commit that was proven"


async def test_a_pull_request_closed_by_hand_rejects_its_review(hook):
    await hook.tell("pull_request", closed(merged=False, head="c" * 40))
    review = await hook.review()
    (made,) = review.decisions
    assert (review.status, made.kind, made.action) == (Status.rejected, DecisionKind.reject, Action.pr_closed)
    assert made.detail == "closed on GitHub, not here"


async def test_a_delivery_that_comes_again_changes_nothing(hook):
    for _ in range(2):
        assert (await hook.tell("pull_request", closed(), X_GitHub_Delivery="d-1")).status_code == 204
        assert (await hook.tell("workflow_run", finished(), X_GitHub_Delivery="d-2")).status_code == 204
    assert len((await hook.review()).decisions) == 1
    assert await hook.events("decisions") == ["decision_made"]
    assert len(await hook.left_for(WORKFLOWS)) == 1


async def test_a_decided_review_stays_as_it_is(hook, samples):
    decision = Decision(DecisionKind.reject, "Not worth the risk.", samples.ANA)
    review = await hook.review()
    await hook.reviews.record_decision(CODE, decision, expected_version=review.version, standing=Standing(None, None))
    before = await hook.review()
    assert (await hook.tell("pull_request", closed())).status_code == 204
    assert await hook.review() == before


async def test_an_approval_that_waits_for_a_second_person_lapses(hook, samples):
    review = await hook.review()

    def waits(*_: object) -> bool:
        return False

    await hook.reviews.record_decision(
        CODE,
        Decision(DecisionKind.escalate, "Somebody else has to look.", samples.ANA),
        expected_version=review.version,
        standing=Standing(None, None),
        permit=waits,
    )
    await hook.tell("pull_request", closed())
    states = [made.state for made in (await hook.review()).decisions]
    assert states == [DecisionState.lapsed, DecisionState.done]
    assert (await hook.reviews.verify()).ok


async def test_github_takes_either_case_for_a_repository(hook):
    await hook.tell("pull_request", closed(repository="Acme/Shop"))
    assert (await hook.review()).status is Status.approved


OF_NO_INTEREST = {
    "a ping": ("ping", {"zen": "Keep it logically awesome."}),
    "a pull request that was opened": ("pull_request", closed() | {"action": "opened"}),
    "a repository that is not registered": ("pull_request", closed(repository="acme/other")),
    "a repository that the review is not of": ("pull_request", closed(repository="acme/registered")),
    "a branch that is not ours": ("pull_request", closed(branch="main")),
    "a branch of no review": ("pull_request", closed(branch="vertice/APV-20261121-999")),
    "a branch that begins otherwise": ("pull_request", closed(branch=f"x-vertice/{CODE}")),
    "a branch that ends otherwise": ("pull_request", closed(branch=f"vertice/{CODE}/x")),
    "a branch of a fork, which anybody may call so": ("pull_request", closed(merged=False, source="mallory/shop")),
    "a branch of a fork that is gone": ("pull_request", closed(merged=False, source="")),
    "an earlier patch of the same review": ("pull_request", closed(merged=False, branch=f"vertice/{CODE}-2")),
    "the patch on its way to another branch": ("pull_request", closed(target="staging")),
    "another workflow": ("workflow_run", finished(".github/workflows/ci.yml")),
}


async def test_what_is_of_no_interest_is_taken_and_changes_nothing(hook):
    await hook.desk.api.service.projects.register(Kind.github, "acme/registered", by="test|ada")
    before, entries = await hook.review(), await hook.entries()
    for what, (event, told) in OF_NO_INTEREST.items():
        assert (await hook.tell(event, told)).status_code == 204, what
        assert (await hook.review(), await hook.entries()) == (before, entries), what
    assert await hook.left_for(WORKFLOWS) == []


async def test_a_finished_wargame_waits_for_a_worker_to_get_its_result(hook):
    await hook.tell("workflow_run", finished())
    (left,) = await hook.left_for(WORKFLOWS)
    assert (left.type, left.subject) == ("workflow.finished", "WAR-20261121-001")
    assert json.loads(left.data) == {
        "repository": "acme/shop",
        "run": 42,
        "attempt": 1,
        "title": "WAR-20261121-001",
        "conclusion": "success",
    }


FORGED = {
    "signed with another secret": {"secret": "another secret"},
    "signed with none": {"secret": ""},
    "not signed": {"X_Hub_Signature_256": ""},
    "signed with zeros": {"X_Hub_Signature_256": "sha256=" + "0" * 64},
    "signed as GitHub no longer does": {"X_Hub_Signature_256": "sha1=" + "0" * 40},
    "signed for another body": {
        "X_Hub_Signature_256": "sha256=" + hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
    },
}


async def test_a_delivery_that_github_did_not_sign_is_refused_and_uses_up_no_id(hook):
    before, entries = await hook.review(), await hook.entries()
    for what, how in FORGED.items():
        answer = await hook.tell("pull_request", closed(), X_GitHub_Delivery="d-1", **how)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), what
        assert SECRET not in answer.text
        assert (await hook.review(), await hook.entries()) == (before, entries), what
    assert (await hook.tell("pull_request", closed(), X_GitHub_Delivery="d-1")).status_code == 204
    assert (await hook.review()).status is Status.approved


async def test_what_is_signed_but_no_delivery_is_refused(hook):
    before, entries = await hook.review(), await hook.entries()
    for told in (b"", b"not json", b"[1", b"\xff", b"[" * 100_000, [], {"action": "closed"}):
        answer = await hook.tell("pull_request", told)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), told
        assert (await hook.review(), await hook.entries()) == (before, entries), told


async def test_where_webhooks_are_not_set_up_there_are_none(serve):
    desk = await serve()
    answer = await desk.client().post("/hitl/webhooks/github", json=closed(), headers={"X-GitHub-Event": "ping"})
    assert answer.status_code == 404
    assert "GITHUB_WEBHOOK_SECRET" in answer.json()["todo"]
