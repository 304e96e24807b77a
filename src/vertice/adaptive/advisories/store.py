"""The local store of advisories: one SQLite file, built by a sync, replaced in one step, never changed in place."""

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from vertice.adaptive.advisories.aliases import Signal, share
from vertice.adaptive.advisories.model import Advisory, Event, Range, Severity, SourceInfo
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError, from_os_error

__all__ = ["Contents", "Store", "StoreStatus", "status", "store_path", "write_store"]

_FORMAT: Final = "1"
_NAMES_AT_ONCE: Final = 500
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE record (id TEXT PRIMARY KEY, modified TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE signal (cve TEXT PRIMARY KEY, epss REAL, kev INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE advisory (package TEXT, id TEXT, own TEXT NOT NULL, shared TEXT, PRIMARY KEY (package, id)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything a store is built from."""

    meta: Mapping[str, str]
    """`source`, `fetched_at`, `updated_at`, …: see `sync`."""
    records: Mapping[str, str]
    """Id of every record seen, withdrawn ones too -> its `modified`."""
    advisories: tuple[Advisory, ...]
    """As their records say, before anything is shared in alias groups."""
    signals: Mapping[str, Signal] = field(default_factory=dict)
    """CVE id -> EPSS and KEV."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What the local store holds. Times are RFC 3339, "" when unknown."""

    path: Path
    source: str
    records: int
    """Records with at least one advisory for a PyPI package that is not withdrawn."""
    packages: int
    updated_at: str
    """Newest `modified` of the records that is no later than the fetch."""
    fetched_at: str
    """When the source was last asked, also when nothing had changed."""
    size: int
    """Bytes of the file."""
    epss_date: str
    """Day of the EPSS scores, "" when none were given."""
    kev_date: str


def store_path(home: Path) -> Path:
    """Return the store's file under Vértice's data directory."""
    return home / "advisories.sqlite"


@dataclass(frozen=True, slots=True)
class Store:
    """Advisories on disk (an `AdvisorySource`). Holds no open file: a sync may replace the store at any time."""

    path: Path
    meta: Mapping[str, str]

    @classmethod
    def open(cls, home: Path) -> Self | None:
        """Return the store under `home`, None when there is none yet.

        Raises InputError when the file is damaged or was written by another version of Vértice.
        """
        path = store_path(home)
        if not path.exists():
            return None
        with _reading(path) as connection:
            meta: dict[str, str] = dict(connection.execute("SELECT key, value FROM meta"))
        if meta.get("format") != _FORMAT:
            raise _unusable(path, "was written by another version of Vértice")
        return cls(path, meta)

    def info(self) -> SourceInfo:
        """Say what this source is."""
        return SourceInfo(self.meta["source"], int(self.meta["with_advisories"]), self.meta["updated_at"])

    def for_packages(self, names: Collection[str]) -> dict[str, tuple[Advisory, ...]]:
        """Return every advisory of each of the PEP 503 `names`, sorted by id; absent where there is none."""
        found: dict[str, list[Advisory]] = {}
        wanted = list(names)
        with _reading(self.path) as connection:
            for at in range(0, len(wanted), _NAMES_AT_ONCE):
                part = wanted[at : at + _NAMES_AT_ONCE]
                marks = ",".join("?" * len(part))
                query = f"SELECT own, shared FROM advisory WHERE package IN ({marks}) ORDER BY package, id"  # noqa: S608
                for advisory in _decoded(connection.execute(query, part)):
                    found.setdefault(advisory.package, []).append(advisory)
        return {name: tuple(advisories) for name, advisories in found.items()}

    def contents(self) -> Contents:
        """Return everything the store was built from, so that it can be built anew with a part changed."""
        with _reading(self.path) as connection:
            own = connection.execute("SELECT own, NULL FROM advisory ORDER BY package, id")
            advisories = tuple(_decoded(own))
            records: dict[str, str] = dict(connection.execute("SELECT id, modified FROM record"))
            signals = {
                cve: Signal(epss, bool(kev))
                for cve, epss, kev in connection.execute("SELECT cve, epss, kev FROM signal")
            }
        return Contents(self.meta, records, advisories, signals)


def status(home: Path) -> StoreStatus | None:
    """Return what the store under `home` holds, None when there is none yet; errors as `Store.open`."""
    store = Store.open(home)
    if store is None:
        return None
    with _reading(store.path) as connection:
        (packages,) = connection.execute("SELECT COUNT(DISTINCT package) FROM advisory").fetchone()
    return StoreStatus(
        path=store.path,
        source=store.meta["source"],
        records=store.info().records,
        packages=packages,
        updated_at=store.meta["updated_at"],
        fetched_at=store.meta["fetched_at"],
        size=store.path.stat().st_size,
        epss_date=store.meta.get("epss_date", ""),
        kev_date=store.meta.get("kev_date", ""),
    )


def write_store(home: Path, contents: Contents) -> Path:
    """Build the store under `home` beside the old one and put it in its place; the old one stays on any failure."""
    path = store_path(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{path.name}.", suffix=".part")
        os.close(descriptor)
        part = Path(name)
        try:
            _fill(part, contents)
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise from_os_error(error, "writing the advisory store") from error
    except sqlite3.Error as error:
        raise _unwritten(path, error) from error
    return path


def _fill(part: Path, contents: Contents) -> None:
    own = sorted(contents.advisories, key=lambda one: (one.package, one.id))
    known = {name for advisory in own for name in advisory.ids}
    meta = {**contents.meta, "format": _FORMAT, "with_advisories": str(len({advisory.id for advisory in own}))}
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + _SCHEMA)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
        connection.executemany("INSERT INTO record VALUES (?, ?)", sorted(contents.records.items()))
        connection.executemany(
            "INSERT INTO signal VALUES (?, ?, ?)",
            ((cve, one.epss, int(one.kev)) for cve, one in sorted(contents.signals.items()) if cve in known),
        )
        connection.executemany(
            "INSERT INTO advisory VALUES (?, ?, ?, ?)",
            (
                (before.package, before.id, _encoded(before), None if after is before else _encoded_shared(after))
                for before, after in zip(own, share(own, contents.signals), strict=True)
            ),
        )
        connection.execute("COMMIT")


def _encoded(advisory: Advisory) -> str:
    """Return the advisory as a JSON list; `versions`, the bulk of it, as one string of lines, which loads fastest."""
    facts = [
        advisory.id,
        advisory.package,
        advisory.aliases,
        advisory.summary,
        [[[event.kind, event.version] for event in span.events] for span in advisory.ranges],
        "\n".join(advisory.versions),
        [advisory.severity, advisory.cvss, advisory.cvss_vector, advisory.cwe],
        advisory.fixed_versions,
        advisory.symbols,
        advisory.published,
        advisory.modified,
        advisory.references,
    ]
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def _encoded_shared(advisory: Advisory) -> str:
    shared = [advisory.severity, advisory.cvss, advisory.cvss_vector, advisory.cwe, advisory.epss, advisory.kev]
    return json.dumps(shared, separators=(",", ":"))


def _decoded(rows: Iterable[tuple[str, str | None]]) -> Iterator[Advisory]:
    """Yield the advisories of (own, shared) rows: all rows are decoded as one JSON text, which is faster than each."""
    texts = [f"[{own},{shared or 'null'}]" for own, shared in rows]
    for own, shared in json.loads(f"[{','.join(texts)}]"):
        yield _advisory(own, shared)


def _advisory(own: list[Any], shared: list[Any] | None) -> Advisory:
    name, package, aliases, summary, ranges, versions, rating, fixed, symbols, published, modified, references = own
    severity, cvss, vector, cwe, epss, kev = shared or (*rating, None, False)
    return Advisory(
        id=name,
        package=package,
        aliases=tuple(aliases),
        summary=summary,
        ranges=tuple([Range(tuple([Event(*event) for event in span])) for span in ranges]),
        versions=tuple(versions.split("\n")) if versions else (),
        severity=Severity(severity),
        cvss=cvss,
        cvss_vector=vector,
        cwe=tuple(cwe),
        fixed_versions=tuple(fixed),
        symbols=tuple(symbols),
        epss=epss,
        kev=kev,
        published=published,
        modified=modified,
        references=tuple(references),
    )


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the store for reading. `immutable` is true of it, and spares SQLite its locks and journal files."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            yield connection
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, "is damaged") from error


def _unusable(path: Path, problem: str) -> VerticeError:
    return InputError(f"the advisory store {problem}", where=str(path), todo="Run `vertice advisories sync`.")


def _unwritten(path: Path, error: sqlite3.Error) -> VerticeError:
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    what = "no space left while writing the advisory store" if full else f"the advisory store was not written: {error}"
    todo = "Free some space and run it again." if full else "Check the disk and run it again."
    return UnfinishedError(what, where=str(path), todo=todo)


def _sweep(home: Path) -> None:
    """Remove what a killed sync left behind over an hour ago."""
    for stale in home.glob(f".{store_path(home).name}.*.part"):
        if stale.stat().st_mtime < time.time() - 3600:
            stale.unlink(missing_ok=True)
