"""What an index says is read as JSON or HTML, and what goes wrong there is said in our words."""

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from vertice.adaptive.remedy.releases import FRESH_SECONDS, Releases
from vertice.kernel.errors import InputError, UnfinishedError

JSON = "application/vnd.pypi.simple.v1+json"
SHA = "a" * 64


def page(**more: Any) -> dict[str, Any]:
    wheel = {
        "filename": "some_pkg-1.1-py3-none-any.whl",
        "url": "../../files/some_pkg-1.1-py3-none-any.whl",
        "hashes": {"sha256": SHA},
        "requires-python": ">=3.8",
        "size": 7,
        "upload-time": "2024-01-02T00:00:00Z",
        "yanked": False,
        "provenance": "https://h/prov",
        **more,
    }
    sdist = {
        "filename": "some-pkg-1.1.tar.gz",
        "url": "https://h/s",
        "hashes": {},
        "upload-time": "2024-01-01T00:00:00Z",
    }
    old = {"filename": "Some_Pkg-1.0.tar.gz", "url": "https://h/o", "hashes": {"sha256": "b" * 64}, "yanked": "broken"}
    alien = [
        {"filename": name, "url": "x", "hashes": {}} for name in ("other-1.0.tar.gz", "some-pkg-1.0.exe", "x", "a-.whl")
    ]
    return {"files": [wheel, sdist, old, *alien]}


def asked(server: Any, body: bytes, kind: str = JSON) -> Releases:
    server.pages["/simple/some-pkg/"] = (kind, body)
    return Releases(server.url + "simple", attempts=1)


def test_json(server: Any) -> None:
    old, new = asked(server, json.dumps(page()).encode()).of("Some_Pkg") or ()
    assert (old.version, old.yanked, old.hashes) == (Version("1.0"), True, (f"sha256:{'b' * 64}",))
    assert (new.version, new.yanked, new.uploaded_at) == (Version("1.1"), False, "2024-01-01T00:00:00Z")
    wheel, sdist = new.files
    assert wheel.url == server.url + "files/some_pkg-1.1-py3-none-any.whl"
    assert (wheel.provenance, sdist.provenance, wheel.size, sdist.size) == ("https://h/prov", None, 7, None)
    assert new.supports("3.8")
    assert new.wheel_for("3.11")
    assert not old.wheel_for("3.11")


def test_a_file_without_provenance_differs_from_an_index_that_does_not_say(server: Any) -> None:
    new = (asked(server, json.dumps(page(provenance=None)).encode()).of("some-pkg") or ())[1]
    assert [file.provenance for file in new.files] == ["", None]


def test_html(server: Any) -> None:
    body = (
        "<!DOCTYPE html><html><body>"
        f'<a href="/f/some_pkg-1.1-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.9" data-yanked=""'
        ' data-upload-time="2024-01-01T00:00:00Z" data-provenance="/p">x</a><a href="some-pkg-1.2.tar.gz">y</a></body>'
    )
    one, two = asked(server, body.encode(), "text/html; charset=utf-8").of("some-pkg") or ()
    file = one.files[0]
    assert (file.url, file.provenance) == (f"{server.url}f/some_pkg-1.1-py3-none-any.whl", f"{server.url}p")
    assert (file.sha256, file.requires_python, one.yanked) == (SHA, ">=3.9", True)
    assert (two.version, two.yanked, two.hashes, two.uploaded_at) == (Version("1.2"), False, (), "")
    assert not one.supports("3.9")


def test_a_python_that_no_file_allows_is_not_supported(server: Any) -> None:
    found = asked(server, json.dumps({"files": [page()["files"][0]]}).encode()).of("some-pkg") or ()
    assert [found[0].supports(python) for python in ("3.7", "3.8", "")] == [False, True, True]


def test_an_unknown_package_is_none(server: Any) -> None:
    assert Releases(server.url, attempts=1).of("nope") is None
    assert Releases(server.url, attempts=1).release("nope", "1.0") is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"files": [{}]}', b'{"files": 1}', b"\xff\xfe", b'{"files": [null]}']
)
def test_nonsense_is_unfinished_and_names_the_index(server: Any, body: bytes) -> None:
    with pytest.raises(UnfinishedError, match="not of the simple API") as caught:
        asked(server, body).of("some-pkg")
    assert caught.value.where == f"{server.url}simple/some-pkg/"


def test_an_answer_that_is_no_page_at_all(server: Any) -> None:
    with pytest.raises(UnfinishedError, match="neither JSON nor a page of links"):
        asked(server, b"hello", "text/plain").of("some-pkg")


def test_an_error_of_the_server_is_unfinished_after_trying_again(server: Any) -> None:
    server.status["/some-pkg/"] = 503
    with pytest.raises(UnfinishedError, match="503"):
        Releases(server.url, attempts=2).of("some-pkg")
    assert server.asked == ["/some-pkg/"] * 2


def test_an_unreachable_index_is_unfinished_and_a_password_is_not_shown() -> None:
    with pytest.raises(UnfinishedError, match="could not be read") as caught:
        Releases("http://user:secret@127.0.0.1:9/simple", attempts=1).of("a")
    assert caught.value.where == "http://127.0.0.1:9/simple/a/"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("index", ["ftp://h/simple", "file:///etc", "nothing"])
def test_an_index_that_is_no_web_address_is_bad_input(index: str) -> None:
    with pytest.raises(InputError, match="not an http or https address"):
        Releases(index).of("a")


def test_a_page_that_is_too_large_is_unfinished(server: Any) -> None:
    server.pages["/big"] = ("text/plain", b"x" * 1000)
    with pytest.raises(UnfinishedError, match="larger than 999 bytes"):
        Releases(server.url).fetch(server.url + "big", limit=999)


def test_a_page_is_kept_for_ten_minutes_and_then_asked_for_by_its_etag(server: Any, tmp_path: Path) -> None:
    server.pages["/some-pkg/"] = (JSON, json.dumps(page()).encode())
    clock = [0.0]

    def ask() -> int:
        return len(Releases(server.url, cache=tmp_path, clock=lambda: clock[0]).of("some-pkg") or ())

    assert (ask(), ask(), len(server.asked)) == (2, 2, 1)
    clock[0] = FRESH_SECONDS + 1
    assert (ask(), len(server.asked)) == (2, 2)
    server.pages["/some-pkg/"] = (JSON, b'{"files": []}')
    assert (ask(), len(server.asked)) == (2, 2)
    clock[0] = 2 * FRESH_SECONDS + 2
    assert (ask(), len(server.asked)) == (0, 3)


def test_a_spoiled_cache_is_no_cache(server: Any, tmp_path: Path) -> None:
    server.pages["/some-pkg/"] = (JSON, json.dumps(page()).encode())
    Releases(server.url, cache=tmp_path).of("some-pkg")
    for file in tmp_path.iterdir():
        file.write_bytes(b'{"at": "never"}')
    assert len(Releases(server.url, cache=tmp_path).of("some-pkg") or ()) == 2


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_certificates_named_by_the_owner_must_be_readable(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    with pytest.raises(InputError, match="no readable file of certificates"):
        Releases("https://127.0.0.1:9/").of("a")


@pytest.mark.index
def test_the_real_index(releases: Releases) -> None:
    found = releases.release("PyYAML", "5.4")
    assert found is not None
    assert len(found.hashes) >= 20
    assert found.uploaded_at.startswith("2021-01-19")
    assert found.wheel_for("3.9")
    assert not found.wheel_for("3.11")
