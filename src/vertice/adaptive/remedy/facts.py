"""What is known of a release before it is trusted: age, yanked, provenance, publisher, code that runs by itself."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from vertice.adaptive.remedy.model import Change, ReleaseFacts
from vertice.adaptive.remedy.releases import Release, Releases
from vertice.adaptive.remedy.wheels import UNREADABLE, member_names
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.text import printable

__all__ = ["facts_of", "release_facts"]

MAX_PROVENANCE_BYTES = 2 * 1024 * 1024


def facts_of(
    changes: Iterable[Change], releases: Releases, now: datetime, *, python: str = ""
) -> dict[Change, ReleaseFacts]:
    """Return the facts of every release that a change brings, asked eight at a time."""
    wanted = [change for change in dict.fromkeys(changes) if change.after]
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = pool.map(
            lambda change: release_facts(change.package, change.after, change.before, releases, now, python=python),
            wanted,
        )
        return dict(zip(wanted, found, strict=True))


def release_facts(
    package: str, version: str, in_use_version: str, releases: Releases, now: datetime, *, python: str = ""
) -> ReleaseFacts:
    """Return what the index tells of `package version`, beside the release in use ("" when there is none).

    What cannot be found out is None, with a note why; only an unreachable index raises (UnfinishedError).
    """
    release = releases.release(package, version)
    if release is None:
        return ReleaseFacts(package, version, notes=("the index does not list this release",))
    notes: list[str] = []
    publisher = _publisher(release, releases, notes)
    old = releases.release(package, in_use_version) if in_use_version else None
    old_publisher = _publisher(old, releases, notes) if old is not None and publisher else ""
    pth = _pth_files(release, releases, notes)
    return ReleaseFacts(
        package=package,
        version=version,
        uploaded_at=release.uploaded_at,
        age_days=_age(release.uploaded_at, now),
        yanked=release.yanked,
        attested=_attested(release),
        publisher=publisher,
        publisher_changed=publisher != old_publisher if publisher and old_publisher else None,
        pth_files=pth,
        install_time_code=not release.wheel_for(python),
        notes=tuple(notes),
    )


def _age(uploaded_at: str, now: datetime) -> int | None:
    try:
        return max(0, (now - datetime.fromisoformat(uploaded_at)).days)
    except (ValueError, TypeError):
        return None


def _attested(release: Release) -> bool | None:
    if any(file.provenance is None for file in release.files):
        return None
    return all(file.provenance for file in release.files)


def _publisher(release: Release, releases: Releases, notes: list[str]) -> str:
    """Return who PEP 740 says published the release (`GitHub encode/starlette release.yml`), "" when unknown."""
    url = next((file.provenance for file in release.files if file.provenance), None)
    if not url:
        return ""
    try:
        answer = releases.fetch(url, limit=MAX_PROVENANCE_BYTES)
        found = _publisher_of(json.loads(answer.body)) if answer is not None else ""
    except (UnfinishedError, ValueError) as error:
        notes.append(f"the provenance of {release.version} could not be read: {printable(str(error), limit=200)}")
        return ""
    return found


def _publisher_of(provenance: Any) -> str:
    bundles = provenance.get("attestation_bundles") if isinstance(provenance, dict) else None
    for bundle in bundles if isinstance(bundles, list) else ():
        publisher = bundle.get("publisher") if isinstance(bundle, dict) else None
        if isinstance(publisher, dict):
            parts = (publisher.get(key) for key in ("kind", "repository", "workflow", "workflow_filepath", "email"))
            return printable(" ".join(part for part in parts if isinstance(part, str) and part), limit=200)
    return ""


def _pth_files(release: Release, releases: Releases, notes: list[str]) -> tuple[str, ...]:
    """Return the `.pth` files at the top of the smallest wheel, or of its `.data/purelib`."""
    try:
        names = member_names(release, releases)
    except UNREADABLE as error:
        notes.append(f"no wheel of {release.version} could be listed: {printable(str(error), limit=200)}")
        return ()
    return tuple(sorted(printable(name, limit=200) for name in names if name.endswith(".pth") and _at_top(name)))


def _at_top(name: str) -> bool:
    folders = name.split("/")[:-1]
    return not folders or (len(folders) == 2 and folders[0].endswith(".data") and folders[1] in {"purelib", "platlib"})
