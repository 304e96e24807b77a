"""The OpenAPI document: it is the committed one, it is whole, and whatever is asked is answered as it says.

Schemathesis does the asking, with a few examples of each kind. To hunt for longer, and anew each time:
`VERTICE_SCHEMATHESIS_EXAMPLES=400 pytest --timeout 3600 tests/adaptive/api/test_openapi.py -k documented`.
"""

import asyncio
import difflib
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis

from tests.machine import ROOT
from tests.schemas import open_words, undescribed
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.api.openapi import openapi_text
from vertice.adaptive.projects.model import DocumentKind, Feed, Kind
from vertice.adaptive.projects.scans import Looked

DOCUMENT = ROOT / "docs" / "openapi.json"
PUBLIC = {
    *("show_health", "show_liveness", "show_readiness", "list_components", "show_component", "scrape"),
    *("show_hitl_health", "show_hitl_liveness", "show_hitl_readiness"),
    *("show_login", "show_login_script", "log_in_by_form", "go_to_provider", "come_back", "log_in", "show_session"),
    *("show_logout", "log_out_by_form", "list_problems", "show_problem", "show_messages"),
}
"""Operations that nobody has to log in for."""
NOT_DONE = {"go_to_provider", "come_back", "take_delivery"}
"""Operations that nothing can succeed at here: there is no identity provider, and no secret of GitHub's."""

_EXAMPLES = os.environ.get("VERTICE_SCHEMATHESIS_EXAMPLES", "")
_OFTEN = 0.5
"""How often the name of something that is there is taken."""
_SETTINGS = f"""
suppress-health-check = ["all"]
continue-on-failure = true
warnings = false

[generation]
max-examples = {_EXAMPLES or 5}
deterministic = {str(not _EXAMPLES).lower()}
database = "none"

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


@pytest.fixture(scope="module")
def written() -> str:
    """What `make openapi` writes."""
    command = [sys.executable, "-m", "vertice.adaptive.api"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def document(written: str) -> dict[str, Any]:
    return json.loads(written)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolved(document: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["responses"][answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer


def test_the_committed_document_is_what_the_code_says(written):
    committed = DOCUMENT.read_text().splitlines()
    drift = itertools.islice(difflib.unified_diff(committed, written.splitlines(), n=1, lineterm=""), 60)
    assert not (shown := "\n".join(drift)), f"docs/openapi.json is old: run `make openapi` and read the diff\n{shown}"


async def test_the_committed_document_is_the_one_that_is_served(desk):
    served = await desk.client().get("/hitl/openapi.json")
    assert served.json() == json.loads(DOCUMENT.read_text())


def test_the_document_is_one_of_openapi_3_1(document):
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.1.")


def test_every_operation_has_a_stable_name_and_says_what_it_does(document):
    found = [operation for _, _, operation in operations(document)]
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(operation["summary"] and operation["description"].endswith((".", ")")) for operation in found)
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {tag for operation in found for tag in operation["tags"]} == described


def test_every_operation_but_the_public_ones_takes_a_login(document):
    for method, path, operation in operations(document):
        security = operation["security"]
        assert (not security or {} in security) == (operation["operationId"] in PUBLIC), path
        if path != "/hitl/webhooks/github" and security and {} not in security:
            session = {"session": []} if method == "GET" else {"session": [], "csrf": []}
            assert security == [{"token": []}, session], path
            assert {"401", "403"} <= operation["responses"].keys(), path


def test_what_any_operation_may_answer_is_said_of_each(document):
    for _, path, operation in operations(document):
        answers = {status: resolved(document, answer) for status, answer in operation["responses"].items()}
        assert {"400", "429", "500", "503"} <= answers.keys(), path
        assert ("requestBody" in operation) == ({"408", "413"} <= answers.keys()), path
        assert all(answer["description"] for answer in answers.values()), path
        assert "Retry-After" in answers["429"]["headers"], path
        if "401" in answers:
            assert "WWW-Authenticate" in answers["401"]["headers"], path
        for status, answer in answers.items():
            assert status < "400" or answer["content"], path


def test_what_is_one_of_a_few_words_is_said_to_be(document):
    assert not open_words(document), "give these a StrEnum"


def test_every_number_and_id_says_what_it_is(document):
    assert not undescribed(document)


def test_every_time_is_one(document):
    """Of what is called so; an advisory's own dates are untrusted text that may be missing."""
    for name, schema in document["components"]["schemas"].items():
        for member, described in schema.get("properties", {}).items():
            if (member == "at" or member.endswith("_at")) and (name, member) != ("ReleaseFacts", "uploaded_at"):
                kinds = described.get("anyOf", [described])
                assert "date-time" in {kind.get("format") for kind in kinds}, (name, member)


async def furnish(desk) -> dict[str, list[str]]:
    """Leave reviews of every kind, decisions, a project with scans; return their names by the parameter they fit."""
    kinds = itertools.product(Severity, ("proven", "partly", "unproven", "refuted"))
    reviews = [
        await desk.review(number, severity=severity, proof=proof, package=f"package-{number}", priority=1 + number % 9)
        for number, (severity, proof) in enumerate(kinds, start=1)
    ]
    ada = await desk.machine("ada")
    said = {"decision": "reject", "justification": "It is not for us."}
    decided = [
        await ada.post(f"/hitl/reviews/{review.code}/decisions", json=said, headers={"If-Match": "*"})
        for review in reviews[:2]
    ]
    projects, scans = desk.api.service.projects, desk.api.service.scans
    project = await projects.register(Kind.path, str(desk.home.parent), by="test|ada", name="shop")
    done = await projects.request_scan(project.id, by="test|ada")
    await scans.record(done.id, looked(desk))
    await scans.finish(done.id)
    waiting = await projects.request_scan(project.id, by="test|ada")
    codes = [review.code for review in reviews]
    places = [str(desk.home.parent / "projects" / name) for name in ("shop-1", "shop-2", "shop-3")]
    lists = ("reviews", "decisions", "remedies", "wargames", "scans", "apvs")
    return {
        "path.code": [*codes, "APV-20261121-901", *(code.replace("APV", "WAR") for code in codes)],
        "path.project_id": [str(project.id)],
        "path.scan_id": [str(done.id), str(waiting.id)],
        "path.decision_id": [answer.json()["id"] for answer in decided],
        "path.key": [review.key for review in reviews],
        "path.name": ["disk", "sqlite", "postgres"],
        "query.cursor": [(await ada.get(f"/hitl/{name}?limit=1")).json()["next"] for name in lists],
        "header.If-Match": ["*", '"v1"', '"v2"', '"v3"'],
        "body.location": [*places, "owner/shop"],
    }


def looked(desk) -> Looked:
    codes = ("APV-20261121-901", "APV-20261121-902", "APV-20261121-903")
    apvs = tuple(replace(desk.samples.an_apv(code), code=code) for code in codes)
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    documents = dict.fromkeys(DocumentKind, '{"version": "2.1.0"}')
    return Looked("a" * 40, 2, apvs[:2], apvs[2:], documents, Feed("osv", "osv.dev", 20_000, now, now, ""))


def bound(names: dict[str, list[str]]) -> str:
    """Return the settings that have these names taken for these parameters."""
    lines = []
    for number, (parameter, values) in enumerate(names.items()):
        lines.append(f"[dictionaries.d{number}]\nvalues = {json.dumps(values)}")
        lines.append(f'[parameters."{parameter}"]\ndictionary = "d{number}"\nprobability = {_OFTEN}')
    return "\n".join(lines)


async def logged_in(desk, who: str) -> tuple[str, set[str]]:
    """Return the settings of a login, and the operations that would end it."""
    if who == "token":
        return f'\n[auth.openapi.token]\nbearer = "{await desk.token("ada")}"\n', {"revoke_token"}
    if who == "session":
        ada = await desk.person("ada")
        cookie, csrf = ada.cookies["vertice"], ada.headers["x-csrf-token"]
        session = f'\n[auth.openapi.session]\napi_key = "{cookie}"\n[auth.openapi.csrf]\napi_key = "{csrf}"\n'
        return session, {"log_out"}
    return "", set()


async def tickets(desk, count: int) -> list[str]:
    urls = [await desk.api.local.one_time_url(desk.url, prefix="/hitl") for _ in range(count)]
    return [parse_qs(urlsplit(url).query)["token"][0] for url in urls]


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with no room for members that it does not name; `Problem` is meant to have some."""
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema and name != "Problem":
            schema.setdefault("additionalProperties", False)
    return document


async def hunt(desk, folder: Path, settings: str, without: set[str]) -> tuple[int, str]:
    """Have Schemathesis ask the service; return its exit code and what it says."""
    (folder / "schemathesis.toml").write_text(settings)
    (folder / "openapi.json").write_text(json.dumps(closed(json.loads(openapi_text(desk.api.app)))))
    skipped = [part for name in sorted(without) for part in ("--exclude-operation-id", name)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json"),
        *("--url", desk.url, "--no-color", *skipped),
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
    return await process.wait(), said.decode(errors="replace")


async def succeeded(desk) -> set[tuple[str, str]]:
    """Return the method and path of every operation that was done at least once, as the service counted them."""
    text = (await desk.client().get("/metrics")).text
    counted = r'^hitl_http_requests_total\{endpoint="([^"]*)",method="([A-Z]+)",status="[23]\d\d"\}'
    return {(method, path) for path, method in re.findall(counted, text, re.MULTILINE)}


@pytest.mark.slow
@pytest.mark.parametrize("who", ["token", "session", "nobody"])
async def test_every_answer_is_one_that_is_documented(desk, document, tmp_path, who):
    names = await furnish(desk)
    login, without = await logged_in(desk, who)
    if who == "token":  # beside a session, these would begin another one in its place
        names["body.token"] = await tickets(desk, 20)
    code, said = await hunt(desk, tmp_path, _SETTINGS + login + bound(names), without)
    assert code == 0, said
    done = await succeeded(desk)
    possible = [
        (method, path)
        for method, path, operation in operations(document)
        if operation["operationId"] not in without | NOT_DONE
        and (who != "nobody" or operation["operationId"] in PUBLIC)
    ]
    # Chance alone decides on a few of them; a login that was lost, or names that fit nothing, would show in many.
    assert len(done & set(possible)) > 0.75 * len(possible), sorted(set(possible) - done)


async def test_bulk_decisions_can_be_made_but_not_read(desk):
    rita = await desk.person("rita")
    answer = await rita.get("/hitl/decisions/bulk")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("decisions/bulk", {"decision": "reject", "justification": "It is not for us.", "dry_run": "false"}),
        ("decisions/bulk", {"decision": "reject", "justification": "It is not for us.", "dry_run": 0}),
        ("reviews/{code}/decisions", {"decision": "approve", "justification": "I looked at it.", "accept_unproven": 1}),
        (
            "reviews/{code}/decisions",
            {"decision": "approve", "justification": "I looked at it.", "confidence_override": "1"},
        ),
        ("projects/00000000-0000-0000-0000-000000000000/scans", {"heal": "yes"}),
        ("projects/00000000-0000-0000-0000-000000000000/scans", {"priority": "1"}),
    ],
)
async def test_truth_and_numbers_are_not_read_out_of_other_values(desk, path, body):
    review = await desk.review()
    rita = await desk.person("rita")
    answer = await rita.post(f"/hitl/{path.format(code=review.code)}", json=body, headers={"If-Match": "*"})
    assert (answer.status_code, answer.json()["where"]) == (422, f"body.{list(body)[-1]}")
    assert desk.tasks.executions == []
