"""Checks an edited project before it is proposed: it resolves, and read again it shows what was meant and no more."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from vertice.adaptive.inventory.model import Lock, Manifest
from vertice.adaptive.remedy.candidates import parse
from vertice.adaptive.remedy.case import Case, Finding, findings
from vertice.adaptive.remedy.documents.model import Move, Written, pins
from vertice.adaptive.remedy.model import Change
from vertice.adaptive.triage.model import Apv
from vertice.kernel.errors import VerticeError
from vertice.kernel.files import read_bytes

__all__ = ["Checked", "Failed", "check"]

_BESIDE = ("pyproject.toml", ".python-version", "setup.cfg", "runtime.txt", "uv.toml", ".tool-versions")
"""Files that say which Python or index is meant, though they are no part of the manifest."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the edited project turned out to be."""

    changes: tuple[Change, ...]
    """The targets first, then by name."""
    lock: Lock
    removed: tuple[str, ...]
    """Codes of the APVs that no longer match, the most urgent first."""
    new: tuple[str, ...]
    """Ids of advisories that match now and did not before."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why the edited project may not be proposed."""

    reason: str
    avoid: tuple[str, str] | None = None
    """(name, version) that a range let in and that should be kept out."""


def check(case: Case, move: Move, written: Written, accepted: frozenset[str]) -> Checked | Failed:
    """Resolve and read the edited project; `accepted` are ids of new advisories that cannot be helped."""
    files = {**case.document.files, **{edit.path: edit.after for edit in written.edits}}
    try:
        manifest = _read_again(case, files)
    except VerticeError as error:
        if error.exit_code == 3:
            raise
        return Failed(f"the edited files cannot be read: {error}")
    if manifest is None:
        return Failed("the edited files hold no manifest any more")
    problem = case.document.check(files, manifest.lock, case.tools.uv)
    if problem:
        return Failed(f"the edited files do not resolve: {problem}")
    return _compare(case, move, manifest, accepted)


def _read_again(case: Case, files: Mapping[str, str]) -> Manifest | None:
    with tempfile.TemporaryDirectory(prefix="vertice-remedy-") as folder:
        root = Path(folder) / case.root.name
        beside = {name: case.root / name for name in _BESIDE if name not in files and (case.root / name).is_file()}
        contents = {name: read_bytes(path) for name, path in beside.items()}
        contents |= {name: text.encode() for name, text in files.items()}
        for name, content in contents.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        project = case.tools.read(root)
    return next((one for one in project.manifests if one.path == case.manifest.path), None)


def _compare(case: Case, move: Move, manifest: Manifest, accepted: frozenset[str]) -> Checked | Failed:
    before, after = _versions(case.manifest), _versions(manifest)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    for name in sorted(names & before.keys() & after.keys()):
        if lower := _lower(before[name], after[name]):
            return Failed(f"{name} would go down from {before[name][-1]} to {lower}")
    meant = {*move.changes, *move.added, *move.removed}
    if not case.manifest.resolved and not names <= meant:
        return Failed(f"{', '.join(sorted(names - meant))} would change as well")
    for name in sorted(names & after.keys()):
        for version in after[name]:
            if version not in before.get(name, ()) and case.unfit(name, version):
                return Failed(f"{name} would become {version}, which is refuted or too young", (name, version))
    about = case.about(after)
    was = findings(before, about, case.tools.is_affected)
    now = findings(after, about, case.tools.is_affected)
    fresh = sorted(now - was, key=lambda one: one)
    known = {(name, code) for name, _, code in was}
    unexpected = [one for one in fresh if (one[0], one[2]) not in known and one[2] not in accepted]
    if unexpected:
        name, version, code = unexpected[0]
        return Failed(f"{code} would match {name} {version}", (name, version))
    come = {
        (name, version) for name, found in after.items() for version in found if version not in before.get(name, ())
    }
    removed = tuple(apv.code for apv in case.apvs if not _matches_still(apv, now, come))
    return Checked(
        changes=_changes(move, before, after, names),
        lock=manifest.lock,
        removed=removed,
        new=tuple(sorted({code for name, _, code in fresh if (name, code) not in known})),
    )


def _matches_still(apv: Apv, now: set[Finding], come: set[tuple[str, str]]) -> bool:
    """Say whether the advisory matches the release that was in use, or one that came in its place."""
    name, version = apv.component.name, apv.component.version
    return any(
        one[0] == name and one[2] == apv.advisory.id and (one[1] == version or (name, one[1]) in come) for one in now
    )


def _versions(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for component in manifest.components:
        if component.version not in found.get(component.name, ()):
            found[component.name] = (*found.get(component.name, ()), component.version)
    return {name: tuple(sorted(versions, key=_order)) for name, versions in {**pins(manifest.lock), **found}.items()}


def _order(version: str) -> Version:
    return parse(version) or Version("0")


def _lower(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Return a version in use after that is below what it replaces, "" when there is none."""
    gone = [_order(version) for version in before if version not in after]
    come = [version for version in after if version not in before]
    return next((version for version in come if gone and _order(version) < min(gone)), "")


def _changes(
    move: Move, before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]], names: set[str]
) -> tuple[Change, ...]:
    made = []
    for name in sorted(names, key=lambda name: (name not in move.targets, name)):
        old = [version for version in before.get(name, ()) if version not in after.get(name, ())]
        new = [version for version in after.get(name, ()) if version not in before.get(name, ())]
        made += [
            Change(name, old[index] if index < len(old) else "", new[index] if index < len(new) else "")
            for index in range(max(len(old), len(new)))
        ]
    return tuple(made)
