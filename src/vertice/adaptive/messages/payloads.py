"""What each message carries. The words are the wire's own: they stay when a class of ours is renamed.

`v` is the version of a payload's form. A new field does not change it (readers pass over what they do not know); what
an old reader would get wrong does.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from vertice.kernel.bus.cloudevents import CloudEvent, Line, Payload, Prose

__all__ = [
    "ApvDispatch",
    "ApvDispatched",
    "Decision",
    "DecisionChanged",
    "Remedy",
    "RemedyChanged",
    "ReviewRequest",
    "ReviewRequested",
    "WargameFinished",
    "WargameRequest",
    "WargameRequested",
    "WargameResult",
]

AdvisoryId = Annotated[
    str,
    StringConstraints(
        pattern=r"^(CVE-[0-9]{4}-[0-9]{4,10}|GHSA(-[23456789cfghjmpqrvwx]{4}){3}|PYSEC-[0-9]{4}-[0-9]{1,10})$"
    ),
]
PackageName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", min_length=1, max_length=100)
]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+!_-]*$", min_length=1, max_length=100)]
ApvCode = Annotated[
    str, StringConstraints(pattern=r"^APV-[0-9]{8}-[0-9]{3,10}$"), Field(description="`APV-YYYYMMDD-NNN`")
]
WargameCode = Annotated[
    str, StringConstraints(pattern=r"^WAR-[0-9]{8}-[0-9]{3,10}$"), Field(description="`WAR-YYYYMMDD-NNN`")
]
Name = Annotated[Line, Field(min_length=1, max_length=200)]
Place = Annotated[Line, Field(min_length=1, max_length=1000)]
Severity = Literal["critical", "high", "medium", "low"]
Verdict = Literal["success", "failed", "inconclusive", "error"]
Strategy = Literal["upgrade", "relax", "parent", "override"]
DecisionWord = Literal["approve", "reject", "modify", "escalate"]
Action = Literal["pr_merged", "pr_closed", "changes_requested", "escalated"]
Confidence = Annotated[float, Field(ge=0, le=1, description="Of the verdict, 0..1.")]
Priority = Annotated[int, Field(ge=1, le=10, description="1 (most urgent) to 10.")]


class ApvDispatch(Payload):
    """One advisory that an outside scanner matched to one dependency of one project."""

    v: Literal[1] = 1
    advisory: AdvisoryId
    """CVE, GHSA or PYSEC id."""
    package: PackageName
    version: Version
    """The one in use."""
    project: Place
    """Name or location of a registered project."""
    scanner: Name
    """Who found it: `trivy 0.58`."""
    severity: Severity | None = None
    summary: Prose = ""
    found_at: AwareDatetime | None = None


class ApvDispatched(CloudEvent):
    """An outside scanner found an APV."""

    type: Literal["dev.vertice.apv.dispatched"]
    data: ApvDispatch


class Remedy(Payload):
    """How far a remedy is."""

    v: Literal[1] = 1
    apvs: Annotated[tuple[ApvCode, ...], Field(min_length=1, max_length=1000)]
    """What it removes, the most urgent first."""
    project: Place
    package: PackageName
    from_version: Line
    to_version: Line
    """Empty where the package goes away."""
    strategy: Strategy
    verdict: Verdict | None = None
    confidence: Confidence | None = None
    wargame: WargameCode | None = None
    """The one that judged it."""
    detail: Prose = ""


class RemedyChanged(CloudEvent):
    """A remedy was planned, refuted by its wargame, or proposed for review."""

    type: Literal["dev.vertice.remedy.planned", "dev.vertice.remedy.refuted", "dev.vertice.remedy.proposed"]
    data: Remedy


class WargameRequest(Payload):
    """A wargame that waits for an outside arena."""

    v: Literal[1] = 1
    code: WargameCode
    arena: Name
    """`github`, for instance: an arena takes the requests that name it."""
    apvs: Annotated[tuple[ApvCode, ...], Field(min_length=1, max_length=1000)]
    project: Place
    ref_before: Line
    """Git ref or commit of the project without the patch."""
    ref_after: Line
    """Git ref or commit of the project with the patch."""
    digest: Line
    """sha256 of both locks: the result must name the same."""
    priority: Priority


class WargameRequested(CloudEvent):
    """A wargame is to be run in an outside arena."""

    type: Literal["dev.vertice.wargame.requested"]
    data: WargameRequest


class WargameResult(Payload):
    """How a wargame in an outside arena ended. The verdict is made here, of `result`, and not believed from there."""

    v: Literal[1] = 1
    code: WargameCode
    arena: Name
    conclusion: Literal["success", "failure", "cancelled", "timed_out"]
    """Of the run, not of the patch."""
    run_url: Line = ""
    finished_at: AwareDatetime
    result: dict[str, JsonValue] | None = None
    """What the runner wrote, as it stands; null when it wrote nothing."""


class WargameFinished(CloudEvent):
    """A wargame in an outside arena ended."""

    type: Literal["dev.vertice.wargame.finished"]
    data: WargameResult


class ReviewRequest(Payload):
    """A review that waits for a person."""

    v: Literal[1] = 1
    code: ApvCode
    cve: Line
    """CVE id, or the advisory's own id where it has none."""
    severity: Severity
    package: PackageName
    project: Place
    priority: Priority
    verdict: Verdict
    confidence: Confidence
    revision: Annotated[int, Field(ge=1)]
    """Counts the remedies that were proposed under this review."""
    due_at: AwareDatetime | None = None
    """When policy wants it decided."""


class ReviewRequested(CloudEvent):
    """A review waits for a person."""

    type: Literal["dev.vertice.review.requested"]
    data: ReviewRequest


class Decision(Payload):
    """A person's decision, and what was done about it."""

    v: Literal[1] = 1
    id: Name
    """Of the decision: a UUID."""
    review: ApvCode
    """Code of the review."""
    decision: DecisionWord
    reviewer: Name
    """Name, as shown; no address."""
    decided_at: AwareDatetime
    action: Action | None = None
    """What was done; null until something was."""
    detail: Prose = ""
    """How it was done, or why it could not be."""


class DecisionChanged(CloudEvent):
    """A decision was made, was carried out, or could not be carried out."""

    type: Literal["dev.vertice.decision.made", "dev.vertice.decision.carried_out", "dev.vertice.decision.failed"]
    data: Decision
