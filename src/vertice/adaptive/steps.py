"""Durable steps: what runs once, what a failure of it does to its process, and which request it belongs to."""

import functools
import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from dbos import DBOS

from vertice.adaptive.model import Request
from vertice.kernel import tracing

__all__ = ["Conduct", "Stepping", "belonging", "step", "traced"]

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


def belonging(
    workflow: Callable[Concatenate[_S, Request, _P], _R],
) -> Callable[Concatenate[_S, Request, _P], _R]:
    """Let what a workflow traces, logs and leaves for others belong to what its `Request` comes from.

    On whichever machine it runs: put it right below `DBOS.workflow`.
    """

    @functools.wraps(workflow)
    def belongs(self: _S, request: Request, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with request.origin.continued():
            return workflow(self, request, *args, **kwargs)

    return belongs


def traced(request: Request, name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """Trace the block as a part of the heal that `request` asks for."""
    return tracing.span(name, project=request.name, **attributes)
