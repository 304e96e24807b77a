"""Bring the local store of advisories up to date."""

import io
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vertice.adaptive.advisories.aliases import Signal
from vertice.adaptive.advisories.dump import Broken, Progress
from vertice.adaptive.advisories.feed import Feed, Outcome, locate, read_feed
from vertice.adaptive.advisories.fetch import HttpSettings, Session, open_session, without_password
from vertice.adaptive.advisories.signals import parse_epss, parse_kev
from vertice.adaptive.advisories.store import Contents, Store, write_store
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_bytes

__all__ = ["SyncReport", "sync"]

_SIGNAL_BYTES = 256 * 1024 * 1024
_TIME = re.compile(r"(199|20\d)\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
"""RFC 3339 as OSV writes it. Text of the feed: nothing else is shown to a person."""
_MARKS = ("fingerprint", "zip_etag", "zip_last_modified", "csv_etag", "csv_last_modified")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did."""

    outcome: Outcome
    source: str
    path: Path
    records: int
    """Records in the store that are not withdrawn and affect a PyPI package."""
    packages: int
    updated_at: str
    changed: int
    """Records new or changed at the source since the last sync from it."""
    removed: int
    broken: tuple[Broken, ...]
    """Records that could not be read; all others are in the store."""
    seconds: float


def sync(
    home: Path,
    location: str | Path | None = None,
    *,
    epss: str | Path | None = None,
    kev: str | Path | None = None,
    progress: Progress = lambda _what, _done, _total: None,
    http: HttpSettings | None = None,
) -> SyncReport:
    """Build or update the store under `home` from `location` (see `feed.locate`) and say what was done.

    `epss` and `kev` are files or URLs; without them the scores of the last time stay. On any failure the old store
    stays as it is. Raises InputError for a bad location or bad content, UnfinishedError for a fault of network or disk.
    """
    started = time.monotonic()
    origin = locate(location)
    old = _previous(home)
    known = old if old is not None and old.meta.get("source") == origin.shown else None
    with open_session(http or HttpSettings()) as session:
        feed = read_feed(origin, known, session, progress)
        signals, dates = _signals(old, epss, kev, session)
    meta = {name: feed.marks[name] for name in _MARKS if feed.marks.get(name)}
    now = datetime.now(UTC)
    meta |= dates
    meta |= {"source": origin.shown, "fetched_at": _rfc3339(now), "updated_at": _newest(feed.records, now)}
    progress("writing the store", 0, len(feed.advisories))
    path = write_store(home, Contents(meta, feed.records, feed.advisories, signals))
    progress("writing the store", len(feed.advisories), len(feed.advisories))
    return _report(feed, meta, path, time.monotonic() - started)


def _report(feed: Feed, meta: Mapping[str, str], path: Path, seconds: float) -> SyncReport:
    return SyncReport(
        outcome=feed.outcome,
        source=meta["source"],
        path=path,
        records=len({advisory.id for advisory in feed.advisories}),
        packages=len({advisory.package for advisory in feed.advisories}),
        updated_at=meta["updated_at"],
        changed=feed.changed,
        removed=feed.removed,
        broken=feed.broken,
        seconds=seconds,
    )


def _previous(home: Path) -> Contents | None:
    """Return what the store holds; a damaged one, or one of another version, is built anew."""
    try:
        store = Store.open(home)
        return store.contents() if store is not None else None
    except InputError:
        return None


def _signals(
    old: Contents | None, epss: str | Path | None, kev: str | Path | None, session: Session
) -> tuple[dict[str, Signal], dict[str, str]]:
    before = old.signals if old is not None else {}
    dates = {key: value for key in ("epss_date", "kev_date") if (value := old.meta.get(key) if old else None)}
    scores = {cve: signal.epss for cve, signal in before.items() if signal.epss is not None}
    listed = frozenset(cve for cve, signal in before.items() if signal.kev)
    if epss is not None:
        scores, dates["epss_date"] = parse_epss(*_read(epss, session))
    if kev is not None:
        listed, dates["kev_date"] = parse_kev(*_read(kev, session))
    return {cve: Signal(scores.get(cve), cve in listed) for cve in scores.keys() | listed}, dates


def _read(place: str | Path, session: Session) -> tuple[bytes, str]:
    """Return content and name of a file or URL."""
    text = str(place)
    if not text.startswith(("http://", "https://")):
        return read_bytes(Path(text).expanduser(), limit=_SIGNAL_BYTES), text
    body = io.BytesIO()
    shown = without_password(text)
    if session.get(text, body).status != 200:
        raise InputError("answers 404", where=shown, todo="Check the address.")
    return body.getvalue(), shown


def _newest(records: Mapping[str, str], now: datetime) -> str:
    """Return the newest `modified` that is no later than tomorrow (clocks differ), "" when there is none."""
    tomorrow = _rfc3339(now + timedelta(days=1))
    return max((time for time in records.values() if _TIME.fullmatch(time) and time <= tomorrow), default="")


def _rfc3339(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
