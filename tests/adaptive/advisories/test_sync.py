"""Syncing from files: zips and folders, whole, unchanged and broken."""

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories import dump
from vertice.adaptive.advisories.dump import Broken
from vertice.adaptive.advisories.store import Store, status, store_path
from vertice.adaptive.advisories.sync import sync
from vertice.kernel.errors import InputError

EPSS = b"#score_date:2024-10-10T00:00:00+0000\ncve,epss,percentile\nCVE-1,0.9,0.99\nCVE-8,0.1,0.1\n"
KEV = json.dumps({"dateReleased": "2024-10-09T00:00:00Z", "vulnerabilities": [{"cveID": "CVE-1"}]}).encode()


def ids(home: Path, package: str = "pkg") -> list[str]:
    store = Store.open(home)
    assert store is not None
    return [one.id for one in store.for_packages([package]).get(package, ())]


def test_the_real_zip(tmp_path: Path, osv_zip: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = sync(tmp_path, osv_zip, progress=lambda *told: seen.append(told))
    assert (report.outcome, report.records, report.packages, report.broken) == ("built", 2651, 660, ())
    assert (report.changed, report.removed) == (2661, 0)
    assert report.updated_at == "2024-10-10T17:22:00.587279Z"
    assert {what for what, _, _ in seen} == {"reading records", "writing the store"}
    assert max(done for what, done, _ in seen if what == "reading records") == 2661
    assert report.seconds < 3


def test_the_same_zip_again_is_unchanged_and_another_is_compared(tmp_path: Path, record: Any, zipped: Any) -> None:
    home, file = tmp_path / "home", tmp_path / "all.zip"
    file.write_bytes(zipped(record("A-1"), record("B-1")))
    assert sync(home, file).outcome == "built"
    first = status(home)
    assert sync(home, file).outcome == "unchanged"
    assert first is not None
    assert ids(home) == ["A-1", "B-1"]

    file.write_bytes(zipped(record("A-1"), record("C-1"), record("D-1")))
    report = sync(home, file)
    assert (report.outcome, report.changed, report.removed) == ("updated", 2, 1)
    assert ids(home) == ["A-1", "C-1", "D-1"]


def test_a_folder_of_records(tmp_path: Path, record: Any) -> None:
    home, folder = tmp_path / "home", tmp_path / "records"
    folder.mkdir()
    (folder / "A-1.json").write_text(json.dumps(record("A-1")))
    (folder / "README.md").write_text("no record")
    assert sync(home, folder).outcome == "built"
    assert sync(home, str(folder)).outcome == "unchanged"
    (folder / "B-1.json").write_text(json.dumps(record("B-1")))
    assert sync(home, folder).changed == 1
    assert ids(home) == ["A-1", "B-1"]


@pytest.mark.parametrize("inside", ["all.zip", "PyPI/all.zip"])
def test_a_folder_that_holds_the_zip(tmp_path: Path, record: Any, zipped: Any, inside: str) -> None:
    (tmp_path / "mirror" / inside).parent.mkdir(parents=True)
    (tmp_path / "mirror" / inside).write_bytes(zipped(record("A-1")))
    assert sync(tmp_path / "home", tmp_path / "mirror").source == str(tmp_path / "mirror" / inside)


def test_withdrawn_records_are_known_but_give_nothing(tmp_path: Path, record: Any, zipped: Any) -> None:
    (tmp_path / "z.zip").write_bytes(zipped(record("A-1"), record("B-1", withdrawn="2024-01-01T00:00:00Z")))
    assert sync(tmp_path / "home", tmp_path / "z.zip").records == 1
    assert ids(tmp_path / "home") == ["A-1"]


def test_broken_records_are_named_and_the_others_kept(tmp_path: Path, record: Any, zipped: Any) -> None:
    without_id = record("X-1")
    del without_id["id"]
    (tmp_path / "z.zip").write_bytes(
        zipped(
            record("A-1"),
            ("no-id.json", json.dumps(without_id).encode()),
            ("list.json", b"[]"),
            ("text.json", b"<html>"),
            ("deep.json", b"[" * 200_000),
            ("latin.json", b'{"id": "\xff"}'),
            ("type\x1b.json", json.dumps(record("T-1", aliases=7)).encode()),
            ("README.md", b"not json, not looked at"),
        )
    )
    report = sync(tmp_path / "home", tmp_path / "z.zip")
    assert ids(tmp_path / "home") == ["A-1"]
    assert report.broken == (
        Broken("no-id.json", "has no id"),
        Broken("list.json", "is a list, not a JSON object"),
        Broken("text.json", "is not JSON"),
        Broken("deep.json", "is not JSON"),
        Broken("latin.json", "is not JSON"),
        Broken(r"type\x1b.json", "`aliases` is a number, not a list"),
    )


def test_of_two_records_with_one_id_the_newer_is_used(tmp_path: Path, record: Any, zipped: Any) -> None:
    newer = record("A-1", "new", modified="2024-06-01T00:00:00Z")
    older = record("A-1", "old", modified="2024-05-01T00:00:00Z")
    for name, order in (("1", [newer, older]), ("2", [older, newer])):
        members = [(f"{at}.json", json.dumps(one).encode()) for at, one in enumerate(order)]
        (tmp_path / name).write_bytes(zipped(*members))
        report = sync(tmp_path / f"home{name}", tmp_path / name)
        assert report.broken == (Broken("1.json", "has the id of another record, A-1; the newer is used"),)
        assert ids(tmp_path / f"home{name}", "new") == ["A-1"]
        assert ids(tmp_path / f"home{name}", "old") == []


def test_a_huge_member_is_set_aside_unread(tmp_path: Path, record: Any, zipped: Any) -> None:
    (tmp_path / "z.zip").write_bytes(zipped(record("A-1"), ("big.json", b" " * (dump.MAX_RECORD_BYTES + 1))))
    report = sync(tmp_path / "home", tmp_path / "z.zip")
    assert report.broken == (Broken("big.json", "is larger than 16,777,216 bytes"),)


def test_a_damaged_member_is_set_aside(tmp_path: Path, record: Any, zipped: Any) -> None:
    data = bytearray(zipped(record("A-1"), record("B-1")))
    data[60] ^= 0xFF
    (tmp_path / "z.zip").write_bytes(data)
    report = sync(tmp_path / "home", tmp_path / "z.zip")
    assert [one.reason for one in report.broken] == ["cannot be unpacked: it is damaged or encrypted"]
    assert ids(tmp_path / "home") == ["B-1"]


def test_bad_zips_are_refused_and_the_old_store_stays(tmp_path: Path, record: Any, zipped: Any) -> None:
    home, good = tmp_path / "home", zipped(record("A-1"), record("B-1"))
    (tmp_path / "good.zip").write_bytes(good)
    sync(home, tmp_path / "good.zip")
    before = store_path(home).read_bytes()
    many = zipped(*((f"{at}.json", b"{}") for at in range(3)))
    bad = {
        "truncated": (good[:-30], "is no zip, or a damaged or truncated one"),
        "empty": (b"", "is no zip"),
        "html": (b"<html>404</html>", "is no zip"),
        "traversal": (
            zipped(record("C-1"), ("../../evil.json", b"{}")),
            "has the member ../../evil.json, which leaves",
        ),
        "absolute": (zipped(("/etc/evil.json", b"{}")), "has the member /etc/evil.json, which leaves"),
        "windows": (zipped(("..\\evil.json", b"{}")), "which leaves the folder"),
        "drive": (zipped(("C:/evil.json", b"{}")), "which leaves the folder"),
        "none readable": (many, "holds no readable OSV record; the first, 0.json, has no id"),
        "no members": (zipped(), "holds no readable OSV record"),
    }
    for name, (data, says) in bad.items():
        (tmp_path / "bad.zip").write_bytes(data)
        with pytest.raises(InputError, match=says.replace(".", r"\.")) as caught:
            sync(home, tmp_path / "bad.zip")
        assert caught.value.where == str(tmp_path / "bad.zip"), name
        assert caught.value.todo
        assert store_path(home).read_bytes() == before, name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip", "good.zip", "home"]


def test_a_zip_bomb_is_refused_by_what_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: Any
) -> None:
    monkeypatch.setattr(dump, "_MAX_TOTAL_BYTES", 1000)
    (tmp_path / "z.zip").write_bytes(zipped(("a.json", b" " * 600), ("b.json", b" " * 600)))
    with pytest.raises(InputError, match=r"unpacks to more than 1,000 bytes or 1,000,000 files"):
        sync(tmp_path / "home", tmp_path / "z.zip")


def test_a_member_never_unpacks_to_more_than_it_declares(tmp_path: Path, record: Any) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A-1.json", json.dumps(record("A-1")))
        archive.writestr("bomb.json", b" " * 5_000_000)
    data = bytearray(buffer.getvalue())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    (tmp_path / "z.zip").write_bytes(data)
    report = sync(tmp_path / "home", tmp_path / "z.zip")
    assert report.broken == (Broken("bomb.json", "cannot be unpacked: it is damaged or encrypted"),)


def test_a_missing_location_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder") as caught:
        sync(tmp_path / "home", tmp_path / "nowhere")
    assert caught.value.where == str(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no address we can fetch"):
        sync(tmp_path / "home", "ftp://user:secret@example.org/all.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no readable OSV record"):
        sync(tmp_path / "home", tmp_path / "empty")


def test_epss_and_kev_are_joined_kept_and_replaced(tmp_path: Path, record: Any, zipped: Any) -> None:
    home = tmp_path / "home"
    (tmp_path / "z.zip").write_bytes(
        zipped(record("A-1", aliases=["CVE-1"]), record("B-1", aliases=["A-1"]), record("C-1"))
    )
    (tmp_path / "epss.csv").write_bytes(EPSS)
    (tmp_path / "kev.json").write_bytes(KEV)
    sync(home, tmp_path / "z.zip", epss=tmp_path / "epss.csv", kev=str(tmp_path / "kev.json"))

    def known() -> list[tuple[float | None, bool]]:
        store = Store.open(home)
        assert store is not None
        return [(one.epss, one.kev) for one in store.for_packages(["pkg"])["pkg"]]

    assert known() == [(0.9, True), (0.9, True), (None, False)]
    found = status(home)
    assert found is not None
    assert (found.epss_date, found.kev_date) == ("2024-10-10", "2024-10-09")

    assert sync(home, tmp_path / "z.zip").outcome == "unchanged"
    assert known() == [(0.9, True), (0.9, True), (None, False)]

    (tmp_path / "epss.csv").write_bytes(EPSS.replace(b"CVE-1,0.9", b"CVE-1,0.3"))
    sync(home, tmp_path / "z.zip", epss=tmp_path / "epss.csv")
    assert known() == [(0.3, True), (0.3, True), (None, False)]


def test_a_bad_epss_file_leaves_the_old_store(tmp_path: Path, record: Any, zipped: Any) -> None:
    home = tmp_path / "home"
    (tmp_path / "z.zip").write_bytes(zipped(record("A-1")))
    sync(home, tmp_path / "z.zip")
    before = store_path(home).read_bytes()
    with pytest.raises(InputError, match="no such file"):
        sync(home, tmp_path / "z.zip", epss=tmp_path / "missing.csv")
    assert store_path(home).read_bytes() == before


def test_a_damaged_store_is_built_anew(tmp_path: Path, record: Any, zipped: Any) -> None:
    home = tmp_path / "home"
    (tmp_path / "z.zip").write_bytes(zipped(record("A-1")))
    sync(home, tmp_path / "z.zip")
    store_path(home).write_bytes(b"damaged")
    assert sync(home, tmp_path / "z.zip").outcome == "built"
    assert ids(home) == ["A-1"]


def test_updated_at_is_the_newest_sane_time(tmp_path: Path, record: Any, zipped: Any) -> None:
    times = ("0001-01-01T00:00:00Z", "2024-05-01T10:00:00Z", "9999-01-01T00:00:00Z")
    (tmp_path / "z.zip").write_bytes(zipped(*(record(f"A-{at}", modified=time) for at, time in enumerate(times))))
    assert sync(tmp_path / "home", tmp_path / "z.zip").updated_at == "2024-05-01T10:00:00Z"


def test_a_link_to_itself_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "loop.zip").symlink_to("loop.zip")
    with pytest.raises(InputError, match="no such file or folder"):
        sync(tmp_path / "home", tmp_path / "loop.zip")
