"""A heal on one machine: one process, workflows in SQLite, bubblewrap for an arena, nothing to configure."""

import hashlib
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from dbos import DBOS, SetWorkflowID, WorkflowHandle
from sqlalchemy.exc import DBAPIError

from vertice import __version__
from vertice.adaptive.engine import configured
from vertice.adaptive.gate import Gate
from vertice.adaptive.ground import LocalGround, heal_folder
from vertice.adaptive.model import Healed, Request, Step
from vertice.adaptive.pipeline import HEAL, POLL_SECONDS, Parts, heal_id
from vertice.adaptive.wargame.environment import Environments
from vertice.adaptive.wargame.snapshot import project_digest
from vertice.kernel.errors import UnfinishedError, from_os_error
from vertice.kernel.locks import exclusive
from vertice.kernel.origin import Origin
from vertice.kernel.text import printable

__all__ = ["Finished", "heal", "with_digest"]

_KEPT_STATES = 5
"""States of one project whose results are kept: heals of them are known, not proven anew."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A heal that came to its end."""

    healed: Healed
    resumed: bool
    """An earlier process had begun it."""
    known: bool
    """An earlier process had ended it: this is what it found."""


def with_digest(request: Request, ground: LocalGround, *, again: str = "") -> Request:
    """Return the request with the digest of all that its result depends on. `again`: anything new, to prove it anew.

    Where the files of a registered project and the probes lie makes no difference: another machine has them elsewhere.
    """
    digest = hashlib.sha256(project_digest(Path(request.project)).encode())
    place = "" if request.key else request.project
    asked = repr(replace(request, project=place, probes=(), digest="", today="", scan="", asked_by="", origin=Origin()))
    feed = repr(ground.store.info()) if ground.store else ""
    probes = sorted(text for probe in ground.all_probes(request) for text in (probe.id, probe.source))
    for part in (__version__, again, asked, feed, *probes):
        digest.update(b"\0" + part.encode("utf-8", "surrogateescape"))
    return replace(request, digest=digest.hexdigest())


def heal(request: Request, ground: LocalGround, environments: Environments, watch: Callable[[Step], None]) -> Finished:
    """Run the heal to its end, from where an earlier process left it. `watch` hears of every step, from many threads.

    Raises what kept a step from being finished; the workflow then stays as a kill would leave it, and the process has
    to end, since its threads wait for that.
    """
    ends: queue.SimpleQueue[Healed | BaseException] = queue.SimpleQueue()
    folder = heal_folder(ground.home, request)
    with exclusive(folder.with_name("lock")):
        places = len(os.sched_getaffinity(0))
        conduct = _GiveUp(ends.put)
        HEAL.parts = Parts(ground, environments, ground.arena, Gate(places), lambda _, step: watch(step), conduct)
        with _dbos(folder / "workflow.db"):
            earlier = DBOS.get_workflow_status(heal_id(request))
            with SetWorkflowID(heal_id(request)):
                handle = DBOS.start_workflow(HEAL.run, request)
            threading.Thread(target=_wait, args=(handle, ends), daemon=True).start()
            ended = ends.get()
            if isinstance(ended, BaseException):
                raise ended
        _remove_old(folder)
        known = earlier is not None and earlier.status == "SUCCESS"
        return Finished(ended, resumed=earlier is not None and not known, known=known)


@dataclass(frozen=True, slots=True)
class _GiveUp:
    """A step that cannot be finished ends the process: nothing of it is stored, so the next start tries it again."""

    end: Callable[[BaseException], None]

    def step(self) -> AbstractContextManager[None]:
        return nullcontext()

    def failed(self, error: BaseException, attempt: int) -> None:  # noqa: ARG002
        self.end(error)
        threading.Event().wait()  # the process is ending: returning or raising would store something


def _remove_old(folder: Path) -> None:
    """Remove what ended heals need no more: the copy of the project, and all but the last states of the project.

    A heal of another state that was killed is not gone on with: the project is no longer what it was about.
    """
    shutil.rmtree(folder / "project", ignore_errors=True)
    folder.touch()
    states = sorted((path for path in folder.parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for old in states[:-_KEPT_STATES]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _dbos(path: Path) -> Iterator[None]:
    """Launch DBOS on one file; workflows that a killed process left there go on by themselves."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, "making the folder of the workflow") from error
    DBOS(config=configured(f"sqlite:///{path}", executor="local", version=__version__))
    try:
        DBOS.launch()
        yield
        # Not after an error: a workflow that finds DBOS gone is stored as failed, and would never go on.
        DBOS.destroy()
    except DBAPIError as error:
        raise _explained(error, path) from error


def _explained(error: DBAPIError, path: Path) -> UnfinishedError:
    """Say why the workflow's own file, from which the heal would go on, cannot be used."""
    said = str(error.orig)
    if "is full" in said:
        return UnfinishedError(
            "no space left to note how far the heal is", where=str(path), todo="Free some space and run it again."
        )
    return UnfinishedError(
        f"how far the heal is cannot be noted: {printable(said, limit=200)}",
        where=str(path),
        todo="Remove this file to begin the heal anew.",
    )


def _wait(handle: WorkflowHandle[Healed], ends: "queue.SimpleQueue[Healed | BaseException]") -> None:
    try:
        ends.put(handle.get_result(polling_interval_sec=POLL_SECONDS))
    except BaseException as error:  # noqa: BLE001 -- raised again by whoever takes it from the queue
        ends.put(error)
