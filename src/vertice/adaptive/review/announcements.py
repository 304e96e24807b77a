"""Which messages a change of a review leaves for others, in the words of the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from vertice.adaptive.messages.announce import Announcer
from vertice.adaptive.messages.payloads import Decision, ReviewRequest
from vertice.adaptive.review.tables import ApvReview, HitlDecision
from vertice.kernel.database import WriteSession
from vertice.kernel.text import printable

__all__ = ["announce"]

_DECISIONS: Mapping[str, Literal["made", "carried_out", "failed"]] = {
    "decision.recorded": "made",
    "decision.made_elsewhere": "carried_out",
    "decision.carried_out": "carried_out",
    "decision.not_carried_out": "failed",
}


def announce(
    session: WriteSession, action: str, review: ApvReview, decision: HitlDecision | None, at: datetime
) -> None:
    """Leave the messages of `action` (of the audit entry) in the transaction of the change."""
    announcer = Announcer(session, at=at)
    if action in {"review.created", "review.revised"}:
        announcer.review_requested(_request(review))
    elif action in _DECISIONS and decision is not None:
        announcer.decision(_DECISIONS[action], _decision(decision))


def _request(review: ApvReview) -> ReviewRequest:
    return ReviewRequest.model_validate(
        {
            "code": review.apv_code,
            "cve": printable(review.cve_id, limit=50),
            "severity": str(review.severity),
            "package": review.package_name,
            "project": printable(review.project_name, limit=200) or "project",
            "priority": review.priority,
            "verdict": str(review.wargame_verdict),
            "confidence": review.wargame_confidence,
            "revision": review.revision,
            "due_at": review.due_at,
        }
    )


def _decision(made: HitlDecision) -> Decision:
    return Decision.model_validate(
        {
            "id": str(made.id),
            "review": made.apv_code,
            "decision": str(made.decision),
            "reviewer": printable(made.reviewer_name, limit=200),
            "decided_at": made.created_at,
            "action": None if made.action_taken is None else str(made.action_taken),
            "detail": printable(made.detail, limit=2000),
        }
    )
