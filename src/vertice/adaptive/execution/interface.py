"""What a forge does: keep a patch until a person decides, then carry the decision out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review.model import Action, Proposal, Reviewer

__all__ = ["Carried", "Forge"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a forge did, in the contract's word and in one sentence."""

    action: Action
    detail: str


class Forge(Protocol):
    """One place where patches live. Every call can be killed at any point and made again: nothing is done twice.

    Calls block (they run programs and write files); in async code run them in a thread. Errors: InputError for what
    the person can mend (nothing has been changed then), UnfinishedError otherwise.
    """

    @property
    def name(self) -> str:
        """What `Proposal.forge` says."""
        ...

    def propose(self, project_root: Path, remedy: Remedy, code: str, message: str) -> Proposal:
        """Keep the remedy as a patch named after `code`, without touching the project's working tree."""
        ...

    def head(self, project_root: Path, proposal: Proposal) -> str | None:
        """Return what `proposal.head` would be now; None when the patch is gone."""
        ...

    def merge(self, project_root: Path, proposal: Proposal, remedy: Remedy, by: Reviewer) -> Carried:
        """Bring the patch into the project."""
        ...

    def close(self, project_root: Path, proposal: Proposal) -> Carried:
        """Put the patch away; it can still be found."""
        ...
