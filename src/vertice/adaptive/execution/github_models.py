"""What is read of GitHub's answers. The rest of each is left alone: releases of GitHub differ in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar

__all__ = [
    "Artifact",
    "Artifacts",
    "BranchOf",
    "BranchState",
    "CheckRun",
    "CheckRuns",
    "CombinedStatus",
    "Comment",
    "Commit",
    "Created",
    "Dispatched",
    "GitTree",
    "Installation",
    "Label",
    "Merged",
    "Protection",
    "Pull",
    "Ref",
    "Repository",
    "RequiredChecks",
    "Rule",
    "Status",
    "StatusWord",
    "TreeEntry",
    "WorkflowRun",
    "WorkflowRuns",
    "parse",
]

_T = TypeVar("_T")

StatusWord: TypeAlias = Literal["success", "failure", "error", "pending"]


def parse(model: type[_T], content: bytes) -> _T:
    """Return the JSON `content` as `model`. Raises pydantic's ValidationError (a ValueError) when it does not fit."""
    from pydantic import TypeAdapter

    return TypeAdapter(model).validate_json(content)


@dataclass(frozen=True, slots=True)
class Created:
    """Something that was made, by its id."""

    sha: str


@dataclass(frozen=True, slots=True)
class Installation:
    """Where a GitHub App is installed."""

    id: int


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, and what its owner allows. The three are absent for a token that may not write."""

    default_branch: str
    allow_merge_commit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch: its full name and the commit that it points to."""

    ref: str
    object: Created


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: id, tree, parents."""

    sha: str
    tree: Created
    parents: tuple[Created, ...]


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file or folder of a tree."""

    path: str
    mode: str
    type: str
    sha: str


@dataclass(frozen=True, slots=True)
class GitTree:
    """One folder."""

    sha: str
    tree: tuple[TreeEntry, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class BranchOf:
    """One end of a pull request."""

    ref: str
    sha: str
    label: str | None = None
    """`owner:branch`."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label on a pull request."""

    name: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request. The last two are told of a single one only, and are worked out after a change."""

    number: int
    html_url: str
    state: str
    head: BranchOf
    base: BranchOf
    merged_at: datetime | None = None
    labels: tuple[Label, ...] = ()
    mergeable: bool | None = None
    mergeable_state: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge."""

    sha: str
    merged: bool


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment or a review."""

    body: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What one outside service says of a commit."""

    context: str
    state: StatusWord
    description: str | None = None
    target_url: str | None = None


@dataclass(frozen=True, slots=True)
class CombinedStatus:
    """The last word of every outside service."""

    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class CheckRun:
    """One check: `conclusion` is None until `status` is `completed`."""

    name: str
    status: str
    conclusion: str | None = None


@dataclass(frozen=True, slots=True)
class CheckRuns:
    """The checks of a commit."""

    check_runs: tuple[CheckRun, ...]


@dataclass(frozen=True, slots=True)
class RequiredChecks:
    """Names of the checks that a protected branch asks for."""

    contexts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protection:
    """What a protected branch asks for."""

    required_status_checks: RequiredChecks | None = None


@dataclass(frozen=True, slots=True)
class BranchState:
    """A branch, its commit and its protection."""

    commit: Created
    protection: Protection | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a ruleset that holds for a branch."""

    type: str
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A run of a workflow; `display_title` is what its file says under `run-name`."""

    id: int
    display_title: str
    status: str | None = None
    conclusion: str | None = None
    """None until `status` is `completed`."""


@dataclass(frozen=True, slots=True)
class WorkflowRuns:
    """Runs of a workflow, the newest first."""

    workflow_runs: tuple[WorkflowRun, ...]


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A workflow that was just started."""

    workflow_run_id: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a run left behind."""

    id: int
    name: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Artifacts:
    """All that a run left behind."""

    artifacts: tuple[Artifact, ...]
