"""Reading probe files: good ones become facts, bad ones one clear error."""

from pathlib import Path

import pytest

from vertice.adaptive.advisories.model import Advisory, Severity
from vertice.adaptive.wargame.model import Role
from vertice.adaptive.wargame.probe import find_probes, parse_probe, probes_for
from vertice.kernel.errors import InputError

GOOD = """# /// vertice-probe
# id = "PYSEC-2099-1"
# aliases = ["CVE-2099-1"]
# package = "Some_Thing"
# summary = "It does what it should not."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-502"]
# kind = "rce"
# symbols = ["some_thing.load"]
#
# [[affected]]
# package = "wrapper"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.0" }] }]
# [[affected]]
# package = "some-thing"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "1.0" }, { fixed = "2.0" }] }]
#
# [cases]
# attack = "the plain way"
# [cases.variants]
# other = "another way"
# [cases.controls]
# plain = "ordinary use"
#
# [test]
# vulnerable = "1.9"
# fixed = "2.0"
# ///
print(1)
"""


def test_the_facts_come_in_osv_form() -> None:
    probe = parse_probe(GOOD, where="p.py", origin="here")
    assert (probe.id, probe.package, probe.kind) == ("PYSEC-2099-1", "some-thing", "rce")
    own, other = probe.advisories
    assert (own.package, own.fixed_versions, own.cvss, own.severity) == ("some-thing", ("2.0",), 9.8, Severity.critical)
    assert (own.source, own.cwe, own.symbols) == ("probe", ("CWE-502",), ("some_thing.load",))
    assert (other.package, other.symbols) == ("wrapper", ())
    assert [(case.name, case.role) for case in probe.cases] == [
        ("attack", Role.attack),
        ("other", Role.variant),
        ("plain", Role.control),
    ]
    assert (probe.vulnerable, probe.fixed) == ("some-thing==1.9", "some-thing==2.0")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("# /// vertice-probe", "# /// script", "has 0 `# /// vertice-probe` blocks"),
        ('# kind = "rce"', "# kind = rce", "no TOML"),
        ('# kind = "rce"\n', "", "`kind` must be a text"),
        ('# kind = "rce"', '# kind = "rce"\n# knd = "x"', "`knd` is no key here"),
        ('# cwe = ["CWE-502"]', "# cwe = [502]", "`cwe` must be a list of texts"),
        ('# other = "another way"\n', "", "`cases.variants` is empty"),
        ('# plain = "ordinary use"\n', "", "`cases.controls` is empty"),
        ('# other = "another way"', '# "../other" = "x"', "is no case name"),
        ('# plain = "ordinary use"', '# other = "x"', "is no case name"),
        ('package = "some-thing"', 'package = "something-else"', "does not begin with the probe's own package"),
        ('# vulnerable = "1.9"\n', "", "`test.vulnerable` must be a text"),
    ],
)
def test_a_malformed_probe_is_one_clear_error(old: str, new: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_probe(GOOD.replace(old, new), where="p.py", origin="here")
    assert what in caught.value.what
    assert caught.value.where == "p.py"


def test_a_folder_of_probes_is_added_and_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD.replace("PYSEC-2099-1", "PYSEC-2021-142"))
    found = {probe.id: probe for probe in find_probes([tmp_path])}
    assert found["PYSEC-2021-142"].package == "some-thing"
    assert len(found) == len(find_probes())


def test_only_probes_of_the_packages_asked_for_are_read(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("# no probe at all")
    assert {probe.package for probe in find_probes([tmp_path], packages=frozenset({"pyyaml"}))} == {"pyyaml"}
    with pytest.raises(InputError, match="blocks"):
        find_probes([tmp_path])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_probes([tmp_path / "none"])
    assert caught.value.where == str(tmp_path / "none")


def test_a_probe_attacks_what_shares_an_id_and_the_package() -> None:
    probe = parse_probe(GOOD, where="p.py", origin="here")
    twin = Advisory("GHSA-xxxx", "some-thing", aliases=("CVE-2099-1",))
    assert probes_for(twin, [probe]) == (probe,)
    assert probes_for(Advisory("GHSA-xxxx", "wrapper", aliases=("CVE-2099-1",)), [probe]) == (probe,)
    assert probes_for(Advisory("GHSA-xxxx", "unrelated", aliases=("CVE-2099-1",)), [probe]) == ()
    assert probes_for(Advisory("GHSA-yyyy", "some-thing"), [probe]) == ()
