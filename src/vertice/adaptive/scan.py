"""From a project to judged findings: read, match, triage, waive. The first half of the way, light enough for a scan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from vertice.adaptive.advisories.match import match
from vertice.adaptive.advisories.model import AdvisorySource
from vertice.adaptive.advisories.source import combine
from vertice.adaptive.advisories.store import Store
from vertice.adaptive.config import Config
from vertice.adaptive.inventory.installed import site_packages
from vertice.adaptive.inventory.model import Project
from vertice.adaptive.inventory.reader import read_project
from vertice.adaptive.inventory.resolution import Resolver
from vertice.adaptive.triage.codes import Codes
from vertice.adaptive.triage.imports import ImportIndex
from vertice.adaptive.triage.modules import modules_from_environment, modules_of
from vertice.adaptive.triage.reachability import ModulesOf
from vertice.adaptive.triage.triage import index_project, triage
from vertice.adaptive.triage.waivers import WaiverResult, apply_waivers
from vertice.adaptive.wargame.probe import find_probes

__all__ = ["Scan", "advisory_source", "judge", "open_store", "scan"]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found."""

    project: Project
    source: AdvisorySource
    index: ImportIndex
    findings: WaiverResult

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, of the dependencies and of the project's own code."""
        return (*self.project.warnings, *self.index.warnings)


def open_store(home: Path, location: str | None) -> Store | None:
    """Return the store of `location` (None: whichever there is), synced first when it holds another source's records.

    A local zip or folder that changed since is read again; a URL only by `vertice advisories sync`.
    """
    store = Store.open(home)
    if location is None:
        return store
    from vertice.adaptive.advisories.dump import fingerprint_file, fingerprint_folder
    from vertice.adaptive.advisories.feed import OriginKind, locate
    from vertice.adaptive.advisories.sync import sync

    origin = locate(location)
    if store is not None and store.meta.get("source") == origin.shown:
        fingerprint = {OriginKind.zip: fingerprint_file, OriginKind.folder: fingerprint_folder}.get(origin.kind)
        if fingerprint is None or store.meta.get("fingerprint") == fingerprint(Path(origin.place)):
            return store
    sync(home, location)
    return Store.open(home)


def advisory_source(store: Store | None, folders: Sequence[Path], packages: frozenset[str]) -> AdvisorySource:
    """Return the feed joined with the facts of probes: of those that name one of `packages`; without a feed, of all."""
    found = find_probes(folders, packages=packages if store else None)
    return combine(store, [advisory for probe in found for advisory in probe.advisories])


def scan(
    root: Path,
    *,
    store: Store | None,
    config: Config,
    probes: Sequence[Path],
    codes: Codes,
    uv: Callable[[], Resolver] | None,
    today: date,
    python: Path | None = None,
    resolve: bool = True,
    project_key: str = "",
) -> Scan:
    """Read the project at `root`, match it and judge what matches; `project_key` as for `triage`."""
    project = read_project(root, uv=uv, python=python, resolve=resolve)
    source = advisory_source(store, probes, frozenset(component.name for component in project.components))
    names = _installed_modules(python) if python else modules_of
    return judge(project, source, config=config, codes=codes, today=today, modules_of=names, project_key=project_key)


def judge(
    project: Project,
    source: AdvisorySource,
    *,
    config: Config,
    codes: Codes,
    today: date,
    modules_of: ModulesOf = modules_of,
    project_key: str = "",
) -> Scan:
    """Match every component of `project` against `source` and judge what matches; `project_key` as for `triage`."""
    matches = match(project.components, source)
    index = index_project(project, matches, modules_of=modules_of)
    apvs = triage(
        project, matches, index=index, codes=codes, today=today, modules_of=modules_of, project_key=project_key
    )
    return Scan(project, source, index, apply_waivers(apvs, config.waivers, today))


def _installed_modules(python: Path) -> ModulesOf:
    """Return the import names that an environment itself records; the table's for what it does not say."""
    folders, _ = site_packages(python)
    recorded: dict[str, tuple[str, ...]] = {}
    for folder in reversed(folders):  # the first one wins
        recorded |= modules_from_environment(folder)
    return lambda name: recorded.get(name) or modules_of(name)
