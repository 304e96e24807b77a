"""Probes, what their runs showed, and the verdict."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from vertice.adaptive.advisories.model import Advisory

__all__ = [
    "Case",
    "CaseRun",
    "EnvironmentReport",
    "Evidence",
    "Grade",
    "Outcome",
    "Probe",
    "Role",
    "Side",
    "TestReport",
    "Verdict",
    "VerdictWord",
]


class Role(StrEnum):
    """What a case of a probe is for."""

    attack = "attack"
    variant = "variant"
    control = "control"


class Outcome(StrEnum):
    """What one run of one case showed. Attacks and variants: exploited or blocked; controls: works or broken."""

    exploited = "exploited"
    blocked = "blocked"
    works = "works"
    broken = "broken"
    error = "error"


class Side(StrEnum):
    """Which of the two environments."""

    before = "before"
    after = "after"


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a probe is run: `python probe.py NAME`."""

    name: str
    role: Role
    about: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One attack file with its facts (docs/probes.md)."""

    id: str
    advisories: tuple[Advisory, ...]
    """The facts of its own advisory, one per package, in OSV form."""
    kind: str
    """`rce`, `traversal`, `redos`, …"""
    symbols: tuple[str, ...]
    cases: tuple[Case, ...]
    """Exactly one attack first, at least one variant, at least one control."""
    source: str
    """The program itself."""
    origin: str
    """Where it came from, for people: `shipped`, a path, or an entry point."""
    needs: tuple[str, ...] = ()
    """Extra packages that must be importable beside the vulnerable one (PEP 508)."""
    vulnerable: str = ""
    fixed: str = ""
    """`name==version` that the probe's own test installs as the vulnerable and the fixed release."""
    python: str = ""
    """PEP 440 specifier of the interpreters that `vulnerable` installs and runs on."""
    with_packages: tuple[str, ...] = ()
    """Requirements the probe's own test installs beside both."""
    build_constraints: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """PEP 503 name of the vulnerable package."""
        return self.advisories[0].package

    @property
    def ids(self) -> frozenset[str]:
        """Id and aliases of its advisory."""
        return frozenset(name for advisory in self.advisories for name in advisory.ids)


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One run of one case on one side."""

    probe: str
    case: str
    role: Role
    side: Side
    repeat: int
    outcome: Outcome
    evidence: str
    """The probe's own words, or why the run counts as an error. Untrusted text."""
    seconds: float
    ended: str
    """How the process ended (`exited`, `timed_out`, `out_of_memory`, …)."""


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """What an environment was built from and what came out."""

    side: Side
    digest: str
    python: str
    packages: tuple[str, ...]
    """`name==version` of everything installed, sorted."""
    seconds: float
    reused: bool
    error: str = ""
    """Why it did not build; "" when it did."""


@dataclass(frozen=True, slots=True)
class TestReport:
    """The project's own tests in one environment."""

    __test__: ClassVar[bool] = False  # not a test of ours: pytest collects classes by their name

    side: Side
    command: tuple[str, ...]
    """Empty when the project has no tests."""
    results: dict[str, str]
    """Test id -> `passed | failed | error | skipped`."""
    seconds: float
    sites: tuple[str, ...] = ()
    """`file:line` of the project's own lines that call into the changed packages."""
    covered: tuple[str, ...] = ()
    """Those of `sites` that the tests ran."""
    error: str = ""
    """Why the tests could not be run or did not finish; "" when they were."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a verdict is made from."""

    environments: tuple[EnvironmentReport, ...]
    runs: tuple[CaseRun, ...]
    tests: tuple[TestReport, ...]
    unprobed: tuple[str, ...] = ()
    """Codes of APVs of the remedy that no probe attacks."""
    repeats: int = 3
    unfought: str = ""
    """Why there was no wargame at all: the arena could not be had, or told nothing. "" when there was one."""


class VerdictWord(StrEnum):
    """The contract's words."""

    success = "success"
    failed = "failed"
    inconclusive = "inconclusive"
    error = "error"


class Grade(StrEnum):
    """How strong the proof is."""

    proven = "proven"
    partly_proven = "partly proven"
    unproven = "unproven"
    refuted = "refuted"
    broken = "broken"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one remedy."""

    word: VerdictWord
    grade: Grade
    confidence: float
    """0..1, monotone in the evidence (docs/verdict.md)."""
    reasons: tuple[str, ...]
    """Why, in words, the deciding one first."""
    raise_by: tuple[str, ...] = ()
    """What would raise the confidence."""
