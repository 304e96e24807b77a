"""The whole way on one page: scan -> triage -> remedy -> wargame -> review -> execution.

    heal ─┬─ find      components, matches, APVs; a copy of the project to test on
          ├─ plan      remedies, the most urgent first
          ├─ baseline  per lock: environment before, tests before
          └─ prove     per remedy, both sides at once:
                ├─ before    environment, attacks
                ├─ after     environment, attacks, tests
                ├─ judge     refuted: plan the next release, and again from "after"
                └─ conclude  branch, signed evidence, a review that waits

Where the wargames are run outside (GitHub Actions), a trial (`trial.py`) stands in place of both sides, one for each
release that is tried.

Every step runs once: its result is stored, and a process killed anywhere goes on after the last one that finished
(DBOS). What a step that cannot be finished does to the process, `Parts.conduct` says. Every step is safe to repeat,
because a kill may fall between doing and storing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dbos import DBOS, DBOSConfiguredInstance, SetEnqueueOptions, SetWorkflowID, WorkflowHandle

from vertice.adaptive.gate import Gate
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.model import (
    Attempt,
    Found,
    Healed,
    News,
    Plan,
    Proof,
    RemedyStatus,
    Request,
    SideReport,
    Stage,
    Step,
)
from vertice.adaptive.proof import evidence_of, proof_of, refutation_of
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.steps import Conduct, belonging, step, traced
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.trial import TRIALS, trial_id
from vertice.adaptive.wargame.attack import Arena, attack
from vertice.adaptive.wargame.environment import EnvironmentFailed, Environments
from vertice.adaptive.wargame.model import (
    CaseRun,
    EnvironmentReport,
    Outcome,
    Probe,
    Side,
    TestReport,
    VerdictWord,
)
from vertice.adaptive.wargame.suite import TOOLS, Suite, run_suite
from vertice.adaptive.wargame.verdict import judge
from vertice.kernel.errors import VerticeError

__all__ = ["HEAL", "POLL_SECONDS", "Ground", "Heal", "Parts", "heal_id"]

_R = TypeVar("_R")
_Probes = dict[str, tuple[Probe, ...]]
_Fight = Callable[[Remedy, tuple[Site, ...], tuple[str, ...], int], Attempt]
"""Tries a release: the remedy, its sites, probes that refuted others, how many were tried before."""

_BASELINE = -1
"""Order of what every verdict waits for: before the first remedy."""
_RANKS = 1000
"""How many remedies of one priority are told apart on the queue."""
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

    def number(self, request: Request) -> str:
        """Return a code for a wargame run that no other has."""
        ...

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        """Propose the change, sign the evidence, leave a review waiting; return the proof with their names in it."""
        ...


def _nobody(_request: Request, _news: News) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the workflow works with."""

    ground: Ground
    environments: Environments
    arena: Arena
    gate: Gate
    watch: Callable[[Request, Step], None]
    conduct: Conduct
    queue: str = ""
    """The queue on which any process may claim a remedy's wargame; "": all are run in the process of the heal."""
    announce: Callable[[Request, News], None] = _nobody
    """Tells others what became of a remedy, each news once."""


def heal_id(request: Request) -> str:
    """Return the workflow id: the same request on the same content is the same heal."""
    return f"heal-{request.digest[:32]}"


@DBOS.dbos_class()
class Heal(DBOSConfiguredInstance):
    """The workflow: set `HEAL.parts`, launch DBOS."""

    parts: Parts

    def __init__(self) -> None:
        super().__init__("heal")

    @property
    def conduct(self) -> Conduct:
        """How its steps are gone about."""
        return self.parts.conduct

    @DBOS.workflow()
    @belonging
    def run(self, request: Request) -> Healed:
        """Find, plan, prove everything at once, the most urgent first."""
        found = self.find(request)
        plan = self.plan(request, found.apvs, frozenset(), _BASELINE)
        for lock in () if request.arena else plan.baselines:
            own = [sites for remedy, sites in zip(plan.remedies, plan.sites, strict=True) if remedy.before == lock]
            sites = tuple(sorted({site for some in own for site in some}))
            _start(_baseline_id(request, lock), self.baseline, request, lock, sites)
        urgency = {apv.code: apv.priority for apv in found.apvs}
        proofs: list[WorkflowHandle[Proof]] = []
        for order, remedy in enumerate(plan.remedies):
            name = f"{heal_id(request)}-{order}"
            if self.parts.queue:
                rank = _RANKS * min(urgency[code] for code in remedy.apvs) + min(order, _RANKS - 1)
                with SetEnqueueOptions(priority=rank), SetWorkflowID(name):
                    proofs.append(DBOS.enqueue_workflow(self.parts.queue, self.prove, request, found, plan, order))
            else:
                proofs.append(_start(name, self.prove, request, found, plan, order))
        return Healed(found, _results(proofs), plan.unremedied, plan.warnings)

    @DBOS.workflow()
    @belonging
    def baseline(self, request: Request, lock: Lock, sites: tuple[Site, ...]) -> TestReport:
        """Run the project's own tests before any change, once per lock."""
        report = self.build(request, lock, Side.before, _BASELINE)
        if report.error:
            return TestReport(Side.before, (), {}, 0.0, error="the environment before did not build")
        return self.test(request, lock, Side.before, sites, _BASELINE)

    @DBOS.workflow()
    @belonging
    def prove(self, request: Request, found: Found, plan: Plan, order: int) -> Proof:
        """Prove one remedy; where the wargame refutes a release that an advisory calls fixed, try the next one."""
        remedy, sites = plan.remedies[order], plan.sites[order]
        apvs = tuple(apv for code in remedy.apvs for apv in found.apvs if apv.code == code)
        self._name(request, remedy, order)
        probes = self.arm(request, apvs)
        fight = (
            self._outside(request, apvs, probes, order)
            if request.arena
            else self._here(request, remedy.before, probes, order)
        )
        tried: list[Attempt] = []
        refuted: frozenset[tuple[str, str]] = frozenset()
        suspects: tuple[str, ...] = ()
        while True:
            tried.append(fight(remedy, sites, suspects, len(tried)))
            if tried[-1].verdict.word is VerdictWord.failed:
                self.refuted(request, tried[-1], order)
            refutation = refutation_of(tried[-1], probes)
            if refutation is None or len(tried) >= request.tries:
                break
            refuted |= {refutation.release}
            suspects = tuple(dict.fromkeys((refutation.probe, *suspects)))
            again = self.plan(request, apvs, refuted, order)
            if len(again.remedies) != 1 or again.remedies[0].before != remedy.before:
                break
            remedy, sites = again.remedies[0], again.sites[0]
            self._name(request, remedy, order)
        return self.conclude(request, found, proof_of(tried, apvs, probes), order)

    def _here(self, request: Request, lock: Lock, probes: _Probes, order: int) -> _Fight:
        """Return how a release is tried in this house: what is shown before the patch is shown once for all of them."""
        name = f"{heal_id(request)}-{order}"
        before = _start(f"{name}-before", self.side, request, lock, probes, Side.before, None, (), order)
        baseline: WorkflowHandle[TestReport] = DBOS.retrieve_workflow(
            _baseline_id(request, lock), existing_workflow=False
        )

        def fight(remedy: Remedy, sites: tuple[Site, ...], suspects: tuple[str, ...], number: int) -> Attempt:
            name_after = f"{name}-after-{number}"
            after = _start(name_after, self.side, request, remedy.after, probes, Side.after, sites, suspects, order)
            tests = _result(baseline)
            evidence = evidence_of(probes, _result(before), _result(after), tests, sites, request.repeats)
            return Attempt(remedy, evidence, judge(evidence))

        return fight

    def _outside(self, request: Request, apvs: tuple[Apv, ...], probes: _Probes, order: int) -> _Fight:
        """Return how a release is tried outside: each is a run of its own."""

        def fight(remedy: Remedy, sites: tuple[Site, ...], _suspects: tuple[str, ...], _number: int) -> Attempt:
            run = self.number(request)
            trial = _result(_start(trial_id(run), TRIALS.run, request, remedy, sites, apvs, probes, run, order))
            return Attempt(remedy, trial.evidence, judge(trial.evidence), trial.venue)

        return fight

    @DBOS.workflow()
    @belonging
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
        report = self.build(request, lock, side, order)
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

    @step
    def find(self, request: Request) -> Found:
        """Read the project, match, judge."""
        self._tell(request, Stage.scanning, request.project)
        with traced(request, "find"):
            return self.parts.ground.find(request)

    @step
    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]], order: int) -> Plan:
        """Prepare the remedies."""
        avoiding = ", ".join(" ".join(release) for release in sorted(refuted))
        self._tell(
            request, Stage.planning, f"without {avoiding}, refuted" if avoiding else f"{len(apvs)} findings", order
        )
        with traced(request, "plan", findings=len(apvs), refuted=len(refuted)):
            plan = self.parts.ground.plan(request, apvs, refuted)
            for number, remedy in enumerate(plan.remedies):
                self.parts.announce(request, News(f"{_this_step()}/{number}", RemedyStatus.planned, remedy))
            return plan

    @step
    def refuted(self, request: Request, attempt: Attempt, order: int) -> None:
        """Tell that the wargame refuted a remedy."""
        self._tell(request, Stage.proving, f"{attempt.remedy.changes[0].after} is refuted", order)
        run = attempt.venue.run if attempt.venue else ""
        news = News(_this_step(), RemedyStatus.refuted, attempt.remedy, attempt.verdict, run)
        with traced(request, "refuted"):
            self.parts.announce(request, news)

    @step
    def number(self, request: Request) -> str:
        """Give a wargame its code."""
        return self.parts.ground.number(request)

    @step
    def arm(self, request: Request, apvs: tuple[Apv, ...]) -> _Probes:
        """Find the probes."""
        return self.parts.ground.probes(request, apvs)

    @step
    def build(self, request: Request, lock: Lock, side: Side, order: int) -> EnvironmentReport:
        """Build the environment, or find it built."""
        with self.parts.gate.enter(order), traced(request, "build", side=side):
            self._tell(request, Stage.building, "environment", order, side)
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

    @step
    def attack(
        self, request: Request, lock: Lock, probe: Probe, side: Side, repeats: int, order: int
    ) -> tuple[CaseRun, ...]:
        """Run every case of one probe."""
        with self.parts.gate.enter(order), traced(request, "attack", side=side, probe=probe.id):
            self._tell(request, Stage.attacking, f"{probe.package} {probe.advisories[0].cve}", order, side)
            environment = self.parts.environments.build(lock, tools=TOOLS)
            return attack(
                probe,
                environment,
                self.parts.arena,
                side=side,
                repeats=repeats,
                limits=request.limits,
                seen=lambda run: self.parts.watch(
                    request, Step(Stage.attacking, f"{run.probe} {run.case}: {run.outcome}", order, side, detail=True)
                ),
            )

    @step
    def test(self, request: Request, lock: Lock, side: Side, sites: tuple[Site, ...], order: int) -> TestReport:
        """Run the project's own tests."""
        with self.parts.gate.enter(order), traced(request, "test", side=side):
            self._tell(request, Stage.testing, "the project's tests", order, side)
            environment = self.parts.environments.build(lock, tools=TOOLS)
            suite = self.parts.ground.suite(request)
            return run_suite(suite, environment, self.parts.arena, side=side, sites=sites)

    @step
    def conclude(self, request: Request, found: Found, proof: Proof, order: int) -> Proof:
        """Leave the review waiting."""
        with traced(request, "conclude", verdict=proof.verdict.word):
            concluded = self.parts.ground.conclude(request, found, proof)
            news = News(_this_step(), RemedyStatus.proposed, proof.remedy, proof.verdict, _run_of(concluded))
            self.parts.announce(request, news)
        self._tell(request, Stage.done, f"{proof.verdict.word}, {proof.verdict.grade}", order)
        return concluded

    def _name(self, request: Request, remedy: Remedy, order: int) -> None:
        change = remedy.changes[0]
        self._tell(request, Stage.proving, f"{change.package} {change.before} → {change.after}", order)

    def _tell(self, request: Request, stage: Stage, text: str, order: int = _BASELINE, side: str = "") -> None:
        self.parts.watch(request, Step(stage, text, order, side))


HEAL = Heal()
"""The one instance of this process: a workflow that goes on in another process finds it by name."""


def _this_step() -> str:
    """Return a name for the step that this is called in: the same when it is repeated."""
    return f"{DBOS.workflow_id}/{DBOS.step_id}"


def _run_of(proof: Proof) -> str:
    """Return the code of the wargame; its evidence has it also where another process had concluded."""
    return proof.run or (proof.venue.run if proof.venue else "") or Path(proof.statement).name.partition(".")[0]


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


def _results(workflows: list[WorkflowHandle[_R]]) -> tuple[_R, ...]:
    """Wait for all, also where one failed; then raise what the first of those failed with."""
    results: list[_R] = []
    errors: list[VerticeError] = []
    for workflow in workflows:
        try:
            results.append(_result(workflow))
        except VerticeError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return tuple(results)
