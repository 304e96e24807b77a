"""A wargame that is fought outside, on a machine that is not ours: asked for, waited for, read.

    order ── wait ── receive ── clear

Nobody's word is needed for it to go on: whoever hears of the end tells the trial (`trial_id`, topic `FINISHED`), and it
looks by itself now and then. A trial that hears nothing for six hours ends without a result, and so does one that
cannot be asked for: that proves nothing, and holds up no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dbos import DBOS, DBOSConfiguredInstance

from vertice.adaptive.model import Ordered, Request, Stage, Step, Trial, Venue
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.steps import Conduct, belonging, step, traced
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.wargame.model import Evidence, Probe
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.text import printable

__all__ = ["FINISHED", "TRIALS", "NoArenaError", "Outside", "TrialParts", "Trials", "trial_id", "unfought"]

FINISHED = "finished"
"""Topic on which a trial hears that its wargame ended."""
_LOOKS, _LOOK_SECONDS = 72, 300.0
"""How often a trial looks by itself, and the pause between two looks: six hours in all."""

_Probes = dict[str, tuple[Probe, ...]]


class NoArenaError(InputError):
    """Catch me when this process is set up for no arena outside: no wargame there can be asked for."""

    code = "no-arena"


class Outside(Protocol):
    """An arena that is a machine of its own (`work/arena.py`). All safe to repeat."""

    def order(
        self, request: Request, remedy: Remedy, apvs: tuple[Apv, ...], probes: Mapping[str, tuple[Probe, ...]], run: str
    ) -> Ordered:
        """Have the wargame run there under the code `run`."""
        ...

    def look(self, request: Request, ordered: Ordered) -> dict[str, Any] | None:
        """Return what is told of a wargame that ended, None while it runs."""
        ...

    def receive(
        self,
        request: Request,
        remedy: Remedy,
        sites: tuple[Site, ...],
        probes: Mapping[str, tuple[Probe, ...]],
        ordered: Ordered,
        told: dict[str, Any] | None,
    ) -> Trial:
        """Return what it showed, by what is told of its end; None: it did not end in time."""
        ...

    def clear(self, request: Request, run: str) -> None:
        """Remove what the run alone needed."""
        ...


@dataclass(frozen=True, slots=True)
class TrialParts:
    """What the workflow works with."""

    outside: Outside | None
    """None: this process can reach none."""
    watch: Callable[[Request, Step], None]
    announce: Callable[[Request, Ordered], None]
    """Tells others that it was asked for, once for each code."""
    conduct: Conduct
    look_seconds: float = _LOOK_SECONDS


def unfought(
    request: Request, probes: Mapping[str, tuple[Probe, ...]], run: str, why: str, *, arena: str = ""
) -> Trial:
    """Return the trial that never was: its evidence holds nothing but the reason."""
    unprobed = tuple(code for code, own in probes.items() if not own)
    evidence = Evidence((), (), (), unprobed, request.repeats, printable(why, limit=500))
    return Trial(Venue(run, arena or request.arena), evidence)


def trial_id(run: str) -> str:
    """Return the id of the workflow that waits for the wargame of this code."""
    return f"trial-{run}"


@DBOS.dbos_class()
class Trials(DBOSConfiguredInstance):
    """The workflow: set `TRIALS.parts`, launch DBOS."""

    parts: TrialParts

    def __init__(self) -> None:
        super().__init__("trials")

    @property
    def conduct(self) -> Conduct:
        """How its steps are gone about."""
        return self.parts.conduct

    @DBOS.workflow()
    @belonging
    def run(
        self,
        request: Request,
        remedy: Remedy,
        sites: tuple[Site, ...],
        apvs: tuple[Apv, ...],
        probes: _Probes,
        run: str,
        order: int,
    ) -> Trial:
        """Have one wargame run outside, and return what it showed."""
        try:
            ordered = self.order(request, remedy, apvs, probes, run, order)
        except NoArenaError:
            raise
        except VerticeError as error:
            self.clear(request, run)
            return unfought(request, probes, run, f"it could not be asked for: {error}")
        told: dict[str, Any] | None = None
        for _ in range(_LOOKS):
            told = DBOS.recv(FINISHED, self.parts.look_seconds) or self.look(request, ordered)
            if told is not None and str(told.get("run_url")).casefold() == ordered.url.casefold():
                break
            told = None
        trial = self.receive(request, remedy, sites, probes, ordered, told)
        self.clear(request, run)
        return trial

    @step
    def order(
        self, request: Request, remedy: Remedy, apvs: tuple[Apv, ...], probes: _Probes, run: str, order: int
    ) -> Ordered:
        """Have it run."""
        self.parts.watch(request, Step(Stage.attacking, f"{run} on {request.arena}", order))
        with traced(request, "order", run=run):
            ordered = self._outside.order(request, remedy, apvs, probes, run)
            self.parts.announce(request, ordered)
            return ordered

    @step
    def look(self, request: Request, ordered: Ordered) -> dict[str, Any] | None:
        """Look whether it ended."""
        return self._outside.look(request, ordered)

    @step
    def receive(
        self,
        request: Request,
        remedy: Remedy,
        sites: tuple[Site, ...],
        probes: _Probes,
        ordered: Ordered,
        told: dict[str, Any] | None,
    ) -> Trial:
        """Read what it showed."""
        with traced(request, "receive", run=ordered.run):
            return self._outside.receive(request, remedy, sites, probes, ordered, told)

    @step
    def clear(self, request: Request, run: str) -> None:
        """Tidy up after it."""
        self._outside.clear(request, run)

    @property
    def _outside(self) -> Outside:
        if self.parts.outside is None:
            todo = "Set GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY."
            raise NoArenaError("this worker reaches no arena outside", where="VERTICE_ARENA", todo=todo)
        return self.parts.outside


TRIALS = Trials()
"""The one instance of this process: a workflow that goes on in another process finds it by name."""
