"""Which version is affected."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories.match import is_affected, match
from vertice.adaptive.advisories.model import Advisory, Event, Range, SourceInfo
from vertice.adaptive.advisories.osv import parse_record
from vertice.adaptive.advisories.source import MemorySource
from vertice.adaptive.inventory.model import Component

REFERENCE = runpy.run_path(str(Path(__file__).with_name("reference.py")))


def advisory(*ranges: str, versions: str = "") -> Advisory:
    """`advisory("introduced 1, fixed 2")`."""
    spans = tuple(Range(tuple(Event(*event.split()) for event in text.split(", "))) for text in ranges)
    return Advisory(id="A-1", package="pkg", ranges=spans, versions=tuple(versions.split()))


def test_agrees_with_the_reference_over_every_pair_the_zip_names(osv_records: list[dict[str, Any]]) -> None:
    named = REFERENCE["named_versions"](osv_records)
    expected = REFERENCE["all_matches"](osv_records)
    advisories = [one for record in osv_records for one in parse_record(record)]
    components = [Component(name, version, "all") for name, versions in named.items() for version in versions]
    assert len(components) == 36_059

    found = match(components, MemorySource(advisories, SourceInfo("test", len(osv_records))))

    assert len(found) == len(expected) == 146_066
    assert {(part.name, part.version, one.id) for part, one in found} == expected.keys()
    by = list(expected.values())
    assert [by.count(kind) for kind in ((True, True), (False, True), (True, False))] == [140_012, 6_044, 10]


def test_one_at_a_time_gives_what_match_gives(osv_records: list[dict[str, Any]]) -> None:
    packages = {"jw-util", "steam", "pyspark", "apache-iotdb", "binderhub", "paramiko", "gevent"}
    chosen = [r for r in osv_records if REFERENCE["normal"](r["affected"][0]["package"]["name"]) in packages]
    named = REFERENCE["named_versions"](chosen)
    expected = REFERENCE["all_matches"](chosen)
    for one in (one for record in chosen for one in parse_record(record)):
        for version in named[one.package]:
            assert is_affected(version, one) is ((one.package, version, one.id) in expected), (version, one.id)


@pytest.mark.parametrize(
    ("version", "ranges", "affected"),
    [
        ("1.0", ["introduced 0, fixed 2"], True),
        ("2", ["introduced 0, fixed 2.0"], False),
        ("2.0.0", ["introduced 2, fixed 3"], True),
        ("0.dev0", ["introduced 0, fixed 2"], True),
        ("2.0rc1", ["introduced 0, fixed 2.0"], True),
        ("2.0.dev1", ["introduced 0, fixed 2.0"], True),
        ("2.0.post1", ["introduced 0, last_affected 2.0"], False),
        ("2.0", ["introduced 0, last_affected 2.0"], True),
        ("1!0.5", ["introduced 0, fixed 2"], False),
        ("1!0.5", ["introduced 1!0, fixed 1!1"], True),
        ("v1.0", ["introduced 0, fixed 2"], True),
        # events out of order, and several branches in one range
        ("1.5", ["fixed 2, introduced 1"], True),
        ("3.5", ["introduced 3, fixed 2, introduced 1, fixed 4"], True),
        ("2.5", ["introduced 3, fixed 2, introduced 1, fixed 4"], False),
        # branches in several ranges
        ("3.5", ["introduced 1, fixed 2", "introduced 3, fixed 4"], True),
        ("2.5", ["introduced 1, fixed 2", "introduced 3, fixed 4"], False),
        # one version ends an interval and begins the next
        ("3.1.1", ["introduced 0, fixed 3.1.1, introduced 3.2.0, fixed 3.2.2, introduced 3.1.1, fixed 3.1.3"], True),
        ("3.1.3", ["introduced 0, fixed 3.1.1, introduced 3.2.0, fixed 3.2.2, introduced 3.1.1, fixed 3.1.3"], False),
        # an interval of one version
        ("1.5", ["introduced 1.5, last_affected 1.5"], True),
        ("1.6", ["introduced 1.5, last_affected 1.5"], False),
        # no end
        ("99", ["introduced 1"], True),
        # limits: any one of them is enough, and a star is none
        ("1.5", ["introduced 1, limit 2"], True),
        ("2.0", ["introduced 1, limit 2"], False),
        ("2.5", ["introduced 1, limit 2, limit 3"], True),
        ("2.5", ["introduced 1, limit 2, limit *"], True),
        # local versions
        ("1.0+cu118", ["introduced 0, last_affected 1.0"], True),
        ("1.0+cu118", ["introduced 1.0, fixed 1.1"], True),
        ("1.1+cu118", ["introduced 1.0, fixed 1.1"], False),
        ("1.0+a", ["introduced 0, last_affected 1.0+b"], True),
        ("1.0+c", ["introduced 0, last_affected 1.0+b"], False),
        # odd versions come before all others
        ("0.9-eevee", ["introduced 0, fixed 1.0"], True),
        ("0.9-eevee", ["introduced 0.1, fixed 1.0"], False),
        ("1.0", ["introduced 0, fixed 2019-09-12"], False),
        ("2019-08-01", ["introduced 0, fixed 2019-09-12"], True),
        ("2019-10-01", ["introduced 0, fixed 2019-09-12"], False),
        ("", ["introduced 0, fixed 1"], True),
        ("9" * 5000, ["introduced 0, fixed 1"], True),
        ("\x00\u202e", ["introduced 0, fixed 1"], True),
        ("1.0", [], False),
    ],
)
def test_range(version: str, ranges: list[str], affected: bool) -> None:
    assert is_affected(version, advisory(*ranges)) is affected


@pytest.mark.parametrize(
    ("version", "listed", "affected"),
    [
        ("1.0", "1.0 1.1", True),
        ("1.0.0", "1.0 1.1", True),
        ("1.0RC1", "1.0-rc.1", True),
        ("1.2", "1.0 1.1", False),
        ("1.0+cu118", "1.0", True),
        ("1.0", "1.0+cu118", False),
        ("0.9-eevee", "0.9-eevee", True),
        ("0.9-EEVEE", "0.9-eevee", False),
        ("1.0", "", False),
    ],
)
def test_versions_list(version: str, listed: str, affected: bool) -> None:
    assert is_affected(version, advisory(versions=listed)) is affected


def test_two_records_that_share_an_alias_are_both_reported(osv_records: list[dict[str, Any]]) -> None:
    chosen = [one for r in osv_records if r["id"] in {"PYSEC-2021-88", "PYSEC-2021-104"} for one in parse_record(r)]
    first, second = chosen
    assert set(first.aliases) & set(second.aliases)
    version = next(one for one in first.versions if one in second.versions)

    found = match([Component(first.package, version, "r.txt")], MemorySource(chosen, SourceInfo("test", 2)))

    assert [one.id for _, one in found] == ["PYSEC-2021-104", "PYSEC-2021-88"]


def test_sorted_by_component_and_every_line_that_names_it() -> None:
    parts = [
        Component("pkg", "1.0", "b.txt", 3),
        Component("pkg", "1.0", "a.txt", 9),
        Component("other", "1.0", "a.txt"),
    ]
    source = MemorySource([advisory("introduced 0, fixed 2")], SourceInfo("test", 1))
    assert [(part.source, one.id) for part, one in match([*parts, parts[0]], source)] == [
        ("a.txt", "A-1"),
        ("b.txt", "A-1"),
    ]
