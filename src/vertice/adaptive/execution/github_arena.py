"""Starting a wargame on GitHub Actions and getting its result (`wargame/actions.py` says what runs there).

The token needs actions (read and write) besides, and the workflow on the branch that is named.
"""

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from vertice.adaptive.execution.github_client import Access, session
from vertice.adaptive.wargame.actions import MAX_RESULT_BYTES, WORKFLOW_PATH, Order
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.execution.github_api import Api

__all__ = ["collect", "start"]

_FILE = WORKFLOW_PATH.rpartition("/")[2]
_ARTIFACT, _RESULT = "vertice-wargame", "result.json"


def start(access: Access, repository: str, order: Order, branch: str = "") -> int:
    """Start the wargame, or find the run that a call before this one started; return GitHub's number of the run.

    `branch` is where the workflow is taken from, "" for the default one.
    """
    inputs = order.inputs()
    owner, _, repo = repository.partition("/")
    return session(access, owner, repo, lambda api: _start(api, order.run, inputs, branch))


def collect(access: Access, repository: str, run: int) -> bytes | None:
    """Return the result that a finished run left, None when it left none. What it says is still to be checked."""
    owner, _, repo = repository.partition("/")
    return session(access, owner, repo, lambda api: _collect(api, run))


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
