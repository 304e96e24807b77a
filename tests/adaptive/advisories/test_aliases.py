"""What an alias group shares."""

from vertice.adaptive.advisories.aliases import Signal, alias_groups, share
from vertice.adaptive.advisories.model import Advisory, Severity


def test_groups_are_symmetric_and_transitive() -> None:
    groups = alias_groups([("A", "CVE-1"), ("B", "A"), ("C",), ("D", "CVE-2"), ("E", "CVE-2", "F"), ("G", "F")])
    assert len({groups[name] for name in ("A", "B", "CVE-1")}) == 1
    assert len({groups[name] for name in ("D", "E", "F", "G", "CVE-2")}) == 1
    assert len(set(groups.values())) == 3


def test_epss_and_kev_reach_every_record_of_the_group() -> None:
    """A aliases CVE-1, B aliases A: both get what is known of CVE-1; the highest EPSS of the group counts."""
    first = Advisory(id="A", package="x", aliases=("CVE-1",))
    second = Advisory(id="B", package="x", aliases=("A", "CVE-2"))
    alone = Advisory(id="C", package="x", aliases=("CVE-3",))
    signals = {"CVE-1": Signal(0.2), "CVE-2": Signal(0.7, kev=True), "CVE-9": Signal(1.0, kev=True)}
    shared = share([first, second, alone], signals)
    assert [(one.epss, one.kev) for one in shared] == [(0.7, True), (0.7, True), (None, False)]


def test_a_record_without_score_or_cwe_takes_those_of_its_twin() -> None:
    twin = Advisory(
        id="GHSA",
        package="x",
        aliases=("CVE",),
        severity=Severity.critical,
        cvss=9.8,
        cvss_vector="V",
        cwe=("CWE-79", "CWE-100"),
    )
    weaker = Advisory(
        id="OTHER", package="x", aliases=("CVE",), severity=Severity.low, cvss=2.0, cvss_vector="W", cwe=("CWE-22",)
    )
    bare = Advisory(id="PYSEC", package="x", aliases=("CVE",))
    shared = {one.id: one for one in share([bare, twin, weaker], {})}
    assert (shared["PYSEC"].severity, shared["PYSEC"].cvss, shared["PYSEC"].cvss_vector) == (
        Severity.critical,
        9.8,
        "V",
    )
    assert shared["PYSEC"].cwe == ("CWE-22", "CWE-79", "CWE-100")
    assert shared["GHSA"] == twin
    assert shared["OTHER"] == weaker


def test_without_any_score_a_more_severe_word_counts() -> None:
    shared = share(
        [Advisory(id="P", package="x", aliases=("G",)), Advisory(id="G", package="x", severity=Severity.high)], {}
    )
    assert [(one.severity, one.cvss) for one in shared] == [(Severity.high, None)] * 2


def test_a_long_chain_of_aliases_is_one_group() -> None:
    groups = alias_groups((str(at), str(at + 1)) for at in range(50_000))
    assert len(set(groups.values())) == 1
