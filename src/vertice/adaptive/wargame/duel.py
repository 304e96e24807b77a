"""One wargame by itself: two locks of one project, the attacks of the named advisories, the project's own tests.

What a heal does in many durable steps is done here in one go, for an arena that is a machine of its own.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vertice.adaptive.advisories.match import match
from vertice.adaptive.advisories.source import combine
from vertice.adaptive.inventory.model import Lock, Project
from vertice.adaptive.triage.model import Site
from vertice.adaptive.triage.reachability import sites_calling
from vertice.adaptive.triage.triage import index_project, parents_of
from vertice.adaptive.wargame.attack import Arena, attack
from vertice.adaptive.wargame.environment import EnvironmentFailed, Environments
from vertice.adaptive.wargame.model import CaseRun, EnvironmentReport, Evidence, Probe, Side, TestReport
from vertice.adaptive.wargame.suite import TOOLS, Suite, run_suite
from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.model import Limits
from vertice.kernel.text import printable

__all__ = ["Duel", "duel", "locks_digest", "only_lock", "probes_named", "sites_of"]


@dataclass(frozen=True, slots=True)
class Duel:
    """What is fought out."""

    before: Lock
    after: Lock
    probes: tuple[Probe, ...]
    suite: Suite
    unprobed: tuple[str, ...] = ()
    """Advisories that no probe attacks."""
    sites: tuple[Site, ...] = ()
    """The project's own lines that call into what changes."""
    repeats: int = 3
    limits: Limits = Limits()


def duel(asked: Duel, environments: Environments, arena: Arena, seen: Callable[[str], None]) -> Evidence:
    """Build both environments, attack both, run the tests in both. `seen` hears of each step in a few words."""
    reports: list[EnvironmentReport] = []
    runs: list[CaseRun] = []
    tests: list[TestReport] = []
    for side, lock in ((Side.before, asked.before), (Side.after, asked.after)):
        seen(f"building the environment {side}")
        try:
            built = environments.build(lock, tools=TOOLS)
        except EnvironmentFailed as error:
            reports.append(EnvironmentReport(side, lock.digest, "", (), 0.0, reused=False, error=str(error)))
            continue
        reports.append(
            EnvironmentReport(
                side, built.digest, built.interpreter.version, built.packages, round(built.seconds, 3), built.reused
            )
        )
        for probe in asked.probes:
            seen(f"attacking {side}: {probe.id}")
            runs += attack(
                probe,
                built,
                arena,
                side=side,
                repeats=asked.repeats,
                limits=asked.limits,
                seen=lambda run: seen(f"  {run.case}: {run.outcome}"),
            )
        seen(f"running the project's tests {side}")
        tests.append(run_suite(asked.suite, built, arena, side=side, sites=asked.sites))
    return Evidence(tuple(reports), tuple(runs), tuple(tests), unprobed=asked.unprobed, repeats=asked.repeats)


def locks_digest(before: Lock, after: Lock) -> str:
    """Return the sha256 hex that stands for both locks: what was proven is what was asked for."""
    return hashlib.sha256(f"{before.digest}\n{after.digest}".encode()).hexdigest()


def only_lock(project: Project, path: str = "") -> Lock:
    """Return the project's lock, that of the manifest at `path` where it is given.

    Raises InputError when there is no such manifest, when there are several, or when one is not fully known.
    """
    found = [one for one in project.manifests if path in {"", one.path}]
    if len(found) != 1:
        paths = ", ".join(printable(one.path, limit=100) for one in project.manifests[:10])
        what = "has several manifests" if found else f"has no manifest {printable(path, limit=100)}"
        raise InputError(what, where=str(project.root), todo=f"Name one of {paths}.")
    manifest = found[0]
    if not manifest.complete:
        raise InputError(
            "it is not fully known what would be installed", where=manifest.path, todo="Pin every version."
        )
    return manifest.lock


def probes_named(names: Sequence[str], known: Sequence[Probe]) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the probes that attack the named advisories, and the names that no probe attacks."""
    attacks = {name: [probe for probe in known if name.casefold() in _ids(probe)] for name in dict.fromkeys(names)}
    found = {probe.id: probe for own in attacks.values() for probe in own}
    return tuple(found.values()), tuple(name for name, own in attacks.items() if not own)


def sites_of(project: Project, probes: Sequence[Probe], before: Lock, after: Lock) -> tuple[Site, ...]:
    """Return the project's own lines that call into a package that is attacked, or that `after` has otherwise."""
    attacked = {facts.package for probe in probes for facts in probe.advisories}
    source = combine(None, [facts for probe in probes for facts in probe.advisories])
    changed = set(before.requirements) ^ set(after.requirements)
    index = index_project(project, match(project.components, source))
    parents = parents_of(project)
    return tuple(
        sorted(
            {
                site
                for component in project.components
                if component.name in attacked or any(pin.startswith(f"{component.name}==") for pin in changed)
                for site in sites_calling(index, component, parents=parents)
            }
        )
    )


def _ids(probe: Probe) -> frozenset[str]:
    return frozenset(name.casefold() for name in probe.ids)
