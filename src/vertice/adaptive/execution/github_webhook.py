"""What GitHub tells by webhook, as facts. Pure: nothing is looked up or changed here."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["MalformedError", "PullRequestClosed", "SignatureError", "WebhookEvent", "WorkflowFinished", "parse_webhook"]

_SIGNATURE, _EVENT, _DELIVERY = "x-hub-signature-256", "x-github-event", "x-github-delivery"

_T = TypeVar("_T")


class SignatureError(InputError):
    """Catch me when a delivery was not signed with our secret: it is nobody's word."""

    code = "bad-signature"
    http_status = 401


class MalformedError(InputError):
    """A delivery that is signed, but is not what GitHub sends."""

    code = "malformed-delivery"
    http_status = 400


@dataclass(frozen=True, slots=True)
class PullRequestClosed:
    """Somebody closed a pull request, with or without merging it."""

    delivery: str
    """GitHub's id of this delivery: one that comes again is the same."""
    repository: str
    """`owner/name`."""
    number: int
    branch: str
    """That it came from: `vertice/APV-…` for ours."""
    source: str
    """Repository of that branch, `owner/name`; "" when it is gone. Of a fork's, anybody chooses the name."""
    head: str
    """Its last commit."""
    target: str
    """Branch that it went to."""
    merged: bool
    by: str
    """Login of whoever did it."""


@dataclass(frozen=True, slots=True)
class WorkflowFinished:
    """A run of a GitHub Actions workflow came to its end."""

    delivery: str
    repository: str
    name: str
    path: str
    """Of its file: `.github/workflows/vertice-wargame.yml`."""
    run: int
    attempt: int
    conclusion: str
    """`success`, `failure`, `cancelled`, …"""
    head: str
    title: str
    """`run-name` of the workflow: how a run is told from others of the same workflow."""


WebhookEvent = PullRequestClosed | WorkflowFinished


def parse_webhook(headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
    """Return what a delivery says; None when it is of no interest here. Names of headers in any case.

    Raises SignatureError when it was not signed with `secret`, InputError when it is not what GitHub sends.
    """
    named = {name.lower(): value for name, value in headers.items()}
    _check_signature(named.get(_SIGNATURE, ""), body, secret)
    event = named.get(_EVENT, "")
    if event not in {"pull_request", "workflow_run"}:
        return None
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError("is not JSON", where="webhook", todo="Let GitHub send application/json.") from error
    action = _get(told, "action", str)
    delivery = printable(named.get(_DELIVERY, ""), limit=100)
    if event == "pull_request" and action == "closed":
        return _pull_request(told, delivery)
    if event == "workflow_run" and action == "completed":
        return _workflow_run(told, delivery)
    return None


def _check_signature(given: str, body: bytes, secret: str) -> None:
    if not secret:
        raise SignatureError("webhooks are not set up", where="webhook", todo="Set the secret of the webhook.")
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        raise SignatureError("the signature does not fit", where=_SIGNATURE, todo="Use the same secret on both sides.")


def _pull_request(told: Any, delivery: str) -> PullRequestClosed:
    pull = _get(told, "pull_request", dict)
    head, base = _get(pull, "head", dict), _get(pull, "base", dict)
    return PullRequestClosed(
        delivery=delivery,
        repository=_text(_get(told, "repository", dict), "full_name"),
        number=_get(pull, "number", int),
        branch=_text(head, "ref"),
        source="" if head.get("repo") is None else _text(_get(head, "repo", dict), "full_name"),
        head=_text(head, "sha"),
        target=_text(base, "ref"),
        merged=_get(pull, "merged", bool),
        by=_text(_get(told, "sender", dict), "login"),
    )


def _workflow_run(told: Any, delivery: str) -> WorkflowFinished:
    run = _get(told, "workflow_run", dict)
    return WorkflowFinished(
        delivery=delivery,
        repository=_text(_get(told, "repository", dict), "full_name"),
        name=_text(run, "name", or_none=True),
        path=_text(run, "path"),
        run=_get(run, "id", int),
        attempt=_get(run, "run_attempt", int),
        conclusion=_text(run, "conclusion", or_none=True),
        head=_text(run, "head_sha"),
        title=_text(run, "display_title", or_none=True),
    )


def _text(told: Any, name: str, *, or_none: bool = False) -> str:
    if or_none and isinstance(told, dict) and told.get(name) is None:
        return ""
    return printable(_get(told, name, str), limit=300)


def _get(told: Any, name: str, kind: type[_T]) -> _T:
    found = told.get(name) if isinstance(told, dict) else None
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise MalformedError(f"has no {name}", where="webhook", todo="Is it GitHub that sent it?")
    return found
