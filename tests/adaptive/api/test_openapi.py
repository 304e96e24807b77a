"""The OpenAPI document: it is the committed one, and whatever is asked, the service answers as it says.

Schemathesis makes the requests, a few of each kind. `VERTICE_SCHEMATHESIS_EXAMPLES=2000` hunts for longer, and anew each
time: `pytest tests/adaptive/api/test_openapi.py -k documented`.
"""

import asyncio
import difflib
import itertools
import json
import os
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema_rs
import pytest

from tests.machine import ROOT
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.api.openapi import openapi_text
from vertice.adaptive.projects.model import DocumentKind, Feed, Kind
from vertice.adaptive.projects.scans import Looked

DOCUMENT = ROOT / "docs" / "openapi.json"

_EXAMPLES = os.environ.get("VERTICE_SCHEMATHESIS_EXAMPLES", "")
_SETTINGS = """
suppress-health-check = ["all"]
continue-on-failure = true
warnings = false

[generation]
mode = "all"
max-examples = {examples}
deterministic = {deterministic}
database = "none"
allow-x00 = true

[phases.coverage]
generate-duplicate-query-parameters = true

[phases.stateful]
max-steps = 6

[checks.positive_data_acceptance]
enabled = false

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 409, 412, 413, 422, 428]

[checks.missing_required_header]
expected-statuses = [400, 401, 403, 404, 409, 422, 428]
"""
_OFTEN = 0.5
"""How often a name of something that is there is taken."""


async def furnish(desk) -> dict[str, list[str]]:
    """Leave reviews of every kind, and a project with a scan; return the names of what there is."""
    kinds = list(itertools.product(Severity, ("proven", "partly", "unproven", "refuted")))
    reviews = [
        await desk.review(number, severity=severity, proof=proof, package=f"package-{number}", priority=1 + number % 9)
        for number, (severity, proof) in enumerate(kinds, start=1)
    ]
    service = desk.api.service
    project = await service.projects.register(Kind.path, str(desk.home.parent), by="test|ada", name="shop")
    done = await service.projects.request_scan(project.id, by="test|ada")
    apv = replace(desk.samples.an_apv("APV-20261121-901"), code="APV-20261121-901")
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    await service.scans.record(
        done.id,
        Looked(
            commit="a" * 40,
            components=2,
            apvs=(apv, replace(apv, code="APV-20261121-903")),
            waived=(replace(apv, code="APV-20261121-902"),),
            documents={kind: '{"version": "2.1.0"}' for kind in DocumentKind},
            feed=Feed("osv", "osv.dev", 20_000, now, now, ""),
        ),
    )
    await service.scans.finish(done.id)
    waiting = await service.projects.request_scan(project.id, by="test|ada")
    ada = await desk.machine("ada")
    said = {"decision": "reject", "justification": "It is not for us."}
    decided = [
        (await ada.post(f"/hitl/reviews/{review.code}/decisions", json=said, headers={"If-Match": "*"})).json()["id"]
        for review in reviews[:2]
    ]
    codes = [review.code for review in reviews]
    return {
        "path.code": [*codes, apv.code, *(code.replace("APV", "WAR") for code in codes)],
        "path.project_id": [str(project.id)],
        "path.scan_id": [str(done.id), str(waiting.id)],
        "path.decision_id": decided,
        "path.key": [review.key for review in reviews],
        "path.name": ["disk", "sqlite", "postgres"],
        "query.cursor": [
            (await ada.get(f"/hitl/{name}?limit=1")).json()["next"]
            for name in ("reviews", "decisions", "remedies", "wargames", "scans", "apvs")
        ],
        "header.If-Match": ["*", '"v1"', '"v2"', '"v3"'],
        "body.location": [str(desk.home.parent / "projects" / name) for name in ("shop-1", "shop-2")] + ["owner/shop"],
    }


def bound(names: dict[str, list[str]]) -> str:
    """Return the settings that have these names taken as these parameters."""
    lines = []
    for number, (parameter, values) in enumerate(names.items()):
        lines.append(f"[dictionaries.d{number}]\nvalues = {json.dumps(values)}\n")
        lines.append(f'[parameters."{parameter}"]\ndictionary = "d{number}"\nprobability = {_OFTEN}\n')
    return "".join(lines)


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without room for members that it does not name."""
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema and name not in {"Problem", "NewToken", "OneTimeToken"}:
            schema.setdefault("additionalProperties", False)
    return document


async def hunt(desk, folder: Path, settings: str, *more: str) -> tuple[int, str]:
    """Have Schemathesis ask the service; return its exit code and what it says."""
    (folder / "schemathesis.toml").write_text(settings)
    (folder / "openapi.json").write_text(json.dumps(closed(json.loads(openapi_text(desk.api.app)))))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json"),
        *("--url", desk.url, "--no-color", *more),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


async def logins(desk, who: str) -> tuple[str, tuple[str, ...]]:
    """Return the settings of the login, and the operation that would end it."""
    match who:
        case "token":
            return f'[auth.openapi.token]\nbearer = "{await desk.token("ada")}"\n', ("revoke_token",)
        case "session":
            ada = await desk.person("ada")
            cookie, csrf = ada.cookies["vertice"], ada.headers["x-csrf-token"]
            return (
                f'[auth.openapi.session]\napi_key = "{cookie}"\n[auth.openapi.csrf]\napi_key = "{csrf}"\n',
                ("log_out",),
            )
    return "", ()


async def ticket(desk) -> str:
    url = await desk.api.local.one_time_url(desk.url, prefix="/hitl")
    return parse_qs(urlsplit(url).query)["token"][0]


@pytest.mark.slow
@pytest.mark.parametrize("who", ["token", "session", "nobody"])
async def test_every_answer_is_one_that_is_documented(desk, tmp_path, who):
    names = await furnish(desk)
    login, not_called = await logins(desk, who)
    if who == "token":
        names["body.token"] = [await ticket(desk) for _ in range(20)]
    settings = _SETTINGS.format(examples=_EXAMPLES or 5, deterministic=str(not _EXAMPLES).lower()) + bound(names)
    skipped = [part for name in not_called for part in ("--exclude-operation-id", name)]
    code, said = await hunt(desk, tmp_path, settings + login, *skipped)
    Path("/tmp/t9/said").mkdir(exist_ok=True); Path("/tmp/t9/said/"+os.environ["PYTEST_CURRENT_TEST"].split("[")[1].split("]")[0]+".txt").write_text(said+(await desk.client().get("/metrics")).text)
    assert code == 0, said
