"""The commit and the branch of a proposal, made of git objects through GitHub's API."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vertice.adaptive.execution.github_fetch import Source
from vertice.adaptive.execution.paths import inside
from vertice.adaptive.remedy.model import Edit, Remedy
from vertice.kernel.errors import InputError

if TYPE_CHECKING:
    from vertice.adaptive.execution.github_api import Api

__all__ = ["make_branch", "new_file", "paths", "refuse_moved"]

_BRANCH = "refs/heads/vertice/"
_MAX_SUFFIX = 20
_REGULAR = frozenset({"100644", "100755"})


def paths(source: Source, project_root: Path, remedy: Remedy) -> Iterator[tuple[str, Edit]]:
    """Yield each edit with its path in the repository."""
    for edit in remedy.edits:
        yield inside(source.root, project_root, edit.path), edit


def new_file(api: "Api", root: str, path: str, edit: Edit) -> tuple[str, str, str]:
    """Return path, mode and new content, having checked that the old one is committed as it was scanned."""
    found = api.entry(root, path)
    if edit.before is None:
        if found is not None:
            raise InputError("is committed, but was not there when it was scanned", where=path, todo="Scan again.")
        return path, "100644", edit.after
    if found is None or found.mode not in _REGULAR:
        raise InputError("is no committed file", where=path, todo="Name the real file, then scan again.")
    if found.sha == _blob(edit.before):
        return path, found.mode, edit.after
    # .gitattributes may have an archive hold CRLF where the repository has LF.
    if found.sha == _blob(_unix(edit.before)):
        return path, found.mode, _unix(edit.after)
    raise InputError(
        "differs from what was scanned", where=path, todo="Take export-subst for it out of .gitattributes."
    )


def make_branch(api: "Api", base: str, tree: str, code: str, message: str) -> tuple[str, str]:
    """Return full name and commit of the first branch named after `code` that is ours, made if none is."""
    present = api.refs_like(_BRANCH + code)
    for ref in (_BRANCH + code, *(f"{_BRANCH}{code}-{number}" for number in range(2, _MAX_SUFFIX + 1))):
        if ref not in present:
            api.create_ref(ref, api.create_commit(message, tree, base))
            present[ref] = api.ref(ref) or ""
        commit = api.commit(present[ref])
        if commit.tree.sha == tree and [parent.sha for parent in commit.parents] == [base]:
            return ref, commit.sha
    raise InputError(
        f"there are {_MAX_SUFFIX} branches named after {code}", where=f"{api.owner}/{api.repo}", todo="Delete some."
    )


def refuse_moved(api: "Api", tip: str, edits: Iterable[tuple[str, Edit]], target: str) -> None:
    """Raise InputError when a file of the patch is on the target branch otherwise than it was scanned."""
    root = api.commit(tip).tree.sha
    for path, edit in edits:
        found = api.entry(root, path)
        before = () if edit.before is None else (_blob(edit.before), _blob(_unix(edit.before)))
        if (found.sha not in before) if found is not None else (edit.before is not None):
            raise InputError(
                f"was changed on {target} since the patch was proven",
                where=path,
                todo="The next scan proves it on what is there now.",
            )


def _blob(text: str) -> str:
    """Return the id that git gives a file of this content."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
