"""What a heal stands on: the project, the advisories, the planner, the forge and the review store.

The other side of the `Ground` protocol of `pipeline.py`. Every method may be repeated with the same arguments.
"""

import asyncio
import hashlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from packaging.requirements import Requirement

from vertice.adaptive.advisories.store import Store
from vertice.adaptive.asking import held
from vertice.adaptive.config import Config
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.execution.interface import Dossier
from vertice.adaptive.inventory.model import Component, Lock
from vertice.adaptive.inventory.reader import read_project
from vertice.adaptive.model import Found, Plan, Proof, Request, Venue, remedy_key
from vertice.adaptive.proof import reached
from vertice.adaptive.proposal_text import message_of, summary_of
from vertice.adaptive.remedy.model import Remedy, Unremedied
from vertice.adaptive.remedy.plan import plan as plan_remedies
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.review.decide import wanted_requirement
from vertice.adaptive.review.evidence import WargameRecord, export, statement
from vertice.adaptive.review.model import NewReview, Review, Run, Status
from vertice.adaptive.review.policy import UNRESTRICTED, Policy, due_at
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.scan import Scan, advisory_source, judge
from vertice.adaptive.triage.codes import Codes
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.triage.reachability import sites_calling
from vertice.adaptive.triage.triage import parents_of, rejudged
from vertice.adaptive.wargame.attack import Arena
from vertice.adaptive.wargame.model import Probe
from vertice.adaptive.wargame.probe import find_probes, probes_for
from vertice.adaptive.wargame.snapshot import project_digest, take_snapshot
from vertice.adaptive.wargame.suite import Suite, find_suite
from vertice.kernel.database import Database, upgrade
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.files import read_text
from vertice.kernel.locks import exclusive
from vertice.kernel.uv import Uv, UvResult

if TYPE_CHECKING:
    from vertice.adaptive.execution.github import GitHubSettings

__all__ = ["LocalGround", "heal_folder"]


def _where_it_lies(request: Request) -> Path:
    return Path(request.project)


def heal_folder(home: Path, request: Request) -> Path:
    """Return where a heal keeps what it works with: beside those of other states of the same project."""
    project = hashlib.sha256(request.known_as.encode()).hexdigest()[:32]
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
    codes: Codes
    releases: Releases
    files: Callable[[Request], Path] = _where_it_lies
    """Where the project's files are on this machine, fetched when they are not."""
    github: "GitHubSettings | None" = None
    """For projects that were fetched from there."""
    policy: Policy = UNRESTRICTED
    """Says until when a review is to be decided."""
    _scans: dict[str, Scan] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, request: Request) -> Found:
        """Read the project, match, judge; copy it for the tests."""
        self._snapshot(request)
        scan = self._scan(request)
        return Found(
            name=request.name or scan.project.name,
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

    def wanted(self, project: Path, project_id: UUID | None = None) -> tuple[tuple[str, str], ...]:
        """Return (package, version or constraint) that reviewers of this project asked for and that was not tried.

        A registered project is told by its id: its files may lie elsewhere than at the last heal.
        """

        async def asked() -> tuple[tuple[str, str], ...]:
            await upgrade(self.database_url)
            async with Database.open(self.database_url) as database:
                store = ReviewStore(database, home=self.home)
                where = project if project_id is None else None
                found = await store.find(status=[Status.changes_requested], project=where)
                reviews = [one for one in found if project_id is None or one.project_id == project_id]
            named = (Requirement(wanted_requirement(one.package, one.decisions[-1].wanted)) for one in reviews)
            return tuple((requirement.name, str(requirement.specifier)) for requirement in named)

        return asyncio.run(asked())

    def suite(self, request: Request) -> Suite:
        """Say how the project's tests are run."""
        return find_suite(self._snapshot(request), request.tests, request.tests_limits)

    def number(self, request: Request) -> str:
        """Return a code for a wargame run that no other has."""
        return self.codes.run_code(date.fromisoformat(request.today))

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        """Propose the change, sign the evidence, leave a review waiting; return the proof with their names in it.

        A proposal that was made before gets no second branch, evidence or review.
        """
        key = remedy_key(f"{request.known_as}\0{request.digest}", proof.remedy)
        proof = replace(proof, held=held(request, proof.remedy))
        known = asyncio.run(self._review(key))
        if known is not None:
            return _named(proof, known)
        rows = {row.apv: row for row in proof.apvs}
        apvs = tuple(rejudged(apv, reached(apv, rows[apv.code]).reachability) for apv in found.apvs if apv.code in rows)
        venue = proof.venue or Venue(self.number(request), self.arena_name, {"uv": self.uv.version})
        run, arena = venue.run, venue.arena
        probes = {probe.id: probe for own in self.probes(request, apvs).values() for probe in own}
        record = WargameRecord(
            code=run,
            project=found.name,
            remedy=proof.remedy,
            apvs=apvs,
            probes=tuple(probes.values()),
            evidence=proof.evidence,
            verdict=proof.verdict,
            arena=arena,
            limits=request.limits,
            started_at=found.at,
            finished_at=_now(),
            versions=venue.versions,
        )
        exported = export(self.home / "evidence" / f"{run}.intoto.json", statement(record), home=self.home)
        summary = summary_of(proof)
        message = message_of(proof, apvs, run, summary)
        root = self.files(request)
        proposal = propose(
            root,
            proof.remedy,
            code=apvs[0].code,
            message=message,
            home=self.home,
            dossier=Dossier(
                run=run,
                apvs=apvs,
                evidence=proof.evidence,
                verdict=proof.verdict,
                evidence_digest=exported.digest,
                signer=exported.fingerprint,
                doubts=proof.doubts,
                held=proof.held,
                arena=arena,
            ),
            github=self.github,
            branch=request.branch,
        )
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
            run=Run(
                code=run,
                arena=arena,
                started_at=datetime.fromisoformat(record.started_at),
                finished_at=datetime.fromisoformat(record.finished_at),
                evidence=read_text(exported.path, limit=_MAX_EVIDENCE_BYTES),
            ),
            project_id=UUID(request.project_id) if request.project_id else None,
            proposed_by=request.asked_by,
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
                project = read_project(self._root(request), uv=lambda: uv)
                if uv.outage is not None:
                    # A scan goes on with what it sees; what a heal does not see it would keep as a finished result.
                    raise uv.outage
                packages = frozenset(component.name for component in project.components)
                source = advisory_source(self.store, [Path(folder) for folder in request.probes], packages)
                today = date.fromisoformat(request.today)
                scan = judge(
                    project,
                    source,
                    config=self.config,
                    codes=self.codes,
                    today=today,
                    project_key=request.known_as if request.content else "",
                )
                self._scans[request.digest] = scan
            return self._scans[request.digest]

    def _root(self, request: Request) -> Path:
        """Return where the project is read from: its copy, if that is what every process has to read."""
        return self._snapshot(request) if request.content else _where_it_lies(request)

    def _snapshot(self, request: Request) -> Path:
        """Return the copy of the project that the tests run on, made when this machine has none."""
        copy = heal_folder(self.home, request) / "project"
        with exclusive(copy.with_name("project.lock")):
            if copy.exists():
                copy.touch()
                return copy
            files = self.files(request)
            take_snapshot(files, copy)
            if request.content and project_digest(files) != request.content:
                shutil.rmtree(copy, ignore_errors=True)
                raise UnfinishedError(
                    "the project's files changed since its scan", where=str(files), todo="Scan the project again."
                )
        return copy

    async def _review(self, key: str) -> Review | None:
        await upgrade(self.database_url)
        async with Database.open(self.database_url) as database:
            return await ReviewStore(database, home=self.home).with_key(key)

    async def _create(self, new: NewReview) -> Review:
        async with Database.open(self.database_url) as database:
            store = ReviewStore(database, home=self.home, due_at=partial(due_at, self.policy))
            return await store.create(new)


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


_MAX_EVIDENCE_BYTES = 256 * 1024 * 1024
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


def _named(proof: Proof, review: Review) -> Proof:
    ref = review.proposal.ref if review.proposal else ""
    return replace(proof, review=review.code, ref=ref, statement=str(review.evidence_path))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
