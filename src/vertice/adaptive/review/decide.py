"""Who may decide what on which review: pure rules, no I/O."""

import unicodedata
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from vertice.adaptive.review.model import Decision, DecisionKind, Review, Status
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = [
    "MAX_TEXT",
    "MIN_JUSTIFICATION",
    "UNDECIDED",
    "ConflictError",
    "Standing",
    "check",
    "check_comment",
    "check_evidence",
    "next_status",
    "wanted_requirement",
]

MIN_JUSTIFICATION = 10
"""Characters that can be seen, after stripping (CONTRACT §3)."""

_MAX_NAME, _MAX_EMAIL = 100, 150
MAX_TEXT = 10_000
"""Characters of a justification or a comment at most."""

_NEXT = {
    DecisionKind.approve: Status.approved,
    DecisionKind.reject: Status.rejected,
    DecisionKind.modify: Status.changes_requested,
    DecisionKind.escalate: Status.escalated,
}
_OPEN = {
    Status.pending: frozenset(DecisionKind),
    Status.escalated: frozenset({DecisionKind.approve, DecisionKind.reject, DecisionKind.modify}),
    Status.changes_requested: frozenset({DecisionKind.reject, DecisionKind.modify, DecisionKind.escalate}),
}
"""Which decisions a status still allows; a status that is missing here is final."""

_AGAIN = "Scan the project again, or run `vertice heal`, and decide on what it shows then."

UNDECIDED = frozenset(_OPEN)
"""What still waits for a person."""


class ConflictError(InputError):
    """Catch me when the review is not (or no longer) in a state that allows the decision: look at it again."""

    code = "conflict"
    http_status = 409


@dataclass(frozen=True, slots=True)
class Standing:
    """What lies in the database and in the forge at the moment of the decision; None where it is gone."""

    evidence_digest: str | None
    """sha256 hex, taken anew of the evidence as it is kept."""
    head: str | None
    disagreement: str = ""
    """What of the review is not what its evidence says of it (`evidence.disagreement`)."""


def next_status(kind: DecisionKind) -> Status:
    """Return the status a review has after a decision of this kind."""
    return _NEXT[kind]


def check(review: Review, decision: Decision, standing: Standing) -> None:
    """Return when `decision` may be made on `review` now.

    Raises InputError when the decision itself is incomplete, ConflictError when the review does not allow it.
    """
    _check_words(decision)
    if decision.kind is DecisionKind.modify:
        wanted_requirement(review.package, decision.wanted)
    allowed = _OPEN.get(review.status)
    if allowed is None:
        by = f" by {review.superseded_by}" if review.superseded_by else ""
        raise ConflictError(
            f"is already {review.status}{by}", where=review.code, todo="See `vertice review show` for who decided."
        )
    if decision.kind not in allowed:
        raise ConflictError(
            f"cannot {decision.kind} a review that is {review.status.replace('_', ' ')}",
            where=review.code,
            todo=f"Possible now: {', '.join(sorted(allowed))}.",
        )
    if decision.kind is DecisionKind.approve:
        _check_proof(review, decision)
        _check_standing(review, standing)


def wanted_requirement(package: str, wanted: str) -> str:
    """Return what a `modify` asks for as a PEP 508 requirement: `3.1.6` for jinja2 gives `jinja2==3.1.6`.

    Raises InputError when it is no version, no constraint, or without any version.
    """
    text = wanted.strip()
    for form in (
        f"{package}=={text}",
        f"{package} ({text})",
        text,
    ):  # a bare version is a valid *name* too: try it first
        try:
            requirement = Requirement(form)
        except InvalidRequirement:
            continue
        if requirement.specifier and not requirement.url and not requirement.marker:
            return f"{canonicalize_name(requirement.name)}{requirement.specifier}"
    raise InputError(
        f"{printable(wanted, limit=80)!r} is neither a version nor a constraint",
        where="modify",
        todo="Give what to try instead, such as 3.1.6 or '>=3.1,<4'.",
    )


def check_evidence(review: Review, standing: Standing) -> None:
    """Return when the review says what its evidence says, and that is the evidence it had. Raises ConflictError."""
    if standing.evidence_digest is None:
        raise ConflictError("its evidence is gone", where=review.code, todo=_AGAIN)
    if standing.evidence_digest != review.evidence_digest:
        raise ConflictError("its evidence is not the one that was recorded", where=review.code, todo=_AGAIN)
    if standing.disagreement:
        raise ConflictError(standing.disagreement, where=review.code, todo=_AGAIN)


def check_comment(text: str) -> None:
    """Return when `text` may be kept as a comment. Raises InputError."""
    if not text.strip():
        raise InputError("the comment is empty", where="comment", todo="Write something, or leave it.")
    if len(text) > MAX_TEXT:
        raise InputError(f"the comment is longer than {MAX_TEXT:,} characters", where="comment")
    _check_storable(text, "comment")


def _check_storable(text: str, where: str) -> None:
    if "\0" in text:
        raise InputError("there is a NUL character in it", where=where, todo="Remove it.")


def _check_words(decision: Decision) -> None:
    text = decision.justification.strip()
    _check_storable(text, "justification")
    seen = sum(unicodedata.category(char)[0] != "C" for char in text)  # spaces of no width say nothing
    if seen < MIN_JUSTIFICATION:
        raise InputError(
            f"the justification has {seen} characters, at least {MIN_JUSTIFICATION} are needed",
            where="justification",
            todo="Say why, for whoever reads this in a year.",
        )
    if len(text) > MAX_TEXT:
        raise InputError(f"the justification is longer than {MAX_TEXT:,} characters", where="justification")
    override = decision.confidence_override
    if override is not None and not 0 <= override <= 1:
        raise InputError(f"{override} is not between 0 and 1", where="confidence override")
    name, email = decision.reviewer.name.strip(), decision.reviewer.email.strip()
    if not name or len(name) > _MAX_NAME or printable(name) != name:
        raise InputError("the reviewer has no usable name", where="reviewer", todo="Set git's user.name.")
    if "@" not in email or len(email) > _MAX_EMAIL or printable(email) != email or " " in email:
        raise InputError("the reviewer has no usable e-mail address", where="reviewer", todo="Set git's user.email.")


def _check_proof(review: Review, decision: Decision) -> None:
    if review.verdict in {VerdictWord.failed, VerdictWord.error}:
        raise ConflictError(
            f"the verdict is {review.verdict} ({review.grade}): it cannot be approved",
            where=review.code,
            todo="Reject it, or ask for another version with modify.",
        )
    if review.verdict is VerdictWord.inconclusive and not decision.accept_unproven:
        raise ConflictError(
            "the wargame proved nothing either way (inconclusive)",
            where=review.code,
            todo="To approve it all the same, say that you accept an unproven patch; that is recorded.",
        )


def _check_standing(review: Review, standing: Standing) -> None:
    if review.proposal is None:
        raise ConflictError(
            "there is no patch to merge", where=review.code, todo="Scan the project again, or run `vertice heal`."
        )
    check_evidence(review, standing)
    if standing.head is None:
        raise ConflictError("its patch is gone", where=review.proposal.ref, todo=_AGAIN)
    if standing.head != review.proposal.head:
        raise ConflictError("its patch was changed since it was proven", where=review.proposal.ref, todo=_AGAIN)
