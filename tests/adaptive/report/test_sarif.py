"""SARIF 2.1.0. No package here ships the OASIS schema, so that what GitHub and the standard require is checked by hand:
required properties, closed sets of values, indices and URIs (sarif-v2.1.0 §3.13 to §3.58)."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from vertice.adaptive.report.model import ScanResult
from vertice.adaptive.report.sarif import render

LEVELS = {"none", "note", "warning", "error"}


def run_of(result: ScanResult) -> dict[str, Any]:
    log = json.loads(render(result))
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    found: dict[str, Any] = run
    return found


def check_location(location: dict[str, Any]) -> None:
    physical = location["physicalLocation"]
    artifact = physical["artifactLocation"]
    uri = urlsplit(artifact["uri"])
    assert artifact["uri"].isascii()
    assert " " not in artifact["uri"]
    assert ("uriBaseId" in artifact) is (uri.scheme == "")
    assert uri.scheme in {"", "file"}
    assert physical["region"]["startLine"] >= 1


def test_the_run_has_what_the_standard_requires(result: ScanResult) -> None:
    run = run_of(result)
    driver = run["tool"]["driver"]
    assert driver["name"] == "Vértice"
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert invocation["endTimeUtc"] == "2026-11-21T12:00:30Z"
    for notification in invocation["toolExecutionNotifications"]:
        assert notification["message"]["text"]
        assert notification["level"] in LEVELS
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}


def test_there_is_one_rule_for_each_advisory(result: ScanResult) -> None:
    rules = run_of(result)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [
        "PYSEC-2021-142",
        "PYSEC-2020-96",
        "GHSA-f96h-pmfr-66vw",
        "PYSEC-2022-42969",
        "PYSEC-2024-232",
    ]
    for rule in rules:
        for text in (rule["shortDescription"]["text"], rule["fullDescription"]["text"], rule["help"]["text"]):
            assert text.strip()
        assert rule["help"]["markdown"]
        assert urlsplit(rule["helpUri"]).scheme == "https"
        assert rule["defaultConfiguration"]["level"] in LEVELS
        assert 0.0 < float(rule["properties"]["security-severity"]) <= 10.0
        assert "security" in rule["properties"]["tags"]
        assert len(set(rule["properties"]["tags"])) == len(rule["properties"]["tags"])
    assert rules[0]["properties"]["tags"][2:] == ["external/cwe/cwe-20", "external/cwe/cwe-502"]


def test_results_point_at_rules_and_manifest_lines(result: ScanResult) -> None:
    run = run_of(result)
    for found in run["results"]:
        assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == found["ruleId"]
        assert found["level"] in LEVELS
        assert found["message"]["text"]
        (location,) = found["locations"]
        check_location(location)
        for related in found.get("relatedLocations", []):
            assert related["message"]["text"]
            check_location(related)
        assert set(found["partialFingerprints"]) == {"vertice/v1"}
    assert run["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "requirements.txt", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }
    fingerprints = [found["partialFingerprints"]["vertice/v1"] for found in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)


def test_fingerprints_survive_a_moved_line_and_another_day(result: ScanResult) -> None:
    apv = result.apvs[0]
    moved = replace(apv, code="APV-20270101-009", component=replace(apv.component, line=70), locations=())
    before, after = (run_of(replace(result, apvs=(one,)))["results"][0] for one in (apv, moved))
    assert before["partialFingerprints"] == after["partialFingerprints"]


def test_waived_findings_are_suppressed_with_the_reason(result: ScanResult) -> None:
    suppressed = [found for found in run_of(result)["results"] if "suppressions" in found]
    assert [found["ruleId"] for found in suppressed] == ["PYSEC-2024-232"]
    assert suppressed[0]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "Only used with a fixed algorithm list. (until 2027-01-31)",
        }
    ]


def test_every_manifest_that_names_the_package_gets_a_result(result: ScanResult) -> None:
    apv = replace(result.apvs[0], locations=("requirements.txt:7", "uv.lock", "sub dir/ü.txt:3"))
    found = run_of(replace(result, apvs=(apv,), waived=()))["results"]
    places = [one["locations"][0]["physicalLocation"] for one in found]
    assert [(place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places] == [
        ("requirements.txt", 7),
        ("uv.lock", 1),
        ("sub%20dir/%C3%BC.txt", 3),
    ]
    for place in places:
        check_location({"physicalLocation": place})


@pytest.mark.parametrize("source", ["/opt/env/lib/python3.11/site-packages", "a\udcff.txt", "../base.txt"])
def test_odd_paths_are_uris(result: ScanResult, source: str) -> None:
    apv = replace(result.apvs[0], component=replace(result.apvs[0].component, source=source), locations=())
    for found in run_of(replace(result, apvs=(apv,)))["results"]:
        check_location(found["locations"][0])


def test_hostile_text_is_escaped(result: ScanResult) -> None:
    rule = run_of(result)["tool"]["driver"]["rules"][2]
    assert rule["fullDescription"]["text"].startswith("\\x1b[31mred")
    advisory = replace(result.apvs[0].advisory, summary="<img src=x> [click](javascript:x) `x`", references=("*x*",))
    markdown = run_of(replace(result, apvs=(replace(result.apvs[0], advisory=advisory),)))["tool"]["driver"]["rules"][
        0
    ]["help"]["markdown"]
    assert "\\<img src=x\\> \\[click\\]\\(javascript:x\\) \\`x\\`" in markdown
    assert "\\*x\\*" in markdown


def test_nothing_found_is_a_valid_run(result: ScanResult) -> None:
    run = run_of(replace(result, apvs=(), waived=(), warnings=()))
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
