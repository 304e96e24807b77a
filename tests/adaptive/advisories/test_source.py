"""The feed's facts and those of probes, together."""

from vertice.adaptive.advisories.model import Advisory, Severity, SourceInfo
from vertice.adaptive.advisories.source import ONLY_PROBES, MemorySource, combine

PROBE = Advisory(
    id="PYSEC-1",
    package="pkg",
    aliases=("CVE-1",),
    severity=Severity.high,
    cvss=8.0,
    cvss_vector="V",
    cwe=("CWE-22",),
    symbols=("pkg.load",),
)


def feed(*advisories: Advisory) -> MemorySource:
    return MemorySource(advisories, SourceInfo("feed.zip", len(advisories), "2024-10-10T00:00:00Z"))


def test_without_a_feed_the_probes_facts_are_all_there_is_and_info_says_so() -> None:
    source = combine(None, [PROBE])
    assert source.info() == SourceInfo(ONLY_PROBES, 1)
    (one,) = source.for_packages(["pkg", "other"])["pkg"]
    assert (one.id, one.source) == ("PYSEC-1", "probe")


def test_a_probes_facts_fill_a_gap_of_the_feed() -> None:
    other = Advisory(id="PYSEC-0", package="pkg", aliases=("CVE-0",))
    source = combine(feed(other), [PROBE])
    assert [(one.id, one.source) for one in source.for_packages({"pkg"})["pkg"]] == [
        ("PYSEC-0", "osv"),
        ("PYSEC-1", "probe"),
    ]
    assert source.info().source == "feed.zip"


def test_a_record_of_the_feed_wins_and_gains_symbols_score_and_cwe() -> None:
    record = Advisory(id="GHSA-1", package="pkg", aliases=("CVE-1",), symbols=("pkg.dump",), fixed_versions=("3",))
    (one,) = combine(feed(record), [PROBE]).for_packages({"pkg"})["pkg"]
    assert (one.id, one.source, one.fixed_versions) == ("GHSA-1", "osv", ("3",))
    assert one.symbols == ("pkg.dump", "pkg.load")
    assert (one.severity, one.cvss, one.cvss_vector, one.cwe) == (Severity.high, 8.0, "V", ("CWE-22",))


def test_a_record_with_a_score_keeps_it() -> None:
    record = Advisory(
        id="GHSA-1", package="pkg", aliases=("CVE-1",), severity=Severity.low, cvss=2.0, cvss_vector="W", cwe=("CWE-1",)
    )
    (one,) = combine(feed(record), [PROBE]).for_packages({"pkg"})["pkg"]
    assert (one.severity, one.cvss, one.cvss_vector, one.cwe) == (Severity.low, 2.0, "W", ("CWE-1",))


def test_the_same_cve_of_another_package_is_no_match() -> None:
    """CVE-2024-24762 is filed for fastapi; a probe may know that python-multipart has it too."""
    record = Advisory(id="PYSEC-9", package="fastapi", aliases=("CVE-1",))
    found = combine(feed(record), [PROBE]).for_packages({"pkg", "fastapi"})
    assert [one.id for one in found["pkg"]] == ["PYSEC-1"]
    assert found["fastapi"][0].symbols == ()


def test_a_package_nobody_knows_is_absent() -> None:
    assert dict(combine(feed(), [PROBE]).for_packages({"unknown"})) == {}
