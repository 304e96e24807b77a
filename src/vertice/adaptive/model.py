"""What flows through a heal: what was asked, found, planned and proven. Every value survives a restart as JSON."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from vertice.adaptive.advisories.model import SourceInfo
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.remedy.model import Remedy, Unremedied
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.wargame.model import CaseRun, EnvironmentReport, Evidence, TestReport, Verdict
from vertice.kernel.origin import Origin
from vertice.kernel.sandbox.model import Limits

__all__ = [
    "ApvProof",
    "Attempt",
    "Found",
    "Healed",
    "News",
    "Ordered",
    "Plan",
    "Proof",
    "RemedyStatus",
    "Request",
    "SideReport",
    "Stage",
    "Step",
    "Trial",
    "Venue",
    "remedy_key",
]


@dataclass(frozen=True, slots=True)
class Request:
    """One `vertice heal`. Equal requests on an unchanged project are the same heal."""

    project: str
    """Absolute path of the project's folder."""
    digest: str
    """sha256 hex over the project's content, the advisories, the probes and everything below."""
    today: str
    """ISO 8601 date on which it was asked, for codes that carry a date."""
    repeats: int = 3
    limits: Limits = Limits()
    tests: tuple[str, ...] = ("python", "-m", "pytest")
    """Test command; empty: the project has none."""
    tests_limits: Limits = Limits()
    probes: tuple[str, ...] = ()
    """Folders of probes beside the shipped ones."""
    python: str = ""
    """Interpreter version to build with, over what the project says."""
    minimum_age_days: int = 0
    prereleases: bool = False
    hold_younger_than_days: int = 0
    tries: int = 20
    """How many releases of a package are tried when the wargame refutes one after the other."""
    wanted: tuple[tuple[str, str], ...] = ()
    """(package, version or constraint) that reviewers asked to try."""
    key: str = ""
    """What a registered project is known by, wherever its files lie (`github:owner/repo`); "": its path."""
    name: str = ""
    """Of a registered project, over what its files say."""
    content: str = ""
    """sha256 hex over its files, which any copy must have; "" where they are read where they lie."""
    branch: str = ""
    """That patches go to, "" for the default one."""
    commit: str = ""
    """Commit id that the files are of, "" for a folder."""
    project_id: str = ""
    """UUID of the registered project."""
    scan: str = ""
    """UUID of the scan that asked; its progress is told under this."""
    asked_by: str = ""
    """Who asked for that scan, "" for whoever runs the heal."""
    origin: Origin = Origin()
    """Of the scan that asked."""
    arena: str = ""
    """`github`: its wargames run on GitHub Actions; "": in the arena of the process."""

    @property
    def known_as(self) -> str:
        """What tells projects apart in codes, reviews and folders."""
        return self.key or self.project


@dataclass(frozen=True, slots=True)
class Found:
    """What the scan found."""

    name: str
    at: str
    """RFC 3339, UTC."""
    advisories: SourceInfo
    components: int
    apvs: tuple[Apv, ...]
    """The most urgent first, without waived ones."""
    waived: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be tried, the most urgent first."""

    remedies: tuple[Remedy, ...]
    unremedied: tuple[Unremedied, ...]
    sites: tuple[tuple[Site, ...], ...]
    """For each remedy the project's own lines that call into the packages it changes."""
    baselines: tuple[Lock, ...]
    """Every distinct lock the remedies start from."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SideReport:
    """What one environment showed."""

    environment: EnvironmentReport
    runs: tuple[CaseRun, ...] = ()
    tests: TestReport | None = None


@dataclass(frozen=True, slots=True)
class Venue:
    """An outside arena in which one wargame was fought."""

    run: str
    """`WAR-YYYYMMDD-NNN`"""
    arena: str
    """`github-actions (bwrap 0.8.0)`"""
    versions: dict[str, str] = field(default_factory=dict)
    """Of the tools there."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One remedy and what the wargame said of it."""

    remedy: Remedy
    evidence: Evidence
    verdict: Verdict
    venue: Venue | None = None
    """Where it was fought, if not here."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A wargame that an outside arena was asked for."""

    run: str
    """`WAR-YYYYMMDD-NNN`"""
    apvs: tuple[str, ...]
    """Codes, the most urgent first."""
    priority: int
    before: str
    after: str
    """Commits without and with the patch."""
    digest: str
    """Of both locks: the result must name the same."""
    number: int
    url: str
    """Of the run there; a result of another one counts for nothing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a wargame in an outside arena showed."""

    venue: Venue
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ApvProof:
    """What the wargame says of one APV of a remedy."""

    apv: str
    verdict: Verdict
    before: str
    """In a word or two: `exploited`, `not reproduced`, `no probe`, …"""
    after: str


@dataclass(frozen=True, slots=True)
class Proof:
    """One remedy, judged, with its review waiting."""

    remedy: Remedy
    verdict: Verdict
    apvs: tuple[ApvProof, ...]
    evidence: Evidence
    doubts: tuple[str, ...]
    """Why an advisory's range looks wrong, where the wargame refuted a release it calls fixed."""
    passed_over: tuple[Evidence, ...] = ()
    """What refuted other releases, with the sides that all attempts share left out."""
    held: str = ""
    """Why policy holds the release back; "" when it does not."""
    run: str = ""
    """`WAR-YYYYMMDD-NNN`"""
    review: str = ""
    """Code of the review that waits."""
    ref: str = ""
    """Branch or patch file."""
    statement: str = ""
    """Path of the signed evidence."""
    venue: Venue | None = None
    """Where it was fought, if not here."""


@dataclass(frozen=True, slots=True)
class Healed:
    """What `vertice heal` ends with."""

    found: Found
    proofs: tuple[Proof, ...]
    unremedied: tuple[Unremedied, ...]
    warnings: tuple[str, ...] = ()


class RemedyStatus(StrEnum):
    """How far a remedy is, in the words of the wire."""

    planned = "planned"
    refuted = "refuted"
    proposed = "proposed"


@dataclass(frozen=True, slots=True)
class News:
    """What became of a remedy, for others to hear of once."""

    name: str
    """Of the step that says so: the same when it is repeated."""
    status: RemedyStatus
    remedy: Remedy
    verdict: Verdict | None = None
    run: str = ""
    """Code of the wargame, "" before it has one."""


class Stage(StrEnum):
    """Where a heal is, for whoever watches."""

    scanning = "scanning"
    planning = "planning"
    building = "building"
    attacking = "attacking"
    testing = "testing"
    proving = "proving"
    done = "done"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that just began or ended; `remedy` is its place in the plan, -1 for what serves them all."""

    stage: Stage
    text: str
    remedy: int = -1
    side: str = ""
    detail: bool = False
    """One of very many, for a display that moves."""


def remedy_key(project: str, remedy: Remedy) -> str:
    """Return the key under which a proposal is remembered: the same change to the same project is proposed once."""
    parts = (project, remedy.manifest, remedy.before.digest, hashlib.sha256(remedy.diff.encode()).hexdigest())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
