"""From matches to judged findings."""

import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from vertice.adaptive.advisories.model import Advisory, Severity
from vertice.adaptive.inventory.model import Component, Lock, Manifest, ManifestKind, Project
from vertice.adaptive.triage.codes import CodeRegistry
from vertice.adaptive.triage.imports import ImportIndex
from vertice.adaptive.triage.model import Apv, Reachability, ReachabilityLevel, Site
from vertice.adaptive.triage.triage import Match, at_or_above, index_project, rejudged, triage

DAY = date(2026, 11, 21)
YAML = Component("pyyaml", "5.3.1", "requirements.txt", 3)
STARLETTE = Component("starlette", "0.27.0", "uv.lock", 9, direct=False, dependency_path=("fastapi", "starlette"))
LOAD = Advisory(
    "PYSEC-2021-142", "pyyaml", ("CVE-2020-14343",), severity=Severity.critical, cvss=9.8, symbols=("yaml.load",)
)
FORM = Advisory("GHSA-f96h-pmfr-66vw", "starlette", severity=Severity.high, cvss=8.7)


def project(root: Path, *components: Component) -> Project:
    manifest = Manifest(ManifestKind.requirements, "requirements.txt", ("requirements.txt",), components, Lock(()))
    return Project("shop", root, (manifest,))


@pytest.fixture
def codes(tmp_path: Path) -> CodeRegistry:
    return CodeRegistry(tmp_path / "home" / "codes.db")


def judged(root: Path, codes: CodeRegistry, *matches: Match, **more: object) -> tuple[Apv, ...]:
    own = project(root, *(component for component, _ in matches))
    return triage(own, matches, index=index_project(own, matches), codes=codes, today=DAY, **more)  # type: ignore[arg-type]


def test_findings_come_judged_and_coded_the_most_urgent_first(tmp_path: Path, codes: CodeRegistry) -> None:
    (tmp_path / "app.py").write_text("import yaml\nimport fastapi\nyaml.load(1)\n")
    first, second = judged(tmp_path, codes, (STARLETTE, FORM), (YAML, LOAD))
    assert (first.code, first.priority, first.advisory) == ("APV-20261121-001", 2, LOAD)
    assert first.reachability == Reachability(ReachabilityLevel.referenced, (Site("app.py", 3, "yaml.load"),), "pyyaml")
    assert first.reasons[:2] == ("CVSS 9.8 critical", "vulnerable symbol used at app.py:3")
    assert (second.code, second.locations, second.reachability.through) == (
        "APV-20261121-002",
        ("uv.lock:9",),
        "fastapi",
    )
    assert judged(tmp_path, codes, (YAML, LOAD), (STARLETTE, FORM)) == (first, second)


def test_one_finding_in_several_manifests_is_one_with_every_location(tmp_path: Path, codes: CodeRegistry) -> None:
    dev = Component("pyyaml", "5.3.1", "dev.txt", 1, dev=True)
    lock = Component("pyyaml", "5.3.1", "uv.lock", 0, direct=False, dependency_path=("x", "pyyaml"))
    (apv,) = judged(tmp_path, codes, (dev, LOAD), (lock, LOAD), (YAML, LOAD))
    assert apv.component == YAML
    assert apv.locations == ("dev.txt:1", "requirements.txt:3", "uv.lock")


def test_versions_and_advisories_stay_apart(tmp_path: Path, codes: CodeRegistry) -> None:
    other = Component("pyyaml", "5.1", "dev.txt", 1)
    alias = Advisory("GHSA-8q59-q68h-6hv4", "pyyaml", ("CVE-2020-14343",))
    assert len(judged(tmp_path, codes, (YAML, LOAD), (other, LOAD), (YAML, alias))) == 3


def test_symbols_known_elsewhere_are_added_by_id_or_alias(tmp_path: Path, codes: CodeRegistry) -> None:
    (tmp_path / "app.py").write_text("import yaml\nyaml.full_load(1)\n")
    for name in ("PYSEC-2021-142", "CVE-2020-14343"):
        (apv,) = judged(tmp_path, codes, (YAML, LOAD), symbols={name: ("yaml.full_load",)})
        assert apv.reachability.level is ReachabilityLevel.referenced


def test_the_project_key_tells_projects_apart(tmp_path: Path, codes: CodeRegistry) -> None:
    own = project(tmp_path, YAML)

    def code(key: str) -> str:
        return triage(own, [(YAML, LOAD)], index=ImportIndex(), codes=codes, today=DAY, project_key=key)[0].code

    assert (code("a"), code("b"), code("a")) == ("APV-20261121-001", "APV-20261121-002", "APV-20261121-001")


def test_nothing_matched_reads_nothing(tmp_path: Path, codes: CodeRegistry) -> None:
    (tmp_path / "broken.py").write_text("print 'x'")
    own = project(tmp_path, YAML)
    assert index_project(own, []) == ImportIndex()
    assert triage(own, [], index=ImportIndex(), codes=codes, today=DAY) == ()


def test_an_exploit_raises_the_priority(tmp_path: Path, codes: CodeRegistry) -> None:
    (apv,) = judged(tmp_path, codes, (STARLETTE, FORM))
    worse = rejudged(apv, Reachability(ReachabilityLevel.exploited))
    assert (apv.priority, worse.priority) == (5, 1)
    assert "exploited in the arena" in worse.reasons


def test_the_threshold_counts_the_severity_and_above(tmp_path: Path, codes: CodeRegistry) -> None:
    found = judged(tmp_path, codes, (STARLETTE, FORM))
    assert [at_or_above(found, severity) for severity in Severity] == [False, True, True, True]
    assert not at_or_above((), Severity.low)


def test_two_thousand_files_are_searched_in_seconds(tmp_path: Path, codes: CodeRegistry) -> None:
    """A fifth of the files names the package; all are of an ordinary length."""
    body = "\n\n".join(
        f"def f{n}(a, b):\n    '''Say {n}.'''\n    return [x.value for x in a if b.get(x, {n})]" for n in range(60)
    )
    for number in range(2000):
        folder = tmp_path / f"p{number % 40}"
        folder.mkdir(exist_ok=True)
        head = "import yaml\n" if number % 5 == 0 else "import json\n"
        (folder / f"m{number}.py").write_text(f"{head}{body}\n")
    start = time.process_time()
    (apv,) = judged(tmp_path, codes, (YAML, LOAD))
    assert time.process_time() - start < 6  # of processor time: other work on the machine does not count
    assert len(apv.reachability.sites) == 400


def test_the_scan_path_loads_nothing_heavy() -> None:
    program = (
        "import sys, vertice.adaptive.triage.triage, vertice.adaptive.triage.waivers, vertice.adaptive.report.formats\n"
        "import vertice.adaptive.config, vertice.adaptive.report.json, vertice.adaptive.report.table\n"
        "heavy = {'pydantic', 'httpx', 'sqlalchemy', 'cyclonedx', 'rich', 'cvss', 'asyncio', 'typer'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
