"""The JSON shape that the issue fixes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from vertice.adaptive.report.json import render
from vertice.adaptive.report.model import ScanResult, rfc3339

TOP = ["project", "scanned_at", "advisories", "components", "apvs"]
COMPONENT = ["name", "version", "purl", "direct", "source", "line", "dependency_path"]
APV = [
    "code",
    "advisory",
    "aliases",
    "package",
    "version",
    "severity",
    "cvss",
    "cwe",
    "fixed_versions",
    "dependency_path",
    "reachability",
    "priority",
    "summary",
]


def test_the_fixed_keys_come_first_in_their_order(result: ScanResult) -> None:
    data = json.loads(render(result))
    assert list(data)[: len(TOP)] == TOP
    assert list(data["advisories"]) == ["source", "records", "updated_at"]
    for component in data["components"]:
        assert list(component)[: len(COMPONENT)] == COMPONENT
    for apv in (*data["apvs"], *data["waived"]):
        assert list(apv)[: len(APV)] == APV
        assert list(apv["reachability"])[:3] == ["level", "sites", "through"]
    assert data["apvs"][0]["reachability"]["sites"][0] == {
        "path": "app/importer.py",
        "line": 12,
        "symbol": "yaml.full_load",
    }


def test_waivers_are_reported(result: ScanResult) -> None:
    data = json.loads(render(result))
    assert data["waived"][0]["waiver"] == {
        "id": "CVE-2024-33663",
        "package": "python-jose",
        "reason": "Only used with a fixed algorithm list.",
        "until": "2027-01-31",
    }
    assert [waiver["id"] for waiver in data["waivers"]["expired"]] == ["GHSA-xxxx-xxxx-xxxx"]
    assert [waiver["id"] for waiver in data["waivers"]["unused"]] == ["CVE-1999-0001"]


def test_hostile_text_is_kept_but_cannot_act(result: ScanResult) -> None:
    text = render(result)
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["apvs"][2]["summary"] == result.apvs[2].advisory.summary


def test_a_lone_surrogate_is_written(result: ScanResult) -> None:
    assert "\\udcff" in render(replace(result, project="a\udcff"))


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(datetime(2026, 11, 21, 9, 0, tzinfo=timezone(timedelta(hours=-3)))) == "2026-11-21T12:00:00Z"
    assert rfc3339(datetime(2026, 11, 21, 12, 0, 1, 999, tzinfo=UTC)) == "2026-11-21T12:00:01Z"
