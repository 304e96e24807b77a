"""Syncing over HTTP: conditional, incremental, and through faults."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories.dump import Broken
from vertice.adaptive.advisories.fetch import HttpSettings, without_password
from vertice.adaptive.advisories.store import Store, store_path
from vertice.adaptive.advisories.sync import SyncReport, sync
from vertice.kernel.errors import InputError, UnfinishedError

ZIP, CSV = "/PyPI/all.zip", "/PyPI/modified_id.csv"


@pytest.fixture
def feed(feed_server: Any, tmp_path: Path, quick: HttpSettings, record: Any, zipped: Any) -> Any:
    """A mirror in OSV's layout with A-1 and B-1, and a home to sync it to."""

    class Feed:
        server = feed_server
        home = tmp_path / "home"

        def put(self, *records: dict[str, Any], listing: bool = False) -> None:
            feed_server.files[ZIP] = zipped(*records)
            for one in records:
                feed_server.files[f"/PyPI/{one['id']}.json"] = json.dumps(one).encode()
            if listing:
                lines = sorted((f"{one['modified']},{one['id']}" for one in records), reverse=True)
                feed_server.files[CSV] = "\n".join(lines).encode() + b"\n"

        def sync(self, location: str = "", **more: Any) -> SyncReport:
            return sync(self.home, location or feed_server.url, http=quick, **more)

        def ids(self) -> list[str]:
            store = Store.open(self.home)
            assert store is not None
            return [one.id for one in store.for_packages(["pkg"]).get("pkg", ())]

    made = Feed()
    made.put(record("A-1"), record("B-1"))
    return made


def test_a_mirror_and_the_zip_itself_are_the_same_place(feed: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    report = feed.sync(feed.server.url + "/", progress=lambda *told: seen.append(told))
    assert (report.outcome, report.source, report.changed) == ("built", feed.server.url + ZIP, 2)
    size = len(feed.server.files[ZIP])
    assert ("downloading", size, size) in seen
    assert feed.ids() == ["A-1", "B-1"]
    assert feed.sync(feed.server.url + ZIP).outcome == "unchanged"


@pytest.mark.parametrize("validators", [("etag",), ("last-modified",)])
def test_an_unchanged_zip_is_not_sent_again(feed: Any, validators: tuple[str, ...]) -> None:
    feed.server.validators = validators
    feed.sync()
    assert feed.sync().outcome == "unchanged"
    assert feed.server.requests == [(ZIP, 200), (CSV, 404), (ZIP, 304)]
    assert feed.ids() == ["A-1", "B-1"]


def test_a_changed_zip_without_a_listing_is_sent_whole(feed: Any, record: Any) -> None:
    feed.sync()
    feed.put(record("A-1"), record("C-1"))
    report = feed.sync()
    assert (report.outcome, report.changed, report.removed) == ("updated", 1, 1)
    assert feed.ids() == ["A-1", "C-1"]


def test_only_changed_records_are_fetched_after_the_first_time(feed: Any, record: Any) -> None:
    feed.put(record("A-1"), record("B-1"), record("C-1"), record("D-1"), listing=True)
    feed.sync()
    changed = record("B-1", modified="2024-05-02T00:00:00.5Z", fixed="9")
    new = record("E-1", modified="2024-05-03T00:00:00Z")
    feed.put(record("A-1"), changed, record("C-1"), new, listing=True)
    feed.server.requests.clear()

    report = feed.sync()

    assert feed.server.requests == [(CSV, 200), ("/PyPI/E-1.json", 200), ("/PyPI/B-1.json", 200)]
    assert (report.outcome, report.changed, report.removed) == ("updated", 2, 1)
    assert feed.ids() == ["A-1", "B-1", "C-1", "E-1"]
    store = Store.open(feed.home)
    assert store is not None
    assert store.for_packages(["pkg"])["pkg"][1].fixed_versions == ("9",)
    feed.server.requests.clear()
    assert feed.sync().outcome == "unchanged"
    assert feed.server.requests == [(CSV, 304)]


def test_a_withdrawn_record_goes(feed: Any, record: Any) -> None:
    feed.put(record("A-1"), record("B-1"), listing=True)
    feed.sync()
    gone = record("B-1", modified="2024-06-01T00:00:00Z", withdrawn="2024-06-01T00:00:00Z")
    feed.put(record("A-1"), gone, listing=True)
    feed.sync()
    assert feed.ids() == ["A-1"]
    assert feed.sync().outcome == "unchanged"


def test_many_changes_are_fetched_as_the_zip(feed: Any, record: Any) -> None:
    records = [record(f"A-{at}") for at in range(400)]
    feed.put(*records, listing=True)
    feed.sync()
    feed.put(*({**one, "modified": "2024-07-01T00:00:00Z"} for one in records), listing=True)
    feed.server.requests.clear()
    assert feed.sync().changed == 400
    assert feed.server.requests == [(CSV, 200), (ZIP, 200)]


@pytest.mark.parametrize("listing", [b"", b"<html>", b"2024-05-01T10:00:00Z,A-1\n"])
def test_a_listing_that_cannot_be_whole_is_not_believed(feed: Any, record: Any, listing: bytes) -> None:
    """Otherwise an empty or cut list would empty the store."""
    feed.put(record("A-1"), record("B-1"), record("C-1"), listing=True)
    feed.sync()
    feed.server.files[CSV] = listing
    assert feed.sync().outcome == "unchanged"
    assert feed.ids() == ["A-1", "B-1", "C-1"]


def test_a_broken_changed_record_is_named_and_the_old_one_stays(feed: Any, record: Any) -> None:
    feed.put(record("A-1"), record("B-1"), record("C-1"), listing=True)
    feed.sync()
    later = "2024-06-01T00:00:00Z"
    feed.put(record("A-1", modified=later), record("B-1", modified=later), record("C-1", modified=later), listing=True)
    feed.server.files["/PyPI/B-1.json"] = b"{}"
    del feed.server.files["/PyPI/C-1.json"]
    report = feed.sync()
    assert report.broken == (Broken("C-1", "is listed as changed but answers 404"), Broken("B-1", "has no id"))
    assert feed.ids() == ["A-1", "B-1", "C-1"]


def test_another_source_is_read_from_the_start(feed: Any, tmp_path: Path, record: Any, zipped: Any) -> None:
    feed.sync()
    (tmp_path / "z.zip").write_bytes(zipped(record("Z-1")))
    assert sync(feed.home, tmp_path / "z.zip").outcome == "built"
    assert feed.ids() == ["Z-1"]


@pytest.mark.parametrize("faults", [[500, 503], ["truncate"], ["slow"], [429, "truncate"]])
def test_passing_faults_are_ridden_out(feed: Any, faults: list[int | str]) -> None:
    feed.server.faults[ZIP] = list(faults)
    assert feed.sync().outcome == "built"
    assert len(feed.server.requests) == len(faults) + 1


@pytest.mark.parametrize(
    ("faults", "kind", "says"),
    [
        ([500, 500, 500], UnfinishedError, "keeps answering 500"),
        (["truncate"] * 3, UnfinishedError, "cannot be fetched: peer closed connection"),
        (["slow"] * 3, UnfinishedError, "cannot be fetched: timed out"),
        ([403], InputError, "answers 403"),
        ([404], InputError, "answers 404"),
    ],
)
def test_lasting_faults_are_one_clear_error_and_the_old_store_stays(
    feed: Any, faults: list[int | str], kind: type[Exception], says: str
) -> None:
    feed.sync()
    before = store_path(feed.home).read_bytes()
    feed.server.requests.clear()
    feed.server.faults[ZIP] = list(faults)
    with pytest.raises(kind, match=says) as caught:
        feed.sync()
    assert caught.value.where == feed.server.url + ZIP  # type: ignore[attr-defined]
    assert feed.server.paths().count(ZIP) == len(faults)
    assert store_path(feed.home).read_bytes() == before
    assert [path.name for path in feed.home.iterdir()] == ["advisories.sqlite"]


def test_an_error_while_fetching_a_changed_record_leaves_the_old_store(feed: Any, record: Any) -> None:
    feed.put(record("A-1"), record("B-1"), listing=True)
    feed.sync()
    before = store_path(feed.home).read_bytes()
    feed.put(record("A-1"), record("B-1", modified="2024-06-01T00:00:00Z"), listing=True)
    feed.server.faults["/PyPI/B-1.json"] = [500] * 3
    with pytest.raises(UnfinishedError, match="keeps answering 500"):
        feed.sync()
    assert store_path(feed.home).read_bytes() == before


def test_nobody_there_is_one_clear_error(tmp_path: Path, quick: HttpSettings) -> None:
    with pytest.raises(UnfinishedError, match="cannot be fetched") as caught:
        sync(tmp_path, "http://user:secret@127.0.0.1:9/mirror?token=secret", http=quick)
    assert caught.value.where == "http://127.0.0.1:9/mirror"
    assert "secret" not in str(caught.value)


def test_too_large_and_too_slow_answers_end(feed: Any) -> None:
    small = HttpSettings(max_bytes=100, attempts=1)
    with pytest.raises(UnfinishedError, match="sends more than 100 bytes"):
        sync(feed.home, feed.server.url, http=small)
    late = HttpSettings(deadline=-1, attempts=1)
    with pytest.raises(UnfinishedError, match="was not complete after -1 s"):
        sync(feed.home, feed.server.url, http=late)
    assert Store.open(feed.home) is None


def test_what_is_no_zip_is_one_clear_error(feed: Any) -> None:
    feed.server.files[ZIP] = b"<html>captive portal</html>"
    with pytest.raises(InputError, match="is no zip") as caught:
        feed.sync()
    assert caught.value.where == feed.server.url + ZIP


def test_epss_and_kev_over_http(feed: Any, record: Any) -> None:
    feed.put(record("A-1", aliases=["CVE-1"]))
    feed.server.files["/epss.csv"] = b"cve,epss\nCVE-1,0.5\n"
    feed.server.files["/kev.json"] = b'{"vulnerabilities": [{"cveID": "CVE-1"}]}'
    feed.sync(epss=feed.server.url + "/epss.csv", kev=feed.server.url + "/kev.json")
    store = Store.open(feed.home)
    assert store is not None
    (one,) = store.for_packages(["pkg"])["pkg"]
    assert (one.epss, one.kev) == (0.5, True)
    with pytest.raises(InputError, match="answers 404"):
        feed.sync(epss=feed.server.url + "/nothing.csv")


def test_retries_print_nothing(feed: Any, capfd: pytest.CaptureFixture[str]) -> None:
    feed.server.faults[ZIP] = [500, 500]
    feed.sync()
    assert capfd.readouterr() == ("", "")


def test_a_password_is_never_shown() -> None:
    assert without_password("https://me:pw@host:8/a/all.zip?sig=1") == "https://host:8/a/all.zip"
    assert without_password("https://host/a@b/all.zip") == "https://host/a@b/all.zip"


def test_a_sync_killed_while_it_downloads_leaves_the_old_store(feed: Any, record: Any) -> None:
    feed.sync()
    before = store_path(feed.home).read_bytes()
    feed.put(record("C-1"))
    feed.server.faults[ZIP] = ["slow"]
    program = """
        import sys
        from pathlib import Path
        from vertice.adaptive.advisories.sync import sync
        sync(Path(sys.argv[1]), sys.argv[2])
    """
    feed.server.requests.clear()
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(feed.home), feed.server.url])
    while (ZIP, 0) not in feed.server.requests:
        assert child.poll() is None
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert store_path(feed.home).read_bytes() == before
    assert feed.ids() == ["A-1", "B-1"]
