"""What goes over the WebSocket `/hitl/ws`, in the words of the wire: docs/live.md says when, and in which order."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vertice.adaptive.messages.payloads import Action, Confidence, DecisionWord, Priority, Severity, Verdict
from vertice.kernel.bus.cloudevents import Payload

__all__ = [
    "SAID",
    "TAKEN",
    "DecisionFacts",
    "DecisionTold",
    "Ping",
    "ProgressTold",
    "Refused",
    "Request",
    "Reset",
    "ReviewFacts",
    "ReviewTold",
    "ScanFacts",
    "ScanTold",
    "StatsTold",
    "Subscribed",
    "Unsubscribed",
    "Waiting",
    "WargameStep",
]

Grade = Literal["proven", "partly proven", "unproven", "refuted", "broken"]
Status = Literal["pending", "approved", "rejected", "changes_requested", "escalated", "superseded"]
DecisionState = Literal["waiting", "seconded", "lapsed", "recorded", "done", "failed"]
ScanState = Literal["queued", "running", "finished", "failed"]
Trigger = Literal["person", "schedule", "webhook", "message", "decision"]
Stage = Literal["scanning", "planning", "building", "attacking", "testing", "proving", "done"]


class DecisionFacts(Payload):
    """A decision, and how far it has been carried out."""

    id: UUID
    """For `GET /hitl/decisions/{id}`."""
    kind: DecisionWord
    reviewer: str
    """Name, as the login said it."""
    state: DecisionState
    action: Action | None
    """What was done; null until something was."""
    detail: str
    """How it was done, or why it could not be."""
    wanted: str
    """With modify: the version or constraint to try."""


class ReviewFacts(Payload):
    """A review as it is after the change: enough for a list to be kept up to date."""

    code: str
    """`APV-YYYYMMDD-NNN`"""
    cve: str
    """CVE id, or the advisory's own id where it has none."""
    severity: Severity
    package: str
    package_change: str | None
    """`2.11.2 → 3.1.6`"""
    project: str
    """Name of the project."""
    verdict: Verdict
    grade: Grade
    confidence: Confidence
    status: Status
    priority: Priority
    assignee: str | None
    """Id of the login that has it; null: nobody has."""
    due_at: AwareDatetime | None
    """When policy wants it decided."""
    version: int
    """Counts every change; also the ETag."""
    revision: int
    """Counts the remedies that were proposed under this review."""
    decision: DecisionFacts | None
    """The decision that the event is about, if it is about one."""


class Waiting(Payload):
    """What waits for a decision now."""

    total: int
    """Reviews."""
    overdue: int
    """Those of `total` whose time limit has passed."""
    by_severity: dict[Severity, int]
    """Every severity, 0 where there is none."""


class ScanFacts(Payload):
    """A scan as it is after the change."""

    project: UUID
    """Id of the project."""
    state: ScanState
    trigger: Trigger
    heal: bool
    """Remedies are prepared and proven, too."""
    priority: Priority
    findings: int | None
    """How many APVs the project has, without waived ones; null before it is known."""
    detail: str
    """Why it failed, or how the heal ended."""


class WargameStep(Payload):
    """One thing that just began or ended."""

    stage: Stage
    text: str
    """What it is, in words: untrusted text."""
    remedy: int
    """Place of the remedy in the scan's plan, from 0; -1 for what serves them all."""
    side: Literal["", "before", "after"]
    """Which of the two environments; "" where there is none."""
    detail: bool
    """One of very many, for a display that moves."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    channel: str
    """What you subscribed to."""
    seq: int
    """Rises within a channel; for `after` when you are back."""
    at: AwareDatetime


class ReviewTold(_Told):
    """A review was made or proven anew, changed, or commented on."""

    type: Literal["new_review", "review_updated", "comment_added"]
    subject: str
    """Code of the review."""
    data: ReviewFacts


class DecisionTold(_Told):
    """A decision was made, waits for a second person, was carried out, or could not be."""

    type: Literal[
        "decision_made", "decision_waiting", "decision_postponed", "decision_carried_out", "decision_not_carried_out"
    ]
    subject: str
    """Code of the review."""
    data: ReviewFacts


class StatsTold(_Told):
    """How much waits has changed; at most one a second."""

    type: Literal["stats_update"]
    subject: Literal[""]
    data: Waiting


class ScanTold(_Told):
    """A scan was asked for, has begun, or has ended."""

    type: Literal["scan_queued", "scan_started", "scan_finished", "scan_failed"]
    subject: UUID
    """Id of the scan."""
    data: ScanFacts


class ProgressTold(_Told):
    """A scan, or one of its wargames, has come further."""

    type: Literal["wargame_progress"]
    subject: UUID
    """Id of the scan."""
    data: WargameStep


class Subscribed(BaseModel):
    """What was missed has been sent; from now on everything comes."""

    type: Literal["subscribed"] = "subscribed"
    channel: str
    seq: int = Field(description="Where the channel stands.")


class Unsubscribed(BaseModel):
    """Nothing more comes of this channel."""

    type: Literal["unsubscribed"] = "unsubscribed"
    channel: str


class Reset(BaseModel):
    """What you missed was forgotten: load what you show anew. The channel goes on from now."""

    type: Literal["reset"] = "reset"
    channel: str


class Ping(BaseModel):
    """The connection is there."""

    type: Literal["ping"] = "ping"
    at: AwareDatetime


class Refused(BaseModel):
    """What you sent cannot be done."""

    type: Literal["error"] = "error"
    detail: str = Field(description="What was wrong with it.")
    todo: str = Field(description="What to do about it.")


class Request(BaseModel):
    """What a client may send."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    type: Literal["subscribe", "unsubscribe", "pong"]
    channel: str = Field(default="", max_length=100)
    """`reviews`, `decisions`, `stats`, `wargames`, or `review:` and the code of a review."""
    after: int | None = Field(default=None, ge=0, le=2**53)
    """With subscribe: number of the last event you saw. What came since is sent first."""


TAKEN: tuple[type[BaseModel], ...] = (Request,)
"""The messages that a client sends."""

SAID: tuple[type[BaseModel], ...] = (
    *(ReviewTold, DecisionTold, StatsTold, ScanTold, ProgressTold),
    *(Subscribed, Unsubscribed, Reset, Ping, Refused),
)
"""The messages that a client gets."""
