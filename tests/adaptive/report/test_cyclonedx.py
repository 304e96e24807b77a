"""CycloneDX 1.6, held to the official schema that cyclonedx-python-lib ships."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from vertice.adaptive.inventory.model import Component
from vertice.adaptive.report.cyclonedx import render
from vertice.adaptive.report.model import ScanResult


def bom_of(result: ScanResult) -> dict[str, Any]:
    text = render(result)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    data: dict[str, Any] = json.loads(text)
    return data


def by_id(bom: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {found["id"]: found for found in bom["vulnerabilities"]}


def test_it_is_valid_and_complete(result: ScanResult) -> None:
    bom = bom_of(result)
    assert bom["specVersion"] == "1.6"
    assert {component["purl"] for component in bom["components"]} == {one.purl for one in result.components}
    assert len(bom["vulnerabilities"]) == len(result.apvs) + len(result.waived)
    refs = {component["bom-ref"] for component in bom["components"]}
    for found in bom["vulnerabilities"]:
        assert {target["ref"] for target in found["affects"]} <= refs


def test_the_graph_goes_from_the_project_down(result: ScanResult) -> None:
    graph = {one["ref"]: one.get("dependsOn", []) for one in bom_of(result)["dependencies"]}
    assert "pkg:pypi/fastapi@0.104.1" in graph["project"]
    assert "pkg:pypi/starlette@0.27.0" not in graph["project"]
    assert graph["pkg:pypi/fastapi@0.104.1"] == ["pkg:pypi/starlette@0.27.0"]


def test_the_analysis_states_no_more_than_was_shown(result: ScanResult) -> None:
    found = by_id(bom_of(result))
    assert found["PYSEC-2021-142"]["analysis"]["state"] == "exploitable"
    for name in ("PYSEC-2020-96", "GHSA-f96h-pmfr-66vw", "PYSEC-2022-42969"):
        assert found[name]["analysis"]["state"] == "in_triage"
        assert "response" not in found[name]["analysis"]
    assert "not_affected" not in render(result)


def test_a_waiver_is_a_response_and_not_a_state(result: ScanResult) -> None:
    analysis = by_id(bom_of(result))["PYSEC-2024-232"]["analysis"]
    assert analysis["state"] == "in_triage"
    assert analysis["response"] == ["will_not_fix"]
    assert analysis["detail"].endswith("Accepted until 2027-01-31: Only used with a fixed algorithm list.")


def test_ratings_and_weaknesses(result: ScanResult) -> None:
    found = by_id(bom_of(result))
    assert found["PYSEC-2021-142"]["ratings"] == [
        {
            "method": "CVSSv31",
            "score": 9.8,
            "severity": "critical",
            "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        }
    ]
    assert found["PYSEC-2021-142"]["cwes"] == [20, 502]
    assert found["PYSEC-2021-142"]["recommendation"] == "Update pyyaml to 5.4 or later."
    assert found["PYSEC-2020-96"]["ratings"] == [{"justification": "no score is published", "severity": "medium"}]
    assert "recommendation" not in found["PYSEC-2020-96"]


def test_development_packages_are_out_of_scope(result: ScanResult) -> None:
    scopes = {component["name"]: component["scope"] for component in bom_of(result)["components"]}
    assert (scopes["pytest"], scopes["pyyaml"]) == ("excluded", "required")


def test_one_package_in_two_manifests_is_one_component(result: ScanResult) -> None:
    again = replace(result.apvs[0].component, source="uv.lock", line=0, dev=True)
    bom = bom_of(replace(result, components=(*result.components, again)))
    (yaml,) = [component for component in bom["components"] if component["name"] == "pyyaml"]
    assert [place["location"] for place in yaml["evidence"]["occurrences"]] == ["requirements.txt", "uv.lock"]
    assert yaml["scope"] == "required"


def test_a_dependency_is_of_the_same_manifest(result: ScanResult) -> None:
    components = tuple(
        Component(name, version, source, 1, dependencies=needs)
        for source, version in (("a.txt", "1.0"), ("b.txt", "2.0"))
        for name, needs in (("x", ("y",)), ("y", ("x",)))
    )
    graph = {
        one["ref"]: one.get("dependsOn", [])
        for one in bom_of(replace(result, components=components, apvs=(), waived=()))["dependencies"]
    }
    assert graph["pkg:pypi/x@1.0"] == ["pkg:pypi/y@1.0"]
    assert graph["pkg:pypi/y@2.0"] == ["pkg:pypi/x@2.0"]


def test_the_serial_number_follows_the_content(result: ScanResult) -> None:
    serial = bom_of(result)["serialNumber"]
    assert bom_of(result)["serialNumber"] == serial
    assert bom_of(replace(result, scanned_at=result.scanned_at + timedelta(days=1)))["serialNumber"] != serial


@pytest.mark.parametrize("cwe", [("CWE-x",), ("NVD-CWE-noinfo",), ("CWE-79", "CWE-79"), ("CWE-0",)])
@pytest.mark.parametrize("moment", ["", "rubbish", "2021-01-01", "2021-01-01T00:00:00.123456Z"])
def test_odd_facts_stay_valid(result: ScanResult, cwe: tuple[str, ...], moment: str) -> None:
    advisory = replace(result.apvs[0].advisory, cwe=cwe, published=moment, modified=moment, cvss_vector="rubbish")
    component = replace(result.apvs[0].component, version="1.0-odd version\x1b")
    apv = replace(result.apvs[0], advisory=advisory, component=component)
    bom = bom_of(replace(result, apvs=(apv,), components=(component,), waived=()))
    assert bom["vulnerabilities"][0]["ratings"][0]["method"] == "other"
