"""A record becomes advisories, strictly where it matters."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertice.adaptive.advisories.model import Advisory, Event, Range, Severity
from vertice.adaptive.advisories.osv import parse_record
from vertice.kernel.errors import InputError


def test_a_real_record_whole(osv_records: list[dict[str, Any]]) -> None:
    record = next(one for one in osv_records if one["id"] == "PYSEC-2024-24")
    (one,) = parse_record(record)
    assert (one.id, one.package, one.cve) == ("PYSEC-2024-24", "aiohttp", "CVE-2024-23334")
    assert one.aliases == ("CVE-2024-23334", "GHSA-5h86-8mv2-jq9f")
    assert one.ranges == (Range((Event("introduced", "1.0.5"), Event("fixed", "3.9.2"))),)
    assert one.fixed_versions == ("3.9.2",)
    assert "3.9.1" in one.versions
    assert one.summary == "aiohttp is an asynchronous HTTP client/server framework for asyncio and Python."
    assert (one.cvss, one.severity) == (7.5, Severity.high)
    assert one.published.startswith("2024-01-29")
    assert all(url.startswith("https://") for url in one.references)


def test_every_real_record_is_read_and_only_the_withdrawn_give_nothing(osv_records: list[dict[str, Any]]) -> None:
    empty = [record["id"] for record in osv_records if not parse_record(record)]
    assert len(empty) == 10
    assert empty == [record["id"] for record in osv_records if "withdrawn" in record]


def test_one_advisory_per_pypi_package_and_entries_of_a_package_are_united(record: Any) -> None:
    made = record("GHSA-1")
    made["affected"] = [
        {"package": {"ecosystem": "PyPI", "name": "Jw.Util"}, "versions": ["1.0", "1.1"]},
        {"package": {"ecosystem": "npm", "name": "jw-util"}, "versions": ["9"]},
        {"package": {"ecosystem": "PyPI", "name": "other"}, "versions": ["5"]},
        {
            "package": {"ecosystem": "PyPI", "name": "jw_util"},
            "versions": ["1.1", "2.0"],
            "ranges": [
                {"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}, {"fixed": "ab"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "2"}, {"fixed": "10"}, {"fixed": "9.1"}]},
            ],
        },
    ]
    first, second = parse_record(made)
    assert (first.package, first.versions, first.fixed_versions) == ("jw-util", ("1.0", "1.1", "2.0"), ("9.1", "10"))
    assert len(first.ranges) == 1
    assert (second.package, second.versions) == ("other", ("5",))


def test_severity_comes_from_the_package_then_the_record_then_a_word(record: Any) -> None:
    high, low = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:N/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
    made = record("GHSA-1", severity=[{"type": "CVSS_V3", "score": low}], database_specific={"severity": "CRITICAL"})
    assert parse_record(made)[0].cvss == 2.0
    made["affected"][0]["severity"] = [{"type": "CVSS_V3", "score": high}]
    assert (parse_record(made)[0].cvss, parse_record(made)[0].severity) == (9.8, Severity.critical)

    worded = parse_record(record("GHSA-1", database_specific={"severity": "MODERATE"}))[0]
    assert (worded.cvss, worded.cvss_vector, worded.severity) == (None, "", Severity.medium)
    assert parse_record(record("GHSA-1", database_specific={"severity": "HIGH"}))[0].severity is Severity.high
    assert parse_record(record("PYSEC-1"))[0].severity is Severity.medium
    assert parse_record(record("MAL-2024-1"))[0].severity is Severity.critical


def test_cwe_and_symbols_of_the_three_databases(record: Any) -> None:
    made = record("GHSA-1", database_specific={"cwe_ids": ["CWE-79", "CWE-22", "nonsense"]})
    made["affected"][0]["database_specific"] = {"cwes": [{"cweId": "CWE-506", "name": "x"}, {"cweId": 7}]}
    made["affected"][0]["ecosystem_specific"] = {
        "imports": [{"attribute": "load", "modules": ["yaml", "yaml.loader"]}, {"modules": ["yaml.cyaml"]}],
        "functions": ["yaml.FullLoader"],
        "affected_functions": ["(yaml).full_load"],
    }
    (one,) = parse_record(made)
    assert one.cwe == ("CWE-22", "CWE-79", "CWE-506")
    assert one.symbols == ("yaml.load", "yaml.loader.load", "yaml.cyaml", "yaml.FullLoader", "yaml.full_load")


@pytest.mark.parametrize(
    ("details", "summary"),
    [
        ("One. Two.", "One."),
        (
            "### Impact\n\nA user, e.g. an admin, may\nread 1.2.3 files. Then more.",
            "A user, e.g. an admin, may read 1.2.3 files.",
        ),
        ("No end", "No end"),
        ("", ""),
        ("## Only a heading", ""),
        ("x" * 5000, "x" * 299 + "…"),
    ],
)
def test_the_summary_falls_back_to_the_first_sentence(record: Any, details: str, summary: str) -> None:
    assert parse_record(record("A-1", details=details))[0].summary == summary


def test_a_summary_is_one_line(record: Any) -> None:
    assert parse_record(record("A-1", summary="two\n  lines"))[0].summary == "two lines"


def test_nulls_count_as_absent(record: Any) -> None:
    made = record("A-1", aliases=None, withdrawn=None, severity=None, references=None, details=None, summary=None)
    made["affected"][0] |= {"versions": None, "severity": None, "database_specific": None}
    assert parse_record(made)[0].aliases == ()


def spoiled(made: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *parents, last = path.split(".")
    inner: Any = made
    for step in parents:
        inner = inner[int(step)] if step.isdigit() else inner[step]
    inner[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("aliases", "CVE-1", "`aliases` is a string, not a list"),
        ("aliases", [7], "`aliases` is a number, not a string"),
        ("withdrawn", True, "`withdrawn` is a boolean, not a string"),
        ("affected", {}, "`affected` is an object, not a list"),
        ("affected", [[]], "`affected` is a list, not an object"),
        ("affected.0.package", None, "`affected.package` is null, not an object"),
        ("affected.0.package.name", "", "`affected.package.name` is '', no package's name"),
        ("affected.0.package.name", "../x", "no package's name"),
        ("affected.0.versions", [1.0], "`affected.versions` is a number, not a string"),
        ("affected.0.ranges", "all", "`affected.ranges` is a string, not a list"),
        ("affected.0.ranges.0.events", [{"until": "1"}], "has an event that is none of introduced, fixed"),
        ("affected.0.ranges.0.events", [{"fixed": 2}], "`affected.ranges.events.fixed` is a number"),
        ("severity", [{"score": 9.8}], "`severity.score` is a number"),
        ("references", [None], "`references` is null, not an object"),
        ("modified", 7, "`modified` is a number"),
    ],
)
def test_a_wrong_type_is_an_error_that_names_the_record(record: Any, path: str, value: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_record(spoiled(record("PYSEC-2024-1"), path, value))
    assert says in caught.value.what
    assert caught.value.where == "record PYSEC-2024-1"


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ([], "is a list, not a JSON object"),
        (None, "is null, not a JSON object"),
        ({}, "has no id"),
        ({"id": 7}, "has the id 7, which is none"),
        ({"id": "../../etc/passwd"}, "has the id '../../etc/passwd', which is none"),
        ({"id": "\x1b[31mX"}, r"has the id '\x1b[31mX', which is none"),
    ],
)
def test_without_an_id_it_is_no_record(thing: object, says: str) -> None:
    with pytest.raises(InputError, match=r".") as caught:
        parse_record(thing)
    assert caught.value.what == says


def test_a_withdrawn_record_gives_nothing_even_when_the_rest_is_odd(record: Any) -> None:
    assert parse_record(record("A-1", withdrawn="2024-01-01T00:00:00Z", affected="gone")) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("withdrawn", "aliases", "affected", "severity", "summary", "details", "references", "database_specific")


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"id": st.just("X-1")}, optional=dict.fromkeys(KEYS, JSON)) | JSON)
def test_any_json_is_read_or_refused_with_our_error(thing: object) -> None:
    with suppress(InputError):
        assert all(isinstance(one, Advisory) for one in parse_record(thing))
