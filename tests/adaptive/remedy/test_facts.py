"""What is said of a release is what its index and its wheel show; what they do not show is not known."""

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from vertice.adaptive.remedy.facts import release_facts
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.wheels import metadata_of

NOW = datetime(2024, 1, 11, tzinfo=UTC)
JSON = "application/vnd.pypi.simple.v1+json"


def wheel(names: list[str], padding: int = 0) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"Name: pkg\nRequires-Dist: dep>=1\n" + b"\n" * padding)
        for number in range(padding and 2000):
            archive.writestr(f"pkg/{number:0>90}.py", b"")
    return stream.getvalue()


def lay(server: Any, version: str, *, names: list[str] | None, publisher: str | None, padding: int = 0) -> None:
    filename = f"pkg-{version}-py3-none-any.whl" if names is not None else f"pkg-{version}.tar.gz"
    body = wheel(names, padding) if names is not None else b""
    server.pages[f"/f/{filename}"] = ("application/zip", body)
    file = {"filename": filename, "url": f"/f/{filename}", "hashes": {}, "upload-time": "2024-01-01T12:00:00Z"}
    file["provenance"] = None if publisher is None else f"/p/{version}"
    if publisher is not None:
        bundle = {
            "attestation_bundles": [{"publisher": {"kind": "GitHub", "repository": publisher, "workflow": "r.yml"}}]
        }
        server.pages[f"/p/{version}"] = ("application/json", json.dumps(bundle).encode())
    known = json.loads(server.pages.get("/pkg/", (JSON, b'{"files": []}'))[1])
    server.pages["/pkg/"] = (JSON, json.dumps({"files": [*known["files"], file]}).encode())


def test_an_attested_wheel_by_the_same_publisher(server: Any) -> None:
    lay(server, "1.0", names=["pkg/__init__.py"], publisher="o/r")
    lay(server, "1.1", names=["pkg/__init__.py"], publisher="o/r")
    found = release_facts("pkg", "1.1", "1.0", Releases(server.url), NOW)
    assert (found.age_days, found.yanked, found.attested, found.install_time_code) == (9, False, True, False)
    assert (found.publisher, found.publisher_changed, found.pth_files, found.notes) == (
        "GitHub o/r r.yml",
        False,
        (),
        (),
    )


def test_another_publisher_is_told(server: Any) -> None:
    lay(server, "1.0", names=[], publisher="o/r")
    lay(server, "1.1", names=[], publisher="evil/\x1b[31mr")
    found = release_facts("pkg", "1.1", "1.0", Releases(server.url), NOW)
    assert found.publisher_changed is True
    assert found.publisher == "GitHub evil/\\x1b[31mr r.yml"


def test_a_publisher_is_unknown_where_nothing_is_attested(server: Any) -> None:
    lay(server, "1.0", names=[], publisher=None)
    lay(server, "1.1", names=[], publisher="o/r")
    found = release_facts("pkg", "1.1", "1.0", Releases(server.url), NOW)
    assert (found.attested, found.publisher_changed) == (True, None)
    assert release_facts("pkg", "1.0", "", Releases(server.url), NOW).attested is False


@pytest.mark.parametrize("ranges", [True, False])
def test_pth_files_are_found_by_ranges_and_without(server: Any, ranges: bool) -> None:
    names = ["a.pth", "pkg-1.1.data/purelib/b.pth", "pkg/data/c.pth", "pkg-1.1.data/scripts/d.pth"]
    lay(server, "1.1", names=names, publisher=None, padding=20)
    server.ranges = ranges
    found = release_facts("pkg", "1.1", "", Releases(server.url), NOW)
    assert found.pth_files == ("a.pth", "pkg-1.1.data/purelib/b.pth")
    assert found.notes == ()


def test_a_large_wheel_is_not_downloaded_to_be_listed(server: Any) -> None:
    lay(server, "1.1", names=["a.pth"], publisher=None, padding=3_000_000)
    sent = sum(len(server.pages[path][1]) for path in ("/f/pkg-1.1-py3-none-any.whl",))
    assert release_facts("pkg", "1.1", "", Releases(server.url), NOW).pth_files == ("a.pth",)
    assert sent > 3_000_000
    assert len([path for path in server.asked if path.startswith("/f/")]) == 2


def test_an_sdist_runs_code_when_it_is_installed(server: Any) -> None:
    lay(server, "1.1", names=None, publisher=None)
    found = release_facts("pkg", "1.1", "", Releases(server.url), NOW)
    assert (found.install_time_code, found.pth_files) == (True, ())


@pytest.mark.parametrize("body", [b"", b"PK", b"x" * 200_000])
def test_a_broken_wheel_is_a_note_and_no_crash(server: Any, body: bytes) -> None:
    lay(server, "1.1", names=[], publisher=None)
    server.pages["/f/pkg-1.1-py3-none-any.whl"] = ("application/zip", body)
    found = release_facts("pkg", "1.1", "", Releases(server.url), NOW)
    assert "could be listed" in found.notes[0]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"attestation_bundles": [1]}', b'{"attestation_bundles": 7}', b"\xff"])
def test_a_broken_provenance_is_not_known_and_no_crash(server: Any, body: bytes) -> None:
    lay(server, "1.1", names=[], publisher="o/r")
    server.pages["/p/1.1"] = ("application/json", body)
    assert release_facts("pkg", "1.1", "", Releases(server.url), NOW).publisher == ""


def test_a_release_the_index_does_not_list(server: Any) -> None:
    found = release_facts("pkg", "9.9", "", Releases(server.url), NOW)
    assert (found.age_days, found.yanked, found.attested, found.install_time_code) == (None,) * 4


def test_metadata_comes_from_its_own_file_or_from_the_wheel(server: Any) -> None:
    lay(server, "1.1", names=["pkg-1.1.dist-info/METADATA"], publisher=None)
    releases = Releases(server.url)
    release = releases.release("pkg", "1.1")
    assert release is not None
    from_wheel = metadata_of(release, releases)
    server.pages["/f/pkg-1.1-py3-none-any.whl.metadata"] = ("x", b"Requires-Dist: other\nSummary: s\n")
    from_file = metadata_of(release, releases)
    assert from_wheel is not None
    assert from_file is not None
    assert (from_wheel.requires_dist, from_file.requires_dist, from_file.summary) == (("dep>=1",), ("other",), "s")


@pytest.mark.index
def test_a_real_release(releases: Releases) -> None:
    found = release_facts("Jinja2", "2.11.3", "2.11.2", releases, datetime(2021, 2, 10, tzinfo=UTC), python="3.11")
    assert (found.age_days, found.yanked, found.install_time_code, found.pth_files) == (9, False, False, ())
    assert found.notes == ()
