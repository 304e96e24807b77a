"""Durable steps: what runs once, what a failure of it does to the process it runs in, and the trace it belongs to."""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from dbos import DBOS

from vertice.adaptive.model import Request
from vertice.kernel import tracing

__all__ = ["Conduct", "Stepping", "step", "traced"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_S = TypeVar("_S", bound="Stepping")


class Conduct(Protocol):
    """How a process goes about its steps."""

    def step(self) -> AbstractContextManager[None]:
        """Hold the block from a step's beginning until its result is stored; never enters once the process ends."""
        ...

    def failed(self, error: BaseException, attempt: int) -> None:
        """Hear that a step failed for the `attempt`-th time.

        Returns to have it tried again, raises what the workflow fails with, or never returns: then nothing is stored,
        and the next process tries it again.
        """
        ...


class Stepping(Protocol):
    """A workflow whose methods are steps."""

    @property
    def conduct(self) -> Conduct:
        """How its steps are gone about."""
        ...


def step(function: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Make a method a durable step, tried again and given up as the workflow's `conduct` says."""

    @functools.wraps(function)
    def tried(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        for attempt in itertools.count(1):
            try:
                return function(self, *args, **kwargs)
            except BaseException as error:  # noqa: BLE001 -- `failed` raises it, or something that says more
                self.conduct.failed(error, attempt)
        raise AssertionError

    stored = DBOS.step()(tried)

    @functools.wraps(stored)
    def conducted(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self.conduct.step():
            return stored(self, *args, **kwargs)

    return conducted


@contextmanager
def traced(request: Request, name: str, **attributes: str | int) -> Iterator[None]:
    """Trace the block as a part of what `request` comes from, on whichever machine it runs."""
    with tracing.continued(request.traceparent), tracing.span(name, project=request.name, **attributes):
        yield
