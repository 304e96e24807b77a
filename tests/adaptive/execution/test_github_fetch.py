"""Getting a repository's files: as they are, and hostile archives."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.github_server.server import Fault
from vertice.adaptive.execution.github_fetch import Bounds, fetch, recorded_source, source_of, unpack
from vertice.kernel.errors import InputError, UnfinishedError

TOP = "acme-shop-abc/"


def pack(*members: tuple[str, bytes | str | None], **kinds: bytes) -> bytes:
    """Return an archive: content as bytes, a link's target as str, None for a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
                continue
            member.type = tarfile.DIRTYPE if content is None else tarfile.SYMTYPE
            member.linkname = content or ""
            archive.addfile(member)
    return buffer.getvalue()


def unpacked(tmp_path: Path, data: bytes, **bounds: int) -> dict[str, bytes]:
    folder = tmp_path / "files"
    folder.mkdir()
    unpack(io.BytesIO(data), folder, Bounds(**bounds))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_default_branch_is_fetched_once_without_a_trace_of_the_token(service, samples):
    commit = service.state.commit_files({"requirements.txt": samples.BEFORE, "app/main.py": "1\n"})
    folder, got = fetch(service.access, service.home, "acme/shop")
    assert got == commit
    assert (folder / "app" / "main.py").read_text() == "1\n"
    source = source_of(service.home, folder / "app")
    assert (source.owner, source.repo, source.commit, source.root) == ("acme", "shop", commit, folder)
    archives = [headers for _, path, headers in service.state.seen if path.startswith("/codeload/")]
    assert len(archives) == 1
    assert "authorization" not in archives[0]
    assert fetch(service.access, service.home, "acme/shop") == (folder, commit)
    assert len([1 for _, path, _ in service.state.seen if path.startswith("/codeload/")]) == 1
    assert [path.name for path in folder.parent.iterdir()] == [commit]


def test_another_branch(service):
    service.state.commit_files({"a": "1"})
    commit = service.state.commit_files({"a": "2"}, branch="feature/x")
    folder, got = fetch(service.access, service.home, "acme/shop", "feature/x")
    assert (got, (folder / "a").read_text()) == (commit, "2")


def test_a_commit_that_no_branch_points_to_any_more(service):
    commit = service.state.commit_files({"a": "1"})
    service.state.commit_files({"a": "2"})
    folder, got = fetch(service.access, service.home, "acme/shop", commit)
    assert (got, (folder / "a").read_text()) == (commit, "1")
    assert [path for _, path in service.door.requests] == [f"/repos/acme/shop/tarball/{commit}"]
    assert fetch(service.access, service.home, "acme/shop", commit) == (folder, commit)
    assert len(service.door.requests) == 1
    with pytest.raises(InputError, match="GitHub knows no"):
        fetch(service.access, service.home, "acme/shop", "0" * 40)


@pytest.mark.parametrize(
    ("repository", "branch", "said"),
    [
        ("acme/shop", "missing", "has no branch missing"),
        ("acme/other", "", "or the token may not see it"),
        ("acme", "", "is no GitHub repository"),
        ("../..", "", "is no GitHub repository"),
        ("acme/..", "", "is no GitHub repository"),
        ("a/b/c", "", "is no GitHub repository"),
    ],
)
def test_what_is_not_there_is_said(service, repository, branch, said):
    service.state.commit_files({"a": "1"})
    with pytest.raises(InputError, match=said):
        fetch(service.access, service.home, repository, branch)
    service.door.violations.clear()  # a name that is none is not sent as GitHub describes it


def test_a_download_that_breaks_leaves_nothing(service):
    service.state.commit_files({"a": "1"})
    service.state.archive = pack((f"{TOP}a", b"1" * 10_000))[:-4]
    with pytest.raises(UnfinishedError, match="cannot be read"):
        fetch(service.access, service.home, "acme/shop")
    assert list((service.home / "checkouts" / "acme" / "shop").iterdir()) == []


def test_a_fault_that_passes_is_not_noticed(service):
    service.state.commit_files({"a": "1"})
    service.door.once("GET", "/acme/shop", Fault(502))
    folder, _ = fetch(service.access, service.home, "acme/shop")
    assert (folder / "a").read_text() == "1"


def test_too_large_is_said(service):
    service.state.commit_files({"a": "1"})
    service.state.archive = pack((f"{TOP}a", os.urandom(50_000)))
    with pytest.raises(InputError, match="packed"):
        fetch(service.access, service.home, "acme/shop", bounds=Bounds(packed_bytes=10_000))


def test_a_folder_of_another_kind_was_not_fetched(tmp_path):
    assert source_of(tmp_path, tmp_path / "checkouts" / "acme" / "shop" / "main") is None
    assert source_of(tmp_path, tmp_path / "checkouts" / "acme") is None
    assert source_of(tmp_path, tmp_path / "elsewhere") is None


@pytest.mark.parametrize("below", ["", "app", "checkouts/a/b/c"])
def test_what_another_machine_fetched_is_known_by_its_place(below):
    commit = "c0ffee" + "0" * 34
    root = Path("/var/lib/checkouts/x/checkouts/acme/shop") / commit
    source = recorded_source(root / below, commit)
    assert (source.owner, source.repo, source.commit, source.root) == ("acme", "shop", commit, root)


@pytest.mark.parametrize(
    ("folder", "commit"),
    [
        (f"/home/checkouts/acme/shop/{'a' * 40}", "b" * 40),
        ("/home/checkouts/acme/shop/main", "main"),
        (f"/home/elsewhere/acme/shop/{'a' * 40}", "a" * 40),
        (f"/{'a' * 40}", "a" * 40),
    ],
)
def test_what_is_no_checkout_of_that_commit_was_not_fetched_elsewhere_either(folder, commit):
    assert recorded_source(Path(folder), commit) is None


@pytest.mark.parametrize("name", ["/etc/x", f"{TOP}../../x", "../x", f"{TOP}.git/config", f"{TOP}a/.GIT/hooks/x", "x"])
def test_names_that_lead_out_or_into_git_are_left_out(tmp_path, name):
    assert unpacked(tmp_path, pack((name, b"bad"), (f"{TOP}ok", b"1"))) == {"ok": b"1"}


@pytest.mark.parametrize(
    "links",
    [
        [("out", "/etc/passwd")],
        [("out", "../../etc/passwd")],
        [("out", "..")],
        [("out", ".")],
        [("a", "sub/.."), ("out", "a/../../etc/passwd")],
        [("sub/deep", "../.."), ("out", "sub/deep/etc")],
        [("a", "b"), ("b", "c"), ("c", "../../x")],
        [("a", "a")],
    ],
)
def test_links_that_lead_out_are_left_out(tmp_path, links):
    folder = tmp_path / "files"
    folder.mkdir()
    unpack(io.BytesIO(pack((f"{TOP}sub/ok", b"1"), *((f"{TOP}{name}", to) for name, to in links))), folder)
    for path in folder.rglob("*"):
        assert path.resolve().is_relative_to(folder.resolve())
        assert path.resolve() != folder.resolve()
    assert not os.path.lexists(folder / "out")


def test_nothing_is_written_through_a_link(tmp_path):
    folder, outside = tmp_path / "files", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    data = pack((f"{TOP}door", "../outside"), (f"{TOP}door/x", b"bad"), (f"{TOP}in", "door"))
    unpack(io.BytesIO(data), folder)
    assert list(outside.iterdir()) == []


def test_links_that_stay_inside_are_kept(tmp_path):
    found = unpacked(tmp_path, pack((f"{TOP}a/real", b"1"), (f"{TOP}b/link", "../a/real")))
    assert found == {"a/real": b"1", "b/link": b"1"}


def test_devices_and_hard_links_are_left_out(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"{TOP}odd{kind.decode()}")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert unpacked(tmp_path, buffer.getvalue()) == {}


@pytest.mark.parametrize("bounds", [{"bytes": 5000}, {"entries": 3}])
def test_an_archive_that_grows_is_stopped(tmp_path, bounds):
    data = pack(*((f"{TOP}{number}", b"\0" * 2000) for number in range(6)))
    with pytest.raises(InputError, match="is larger than"):
        unpacked(tmp_path, data, **bounds)


def test_a_bomb_after_the_files_is_stopped(tmp_path):
    data = gzip.compress(gzip.decompress(pack((f"{TOP}a", b"1"))) + b"\0" * 5_000_000)
    with pytest.raises(InputError, match="is larger than"):
        unpacked(tmp_path, data, bytes=1_000_000)


@pytest.mark.parametrize("data", [b"", b"not an archive", b"\x1f\x8b\x08rest"])
def test_no_archive_is_said(tmp_path, data):
    with pytest.raises(UnfinishedError, match="cannot be read"):
        unpacked(tmp_path, data)


def test_a_file_that_comes_twice_is_no_fault_of_ours(tmp_path):
    with pytest.raises(UnfinishedError, match="cannot be read"):
        unpacked(tmp_path, pack((f"{TOP}a", b"1"), (f"{TOP}a", b"2")))
