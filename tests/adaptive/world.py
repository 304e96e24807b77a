"""A made-up project to heal: every protocol that the workflow stands on, faked in one place; the workflow is real."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vertice.adaptive.advisories.model import Advisory, SourceInfo
from vertice.adaptive.inventory.model import Component, Lock
from vertice.adaptive.model import Found, Plan, Proof, Request, Stage, Step
from vertice.adaptive.remedy.model import Change, Remedy, Strategy, Unremedied
from vertice.adaptive.triage.model import Apv, Reachability, ReachabilityLevel, Site
from vertice.adaptive.wargame.environment import Environment, EnvironmentFailed
from vertice.adaptive.wargame.model import Case, Probe, Role
from vertice.adaptive.wargame.suite import Suite
from vertice.kernel.interpreters import running_interpreter
from vertice.kernel.sandbox.model import Ended, Job, Limits, Outcome

__all__ = ["Event", "World", "a_probe", "a_remedy", "a_request", "an_advisory", "an_apv", "code_of", "sites_of"]

Event = tuple[str, ...]
CASES = (Case("attack", Role.attack, ""), Case("variant", Role.variant, ""), Case("control", Role.control, ""))


def code_of(package: str) -> str:
    return f"APV-20261121-{ord(package):03}"


def an_advisory(package: str) -> Advisory:
    return Advisory(f"GHSA-{package}", package, aliases=(f"CVE-{package}",))


def an_apv(package: str, version: str = "1", level: ReachabilityLevel = ReachabilityLevel.imported) -> Apv:
    component = Component(package, version, "requirements.txt")
    return Apv(code_of(package), an_advisory(package), component, reachability=Reachability(level))


def a_probe(name: str, package: str) -> Probe:
    return Probe(name, (an_advisory(package),), "rce", (), CASES, name, "made-up")


def a_remedy(package: str, after: str, *, before: Lock, apvs: tuple[str, ...] = ()) -> Remedy:
    pins = tuple(f"{package}=={after}" if pin.startswith(f"{package}==") else pin for pin in before.requirements)
    return Remedy(
        manifest="requirements.txt",
        apvs=apvs or (code_of(package),),
        strategy=Strategy.upgrade,
        changes=(Change(package, "1", after),),
        edits=(),
        diff=f"{package} {after}",
        before=before,
        after=Lock(pins),
        why="",
    )


def a_request(**more: object) -> Request:
    return Request(**{"project": "/srv/shop", "digest": "d" * 64, "today": "2026-11-21", "repeats": 2, **more})


def sites_of(package: str) -> tuple[Site, ...]:
    return (Site("app.py", ord(package), f"{package}.load"),)


@dataclass
class World:
    """Ground, arena and environments of one heal. Every package is in use at version 1, each with one finding.

    `fixed`: the releases of each package that its advisory calls fixed, in the order in which they are planned.
    `attacks`: the probes of each package's finding. `weak`: the releases ("a==1") that a probe's attacks work on;
    version 1 of the probe's package where it is not named. `unbuildable`: releases that no environment is built with.
    """

    home: Path
    fixed: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"a": ("2",)})
    attacks: dict[str, tuple[Probe, ...]] = field(default_factory=dict)
    weak: dict[str, set[str]] = field(default_factory=dict)
    unbuildable: set[str] = field(default_factory=set)
    locks: dict[str, Lock] = field(default_factory=dict)
    """Lock that a package's remedy starts from, where it is not the one with all of them."""
    hook: Callable[[Event], None] = lambda event: None
    """Called before each thing happens; what it raises happens instead."""
    heard: Callable[[Step], None] = lambda step: None
    events: list[Event] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    concluded: list[Proof] = field(default_factory=list)
    _built: dict[str, Environment] = field(default_factory=dict)
    _locks: dict[Path, Lock] = field(default_factory=dict)
    _building: threading.Lock = field(default_factory=threading.Lock)
    name: str = "made-up"

    @property
    def arena(self) -> "World":
        return self

    def watch(self, step: Step) -> None:
        self.steps.append(step)
        self.heard(step)

    def of(self, kind: str) -> list[Event]:
        """What happened of one kind, in order."""
        return [event[1:] for event in self.events if event[0] == kind]

    def told(self, stage: Stage) -> list[int]:
        """The places in the plan for which a stage was told, in order."""
        return [step.remedy for step in self.steps if step.stage is stage and not step.detail]

    def _happens(self, *event: str) -> None:
        self.events.append(event)
        self.hook(event)

    # Ground

    def find(self, request: Request) -> Found:
        self._happens("find")
        apvs = tuple(an_apv(package) for package in self.fixed)
        return Found("shop", "2026-11-21T12:00:00Z", SourceInfo("made-up", 1), len(apvs), apvs, 0)

    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]]) -> Plan:
        self._happens("plan", *(f"{name}=={version}" for name, version in sorted(refuted)))
        remedies, unremedied = [], []
        for apv in apvs:
            package = apv.component.name
            left = [version for version in self.fixed[package] if (package, version) not in refuted]
            if left:
                remedies.append(a_remedy(package, left[0], before=self.before(package)))
            else:
                unremedied.append(Unremedied(apv.code, "no release is left"))
        return Plan(
            tuple(remedies),
            tuple(unremedied),
            tuple(sites_of(remedy.changes[0].package) for remedy in remedies),
            tuple(dict.fromkeys(remedy.before for remedy in remedies)),
        )

    def before(self, package: str) -> Lock:
        return self.locks.get(package) or Lock(tuple(f"{name}==1" for name in sorted(self.fixed)))

    def probes(self, request: Request, apvs: tuple[Apv, ...]) -> dict[str, tuple[Probe, ...]]:
        names = [apv.component.name for apv in apvs]
        self._happens("arm", *names)
        default = {name: (a_probe(f"P-{name}", name),) for name in names}
        return {apv.code: (default | self.attacks)[apv.component.name] for apv in apvs}

    def number(self, request: Request) -> str:
        self._happens("number")
        return f"WAR-20261121-{len(self.of('number')):03}"

    def suite(self, request: Request) -> Suite:
        return Suite(request.tests, self.home, Limits())

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        self._happens("conclude", proof.remedy.changes[0].package)
        self.concluded.append(proof)
        return proof

    # Environments

    def build(self, lock: Lock, *, tools: tuple[str, ...] = ()) -> Environment:
        with self._building:
            digest = f"{lock.digest}-{'-'.join(tools)}"
            known = digest in self._built
            self._happens("reuse" if known else "build", *lock.requirements)
            if bad := self.unbuildable & set(lock.requirements):
                raise EnvironmentFailed(f"{', '.join(bad)} has no wheel")
            root = self.home / "made-up" / digest
            self._locks[root] = lock
            self._built[digest] = Environment(
                digest, root, running_interpreter(), lock.requirements, 0.0 if known else 1.0, reused=known
            )
            return self._built[digest]

    # Arena

    def run(self, job: Job) -> Outcome:
        lock = self._locks[job.mounts[0].source.parent]
        where = " ".join(lock.requirements)
        if "/probe/probe.py" in job.files:
            said = self._attacked(job.files["/probe/probe.py"].decode(), job.argv[-1], lock, where)
        else:
            self._happens("tests", where)
            ran = {"app.py": [ord(package) for package in self.fixed]}
            said = {"returncode": 0, "tail": "", "results": {"test_app.py::test": "passed"}, "executed": ran}
        return Outcome(Ended.exited, 0, json.dumps(said).encode(), b"", 0.01)

    def _attacked(self, probe: str, case: str, lock: Lock, where: str) -> dict[str, str]:
        self._happens("attack", where, probe, case)
        if case == "control":
            return {"outcome": "works", "evidence": "as ever"}
        weak = self.weak.get(probe, {f"{probe[2:]}==1"})
        return {"outcome": "exploited" if weak & set(lock.requirements) else "blocked", "evidence": "seen"}
