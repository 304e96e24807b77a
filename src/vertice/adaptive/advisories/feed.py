"""Where advisories come from: the official dump or a mirror of it, a zip, a folder; and what changed there."""

import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from vertice.adaptive.advisories.dump import (
    MAX_RECORD_BYTES,
    Broken,
    Parsed,
    Progress,
    fingerprint_file,
    fingerprint_folder,
    parse_records,
    read_folder,
    read_zip,
)
from vertice.adaptive.advisories.fetch import Answer, Session, without_password
from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.advisories.store import Contents
from vertice.kernel.errors import InputError, VerticeError

__all__ = ["OFFICIAL", "Feed", "Origin", "OriginKind", "Outcome", "locate", "read_feed"]

OFFICIAL: Final = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
"""OSV's dump of everything for PyPI, CC-BY-4.0 and CC0-1.0 (google.github.io/osv.dev/data)."""
_FEW: Final = 300
"""Up to so many changed records are fetched one by one; beyond, the whole dump is quicker."""


class OriginKind(StrEnum):
    """What a location is."""

    url = "url"
    zip = "zip"
    folder = "folder"


@dataclass(frozen=True, slots=True)
class Origin:
    """A location, understood: `place` is a URL of a zip or a path, `shown` the same without secrets."""

    kind: OriginKind
    place: str
    shown: str


class Outcome(StrEnum):
    """What a sync did."""

    built = "built"
    updated = "updated"
    unchanged = "unchanged"


@dataclass(frozen=True, slots=True)
class Feed:
    """What the origin holds now."""

    outcome: Outcome
    records: Mapping[str, str]
    advisories: tuple[Advisory, ...]
    changed: int
    """Records new or changed since the last time."""
    removed: int
    broken: tuple[Broken, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    """What tells the next time whether anything has changed: validators or a fingerprint."""


def locate(location: str | Path | None) -> Origin:
    """Understand a location: None (the official dump), a URL of a zip or of a mirror, a zip, a folder.

    A mirror has OSV's layout, `PyPI/all.zip`; so may a folder have it, or just `all.zip`.
    Raises InputError when there is nothing of the kind.
    """
    text = str(location or OFFICIAL)
    if text.startswith(("http://", "https://")):
        place = text if text.partition("?")[0].endswith(".zip") else text.rstrip("/") + "/PyPI/all.zip"
        return Origin(OriginKind.url, place, without_password(place))
    if "://" in text:
        raise InputError("is no address we can fetch", where=without_password(text), todo="Give http:// or https://.")
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        inside = next((path / name for name in ("all.zip", "PyPI/all.zip") if (path / name).is_file()), None)
        kind = OriginKind.zip if inside else OriginKind.folder
        return Origin(kind, str(inside or path), str(inside or path))
    if not path.exists():
        raise InputError(
            "no such file or folder", where=str(path), todo="Give the URL, zip or folder of an OSV dump of PyPI."
        )
    return Origin(OriginKind.zip, str(path), str(path))


def read_feed(origin: Origin, known: Contents | None, session: Session, progress: Progress) -> Feed:
    """Return what `origin` holds now; `known` is what it held the last time, None when it was not read before."""
    if origin.kind is OriginKind.url:
        return _read_url(origin, known, session, progress)
    path = Path(origin.place)
    is_zip = origin.kind is OriginKind.zip
    fingerprint = fingerprint_file(path) if is_zip else fingerprint_folder(path)
    if known is not None and known.meta.get("fingerprint") == fingerprint:
        return _unchanged(known, {"fingerprint": fingerprint})
    if not is_zip:
        parsed = read_folder(path, progress)
    else:
        with path.open("rb") as stream:
            parsed = read_zip(stream, str(path), progress)
    return _whole(parsed, known, {"fingerprint": fingerprint})


def _read_url(origin: Origin, known: Contents | None, session: Session, progress: Progress) -> Feed:
    """Read the list of changes where there is one and we have something to compare it with, else the whole dump."""
    if known is not None and origin.place.endswith("/all.zip"):
        feed = _read_changes(origin.place.removesuffix("all.zip"), known, session, progress)
        if feed is not None:
            return feed
    with tempfile.TemporaryFile() as stream:
        last = _answer(known, "zip") if known is not None else None
        answer = session.get(origin.place, stream, known=last, progress=progress)
        if answer.status == 304 and known is not None:
            return _unchanged(known, known.meta)
        if answer.status == 404:
            raise InputError("answers 404", where=origin.shown, todo="Check the address of the advisories.")
        return _whole(read_zip(stream, origin.shown, progress), known, _marks("zip", answer))


def _read_changes(base: str, known: Contents, session: Session, progress: Progress) -> Feed | None:
    """Follow `modified_id.csv` (lines `time,id` of every record); None when it is missing, odd, or changes are many."""
    listing = io.BytesIO()
    answer = session.get(base + "modified_id.csv", listing, known=_answer(known, "csv"))
    if answer.status == 304:
        return _unchanged(known, known.meta)
    listed = _parse_listing(listing.getvalue()) if answer.status == 200 else {}
    if len(listed) < len(known.records) / 2:
        return None
    changed = [name for name, time in listed.items() if _later(time, known.records.get(name))]
    removed = known.records.keys() - listed.keys()
    marks = {**known.meta, **_marks("csv", answer)}
    if not changed and not removed:
        return _unchanged(known, marks)
    if len(changed) > _FEW:
        return None
    parsed = parse_records(_fetched(base, changed, session), progress, len(changed))
    records = {name: time for name, time in known.records.items() if name not in removed}
    records |= {name: max(time, listed.get(name, ""), key=_instant) for name, time in parsed.records.items()}
    kept = [one for one in known.advisories if one.id not in removed and one.id not in parsed.records]
    return Feed(
        Outcome.updated,
        records,
        (*kept, *parsed.advisories),
        len(parsed.records),
        len(removed),
        parsed.broken,
        marks,
    )


def _fetched(base: str, names: list[str], session: Session) -> Iterator[tuple[str, bytes | VerticeError]]:
    for name in names:
        body = io.BytesIO()
        answer = session.get(f"{base}{name}.json", body)
        size = body.getbuffer().nbytes
        if answer.status == 404:
            yield name, InputError("is listed as changed but answers 404")
        elif size > MAX_RECORD_BYTES:
            yield name, InputError(f"is larger than {MAX_RECORD_BYTES:,} bytes")
        else:
            yield name, body.getvalue()


def _whole(parsed: Parsed, known: Contents | None, marks: Mapping[str, str]) -> Feed:
    before = known.records if known is not None else {}
    changed = sum(before.get(name) != time for name, time in parsed.records.items())
    removed = len(before.keys() - parsed.records.keys())
    outcome = Outcome.built if known is None else Outcome.updated
    return Feed(outcome, parsed.records, parsed.advisories, changed, removed, parsed.broken, marks)


def _unchanged(known: Contents, marks: Mapping[str, str]) -> Feed:
    return Feed(Outcome.unchanged, known.records, known.advisories, 0, 0, marks=marks)


def _parse_listing(data: bytes) -> dict[str, str]:
    listed = {}
    for line in data.decode("utf-8", "replace").splitlines():
        time, comma, name = line.strip().partition(",")
        name = name.rpartition("/")[2]
        if comma and time[:1].isdigit() and name.replace("-", "").replace("_", "").isalnum():
            listed[name] = time
    return listed


def _later(listed: str, known: str | None) -> bool:
    return known is None or _instant(listed) > _instant(known)


def _instant(time: str) -> str:
    """Return an RFC 3339 time in UTC such that text order is time order (fractions have differing lengths)."""
    whole, _, fraction = time.rstrip("Zz").removesuffix("+00:00").partition(".")
    return f"{whole}.{fraction:0<9}"


def _answer(known: Contents, which: str) -> Answer:
    return Answer(0, known.meta.get(f"{which}_etag", ""), known.meta.get(f"{which}_last_modified", ""))


def _marks(which: str, answer: Answer) -> dict[str, str]:
    return {f"{which}_etag": answer.etag, f"{which}_last_modified": answer.last_modified}
