"""The kinds of problems that this service adds to those of the kernel, and how a person is shown any of them."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from vertice.kernel.auth.page import login_problem
from vertice.kernel.http.kinds import KERNEL, Kind
from vertice.kernel.http.problem_pages import problem_page

__all__ = ["KINDS", "LOGIN", "is_page", "page_of"]

_ADAPTIVE = (
    Kind(
        "malformed-delivery",
        400,
        "The delivery is signed, but is not what GitHub sends.",
        "Have the webhook send JSON, of pull requests and workflow runs.",
    ),
    Kind(
        "bad-signature",
        401,
        "The delivery is not signed with the secret that this service and GitHub share.",
        "Set the webhook's secret to the service's GITHUB_WEBHOOK_SECRET.",
    ),
    Kind(
        "project-conflict",
        409,
        "The project is registered already, or was changed since it was looked at.",
        "Look at the project as it is now.",
    ),
    Kind("unknown-package", 422, "The package index does not have this package.", "Check its name."),
    Kind(
        "no-arena",
        422,
        "This process is set up for no arena outside its machine: it can ask for no wargame there.",
        "Set VERTICE_ARENA, and what it needs, where this process runs.",
    ),
    Kind(
        "uncommitted",
        422,
        "What was scanned is not what is committed, so that no branch can be made of it.",
        "Commit the changes, and scan again.",
    ),
    Kind(
        "environment-failed",
        503,
        "The packages that the project has locked could not be installed for an attack.",
        "Read the end of uv's output in the problem; correct the lock or the index.",
    ),
    Kind(
        "not-yet",
        503,
        "The forge cannot do it now, but will when it is asked later: checks still run, or a limit is used up.",
        "Wait: it is tried again by itself.",
    ),
)

KINDS = (*KERNEL, *_ADAPTIVE)
"""Every kind of problem that this service may answer with."""

LOGIN = ("/hitl/login", "/hitl/logout")
"""What addresses of the login's pages begin with."""
_DATA = ("/hitl/", "/health", "/metrics")
_BY_CODE = {kind.code: kind for kind in KINDS}


def is_page(path: str) -> bool:
    """Say whether people go to this address with a browser; all others are for programs, whatever they say to want."""
    return path.startswith(LOGIN) or not path.startswith(_DATA)


def page_of(scope: Scope, document: Mapping[str, Any]) -> Response | None:
    """Return the page that shows a problem document to a person, None for an address that is for programs."""
    path = scope["path"]
    if not is_page(path):
        return None
    kind = _BY_CODE.get(str(document["type"]).rpartition("/")[2])
    if path.startswith(LOGIN):
        provider = scope["app"].state.authenticator.oidc is not None
        return login_problem("/hitl", path, document, kind=kind, provider=provider)
    return problem_page(document, kind=kind)
