"""Which forge a project has, and proposing with a fall-back from a branch to a patch file."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from vertice.adaptive.execution.git import find_repository
from vertice.adaptive.execution.interface import Dossier, Forge
from vertice.adaptive.execution.local_git import LocalGit, UncommittedError
from vertice.adaptive.execution.patch_file import PatchFile
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review.model import Proposal
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.execution.github import GitHubSettings

__all__ = ["forge_of", "propose"]


def propose(
    project_root: Path,
    remedy: Remedy,
    *,
    code: str,
    message: str,
    home: Path,
    dossier: Dossier | None = None,
    github: "GitHubSettings | None" = None,
    branch: str = "",
) -> Proposal:
    """Keep the remedy where its project comes from.

    A project that was fetched from GitHub gets a pull request to `branch` ("": the repository's default); a git
    repository gets a branch, or a patch file (`note` says why) if it cannot be; any other folder a patch file.
    """
    if _is_fetched(home, project_root):
        return _github(github, home, branch).propose(project_root, remedy, code, message, dossier)
    if shutil.which("git") is None:
        return _patch_file(home, "git is not installed").propose(project_root, remedy, code, message)
    if find_repository(project_root) is None:
        return _patch_file(home).propose(project_root, remedy, code, message)
    try:
        return LocalGit().propose(project_root, remedy, code, message)
    except UncommittedError as error:
        note = printable(f"{error.where} {error.what}", limit=300)
        return _patch_file(home, note).propose(project_root, remedy, code, message)


def forge_of(proposal: Proposal, *, home: Path, github: "GitHubSettings | None" = None) -> Forge:
    """Return the forge that keeps `proposal`."""
    match proposal.forge:
        case "local-git":
            return LocalGit()
        case "patch-file":
            return _patch_file(home)
        case "github":
            return _github(github, home, "")
        case unknown:
            raise InputError(f"there is no forge {printable(unknown)}", where=proposal.ref, todo="Update Vértice.")


def _is_fetched(home: Path, project_root: Path) -> bool:
    from vertice.adaptive.execution.github_fetch import source_of

    return source_of(home, project_root) is not None


def _github(settings: "GitHubSettings | None", home: Path, branch: str) -> Forge:
    from vertice.adaptive.execution.github import GitHub

    if settings is None:
        todo = "Set GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY."
        raise InputError("GitHub is not set up", where="GITHUB_TOKEN", todo=todo)
    return GitHub(settings, home, branch)


def _patch_file(home: Path, note: str = "") -> PatchFile:
    return PatchFile(home / "patches", note=note)
