"""What a forge does: keep a patch until a person decides, then carry the decision out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review.model import Action, DecisionRecord, Proposal, Reviewer
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.wargame.model import Evidence, Verdict
from vertice.kernel.errors import UnfinishedError

__all__ = ["Carried", "Dossier", "Forge", "NotYetError"]


class NotYetError(UnfinishedError):
    """Catch me when the forge cannot do it now, but will when asked again later: checks run, a limit is used up.

    `seconds`: how long the forge wants to be left alone (HTTP's Retry-After); 0: it does not say. It is known where the
    error is raised alone: stored by a workflow, an error has its three parts.
    """

    code = "not-yet"

    def __init__(self, what: str, *, where: str = "", todo: str = "", seconds: float = 0.0) -> None:
        super().__init__(what, where=where, todo=todo)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Carried:
    """What a forge did, in the contract's word and in one sentence."""

    action: Action
    detail: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """What people are told of a patch where the forge has room for more than a commit message."""

    run: str
    """`WAR-YYYYMMDD-NNN`."""
    apvs: tuple[Apv, ...]
    """Those that the remedy removes, the most urgent first."""
    evidence: Evidence
    verdict: Verdict
    evidence_digest: str
    """sha256 hex of the evidence file."""
    signer: str
    """Fingerprint of the key that signed it."""
    doubts: tuple[str, ...] = ()
    """Why an advisory's range looks wrong."""
    held: str = ""
    """Why policy holds the release back; "" when it does not."""
    arena: str = ""
    """Where it was proven: `bwrap 0.8.0`."""


class Forge(Protocol):
    """One place where patches live. Every call can be killed at any point and made again: nothing is done twice.

    Calls block (they run programs, write files, ask a server); in async code run them in a thread. Errors: InputError
    for what the person can mend (nothing has been changed then), NotYetError when it is to be tried again later,
    UnfinishedError otherwise.
    """

    @property
    def name(self) -> str:
        """What `Proposal.forge` says."""
        ...

    def propose(
        self, project_root: Path, remedy: Remedy, code: str, message: str, dossier: Dossier | None = None
    ) -> Proposal:
        """Keep the remedy as a patch named after `code`, without touching the project's working tree."""
        ...

    def head(self, project_root: Path, proposal: Proposal) -> str | None:
        """Return what `proposal.head` would be now; None when the patch is gone."""
        ...

    def merge(self, project_root: Path, proposal: Proposal, remedy: Remedy, by: Reviewer) -> Carried:
        """Bring the patch into the project."""
        ...

    def close(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:
        """Put the patch away, with the reason; it can still be found."""
        ...

    def request_changes(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:
        """Say at the patch what the reviewer wants instead."""
        ...

    def escalate(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:
        """Bring the patch before whoever leads."""
        ...
