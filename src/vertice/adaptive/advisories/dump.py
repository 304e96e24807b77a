"""A dump of OSV records, in a zip or a folder, to advisories. Broken records are set aside and named, never fatal."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.advisories.osv import parse_record, record_id, record_modified
from vertice.kernel.errors import InputError, VerticeError, from_os_error
from vertice.kernel.files import read_bytes
from vertice.kernel.text import printable

__all__ = [
    "MAX_RECORD_BYTES",
    "Broken",
    "Parsed",
    "Progress",
    "fingerprint_file",
    "fingerprint_folder",
    "parse_records",
    "read_folder",
    "read_zip",
]

MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
"""The largest record we know of is under 1 MiB."""
_MAX_TOTAL_BYTES: Final = 4 * 1024 * 1024 * 1024
_MAX_MEMBERS: Final = 1_000_000
_EVERY: Final = 250

Progress = Callable[[str, int, int], None]
"""Told (what is being done, units done, units in all or 0 when not known), often."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that could not be read: the member's name and why. Untrusted text, made printable."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What records say."""

    records: dict[str, str]
    """Id of every readable record, withdrawn ones too -> its `modified`."""
    advisories: tuple[Advisory, ...]
    broken: tuple[Broken, ...] = ()


def read_zip(stream: BinaryIO, where: str, progress: Progress) -> Parsed:
    """Return what the `.json` members of the zip say. Nothing is ever written to disk.

    Raises InputError when it is no zip, is truncated, has a member whose name leaves the folder, is larger than any
    OSV dump, or has not one readable record.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = _members(archive, where)
            total = len(members)
            return _some(parse_records(_texts(archive, members), progress, total), where)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise InputError(
            "is no zip, or a damaged or truncated one", where=where, todo="Fetch it again; it should be OSV's all.zip."
        ) from error
    except OSError as error:
        raise from_os_error(error, f"reading {where}") from error


def read_folder(folder: Path, progress: Progress) -> Parsed:
    """Return what the `*.json` files in `folder` say; raise InputError when there is not one readable record."""
    files = _json_files(folder)
    return _some(parse_records(((path.name, _content(path)) for path in files), progress, len(files)), str(folder))


def parse_records(members: Iterable[tuple[str, bytes | VerticeError]], progress: Progress, total: int) -> Parsed:
    """Return what the records in `members` (name, JSON or why it could not be read) say.

    Of several records with one id the one modified last counts; the other is named among the broken ones.
    """
    records: dict[str, str] = {}
    advisories: dict[str, tuple[Advisory, ...]] = {}
    broken: list[Broken] = []
    for done, (name, content) in enumerate(members):
        if done % _EVERY == 0:
            progress("reading records", done, total)
        try:
            record = _json(content)
            key, found = record_id(record), parse_record(record)
        except VerticeError as error:
            broken.append(Broken(printable(name, limit=200), error.what))
            continue
        modified = record_modified(record)
        if key in records:
            broken.append(Broken(printable(name, limit=200), f"has the id of another record, {key}; the newer is used"))
            if modified <= records[key]:
                continue
        records[key] = modified
        advisories[key] = found
    progress("reading records", total, total)
    return Parsed(records, tuple(one for found in advisories.values() for one in found), tuple(broken))


def fingerprint_file(path: Path) -> str:
    """Return a digest of the file's content."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise from_os_error(error, "reading it") from error


def fingerprint_folder(folder: Path) -> str:
    """Return a digest of names, sizes and times of the folder's `*.json` files."""
    digest = hashlib.sha256()
    for path in _json_files(folder):
        facts = path.stat()
        digest.update(f"{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _members(archive: zipfile.ZipFile, where: str) -> list[zipfile.ZipInfo]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise InputError(
                f"has the member {printable(member.filename, limit=200)}, which leaves the folder",
                where=where,
                todo="No OSV dump has that; do not trust where it came from.",
            )
    if len(members) > _MAX_MEMBERS or sum(member.file_size for member in members) > _MAX_TOTAL_BYTES:
        raise InputError(
            f"unpacks to more than {_MAX_TOTAL_BYTES:,} bytes or {_MAX_MEMBERS:,} files",
            where=where,
            todo="No OSV dump does; is this the right zip?",
        )
    return [member for member in members if member.filename.endswith(".json")]


def _texts(archive: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo]) -> Iterator[tuple[str, bytes | VerticeError]]:
    """Yield every member's content; a member never unpacks to more than the size that it declares."""
    for member in members:
        if member.file_size > MAX_RECORD_BYTES:
            yield member.filename, InputError(f"is larger than {MAX_RECORD_BYTES:,} bytes")
            continue
        try:
            yield member.filename, archive.read(member)
        except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, NotImplementedError, zlib.error):
            yield member.filename, InputError("cannot be unpacked: it is damaged or encrypted")


def _content(path: Path) -> bytes | VerticeError:
    try:
        return read_bytes(path, limit=MAX_RECORD_BYTES)
    except VerticeError as error:
        return error


def _json(content: bytes | VerticeError) -> object:
    if isinstance(content, VerticeError):
        raise content
    try:
        parsed: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError("is not JSON") from error
    return parsed


def _json_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.is_file())
    except OSError as error:
        raise from_os_error(error, "reading it") from error


def _some(parsed: Parsed, where: str) -> Parsed:
    if parsed.records:
        return parsed
    first = f"; the first, {parsed.broken[0].name}, {parsed.broken[0].reason}" if parsed.broken else ""
    raise InputError(
        f"holds no readable OSV record{first}", where=where, todo="Give OSV's all.zip, or a folder of its .json files."
    )
