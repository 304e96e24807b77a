"""The store on disk."""

import errno
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories.aliases import Signal
from vertice.adaptive.advisories.model import Advisory, Event, Range, Severity
from vertice.adaptive.advisories.osv import parse_record
from vertice.adaptive.advisories.store import Contents, Store, status, store_path, write_store
from vertice.kernel.errors import InputError, UnfinishedError

META = {"source": "test", "fetched_at": "2024-11-01T00:00:00Z", "updated_at": "2024-10-10T00:00:00Z"}
FULL = Advisory(
    id="PYSEC-1",
    package="pkg",
    aliases=("CVE-1", "GHSA-1"),
    summary='quotes " and ünïcode \u2028',
    ranges=(Range((Event("introduced", "0"), Event("fixed", "2"))), Range((Event("introduced", "3"),))),
    versions=("1.0", "1.1"),
    severity=Severity.critical,
    cvss=9.8,
    cvss_vector="V",
    cwe=("CWE-22",),
    fixed_versions=("2",),
    symbols=("pkg.load",),
    published="2024-01-01T00:00:00Z",
    modified="2024-01-02T00:00:00Z",
    references=("https://example.org/1",),
)


def contents(*advisories: Advisory, **more: Any) -> Contents:
    return Contents(META, {one.id: one.modified for one in advisories}, advisories, **more)


def opened(home: Path) -> Store:
    store = Store.open(home)
    assert store is not None
    return store


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    bare = Advisory(id="PYSEC-2", package="other")
    write_store(tmp_path, contents(FULL, bare))
    store = opened(tmp_path)
    assert store.for_packages(["pkg", "other", "unknown"]) == {"pkg": (FULL,), "other": (bare,)}
    assert (store.info().source, store.info().records, store.info().updated_at) == ("test", 2, "2024-10-10T00:00:00Z")
    assert store.contents().advisories == (bare, FULL)


def test_every_real_advisory_survives(tmp_path: Path, osv_records: list[dict[str, Any]]) -> None:
    advisories = [one for record in osv_records for one in parse_record(record)]
    write_store(tmp_path, contents(*advisories))
    found = opened(tmp_path).for_packages({one.package for one in advisories})
    assert {(one.package, one.id): one for one in advisories} == {
        (one.package, one.id): one for group in found.values() for one in group
    }


def test_more_names_than_one_query_takes(tmp_path: Path) -> None:
    write_store(tmp_path, contents(*(Advisory(id=f"A-{at}", package=f"p{at}") for at in range(1500))))
    assert len(opened(tmp_path).for_packages([f"p{at}" for at in range(3000)])) == 1500


def test_signals_are_joined_but_not_written_into_the_records_own_facts(tmp_path: Path) -> None:
    signals = {"CVE-1": Signal(0.9, kev=True), "CVE-9": Signal(0.5)}
    write_store(tmp_path, contents(FULL, signals=signals))
    store = opened(tmp_path)
    (one,) = store.for_packages(["pkg"])["pkg"]
    assert (one.epss, one.kev) == (0.9, True)
    kept = store.contents()
    assert kept.advisories == (FULL,)
    assert kept.signals == {"CVE-1": Signal(0.9, kev=True)}


def test_no_store_yet_is_none(tmp_path: Path) -> None:
    assert Store.open(tmp_path) is None
    assert Store.open(tmp_path / "missing") is None
    assert status(tmp_path) is None


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_a_damaged_store_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = write_store(tmp_path, contents(FULL))
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"not a database at all" * 100, "cut": data[:5000]}[damage])
    with pytest.raises(InputError) as caught:
        opened(tmp_path).for_packages(["pkg"])
    assert str(caught.value) == f"{path}: the advisory store is damaged. Run `vertice advisories sync`."


def test_a_store_of_another_version_is_one_clear_error(tmp_path: Path) -> None:
    path = write_store(tmp_path, contents(FULL))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.close()
    with pytest.raises(InputError, match="was written by another version"):
        Store.open(tmp_path)


def test_a_failed_build_leaves_the_old_store_and_nothing_else(tmp_path: Path) -> None:
    write_store(tmp_path, contents(FULL))
    before = store_path(tmp_path).read_bytes()
    twice = Advisory(id="A-1", package="x")
    with pytest.raises(UnfinishedError, match="was not written: UNIQUE constraint failed"):
        write_store(tmp_path, contents(twice, twice))
    assert store_path(tmp_path).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["advisories.sqlite"]


def test_a_full_disk_is_said_and_leaves_the_old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the file is flushed: the one moment that we can bring about without a file system."""
    write_store(tmp_path, contents(FULL))
    before = store_path(tmp_path).read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnfinishedError, match="no space left while writing the advisory store"):
        write_store(tmp_path, contents())
    assert store_path(tmp_path).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["advisories.sqlite"]


def test_a_home_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises((InputError, UnfinishedError)):
        write_store(tmp_path / "home", contents(FULL))


def test_what_a_killed_sync_left_is_swept_later(tmp_path: Path) -> None:
    old, new = tmp_path / ".advisories.sqlite.a.part", tmp_path / ".advisories.sqlite.b.part"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 7200,) * 2)
    write_store(tmp_path, contents(FULL))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_store_that_is_replaced_while_open_goes_on_working(tmp_path: Path) -> None:
    write_store(tmp_path, contents(FULL))
    store = opened(tmp_path)
    write_store(tmp_path, contents(Advisory(id="NEW-1", package="pkg")))
    assert [one.id for one in store.for_packages(["pkg"])["pkg"]] == ["NEW-1"]


def test_a_home_with_odd_characters(tmp_path: Path) -> None:
    home = tmp_path / "a ?b#c%20ü"
    write_store(home, contents(FULL))
    assert opened(home).for_packages(["pkg"]) == {"pkg": (FULL,)}


def test_status(tmp_path: Path) -> None:
    meta = META | {"epss_date": "2024-10-01"}
    write_store(tmp_path, Contents(meta, {"PYSEC-1": "", "GONE-1": ""}, (FULL,)))
    found = status(tmp_path)
    assert found is not None
    assert (found.source, found.records, found.packages) == ("test", 1, 1)
    assert (found.updated_at, found.fetched_at) == (META["updated_at"], META["fetched_at"])
    assert (found.epss_date, found.kev_date) == ("2024-10-01", "")
    assert found.size == found.path.stat().st_size > 0
