"""Decisions written down: several in one transaction, each checked against its review as it is in that transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vertice.adaptive.review import rows
from vertice.adaptive.review.change import Change
from vertice.adaptive.review.decide import Standing, check, next_status
from vertice.adaptive.review.model import Decision, DecisionRecord, DecisionState, Review, Reviewer
from vertice.adaptive.review.reading import expect, held, held_many, join
from vertice.adaptive.review.tables import ApvReview, HitlDecision
from vertice.kernel.errors import UnfinishedError, VerticeError
from vertice.kernel.origin import Origin

__all__ = ["Asked", "Permit", "actor_of", "record"]

Permit: TypeAlias = Callable[[Review, Decision], bool]
"""Say whether a decision binds now (True) or waits for another person's (False); raise when it is not allowed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision that is to be recorded (`ReviewStore.record_decision`)."""

    code: str
    decision: Decision
    expected_version: int | None
    standing: Standing
    permit: Permit
    seen: Callable[[Review], None]
    origin: Origin
    """The request that asks for it."""


async def record(change: Change, asked: Sequence[Asked]) -> list[DecisionRecord | Exception]:
    """Record decisions, each on another review, or say of each why it is refused. Raises what is the fault of none."""
    found = await held_many(change.session, [one.code for one in asked])
    answers: list[DecisionRecord | Exception] = []
    for one in asked:
        with one.origin.continued():
            try:
                row, review = found.get(one.code) or await held(change.session, one.code, None)
                answers.append(await _record_one(change, row, review, one))
            except UnfinishedError:
                raise
            except VerticeError as error:  # refused before anything was written
                answers.append(error)
    return answers


def actor_of(reviewer: Reviewer) -> str:
    """Return how the audit log names somebody."""
    return f"{reviewer.name.strip()} <{reviewer.email.strip()}>"


async def _record_one(change: Change, row: ApvReview, review: Review, asked: Asked) -> DecisionRecord:
    decision = asked.decision
    asked.seen(review)
    expect(review, asked.expected_version)
    check(review, decision, asked.standing)
    binds = asked.permit(review, decision)
    made = rows.decision_row(review, decision, change.clock())
    joined: Sequence[HitlDecision] = ()
    if binds:
        joined = await join(change.session, review, decision.kind)
        row.status = next_status(decision.kind)
    else:
        made.state = DecisionState.waiting
    change.session.add(made)
    change.actor = actor_of(decision.reviewer)
    action = "decision.recorded" if binds else "decision.waiting"
    change.seal(action, row, made, *joined, decision=decision.kind, reason=made.comments)
    return rows.to_decision(made)
