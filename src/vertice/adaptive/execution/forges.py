"""Which forge a project has, and proposing with a fall-back from a branch to a patch file."""

import shutil
from pathlib import Path

from vertice.adaptive.execution.git import find_repository
from vertice.adaptive.execution.interface import Forge
from vertice.adaptive.execution.local_git import LocalGit, UncommittedError
from vertice.adaptive.execution.patch_file import PatchFile
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review.model import Proposal
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["forge_of", "propose"]


def propose(project_root: Path, remedy: Remedy, *, code: str, message: str, home: Path) -> Proposal:
    """Keep the remedy as a branch of the project's repository, or as a patch file (`note` says why) if it cannot be."""
    if shutil.which("git") is None:
        return _patch_file(home, "git is not installed").propose(project_root, remedy, code, message)
    if find_repository(project_root) is None:
        return _patch_file(home).propose(project_root, remedy, code, message)
    try:
        return LocalGit().propose(project_root, remedy, code, message)
    except UncommittedError as error:
        note = printable(f"{error.where} {error.what}", limit=300)
        return _patch_file(home, note).propose(project_root, remedy, code, message)


def forge_of(proposal: Proposal, *, home: Path) -> Forge:
    """Return the forge that keeps `proposal`."""
    forges: tuple[Forge, ...] = (LocalGit(), _patch_file(home))
    for forge in forges:
        if forge.name == proposal.forge:
            return forge
    raise InputError(f"there is no forge {printable(proposal.forge)}", where=proposal.ref, todo="Update Vértice.")


def _patch_file(home: Path, note: str = "") -> PatchFile:
    return PatchFile(home / "patches", note=note)
