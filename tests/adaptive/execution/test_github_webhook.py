"""Deliveries as GitHub sends them, forged ones, and what is no delivery at all."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.execution.github_webhook import (
    PullRequestClosed,
    SignatureError,
    WorkflowFinished,
    parse_webhook,
)
from vertice.kernel.errors import InputError

SECRET = "It's a Secret to Everybody"
PULL = {
    "action": "closed",
    "number": 7,
    "pull_request": {
        "number": 7,
        "state": "closed",
        "merged": True,
        "head": {"ref": "vertice/APV-20261121-001", "sha": "a" * 40, "repo": {"full_name": "acme/shop"}},
        "base": {"ref": "main", "sha": "b" * 40},
    },
    "repository": {"full_name": "acme/shop"},
    "sender": {"login": "ana"},
}
RUN = {
    "action": "completed",
    "workflow_run": {
        "id": 42,
        "name": "Vértice wargame",
        "path": ".github/workflows/vertice-wargame.yml",
        "run_attempt": 1,
        "conclusion": "success",
        "head_sha": "a" * 40,
        "display_title": "WAR-20261121-001",
    },
    "repository": {"full_name": "acme/shop"},
    "sender": {"login": "ana"},
}


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(event: str, told: object, **more: str):
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": sign(body), **more}
    return parse_webhook(headers, body, SECRET)


def test_githubs_own_example_of_a_signature_fits():
    # docs.github.com, "Validating webhook deliveries"
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert parse_webhook({"X-Hub-Signature-256": signature}, b"Hello, World!", SECRET) is None


def test_a_pull_request_that_was_merged():
    assert deliver("pull_request", PULL) == PullRequestClosed(
        delivery="d-1",
        repository="acme/shop",
        number=7,
        branch="vertice/APV-20261121-001",
        source="acme/shop",
        head="a" * 40,
        target="main",
        merged=True,
        by="ana",
    )


def test_a_workflow_that_finished():
    assert deliver("workflow_run", RUN) == WorkflowFinished(
        delivery="d-1",
        repository="acme/shop",
        name="Vértice wargame",
        path=".github/workflows/vertice-wargame.yml",
        run=42,
        attempt=1,
        conclusion="success",
        head="a" * 40,
        title="WAR-20261121-001",
    )


@pytest.mark.parametrize(
    ("event", "told"),
    [("ping", {"zen": "x"}), ("pull_request", {**PULL, "action": "opened"}), ("workflow_run", {"action": "requested"})],
)
def test_what_is_of_no_interest_is_none(event, told):
    assert deliver(event, told) is None


def test_names_of_headers_in_any_case():
    body = json.dumps(PULL).encode()
    assert parse_webhook({"x-github-event": "pull_request", "X-HUB-SIGNATURE-256": sign(body)}, body, SECRET)


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, sign(b"other"), sign(b"{}", "other secret"), "é"],
)
def test_a_forged_signature_is_refused(signature):
    with pytest.raises(SignatureError) as caught:
        parse_webhook({"X-Hub-Signature-256": signature, "X-GitHub-Event": "pull_request"}, b"{}", SECRET)
    assert caught.value.http_status == 401


def test_without_a_secret_everything_is_refused():
    with pytest.raises(SignatureError, match="not set up"):
        parse_webhook({"X-Hub-Signature-256": sign(b"{}", "")}, b"{}", "")


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        {"action": "closed"},
        {**PULL, "pull_request": None},
        {**PULL, "repository": {"full_name": 5}},
        {**PULL, "pull_request": {**PULL["pull_request"], "number": True}},
        {**PULL, "pull_request": {**PULL["pull_request"], "merged": "yes"}},
        {**PULL, "sender": "ana"},
    ],
)
def test_what_github_never_sends_is_refused(told):
    with pytest.raises(InputError) as caught:
        deliver("pull_request", told)
    assert caught.value.http_status == 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


@given(st.sampled_from(["pull_request", "workflow_run"]), st.dictionaries(st.sampled_from([*PULL, *RUN]), _json))
def test_any_body_ends_in_a_fact_nothing_or_our_error(event, more):
    base = PULL if event == "pull_request" else RUN
    try:
        found = deliver(event, {**base, **more})
    except InputError:
        return
    assert found is None or found.repository


def test_text_that_moves_the_cursor_is_made_visible():
    found = deliver("pull_request", {**PULL, "sender": {"login": "\x1b[31mana"}})
    assert found.by == "\\x1b[31mana"
