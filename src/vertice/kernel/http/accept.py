"""What a client wants to see: a person's browser a page, everything else data."""

from starlette.datastructures import Headers
from starlette.types import Scope
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

__all__ = ["prefers_html"]

_OFFERED = ("application/problem+json", "application/json", "text/html")
"""The first one wins where a client does not care."""
_MAX_HEADER = 2000


def prefers_html(scope: Scope) -> bool:
    """Say whether the request's Accept ranks HTML above JSON, as a browser does that goes to an address."""
    header = ", ".join(Headers(scope=scope).getlist("accept"))
    if len(header) > _MAX_HEADER:
        return False
    return parse_accept_header(header, MIMEAccept).best_match(_OFFERED) == "text/html"
