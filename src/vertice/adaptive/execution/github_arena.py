"""Starting a wargame on GitHub Actions and getting its result (`wargame/actions.py` says what runs there).

The patch lies on a branch of its own (`vertice/wargame/WAR-…`) for as long as the runner needs it; its message keeps
other workflows from running on it. The token needs actions (read and write) besides, and the workflow on the branch
that is named.
"""

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from vertice.adaptive.execution.github_client import Access, session
from vertice.adaptive.execution.github_commit import new_file, paths
from vertice.adaptive.execution.github_fetch import Source
from vertice.adaptive.execution.github_pull import short
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.wargame.actions import MAX_RESULT_BYTES, WORKFLOW_PATH, Order
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.execution.github_api import Api

__all__ = ["collect", "ended", "stage", "start", "unstage"]

_FILE = WORKFLOW_PATH.rpartition("/")[2]
_ARTIFACT, _RESULT = "vertice-wargame", "result.json"
_BRANCH = "refs/heads/vertice/wargame/"
_MESSAGE = """\
{run} [skip ci]

The patch for one wargame of Vértice. The branch is removed when the wargame has ended.
"""


def stage(access: Access, source: Source, remedy: Remedy, run: str) -> str:
    """Put the patch on top of what was scanned, on a branch named after `run`; return its commit. Twice is once.

    Raises InputError when a branch of that name holds anything else.
    """
    return session(access, source.owner, source.repo, lambda api: _stage(api, source, remedy, run))


def unstage(access: Access, repository: str, run: str) -> None:
    """Remove that branch, if it is there."""
    owner, _, repo = repository.partition("/")
    session(access, owner, repo, lambda api: api.delete_ref(_BRANCH + run))


def start(access: Access, repository: str, order: Order, branch: str = "") -> int:
    """Start the wargame, or find the run that a call before this one started; return GitHub's number of the run.

    `branch` is where the workflow is taken from, "" for the default one.
    """
    inputs = order.inputs()
    owner, _, repo = repository.partition("/")
    return session(access, owner, repo, lambda api: _start(api, order.run, inputs, branch))


def ended(access: Access, repository: str, run: int) -> str | None:
    """Return how a run ended (`success`, `failure`, `cancelled`, …), None while it goes on."""
    owner, _, repo = repository.partition("/")
    found = session(access, owner, repo, lambda api: api.workflow_run(run))
    return found.conclusion or "failure" if found.status == "completed" else None


def collect(access: Access, repository: str, run: int) -> bytes | None:
    """Return the result that a finished run left, None when it left none. What it says is still to be checked."""
    owner, _, repo = repository.partition("/")
    return session(access, owner, repo, lambda api: _collect(api, run))


def _stage(api: "Api", source: Source, remedy: Remedy, run: str) -> str:
    ref = _BRANCH + run
    root = api.commit(source.commit).tree.sha
    tree = api.create_tree(root, [new_file(api, root, path, edit) for path, edit in paths(source, source.root, remedy)])
    if api.ref(ref) is None:
        api.create_ref(ref, api.create_commit(_MESSAGE.format(run=run), tree, source.commit))
    commit = api.commit(api.ref(ref) or "")
    if commit.tree.sha != tree or [parent.sha for parent in commit.parents] != [source.commit]:
        where = f"{source.owner}/{source.repo}"
        raise InputError(f"the branch {short(ref)} is not Vértice's", where=where, todo="Remove or rename it.")
    return commit.sha


def _start(api: "Api", title: str, inputs: dict[str, str], branch: str) -> int:
    for run in api.workflow_runs(_FILE):
        if run.display_title == title:
            return run.id
    return api.dispatch(_FILE, branch or api.repository().default_branch, inputs)


def _collect(api: "Api", run: int) -> bytes | None:
    artifact = next((one for one in api.artifacts(run) if one.name == _ARTIFACT and not one.expired), None)
    if artifact is None:
        return None
    where = f"{api.owner}/{api.repo} run {run}"
    packed = io.BytesIO()
    for chunk in api.artifact(artifact.id):
        packed.write(chunk)
        if packed.tell() > MAX_RESULT_BYTES:
            raise InputError("the result is too large", where=where, todo="Is it the workflow of Vértice?")
    return _unzip(packed, where)


def _unzip(packed: io.BytesIO, where: str) -> bytes:
    try:
        with zipfile.ZipFile(packed) as archive, archive.open(_RESULT) as file:
            data = file.read(MAX_RESULT_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        said = printable(str(error), limit=200)
        raise InputError(f"the result cannot be unpacked: {said}", where=where, todo="Run it again.") from error
    if len(data) > MAX_RESULT_BYTES:
        raise InputError("the result is too large", where=where, todo="Is it the workflow of Vértice?")
    return data
