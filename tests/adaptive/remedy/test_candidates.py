"""Which releases may replace a vulnerable one."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from vertice.adaptive.advisories.match import is_affected
from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.remedy.candidates import Rules, tiers
from vertice.adaptive.remedy.distance import distance, size
from vertice.adaptive.remedy.model import Change
from vertice.adaptive.remedy.releases import Release, ReleaseFile

Make = Callable[..., Advisory]


def release(version: str, *, yanked: bool = False, uploaded: str = "2020-01-01T00:00:00Z", python: str = "") -> Release:
    file = ReleaseFile(f"a-{version}.tar.gz", "", False, upload_time=uploaded, requires_python=python, yanked=yanked)
    return Release(Version(version), (file,))


def offered(
    current: str, known: list[Release], advisories: list[Advisory], rules: Rules | None = None
) -> list[list[str]]:
    found = tiers("a", Version(current), known, advisories, rules=rules or Rules(), is_affected=is_affected)
    return [[str(version) for version in tier.versions] for tier in found]


def test_only_higher_releases_that_no_advisory_matches(advisory: Make) -> None:
    known = [release(version) for version in ("0.9", "1.0", "1.1", "1.2", "2.0")]
    found = [advisory("A", "a", "1.1"), advisory("B", "a", "1.2")]
    assert offered("1.0", known, found)[0] == ["1.2", "2.0"]


def test_an_advisory_of_a_later_branch_is_stepped_over(advisory: Make) -> None:
    known = [release(version) for version in ("1.0", "1.1", "2.0", "2.1")]
    found = [advisory("A", "a", "1.1"), advisory("B", "a", "2.1", introduced="1.1")]
    assert offered("1.0", known, found)[0] == ["2.1"]


def test_what_remains_where_no_release_is_free_of_everything_is_as_little_as_possible(advisory: Make) -> None:
    known = [release(version) for version in ("1.0", "1.1", "1.2")]
    found = [advisory("NEVER", "a", None, severity="low"), advisory("A", "a", "1.2")]
    tier = tiers("a", Version("1.0"), known, found, rules=Rules(), is_affected=is_affected)[0]
    assert [str(version) for version in tier.versions] == ["1.2"]
    assert [one.id for one in tier.remaining] == ["NEVER"]


def test_a_release_that_trades_one_advisory_for_a_worse_one_is_no_remedy(advisory: Make) -> None:
    known = [release(version) for version in ("1.0", "1.1")]
    found = [advisory("A", "a", "1.1", severity="low"), advisory("B", "a", None, introduced="1.1", severity="critical")]
    assert offered("1.0", known, found) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(), ["1.1", "1.2", "1.4"]),
        (Rules(allow_prereleases=True), ["1.1", "1.2", "1.3rc1", "1.4"]),
        (Rules(refuted=frozenset({("a", "1.1")})), ["1.2", "1.4"]),
        (Rules(wanted={"a": SpecifierSet(">1.1")}), ["1.2", "1.4"]),
        (Rules(python="3.8"), ["1.1", "1.2"]),
        (Rules(uploaded_before=datetime(2021, 1, 1, tzinfo=UTC)), ["1.1", "1.4"]),
    ],
)
def test_rules_of_the_caller(advisory: Make, rules: Rules, expected: list[str]) -> None:
    known = [
        release("1.0"),
        release("1.1"),
        release("1.2", uploaded="2022-01-01T00:00:00.123456Z"),
        release("1.3rc1", uploaded=""),
        release("1.4", python=">=3.9"),
        release("1.5", yanked=True),
    ]
    assert offered("1.0", known, [advisory("A", "a", "1.1")], rules) == [expected]


def test_a_prerelease_in_use_lets_prereleases_in(advisory: Make) -> None:
    known = [release("1.0rc1"), release("1.0rc2"), release("1.0")]
    assert offered("1.0rc1", known, [advisory("A", "a", "1.0rc2")]) == [["1.0rc2", "1.0"]]


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        ("1.2.3", "1.2.4", 1),
        ("1.0", "1.0.post1", 1),
        ("weird", "1.0", 10),
        ("1.2.3", "1.3", 3),
        ("1.2", "2.0", 10),
        ("1.2", "1!1.2", 10),
        ("", "1.0", 2),
        ("1.0", "", 2),
    ],
)
def test_distance_is_that_of_the_documented_measure(before: str, after: str, weight: int) -> None:
    assert distance(Change("a", before, after)) == weight


def test_a_parent_moved_one_minor_is_smaller_than_an_override_and_an_override_than_a_new_major() -> None:
    child = Change("child", "1.0", "1.1")
    override = size([child], overrides=1)
    assert size([child, Change("parent", "0.4", "0.5")], constraints=1) < override
    assert override < size([child, Change("parent", "1.0", "2.0")])
