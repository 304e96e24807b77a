"""What a heal stands on: the project, the advisories, the planner, the forge and the review store.

The other side of the `Ground` protocol of `pipeline.py`. Every method may be repeated with the same arguments.
"""

import asyncio
import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.requirements import Requirement

from vertice.adaptive.advisories.store import Store
from vertice.adaptive.config import Config
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.inventory.model import Component, Lock
from vertice.adaptive.inventory.reader import read_project
from vertice.adaptive.model import Found, Plan, Proof, Request, remedy_key
from vertice.adaptive.proof import reached
from vertice.adaptive.remedy.model import Remedy, Unremedied
from vertice.adaptive.remedy.plan import plan as plan_remedies
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.review.decide import wanted_requirement
from vertice.adaptive.review.evidence import WargameRecord, export, statement
from vertice.adaptive.review.model import NewReview, Review, Status
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.scan import Scan, advisory_source, judge
from vertice.adaptive.triage.codes import CodeRegistry
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.triage.reachability import sites_calling
from vertice.adaptive.triage.triage import parents_of, rejudged
from vertice.adaptive.wargame.attack import Arena
from vertice.adaptive.wargame.model import Probe
from vertice.adaptive.wargame.probe import find_probes, probes_for
from vertice.adaptive.wargame.snapshot import take_snapshot
from vertice.adaptive.wargame.suite import Suite, find_suite
from vertice.kernel.database import Database, upgrade
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.uv import Uv, UvResult

__all__ = ["LocalGround", "heal_folder"]


def heal_folder(home: Path, request: Request) -> Path:
    """Return where a heal keeps what it works with: beside those of other states of the same project."""
    project = hashlib.sha256(request.project.encode()).hexdigest()[:32]
    return home / "heals" / project / request.digest[:32]


@dataclass
class LocalGround:
    """A project's folder, the local store, and a home to keep things in."""

    home: Path
    database_url: str
    uv: Uv
    arena: Arena
    arena_name: str
    """With its version, for the evidence: `bwrap 0.8.0`."""
    store: Store | None
    config: Config
    codes: CodeRegistry
    releases: Releases
    _scans: dict[str, Scan] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, request: Request) -> Found:
        """Read the project, match, judge; copy it for the tests."""
        take_snapshot(Path(request.project), self._snapshot(request))
        scan = self._scan(request)
        return Found(
            name=scan.project.name,
            at=_now(),
            advisories=scan.source.info(),
            components=len(scan.project.components),
            apvs=scan.findings.active,
            waived=len(scan.findings.waived),
            warnings=scan.warnings,
        )

    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]]) -> Plan:
        """Prepare remedies for `apvs` that use none of the `refuted` releases."""
        scan = self._scan(request)
        unknown = _not_fully_known(scan)
        found, warnings = self._remedies(
            request, scan, tuple(apv for apv in apvs if apv.component not in unknown), refuted
        )
        remedies = tuple(
            replace(one, before=_with_python(request, one.before), after=_with_python(request, one.after))
            for one in found
            if isinstance(one, Remedy)
        )
        return Plan(
            remedies=remedies,
            unremedied=(
                *(one for one in found if isinstance(one, Unremedied)),
                *(Unremedied(apv.code, _UNKNOWN) for apv in apvs if apv.component in unknown),
            ),
            sites=tuple(_sites(scan, remedy, apvs) for remedy in remedies),
            baselines=tuple(dict.fromkeys(remedy.before for remedy in remedies)),
            warnings=warnings,
        )

    def probes(self, request: Request, apvs: tuple[Apv, ...]) -> dict[str, tuple[Probe, ...]]:
        """Return the probes that attack each of `apvs`, by code; every code is there."""
        names = frozenset(apv.component.name for apv in apvs)
        found = find_probes([Path(folder) for folder in request.probes], packages=names)
        return {apv.code: probes_for(apv.advisory, found) for apv in apvs}

    def all_probes(self, request: Request) -> tuple[Probe, ...]:
        """Return every probe there is."""
        return find_probes([Path(folder) for folder in request.probes])

    def wanted(self, project: Path) -> tuple[tuple[str, str], ...]:
        """Return (package, version or constraint) that reviewers of this project asked for and that was not tried."""

        async def asked() -> tuple[tuple[str, str], ...]:
            await upgrade(self.database_url)
            async with Database.open(self.database_url) as database:
                store = ReviewStore(database, home=self.home)
                reviews = await store.find(status=[Status.changes_requested], project=project)
            named = (Requirement(wanted_requirement(one.package, one.decisions[-1].wanted)) for one in reviews)
            return tuple((requirement.name, str(requirement.specifier)) for requirement in named)

        return asyncio.run(asked())

    def suite(self, request: Request) -> Suite:
        """Say how the project's tests are run."""
        return find_suite(self._snapshot(request), request.tests, request.tests_limits)

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        """Propose the change, sign the evidence, leave a review waiting; return the proof with their names in it.

        A proposal that was made before gets no second branch, evidence or review.
        """
        key = remedy_key(f"{request.project}\0{request.digest}", proof.remedy)
        proof = replace(proof, held=_held(request, proof.remedy))
        known = asyncio.run(self._review(key))
        if known is not None:
            return _named(proof, known)
        rows = {row.apv: row for row in proof.apvs}
        apvs = tuple(rejudged(apv, reached(apv, rows[apv.code]).reachability) for apv in found.apvs if apv.code in rows)
        run = self.codes.run_code(date.fromisoformat(request.today))
        probes = {probe.id: probe for own in self.probes(request, apvs).values() for probe in own}
        record = WargameRecord(
            code=run,
            project=found.name,
            remedy=proof.remedy,
            apvs=apvs,
            probes=tuple(probes.values()),
            evidence=proof.evidence,
            verdict=proof.verdict,
            arena=self.arena_name,
            limits=request.limits,
            started_at=found.at,
            finished_at=_now(),
            versions={"uv": self.uv.version},
        )
        exported = export(self.home / "evidence" / f"{run}.intoto.json", statement(record), home=self.home)
        root = Path(request.project)
        summary = _summary(proof)
        message = _message(proof, apvs, run, summary)
        proposal = propose(root, proof.remedy, code=apvs[0].code, message=message, home=self.home)
        new = NewReview(
            key=key,
            project_name=found.name,
            project_root=root,
            apvs=apvs,
            remedy=proof.remedy,
            verdict=proof.verdict,
            proposal=proposal,
            evidence_digest=exported.digest,
            evidence_path=exported.path,
            summary=summary,
        )
        return replace(_named(proof, asyncio.run(self._create(new))), run=run)

    def _remedies(
        self, request: Request, scan: Scan, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]]
    ) -> tuple[tuple[Remedy | Unremedied, ...], tuple[str, ...]]:
        """Plan with what reviewers asked for; what cannot be had is said, and the plan made without it."""

        def planned(wanted: dict[str, str]) -> tuple[Remedy | Unremedied, ...]:
            return plan_remedies(
                replace(scan.project, manifests=tuple(one for one in scan.project.manifests if one.complete)),
                apvs,
                uv=self.uv,
                source=scan.source,
                releases=self.releases,
                refuted=refuted,
                wanted=wanted,
                minimum_age_days=request.minimum_age_days,
                allow_prereleases=request.prereleases,
                now=datetime.now(UTC),
            )

        present = {component.name for component in scan.project.components}
        wanted = {name: version for name, version in request.wanted if name in present}
        try:
            return planned(wanted), ()
        except InputError as error:
            if not wanted:
                raise
            return planned({}), (f"what a reviewer asked for cannot be had: {error}",)

    def _scan(self, request: Request) -> Scan:
        with self._lock:
            if request.digest not in self._scans:
                uv = _Watched(self.uv)
                project = read_project(Path(request.project), uv=lambda: uv)
                if uv.outage is not None:
                    # A scan goes on with what it sees; what a heal does not see it would keep as a finished result.
                    raise uv.outage
                packages = frozenset(component.name for component in project.components)
                source = advisory_source(self.store, [Path(folder) for folder in request.probes], packages)
                today = date.fromisoformat(request.today)
                scan = judge(project, source, config=self.config, codes=self.codes, today=today)
                self._scans[request.digest] = scan
            return self._scans[request.digest]

    def _snapshot(self, request: Request) -> Path:
        return heal_folder(self.home, request) / "project"

    async def _review(self, key: str) -> Review | None:
        await upgrade(self.database_url)
        async with Database.open(self.database_url) as database:
            return await ReviewStore(database, home=self.home).with_key(key)

    async def _create(self, new: NewReview) -> Review:
        async with Database.open(self.database_url) as database:
            return await ReviewStore(database, home=self.home).create(new)


@dataclass
class _Watched:
    """uv, and what kept it from being asked."""

    uv: Uv
    outage: UnfinishedError | None = None

    def run(self, args: Sequence[str], *, files: Mapping[str, bytes], indexes: Sequence[str], domain: str) -> UvResult:
        """Run uv as the inventory asks; see `Uv.run`."""
        try:
            return self.uv.run(args, files=files, indexes=indexes, domain=domain)
        except UnfinishedError as error:
            self.outage = error
            raise


_UNKNOWN = "it is not fully known what would be installed (see the warnings), so nothing could be proven"


def _not_fully_known(scan: Scan) -> frozenset[Component]:
    """Components of manifests whose transitive packages could not be resolved, and of no other manifest."""
    known = {one for manifest in scan.project.manifests if manifest.complete for one in manifest.components}
    return frozenset(scan.project.components) - known


def _sites(scan: Scan, remedy: Remedy, apvs: tuple[Apv, ...]) -> tuple[Site, ...]:
    """The project's own lines that call into what the remedy changes."""
    parents = parents_of(scan.project)
    changed = {change.package for change in remedy.changes} | {
        apv.component.name for apv in apvs if apv.code in remedy.apvs
    }
    found = {
        site
        for component in scan.project.components
        if component.name in changed
        for site in sites_calling(scan.index, component, parents=parents)
    }
    return tuple(sorted(found))


def _with_python(request: Request, lock: Lock) -> Lock:
    return replace(lock, python_version=request.python) if request.python else lock


def _held(request: Request, remedy: Remedy) -> str:
    days = request.hold_younger_than_days
    young = [fact for fact in remedy.facts if fact.age_days is not None and fact.age_days < days]
    return "; ".join(
        f"{fact.package} {fact.version} is {fact.age_days} days old, policy asks for {days}" for fact in young
    )


def _named(proof: Proof, review: Review) -> Proof:
    ref = review.proposal.ref if review.proposal else ""
    return replace(proof, review=review.code, ref=ref, statement=str(review.evidence_path))


def _summary(proof: Proof) -> str:
    """What the reviewer should know first."""
    lines = [f"The advisory's range looks wrong: {doubt}." for doubt in proof.doubts]
    return "\n".join([*lines, *([f"Held by policy: {proof.held}."] if proof.held else [])])


def _message(proof: Proof, apvs: tuple[Apv, ...], run: str, summary: str) -> str:
    """The commit message of the patch."""
    changes = ", ".join(f"{one.package} {one.before or 'new'} -> {one.after or 'gone'}" for one in proof.remedy.changes)
    ids = "\n".join(f"- {apv.code}: {apv.advisory.cve} in {apv.component.name} {apv.component.version}" for apv in apvs)
    verdict = f"{proof.verdict.word} ({proof.verdict.grade}, confidence {proof.verdict.confidence:.2f})"
    reasons = "\n".join(proof.verdict.reasons[:3])
    return (
        f"Fix {apvs[0].advisory.cve}: {changes}\n\n{ids}\n\nWargame {run}: {verdict}\n{reasons}\n{summary}".rstrip()
        + "\n"
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
