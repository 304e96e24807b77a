"""The OpenAPI document: what holds for every operation is added to what the routes say of themselves.

`python -m vertice.adaptive.api` writes it to stdout. docs/openapi.json is what the embedded default serves.
"""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from vertice.adaptive.api.problems import is_page
from vertice.kernel.auth import csrf
from vertice.kernel.auth.cookies import SESSION
from vertice.kernel.http.kinds import code_of
from vertice.kernel.http.openapi import amend
from vertice.kernel.http.problem import MEDIA_TYPE, responses

__all__ = ["ABOUT", "TAGS", "VERSION", "describe", "openapi_text", "operation_id"]

VERSION = "1"
"""Of the API, not of the program: it has no other, and grows without breaking."""

ABOUT = """Find, patch, prove, decide.

**Login.** Send `Authorization: Bearer vrt_…` with an API token, or the session cookie of the console; changes made with
the cookie need the header `X-CSRF-Token`, which `GET /hitl/session` tells.

**Errors** are problem documents (RFC 9457): `type` ends in a code that stays and is the address of what explains it,
`todo` says what to do. Every answer has an `X-Request-ID`, the same as in the logs; a problem repeats it as `instance`.
A method that an address does not take is answered with 405 and `Allow`; HEAD is answered wherever GET is. Where people
go with a browser, as for a login, those whose `Accept` prefers `text/html` see a problem as a page.

**Lists** come in pages: `next` is the `cursor` of the next one, and the `Link` header has its address.

**Edits.** What can be edited has an `ETag`; an edit needs it in `If-Match`, or `*` for whatever is there.

**Live events** come by the WebSocket `/hitl/ws`, which takes the same logins. Send
`{"type": "subscribe", "channel": "reviews"}`, with `"after": N` to hear first what came after number N. The channels
are `reviews`, `decisions`, `stats`, `wargames`, and `review:APV-…` for one review. docs/live.md says how it
goes, `GET /hitl/asyncapi.json` describes every message."""

TAGS = [
    {"name": "reviews", "description": "The queue: what waits for a person, who has it, what was said about it."},
    {"name": "decisions", "description": "What persons decided, and how far it has been carried out."},
    {"name": "remedies", "description": "Every patch that was ever proposed."},
    {"name": "wargames", "description": "The attacks before and after a patch, with their signed evidence."},
    {"name": "audit", "description": "Who did what, as a chain of hashes."},
    {"name": "projects", "description": "What is looked after, and its SBOM, VEX and SARIF."},
    {"name": "scans", "description": "Looks at a project: asked for here, done by the workers."},
    {"name": "apvs", "description": "Findings: an advisory matched to a dependency of a project."},
    {"name": "statistics", "description": "How much waits, how long it takes, how often person and machine agree."},
    {"name": "webhooks", "description": "What GitHub tells of itself."},
    {"name": "messages", "description": "What stands in the queues of RabbitMQ."},
    {"name": "login", "description": "Sessions of persons, and API tokens of machines."},
    {"name": "problems", "description": "What each kind of error means, and what to do about it."},
    {"name": "health", "description": "For probes: whether the service and what it depends on work."},
    {"name": "metrics", "description": "For Prometheus."},
]

_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token (`vrt_…`), or an access token of the identity provider.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION,
        "description": f"The session of a person; over https the cookie is called `__Host-{SESSION}`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": csrf.HEADER,
        "description": "`csrf_token` of `GET /hitl/session`: with the cookie, for everything that is not a GET.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "`sha256=` and the HMAC of the body with GITHUB_WEBHOOK_SECRET.",
    },
}
_READING: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
_WRITING: list[dict[str, list[str]]] = [{"token": []}, {"session": [], "csrf": []}]

_ALWAYS = (400, 429, 500, 503)
"""What any operation may answer: a malformed address, a rate limit, a fault, a database that is away."""
_WITH_BODY = (408, 413)

_NOT_HTTP = {"schema": {"type": "string", "description": "Of a request that cannot be read as HTTP, or is too long."}}

_HTML = {"schema": {"type": "string"}}

_HEADERS = {
    "401": ("WWW-Authenticate", "How to log in."),
    "412": ("ETag", "Of the version that is there now."),
    "429": ("Retry-After", "Seconds to wait."),
}

_IF_MATCH = {
    "required": True,
    "description": "The ETag of what you saw, or `*`.",
    "schema": {"type": "string", "pattern": r'^(\*|"v(0|[1-9][0-9]{0,17})")$', "examples": ['"v1"', "*"]},
}


def operation_id(route: APIRoute) -> str:
    """Return what generated clients call the operation: the function's name."""
    return route.name


def describe(app: FastAPI) -> None:
    """Have the app's document say who may call each operation, and what each may answer besides."""
    amend(app, _complete)


def openapi_text(app: FastAPI) -> str:
    """Return the app's document as JSON text; the same code gives the same text."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components["responses"] = {}
    for status, answer in responses(*_ALWAYS, *_WITH_BODY).items():
        _add_header(str(status), answer)
        components["responses"][_name(int(status))] = answer
    components["responses"][_name(400)]["content"]["text/plain"] = _NOT_HTTP
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete_operation(method, operation)
            if is_page(path):
                _add_pages(components["responses"], operation)


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if "security" not in operation:
        # Whoever may hear that nobody is logged in has to log in; the routes of the login itself say what they take.
        needed = _READING if method == "get" else _WRITING
        operation["security"] = needed if "401" in answers else []
    for status in (*_ALWAYS, *(_WITH_BODY if "requestBody" in operation else ())):
        if answers.get(str(status), {}).get("content", {}).keys() <= {MEDIA_TYPE}:
            answers[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    for status, answer in answers.items():
        _add_header(status, answer)
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "If-Match":
            parameter.update(_IF_MATCH)
        parameter["schema"].pop("uniqueItems", None)  # what is said twice is taken once


def _add_pages(shared: dict[str, Any], operation: dict[str, Any]) -> None:
    """Say that a browser is shown the operation's problems as pages."""
    for status, answer in operation["responses"].items():
        whole = shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        if MEDIA_TYPE in whole.get("content", {}):
            operation["responses"][status] = {**whole, "content": {**whole["content"], "text/html": _HTML}}


def _add_header(status: str, answer: dict[str, Any]) -> None:
    if status in _HEADERS and "$ref" not in answer:
        name, meaning = _HEADERS[status]
        answer["headers"] = {name: {"description": meaning, "schema": {"type": "string"}}}


def _name(status: int) -> str:
    return code_of(status).title().replace("-", "")
