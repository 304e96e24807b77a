"""From a person's decision to what is done about it.

First the decision binds (one transaction; of two reviewers one loses there), then the forge acts, then the outcome is
recorded. Killed between, `resume` goes on: every step can be made again. When the forge cannot do it, that is recorded
and the review is open again; when it cannot do it yet (checks are running), the decision stands and `resume` goes on.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vertice.adaptive.execution.forges import forge_of
from vertice.adaptive.execution.interface import Carried, NotYetError
from vertice.adaptive.review.decide import Standing, check_evidence
from vertice.adaptive.review.evidence import digest_of, disagreement
from vertice.adaptive.review.model import Action, Decision, DecisionKind, DecisionRecord, DecisionState, Review
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.errors import InputError, VerticeError, from_os_error

if TYPE_CHECKING:
    from vertice.adaptive.execution.github import GitHubSettings

__all__ = ["carry_out_one", "decide", "resume", "standing_of"]


async def decide(
    store: ReviewStore,
    code: str,
    decision: Decision,
    *,
    home: Path,
    expected_version: int | None = None,
    github: "GitHubSettings | None" = None,
) -> DecisionRecord:
    """Decide on a review and carry it out. `expected_version`: of the review that the person saw (None: as it is now).

    Raises InputError or ConflictError when the decision is refused, and whatever kept the forge from carrying it out.
    """
    await resume(store, home=home, github=github)
    review = await store.get(code)
    standing = await standing_of(store, review, home, github)
    record = await store.record_decision(
        review.code,
        decision,
        expected_version=review.version if expected_version is None else expected_version,
        standing=standing,
    )
    return await carry_out_one(store, record, home, github)


async def resume(
    store: ReviewStore, *, home: Path, github: "GitHubSettings | None" = None
) -> tuple[DecisionRecord, ...]:
    """Carry out what was decided before a process died. What cannot be carried out is recorded as such, not raised."""
    done = []
    for record in await store.uncarried():
        try:
            done.append(await carry_out_one(store, record, home, github))
        except VerticeError:
            done.append((await store.get(record.code)).decisions[-1])
    return tuple(done)


async def standing_of(
    store: ReviewStore, review: Review, home: Path, github: "GitHubSettings | None" = None
) -> Standing:
    """Look at the evidence in the database and the patch in the forge as they are now."""
    evidence = await store.evidence(review)
    return await asyncio.to_thread(lambda: _standing(review, evidence, _head(review, home, github)))


async def carry_out_one(
    store: ReviewStore, record: DecisionRecord, home: Path, github: "GitHubSettings | None"
) -> DecisionRecord:
    """Carry out one decision that binds, unless that was done. Raises what kept the forge from it.

    After NotYetError the decision stands, to be tried again; after any other error the review is open again.
    """
    async with _alone(home, record), store.exclusive(record.id):
        return await _carry_out_alone(store, record, home, github)


async def _carry_out_alone(
    store: ReviewStore, record: DecisionRecord, home: Path, github: "GitHubSettings | None"
) -> DecisionRecord:
    review = await store.get(record.code)
    now = next(decision for decision in review.decisions if decision.id == record.id)
    if now.state is not DecisionState.recorded:
        return now
    evidence = await store.evidence(review) if record.kind is DecisionKind.approve else None
    try:
        carried = await asyncio.to_thread(_act, review, record, evidence, home, github)
    except NotYetError as error:
        await store.record_wait(record.id, f"{error.where}: {error.what}" if error.where else error.what)
        raise
    except VerticeError as error:
        await store.record_failure(record.id, str(error))
        raise
    return await store.record_outcome(record.id, carried.action, carried.detail)


def _head(review: Review, home: Path, github: "GitHubSettings | None") -> str | None:
    proposal = review.proposal
    if proposal is None:
        return None
    return forge_of(proposal, home=home, github=github).head(review.project_root, proposal)


def _standing(review: Review, evidence: str | None, head: str | None) -> Standing:
    if evidence is None:
        return Standing(None, head)
    return Standing(digest_of(evidence), head, disagreement(evidence, review))


@asynccontextmanager
async def _alone(home: Path, record: DecisionRecord) -> AsyncIterator[None]:
    """Let one process of this home at a time carry the decision out: `resume` does not run into one that is at work."""
    path = home / "locks" / f"decision-{record.id}"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        raise from_os_error(error, "carrying a decision out") from error
    with stream:
        await asyncio.to_thread(fcntl.flock, stream, fcntl.LOCK_EX)
        yield
        path.unlink(missing_ok=True)


def _act(
    review: Review, record: DecisionRecord, evidence: str | None, home: Path, github: "GitHubSettings | None"
) -> Carried:
    proposal = review.proposal
    if review.revision != record.review_revision or (proposal.head if proposal else "") != record.head:
        raise InputError(
            "a newer patch took the place of the one that was decided on",
            where=review.code,
            todo="Look at it again and decide on what it says now.",
        )
    if proposal is None:
        return _without_patch(record)
    forge = forge_of(proposal, home=home, github=github)
    match record.kind:
        case DecisionKind.modify:
            return forge.request_changes(review.project_root, proposal, record)
        case DecisionKind.escalate:
            return forge.escalate(review.project_root, proposal, record)
        case DecisionKind.reject:
            return forge.close(review.project_root, proposal, record)
    check_evidence(review, _standing(review, evidence, proposal.head))
    return forge.merge(review.project_root, proposal, review.remedy, record.reviewer)


def _without_patch(record: DecisionRecord) -> Carried:
    match record.kind:
        case DecisionKind.modify:
            return Carried(Action.changes_requested, f"asked for {record.wanted}")
        case DecisionKind.escalate:
            return Carried(Action.escalated, "raised")
        case _:
            return Carried(Action.pr_closed, "there was no patch")
