"""The whole way on one page: scan -> triage -> remedy -> wargame -> review -> execution.

    heal ─┬─ find      components, matches, APVs; a copy of the project to test on
          ├─ plan      remedies, the most urgent first
          ├─ baseline  per lock: environment before, tests before
          └─ prove     per remedy, both sides at once:
                ├─ before    environment, attacks
                ├─ after     environment, attacks, tests
                ├─ judge     refuted: plan the next release, and again from "after"
                └─ conclude  branch, signed evidence, a review that waits

Every step runs once: its result is stored, and a process killed anywhere goes on after the last one that finished
(DBOS). A step that cannot be finished stops the process the same way (`Parts.give_up`): nothing of it is stored, so the
next start tries it again. Every step is safe to repeat, because a kill may fall between doing and storing.
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from dbos import DBOS, DBOSConfiguredInstance, SetWorkflowID, WorkflowHandle

from vertice.adaptive.gate import Gate
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.model import Attempt, Found, Healed, Plan, Proof, Request, SideReport, Stage, Step
from vertice.adaptive.proof import evidence_of, proof_of, refutation_of
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.wargame.attack import Arena, attack
from vertice.adaptive.wargame.environment import EnvironmentFailed, Environments
from vertice.adaptive.wargame.model import CaseRun, EnvironmentReport, Outcome, Probe, Side, TestReport
from vertice.adaptive.wargame.suite import TOOLS, Suite, run_suite
from vertice.adaptive.wargame.verdict import judge

__all__ = ["POLL_SECONDS", "Ground", "Heal", "Parts", "heal_id"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Probes = dict[str, tuple[Probe, ...]]

_BASELINE = -1
"""Order of what every verdict waits for: before the first remedy."""
POLL_SECONDS = 0.05
"""How often it is asked for the result of a workflow that another started, an earlier process say."""


class Ground(Protocol):
    """What a heal stands on: project, advisories, planner, forge, review store. All safe to repeat (`ground.py`)."""

    def find(self, request: Request) -> Found:
        """Read the project, match, judge; copy it for the tests."""
        ...

    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]]) -> Plan:
        """Prepare remedies for `apvs` that use none of the `refuted` releases (name, version)."""
        ...

    def probes(self, request: Request, apvs: tuple[Apv, ...]) -> _Probes:
        """Return the probes that attack each of `apvs`, by code; every code is there."""
        ...

    def suite(self, request: Request) -> Suite:
        """Say how the project's tests are run."""
        ...

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        """Propose the change, sign the evidence, leave a review waiting; return the proof with their names in it."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the workflow works with."""

    ground: Ground
    environments: Environments
    arena: Arena
    gate: Gate
    watch: Callable[[Step], None]
    give_up: Callable[[BaseException], None]
    """Told why a step cannot be finished; it ends the process."""


def heal_id(request: Request) -> str:
    """Return the workflow id: the same request on the same content is the same heal."""
    return f"heal-{request.digest[:32]}"


def _step(function: Callable[Concatenate["Heal", _P], _R]) -> Callable[Concatenate["Heal", _P], _R]:
    """Make a method a durable step whose failure is never stored."""

    @functools.wraps(function)
    def guarded(self: "Heal", /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(self, *args, **kwargs)
        except BaseException as error:
            self.parts.give_up(error)
            threading.Event().wait()  # the process is ending: returning or raising would store something
            raise

    return DBOS.step()(guarded)


@DBOS.dbos_class()
class Heal(DBOSConfiguredInstance):
    """The workflow. One instance a process, since a recovered workflow finds it by name; set `parts`, launch DBOS."""

    parts: Parts

    def __init__(self) -> None:
        super().__init__("heal")

    @DBOS.workflow()
    def run(self, request: Request) -> Healed:
        """Find, plan, prove everything at once, the most urgent first."""
        found = self.find(request)
        plan = self.plan(request, found.apvs, frozenset(), _BASELINE)
        for lock in plan.baselines:
            own = [sites for remedy, sites in zip(plan.remedies, plan.sites, strict=True) if remedy.before == lock]
            sites = tuple(sorted({site for some in own for site in some}))
            _start(_baseline_id(request, lock), self.baseline, request, lock, sites)
        proofs: list[WorkflowHandle[Proof]] = [
            _start(f"{heal_id(request)}-{order}", self.prove, request, found, plan, order)
            for order in range(len(plan.remedies))
        ]
        return Healed(found, tuple(_result(proof) for proof in proofs), plan.unremedied, plan.warnings)

    @DBOS.workflow()
    def baseline(self, request: Request, lock: Lock, sites: tuple[Site, ...]) -> TestReport:
        """Run the project's own tests before any change, once per lock."""
        report = self.build(lock, Side.before, _BASELINE)
        if report.error:
            return TestReport(Side.before, (), {}, 0.0, error="the environment before did not build")
        return self.test(request, lock, Side.before, sites, _BASELINE)

    @DBOS.workflow()
    def prove(self, request: Request, found: Found, plan: Plan, order: int) -> Proof:
        """Prove one remedy; where the wargame refutes a release that an advisory calls fixed, try the next one."""
        remedy, sites = plan.remedies[order], plan.sites[order]
        apvs = tuple(apv for code in remedy.apvs for apv in found.apvs if apv.code == code)
        self._name(remedy, order)
        probes = self.arm(request, apvs)
        name = f"{heal_id(request)}-{order}"
        before = _start(f"{name}-before", self.side, request, remedy.before, probes, Side.before, None, (), order)
        baseline: WorkflowHandle[TestReport] = DBOS.retrieve_workflow(
            _baseline_id(request, remedy.before), existing_workflow=False
        )
        tried: list[Attempt] = []
        refuted: frozenset[tuple[str, str]] = frozenset()
        suspects: tuple[str, ...] = ()
        while True:
            name_after = f"{name}-after-{len(tried)}"
            after = _start(name_after, self.side, request, remedy.after, probes, Side.after, sites, suspects, order)
            tests = _result(baseline)
            evidence = evidence_of(probes, _result(before), _result(after), tests, sites, request.repeats)
            tried.append(Attempt(remedy, evidence, judge(evidence)))
            refutation = refutation_of(tried[-1], probes)
            if refutation is None or len(tried) >= request.tries:
                break
            refuted |= {refutation.release}
            suspects = tuple(dict.fromkeys((refutation.probe, *suspects)))
            again = self.plan(request, apvs, refuted, order)
            if len(again.remedies) != 1 or again.remedies[0].before != remedy.before:
                break
            remedy, sites = again.remedies[0], again.sites[0]
            self._name(remedy, order)
        return self.conclude(request, found, proof_of(tried, apvs, probes), order)

    @DBOS.workflow()
    def side(
        self,
        request: Request,
        lock: Lock,
        probes: _Probes,
        side: Side,
        sites: tuple[Site, ...] | None,
        suspects: tuple[str, ...],
        order: int,
    ) -> SideReport:
        """Build one environment and attack it; with `sites` run the tests too, unless an attack already refuted it.

        `suspects` are probes that refuted other releases: each attacks once before all else, and what one of them
        refutes too is attacked no further.
        """
        report = self.build(lock, side, order)
        if report.error:
            return SideReport(report)
        distinct = {probe.id: probe for own in probes.values() for probe in own}
        for suspect in suspects:
            runs = self.attack(request, lock, distinct[suspect], side, 1, order)
            if _exploited(runs):
                return SideReport(report, runs)
        runs = tuple(
            run
            for probe in distinct.values()
            for run in self.attack(request, lock, probe, side, request.repeats, order)
        )
        if sites is None or _exploited(runs):
            return SideReport(report, runs)
        return SideReport(report, runs, self.test(request, lock, side, sites, order))

    @_step
    def find(self, request: Request) -> Found:
        """Read the project, match, judge."""
        self._tell(Stage.scanning, request.project)
        return self.parts.ground.find(request)

    @_step
    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]], order: int) -> Plan:
        """Prepare the remedies."""
        avoiding = ", ".join(" ".join(release) for release in sorted(refuted))
        self._tell(Stage.planning, f"without {avoiding}, refuted" if avoiding else f"{len(apvs)} findings", order)
        return self.parts.ground.plan(request, apvs, refuted)

    @_step
    def arm(self, request: Request, apvs: tuple[Apv, ...]) -> _Probes:
        """Find the probes."""
        return self.parts.ground.probes(request, apvs)

    @_step
    def build(self, lock: Lock, side: Side, order: int) -> EnvironmentReport:
        """Build the environment, or find it built."""
        with self.parts.gate.enter(order):
            self._tell(Stage.building, "environment", order, side)
            try:
                built = self.parts.environments.build(lock, tools=TOOLS)
            except EnvironmentFailed as error:
                return EnvironmentReport(side, lock.digest, "", (), 0.0, reused=False, error=str(error))
        return EnvironmentReport(
            side=side,
            digest=built.digest,
            python=built.interpreter.version,
            packages=built.packages,
            seconds=round(built.seconds, 3),
            reused=built.reused,
        )

    @_step
    def attack(
        self, request: Request, lock: Lock, probe: Probe, side: Side, repeats: int, order: int
    ) -> tuple[CaseRun, ...]:
        """Run every case of one probe."""
        with self.parts.gate.enter(order):
            self._tell(Stage.attacking, f"{probe.package} {probe.advisories[0].cve}", order, side)
            environment = self.parts.environments.build(lock, tools=TOOLS)
            return attack(
                probe,
                environment,
                self.parts.arena,
                side=side,
                repeats=repeats,
                limits=request.limits,
                seen=lambda run: self.parts.watch(
                    Step(Stage.attacking, f"{run.probe} {run.case}: {run.outcome}", order, side, detail=True)
                ),
            )

    @_step
    def test(self, request: Request, lock: Lock, side: Side, sites: tuple[Site, ...], order: int) -> TestReport:
        """Run the project's own tests."""
        with self.parts.gate.enter(order):
            self._tell(Stage.testing, "the project's tests", order, side)
            environment = self.parts.environments.build(lock, tools=TOOLS)
            suite = self.parts.ground.suite(request)
            return run_suite(suite, environment, self.parts.arena, side=side, sites=sites)

    @_step
    def conclude(self, request: Request, found: Found, proof: Proof, order: int) -> Proof:
        """Leave the review waiting."""
        concluded = self.parts.ground.conclude(request, found, proof)
        self._tell(Stage.done, f"{proof.verdict.word}, {proof.verdict.grade}", order)
        return concluded

    def _name(self, remedy: Remedy, order: int) -> None:
        change = remedy.changes[0]
        self._tell(Stage.proving, f"{change.package} {change.before} → {change.after}", order)

    def _tell(self, stage: Stage, text: str, order: int = _BASELINE, side: str = "") -> None:
        self.parts.watch(Step(stage, text, order, side))


def _exploited(runs: tuple[CaseRun, ...]) -> bool:
    return any(run.outcome is Outcome.exploited for run in runs)


def _baseline_id(request: Request, lock: Lock) -> str:
    return f"{heal_id(request)}-baseline-{lock.digest[:16]}"


def _start(workflow_id: str, workflow: Callable[..., _R], *args: Any) -> WorkflowHandle[_R]:
    """Start a workflow, or join it where an earlier process started it."""
    with SetWorkflowID(workflow_id):
        return DBOS.start_workflow(workflow, *args)


def _result(workflow: WorkflowHandle[_R]) -> _R:
    return workflow.get_result(polling_interval_sec=POLL_SECONDS)
