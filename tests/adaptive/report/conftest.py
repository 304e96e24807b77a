"""One scan result that shows every case a report has to write."""

from datetime import UTC, date, datetime

import pytest

from vertice.adaptive.advisories.model import Advisory, Severity, SourceInfo
from vertice.adaptive.config import Waiver
from vertice.adaptive.inventory.model import Component
from vertice.adaptive.report.model import ScanResult
from vertice.adaptive.triage.model import Apv, Reachability, ReachabilityLevel, Site
from vertice.adaptive.triage.triage import rejudged

FASTAPI = Component("fastapi", "0.104.1", "requirements.txt", 1, dependencies=("starlette",))
STARLETTE = Component(
    "starlette", "0.27.0", "requirements.txt", 4, direct=False, dependency_path=("fastapi", "starlette")
)
PYYAML = Component("pyyaml", "5.3.1", "requirements.txt", 7)
JOSE = Component("python-jose", "3.3.0", "requirements.txt", 9)
PYTEST = Component("pytest", "7.0.0", "requirements-dev.txt", 2, dev=True, dependencies=("py",))
PY = Component("py", "1.11.0", "requirements-dev.txt", 3, direct=False, dev=True, dependency_path=("pytest", "py"))


def _apv(code: str, advisory: Advisory, component: Component, found: Reachability) -> Apv:
    location = f"{component.source}:{component.line}"
    return rejudged(Apv(code, advisory, component, (location,)), found)


def apvs() -> tuple[Apv, ...]:
    return (
        _apv(
            "APV-20261121-001",
            Advisory(
                "PYSEC-2021-142",
                "pyyaml",
                aliases=("CVE-2020-14343", "GHSA-8q59-q68h-6hv4"),
                summary="A document run through full_load executes code of the sender's choice.",
                severity=Severity.critical,
                cvss=9.8,
                cvss_vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                cwe=("CWE-20", "CWE-502"),
                fixed_versions=("5.4",),
                epss=0.84,
                kev=True,
                published="2021-02-09T21:15:00Z",
                modified="2021-07-05T00:01:00Z",
                references=("https://example.org/advisory",),
            ),
            PYYAML,
            Reachability(
                ReachabilityLevel.exploited,
                (Site("app/importer.py", 12, "yaml.full_load"), Site("app/io.py", 3, "yaml.load")),
                "pyyaml",
            ),
        ),
        _apv(
            "APV-20261121-002",
            Advisory("PYSEC-2020-96", "pyyaml", aliases=("CVE-2020-1747",), summary="", fixed_versions=("5.3.1",)),
            PYYAML,
            Reachability(ReachabilityLevel.referenced, (Site("app/io.py", 3, "yaml.load"),), "pyyaml"),
        ),
        _apv(
            "APV-20261121-003",
            Advisory(
                "GHSA-f96h-pmfr-66vw",
                "starlette",
                aliases=("CVE-2024-47874",),
                summary="\x1b[31mred\x1b[0m [bold]not markup[/bold] \u202e a form part without a name takes memory",
                severity=Severity.high,
                cvss=8.7,
                cvss_vector="CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N",
                cwe=("CWE-400",),
                fixed_versions=("0.40.0",),
            ),
            STARLETTE,
            Reachability(ReachabilityLevel.present, (Site("app/main.py", 3, "fastapi.FastAPI"),), "fastapi"),
        ),
        _apv(
            "APV-20261121-004",
            Advisory("PYSEC-2022-42969", "py", aliases=("CVE-2022-42969",), summary="Slow regular expression."),
            PY,
            Reachability(),
        ),
    )


@pytest.fixture
def result() -> ScanResult:
    waived = _apv(
        "APV-20261121-005",
        Advisory("PYSEC-2024-232", "python-jose", ("CVE-2024-33663",), severity=Severity.medium, cvss=6.5),
        JOSE,
        Reachability(ReachabilityLevel.imported, (Site("tests/test_login.py", 5, "jose"),), "python-jose", True),
    )
    waiver = Waiver("CVE-2024-33663", "Only used with a fixed algorithm list.", date(2027, 1, 31), "python-jose")
    return ScanResult(
        project="shop",
        scanned_at=datetime(2026, 11, 21, 12, 0, 30, 5, tzinfo=UTC),
        source=SourceInfo("osv (PyPI-all.zip)", 2661, "2026-11-18T09:00:00Z"),
        components=tuple(sorted((FASTAPI, STARLETTE, PYYAML, JOSE, PYTEST, PY))),
        apvs=apvs(),
        waived=((waived, waiver),),
        expired=(Waiver("GHSA-xxxx-xxxx-xxxx", "We thought it was harmless.", date(2026, 10, 1)),),
        unused=(Waiver("CVE-1999-0001", "Left over from an old release.", date(2027, 1, 1)),),
        warnings=("requirements.txt:12: a local path is not matched: ./vendored",),
        path="./my shop",
    )
