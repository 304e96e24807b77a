"""Everything that is known about one manifest before a remedy for it is looked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vertice.adaptive.advisories.model import Advisory, AdvisorySource
from vertice.adaptive.inventory.model import Manifest, ManifestKind, Project
from vertice.adaptive.remedy.candidates import IsAffected, Rules, old_enough
from vertice.adaptive.remedy.documents.model import Document, pins
from vertice.adaptive.remedy.documents.open import open_document
from vertice.adaptive.remedy.documents.requirements import RequirementsDocument
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.resolver import Conflict, Question, Runner, Solution, solve
from vertice.adaptive.triage.model import Apv

__all__ = ["Case", "Finding", "Tools", "findings", "open_case"]

Finding = tuple[str, str, str]
"""(package, version, advisory id)"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the search asks of the world."""

    uv: Runner
    source: AdvisorySource
    releases: Releases
    read: Callable[[Path], Project]
    is_affected: IsAffected


@dataclass(frozen=True, slots=True)
class Case:
    """One manifest, its document, and what uv makes of it as it stands."""

    root: Path
    manifest: Manifest
    document: Document
    locked: Mapping[str, tuple[str, ...]]
    """Every package in use, those that no file lists included."""
    base: Solution
    advisories: Mapping[str, tuple[Advisory, ...]]
    apvs: tuple[Apv, ...]
    """Those of this manifest, the most urgent first."""
    rules: Rules
    python: str
    tools: Tools

    @property
    def question(self) -> Question:
        """The question that has the present state for its answer."""
        return Question(
            roots=self.document.roots,
            constraints=self.document.constraints,
            locked=self.locked,
            overrides=self.document.overrides,
            python=self.python,
            universal=self.document.universal,
        )

    def about(self, names: Iterable[str]) -> Mapping[str, tuple[Advisory, ...]]:
        """Return the advisories of `names`, asking the source for those that the lock does not hold yet."""
        missing = [name for name in names if name not in self.locked]
        return {**self.advisories, **(self.tools.source.for_packages(missing) if missing else {})}

    def unfit(self, name: str, version: str) -> bool:
        """Say whether a release that had to move along breaks a rule of its own."""
        if (name, version) in self.rules.refuted:
            return True
        if self.rules.uploaded_before is None:
            return False
        release = self.tools.releases.release(name, version)
        return release is None or not old_enough(release, self.rules.uploaded_before)

    def young(self, name: str) -> tuple[str, ...]:
        """Return the releases of a package that are too young."""
        before = self.rules.uploaded_before
        known = self.tools.releases.of(name) or () if before is not None else ()
        return tuple(str(release.version) for release in known if not old_enough(release, before))


def open_case(project: Project, manifest: Manifest, apvs: tuple[Apv, ...], rules: Rules, tools: Tools) -> Case | str:
    """Return the case, or why nothing can be changed in this manifest.

    Raises VerticeError when the files cannot be read or the index cannot be reached.
    """
    if manifest.kind is ManifestKind.installed:
        return "an installed environment has no file to edit; scan the project that it was installed from"
    python = rules.python
    document = open_document(project.root, manifest, python=python, universal=False)
    if isinstance(document, str):
        return document
    locked = pins(manifest.lock)
    base = _base(document, locked, python, tools.uv)
    if isinstance(base, Solution) and not {apv.component.name for apv in apvs} <= base.versions.keys():
        document = replace(document, universal=True) if isinstance(document, RequirementsDocument) else document
        everywhere = _base(document, locked, python, tools.uv)
        base = everywhere if isinstance(everywhere, Solution) else base
    if isinstance(base, Conflict):
        return f"the project does not resolve as it stands, so no change can be checked: {base.reason}"
    unlisted = {name: (version,) for name, version in base.versions.items() if name not in locked}
    return Case(
        root=project.root,
        manifest=manifest,
        document=document,
        locked={**locked, **unlisted},
        base=base,
        advisories=tools.source.for_packages(sorted({*locked, *unlisted})),
        apvs=apvs,
        rules=rules,
        python=python,
        tools=tools,
    )


def _base(document: Document, locked: Mapping[str, tuple[str, ...]], python: str, uv: Runner) -> Solution | Conflict:
    """Resolve the project as it stands."""
    question = Question(
        roots=document.roots,
        constraints=document.constraints,
        locked=locked,
        overrides=document.overrides,
        python=python,
        universal=document.universal,
        newest=True,
    )
    return solve(question, uv)


def findings(
    versions: Mapping[str, Iterable[str]], advisories: Mapping[str, tuple[Advisory, ...]], is_affected: IsAffected
) -> set[Finding]:
    """Return every match of the advisories on the versions (name -> versions)."""
    return {
        (name, version, advisory.id)
        for name, found in versions.items()
        for version in found
        for advisory in advisories.get(name, ())
        if is_affected(version, advisory)
    }
