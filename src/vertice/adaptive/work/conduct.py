"""How a worker goes about its steps: tries again for a while, lets a workflow fail, and stops between two steps."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vertice.adaptive.execution.interface import NotYetError
from vertice.kernel.errors import UnfinishedError, VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["WorkerConduct"]

_PAUSES = (2.0, 10.0, 30.0)
"""Seconds before a step that could not be finished is tried again."""
_LONGEST_PAUSE = 3600.0
"""That a forge may ask for: the longest of GitHub's limits."""


class WorkerConduct:
    """`Conduct` of a process that lives on when a workflow fails."""

    def __init__(self, pauses: Sequence[float] = _PAUSES) -> None:
        self._pauses = tuple(pauses)
        self._running = 0
        self._hurried = False
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Count the step while it runs; after `stop` none begins: its thread waits for the end of the process."""
        with self._changed:
            stopped = self._stopping.is_set()
            self._running += not stopped
        if stopped:
            _wait_for_the_end()
        try:
            yield
        finally:
            self._leave()

    def failed(self, error: BaseException, attempt: int) -> None:
        """Pause and return for what may go better later; raise everything else as an error of ours."""
        if isinstance(error, UnfinishedError) and attempt <= len(self._pauses):
            get_logger(__name__).warning("step tried again", why=printable(str(error)), attempt=attempt)
            asked = error.seconds if isinstance(error, NotYetError) else 0.0
            if self._stopping.wait(max(self._pauses[attempt - 1], min(asked, _LONGEST_PAUSE))):
                self._leave()
                _wait_for_the_end()
            return
        if isinstance(error, VerticeError) or not isinstance(error, Exception):
            raise error
        get_logger(__name__).error("step failed", exc_info=error)
        what = f"a fault of Vértice's own: {type(error).__name__}: {printable(str(error), limit=300)}"
        raise UnfinishedError(what, todo="Please report it.") from error

    def stop(self, seconds: float) -> bool:
        """Let no further step begin; say whether those that run ended within `seconds`."""
        self._stopping.set()
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0 or self._hurried, seconds)
            return self._running == 0

    def hurry(self) -> None:
        """End a `stop` that waits."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


def _wait_for_the_end() -> None:
    threading.Event().wait()
