"""Accepted findings."""

from datetime import date, timedelta

from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.config import Waiver
from vertice.adaptive.inventory.model import Component
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.triage.waivers import apply_waivers

TODAY = date(2026, 11, 21)
LATER = date(2027, 1, 31)
APV = Apv(
    "APV-20261121-001",
    Advisory("PYSEC-2021-142", "pyyaml", ("CVE-2020-14343", "GHSA-8q59-q68h-6hv4")),
    Component("pyyaml", "5.3.1", "requirements.txt"),
)
OTHER = Apv("APV-20261121-002", Advisory("PYSEC-2020-1", "jinja2"), Component("jinja2", "2.0", "requirements.txt"))


def waiver(name: str, until: date = LATER, package: str = "") -> Waiver:
    return Waiver(name, "A good reason.", until, package)


def test_any_id_alias_or_code_waives() -> None:
    for name in ("PYSEC-2021-142", "CVE-2020-14343", "ghsa-8Q59-q68h-6hv4", "APV-20261121-001"):
        result = apply_waivers([APV, OTHER], [waiver(name)], TODAY)
        assert (result.active, result.waived) == ((OTHER,), ((APV, waiver(name)),))
        assert (result.expired, result.unused) == ((), ())


def test_the_package_narrows_it() -> None:
    right, wrong = waiver("CVE-2020-14343", package="pyyaml"), waiver("CVE-2020-14343", package="jinja2")
    assert apply_waivers([APV], [right], TODAY).active == ()
    result = apply_waivers([APV], [wrong], TODAY)
    assert (result.active, result.unused) == ((APV,), (wrong,))


def test_it_holds_on_its_last_day_and_not_after() -> None:
    last = waiver("PYSEC-2021-142", TODAY)
    assert apply_waivers([APV], [last], TODAY).waived == ((APV, last),)
    result = apply_waivers([APV], [last], TODAY + timedelta(days=1))
    assert (result.active, result.waived, result.expired, result.unused) == ((APV,), (), (last,), ())


def test_of_two_the_longer_is_named_and_neither_is_unused() -> None:
    short, long = waiver("PYSEC-2021-142", TODAY), waiver("CVE-2020-14343")
    result = apply_waivers([APV], [short, long], TODAY)
    assert (result.waived, result.unused) == (((APV, long),), ())


def test_part_of_an_id_is_not_enough() -> None:
    assert apply_waivers([APV], [waiver("PYSEC-2021-14")], TODAY).waived == ()
