"""What is known of a release before it is trusted: age, yanked, provenance, publisher, code that runs by itself."""

import io
import json
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from vertice.adaptive.remedy.model import Change, ReleaseFacts
from vertice.adaptive.remedy.releases import Release, ReleaseFile, Releases
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.text import printable

__all__ = ["facts_of", "release_facts"]

MAX_PROVENANCE_BYTES = 2 * 1024 * 1024
MAX_WHEEL_BYTES = 32 * 1024 * 1024
"""Up to so much is downloaded of a wheel where the server knows no ranges."""
MAX_MEMBERS = 200_000
_TAIL = 64 * 1024
"""Read at once from a wheel's end: the central directory of most wheels fits."""


def facts_of(changes: Iterable[Change], releases: Releases, now: datetime) -> dict[Change, ReleaseFacts]:
    """Return the facts of every release that a change brings, asked eight at a time."""
    wanted = [change for change in dict.fromkeys(changes) if change.after]
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = pool.map(
            lambda change: release_facts(change.package, change.after, change.before, releases, now), wanted
        )
        return dict(zip(wanted, found, strict=True))


def release_facts(package: str, version: str, in_use_version: str, releases: Releases, now: datetime) -> ReleaseFacts:
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
        install_time_code=not any(file.wheel and not file.yanked for file in release.files),
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
    wheels = [file for file in release.files if file.wheel]
    if not wheels:
        return ()
    wheel = min(wheels, key=lambda file: (file.size if file.size is not None else 1 << 60, file.filename))
    try:
        names = _names(wheel, releases)
    except (UnfinishedError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        notes.append(f"{wheel.filename} could not be listed: {printable(str(error), limit=200)}")
        return ()
    return tuple(sorted(printable(name, limit=200) for name in names if name.endswith(".pth") and _at_top(name)))


def _at_top(name: str) -> bool:
    folders = name.split("/")[:-1]
    return not folders or (len(folders) == 2 and folders[0].endswith(".data") and folders[1] in {"purelib", "platlib"})


def _names(wheel: ReleaseFile, releases: Releases) -> list[str]:
    answer = releases.fetch(wheel.url, limit=MAX_WHEEL_BYTES, headers={"Range": f"bytes=-{_TAIL}"})
    if answer is None:
        raise UnfinishedError("the file is gone", where=wheel.filename)
    if answer.status != 206:
        return _listed(io.BytesIO(answer.body))
    size = int(answer.headers.get("content-range", "").rpartition("/")[2])
    return _listed(_Remote(wheel.url, size, answer.body, releases))


def _listed(stream: Any) -> list[str]:
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
    if len(names) > MAX_MEMBERS:
        raise ValueError(f"it has more than {MAX_MEMBERS:,} files")
    return names


class _Remote(io.RawIOBase):
    """A file on a server, read by ranges; its tail is here already."""

    def __init__(self, url: str, size: int, tail: bytes, releases: Releases) -> None:
        super().__init__()
        self._url = url
        self._size = size
        self._start = size - len(tail)
        self._tail = tail
        self._releases = releases
        self._at = 0

    def seekable(self) -> bool:
        """Zip files are read from their end."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is read."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the bytes, from the tail where it holds them."""
        end = self._size if size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        if self._at < self._start:
            self._extend(self._at)
        data = self._tail[self._at - self._start : end - self._start]
        self._at = end
        return data

    def _extend(self, start: int) -> None:
        if self._size - start > MAX_WHEEL_BYTES:
            raise ValueError("its directory is too large")
        headers = {"Range": f"bytes={start}-{self._start - 1}"}
        answer = self._releases.fetch(self._url, limit=MAX_WHEEL_BYTES, headers=headers)
        if answer is None or answer.status != 206 or len(answer.body) != self._start - start:
            raise ValueError("the server stopped serving ranges")
        self._tail = answer.body + self._tail
        self._start = start
