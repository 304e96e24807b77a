"""What the service's scans and heals stand on: registered projects, on whichever machine a step runs.

A step may run on another machine than the step before it, so nothing of a heal is taken from a disk as it is: files
that are missing are got again, and have to be those that the heal began with.
"""

import shutil
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from vertice.adaptive.advisories.model import SourceInfo
from vertice.adaptive.asking import asked
from vertice.adaptive.config import load_config
from vertice.adaptive.embedded import with_digest
from vertice.adaptive.execution.github import GitHubSettings
from vertice.adaptive.execution.paths import refuse_absent
from vertice.adaptive.ground import LocalGround, heal_folder
from vertice.adaptive.model import Found, Plan, Proof, Request
from vertice.adaptive.projects.model import DocumentKind, Feed, Kind, Project, Scan
from vertice.adaptive.projects.scans import Looked
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.report.formats import render
from vertice.adaptive.report.model import Format, ScanResult
from vertice.adaptive.review.policy import UNRESTRICTED, Policy, stricter
from vertice.adaptive.scan import open_store
from vertice.adaptive.scan import scan as scan_files
from vertice.adaptive.triage.codes import Codes
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.wargame.attack import Arena
from vertice.adaptive.wargame.model import Probe
from vertice.adaptive.wargame.snapshot import project_digest
from vertice.adaptive.wargame.suite import Suite
from vertice.adaptive.work.arena import GITHUB
from vertice.kernel.codec import to_json
from vertice.kernel.errors import InputError
from vertice.kernel.text import moment
from vertice.kernel.uv import Uv

__all__ = ["Fetch", "RegisteredGround", "no_fetch"]

_KEPT = 8
"""Heals whose scan is kept in memory."""
_GITHUB = f"{Kind.github}:"
_AGING = {"heals/*/*/project": 2.0, "checkouts/*/*/*": 7.0}
"""Folders of the home, and the days after which they are needed no more."""


class Fetch(Protocol):
    """Gets a repository's files at one commit."""

    def __call__(self, home: Path, repository: str, ref: str, /) -> tuple[Path, str]:
        """Return (folder, commit id) of `ref`: a branch, a commit id, or "" for the default branch."""
        ...


def no_fetch(_home: Path, repository: str, _ref: str) -> tuple[Path, str]:
    """Refuse: GitHub is not set up."""
    todo = "Set GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY."
    raise InputError("GitHub is not set up", where=repository, todo=todo)


@dataclass
class RegisteredGround:
    """`Ground` and `Survey` over registered projects."""

    home: Path
    database_url: str
    uv: Uv
    arena: Arena
    arena_name: str
    codes: Codes
    releases: Releases
    advisories: str | None = None
    """OSV source (folder, zip or URL), None for what the home has. What a project itself names is not followed."""
    probe_folders: tuple[Path, ...] = ()
    fetch: Fetch = no_fetch
    github: GitHubSettings | None = None
    fought_in: str = "bwrap"
    """Where wargames of GitHub's projects run: `bwrap` (here) or `github` (GitHub Actions)."""
    policy: Policy = UNRESTRICTED
    """The service's own."""
    _grounds: OrderedDict[str, LocalGround] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # Survey

    def look(self, project: Project) -> Looked:
        """Get the files, find what is vulnerable, write the documents."""
        folder, commit = self._files(project, project.branch)
        now = datetime.now(UTC)
        found = scan_files(
            folder,
            store=open_store(self.home, self.advisories),
            config=load_config(folder),
            probes=self.probe_folders,
            codes=self.codes,
            uv=lambda: self.uv,
            today=now.date(),
            project_key=project.known_as,
        )
        info = found.source.info()
        result = ScanResult(
            project=project.name,
            scanned_at=now,
            source=info,
            components=found.project.components,
            apvs=found.findings.active,
            waived=found.findings.waived,
            expired=found.findings.expired,
            unused=found.findings.unused,
            warnings=found.warnings,
        )
        return Looked(
            commit=commit,
            components=len(result.components),
            apvs=result.apvs,
            waived=tuple(apv for apv, _ in result.waived),
            documents={kind: render(result, Format(kind)) for kind in DocumentKind},
            policy=to_json(load_config(folder, base=UNRESTRICTED).policy),
            feed=_feed(info, now),
        )

    def ask(self, scan: Scan, project: Project, commit: str, *, again: str = "") -> Request:
        """Return what a heal of the same files asks for."""
        folder, _ = self._files(project, commit or project.branch)
        config = load_config(folder)
        probes = tuple(str(path) for path in self.probe_folders)
        request = replace(
            asked(folder, config, probes=probes, wanted=()),
            key=project.known_as,
            name=project.name,
            content=project_digest(folder),
            branch=project.branch,
            commit=commit,
            project_id=str(project.id),
            scan=str(scan.id),
            asked_by=scan.requested_by,
            arena=GITHUB if self.fought_in == GITHUB and project.kind is Kind.github else "",
        )
        ground = self._made(request)
        request = replace(request, wanted=ground.wanted(folder, project.id))
        return with_digest(request, ground, again=again)

    # Ground

    def find(self, request: Request) -> Found:
        """Read the project, match, judge; copy it for the tests."""
        return self._ground(request).find(request)

    def plan(self, request: Request, apvs: tuple[Apv, ...], refuted: frozenset[tuple[str, str]]) -> Plan:
        """Prepare remedies for `apvs` that use none of the `refuted` releases."""
        return self._ground(request).plan(request, apvs, refuted)

    def probes(self, request: Request, apvs: tuple[Apv, ...]) -> dict[str, tuple[Probe, ...]]:
        """Return the probes that attack each of `apvs`, by code."""
        return self._ground(request).probes(request, apvs)

    def suite(self, request: Request) -> Suite:
        """Say how the project's tests are run."""
        return self._ground(request).suite(request)

    def number(self, request: Request) -> str:
        """Return a code for a wargame run that no other has."""
        return self._ground(request).number(request)

    def conclude(self, request: Request, found: Found, proof: Proof) -> Proof:
        """Propose the change, sign the evidence, leave a review waiting."""
        return self._ground(request).conclude(request, found, proof)

    def tidy(self) -> None:
        """Remove copies and checkouts that were not used for long; what needs one after all gets it again."""
        for pattern, days in _AGING.items():
            for folder in self.home.glob(pattern):
                if folder.is_dir() and folder.stat().st_mtime < time.time() - days * 86400:
                    shutil.rmtree(folder, ignore_errors=True)

    def _ground(self, request: Request) -> LocalGround:
        with self._lock:
            ground = self._grounds.pop(request.digest, None) or self._made(request)
            self._grounds[request.digest] = ground
            while len(self._grounds) > _KEPT:
                self._grounds.popitem(last=False)
            return ground

    def _made(self, request: Request) -> LocalGround:
        copy = heal_folder(self.home, request) / "project"
        config = load_config(copy if request.digest and copy.exists() else self._files_of(request), base=UNRESTRICTED)
        return LocalGround(
            home=self.home,
            database_url=self.database_url,
            uv=self.uv,
            arena=self.arena,
            arena_name=self.arena_name,
            store=open_store(self.home, self.advisories),
            config=config,
            codes=self.codes,
            releases=self.releases,
            files=self._files_of,
            github=self.github,
            policy=stricter(self.policy, config.policy),
        )

    def _files(self, project: Project, ref: str) -> tuple[Path, str]:
        if project.kind is Kind.github:
            return self.fetch(self.home, project.location, ref)
        folder = Path(project.location)
        refuse_absent(folder)
        return folder, ""

    def _files_of(self, request: Request) -> Path:
        folder = Path(request.project)
        if request.known_as.startswith(_GITHUB) and not folder.is_dir():
            folder, _ = self.fetch(self.home, request.known_as.removeprefix(_GITHUB), request.commit)
        refuse_absent(folder)
        return folder


def _feed(info: SourceInfo, now: datetime) -> Feed:
    return Feed(
        name="osv",
        source=info.source,
        records=info.records,
        updated_at=moment(info.updated_at),
        checked_at=now,
        error="",
    )
