"""What may be registered."""

from pathlib import Path

import pytest

from vertice.adaptive.projects.location import check_branch, check_location, check_name
from vertice.adaptive.projects.model import Kind
from vertice.kernel.errors import InputError


def test_a_path_is_kept_without_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert check_location(Kind.path, f"{tmp_path}/link/../link") == str(tmp_path / "real")


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("relative", "not an absolute path"),
        ("/nowhere/at/all", "no such folder"),
        ("/etc/hostname", "is a file"),
        ("/tmp/\n", "characters that no path"),
        ("/tmp/\udcff", "characters that no path"),
        ("/tmp/\u202egnp", "characters that no path"),
        ("", "not an absolute path"),
        (f"/{'x' * 2000}", "characters that no path"),
        (f"/tmp/{'x' * 300}", "no such folder"),
    ],
)
def test_a_path_that_cannot_be_used_is_refused(place: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        check_location(Kind.path, place)


@pytest.mark.parametrize("place", ["owner/repo", "a/b", "an-owner/.github", "o1/a.b-c_d"])
def test_a_repository_is_owner_and_name(place: str) -> None:
    assert check_location(Kind.github, place.title()) == place


@pytest.mark.parametrize(
    "place",
    [
        "",
        "repo",
        "a/b/c",
        "/b",
        "a/",
        "-a/b",
        "a-/b",
        "a--b/c",
        "a/..",
        "a/.",
        "a b/c",
        "a/b\n",
        "https://github.com/a/b",
        "á/b",
    ],
)
def test_what_names_no_repository_is_refused(place: str) -> None:
    with pytest.raises(InputError, match="names no repository"):
        check_location(Kind.github, place)


@pytest.mark.parametrize("branch", ["", "main", "release/1.2", "user@host", "ação"])
def test_a_branch_is_what_git_takes(branch: str) -> None:
    assert check_branch(branch) == branch


@pytest.mark.parametrize(
    "branch",
    [
        "-f",
        "a..b",
        "a b",
        "a\n",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "/a",
        "a/",
        "a//b",
        "a.lock",
        "a/.b",
        "a@{1}",
        "a.",
        "x" * 201,
        "a\u202eb",
    ],
)
def test_what_git_takes_for_no_branch_is_refused(branch: str) -> None:
    with pytest.raises(InputError, match="no name of a branch"):
        check_branch(branch)


def test_a_name_is_stripped_and_has_a_default() -> None:
    assert (check_name("  Shop ", default="x"), check_name("", default="shop")) == ("Shop", "shop")
    for bad in ("x" * 201, "a\x1b[31m"):
        with pytest.raises(InputError, match="name"):
            check_name(bad, default="x")
