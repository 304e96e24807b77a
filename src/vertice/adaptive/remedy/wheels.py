"""What a wheel on the index holds, read without downloading it: its file names and its METADATA."""

import email.parser
import io
import zipfile
from typing import Any

from vertice.adaptive.remedy.releases import Release, ReleaseFile, Releases
from vertice.kernel.errors import UnfinishedError

__all__ = ["UNREADABLE", "Metadata", "member_names", "metadata_of"]

MAX_WHEEL_BYTES = 32 * 1024 * 1024
"""Up to so much is downloaded of a wheel where the server knows no ranges."""
MAX_METADATA_BYTES = 4 * 1024 * 1024
MAX_MEMBERS = 200_000
UNREADABLE = (UnfinishedError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError)
"""What reading somebody else's wheel may raise."""
_TAIL = 64 * 1024
"""Read at once from a wheel's end: the central directory of most wheels fits."""


class Metadata:
    """The core metadata of a release: `requires_dist` (PEP 508 texts) and `summary` (untrusted text)."""

    def __init__(self, text: str) -> None:
        headers = email.parser.HeaderParser().parsestr(text)
        self.requires_dist: tuple[str, ...] = tuple(str(value) for value in headers.get_all("Requires-Dist", []))
        self.summary = str(headers.get("Summary", "")).strip()


def metadata_of(release: Release, releases: Releases) -> Metadata | None:
    """Return the metadata of a release (PEP 658 file, else out of a wheel); None when it has no wheel.

    Raises one of `UNREADABLE` when the wheel cannot be read.
    """
    wheel = _smallest(release)
    if wheel is None:
        return None
    answer = releases.fetch(f"{wheel.url}.metadata", limit=MAX_METADATA_BYTES)
    if answer is not None:
        return Metadata(answer.body.decode("utf-8", "replace"))
    with _opened(wheel, releases) as archive:
        found = [one for one in archive.infolist() if one.filename.count("/") == 1]
        member = next((one for one in found if one.filename.endswith(".dist-info/METADATA")), None)
        if member is None or member.file_size > MAX_METADATA_BYTES:
            raise ValueError("it has no METADATA that can be read")
        return Metadata(archive.read(member).decode("utf-8", "replace"))


def member_names(release: Release, releases: Releases) -> tuple[str, ...]:
    """Return the file names in the smallest wheel; none when there is no wheel. Raises one of `UNREADABLE`."""
    wheel = _smallest(release)
    if wheel is None:
        return ()
    with _opened(wheel, releases) as archive:
        return tuple(archive.namelist())


def _smallest(release: Release) -> ReleaseFile | None:
    wheels = [file for file in release.files if file.wheel]
    return min(wheels, key=lambda file: (file.size if file.size is not None else 1 << 60, file.filename), default=None)


def _opened(wheel: ReleaseFile, releases: Releases) -> zipfile.ZipFile:
    answer = releases.fetch(wheel.url, limit=MAX_WHEEL_BYTES, headers={"Range": f"bytes=-{_TAIL}"})
    if answer is None:
        raise UnfinishedError("the file is gone", where=wheel.filename)
    stream: Any = io.BytesIO(answer.body)
    if answer.status == 206:
        size = int(answer.headers.get("content-range", "").rpartition("/")[2])
        stream = _Remote(wheel.url, size, answer.body, releases)
    archive = zipfile.ZipFile(stream)
    if len(archive.filelist) > MAX_MEMBERS:
        raise ValueError(f"it has more than {MAX_MEMBERS:,} files")
    return archive


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
