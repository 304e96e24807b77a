"""What the app's routes say of a request: the template that logs and metrics are counted by, never the raw path."""

from starlette.routing import Match, Mount
from starlette.types import Scope

__all__ = ["UNMATCHED", "methods_of", "route_template"]

UNMATCHED = "(none)"
"""Stands for every path that no route has."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def route_template(scope: Scope) -> str:
    """Return the whole template, such as `/hitl/reviews/{code}`, once the request was routed."""
    # FastAPI shares a route between routers that include it: `route` then lacks their prefixes.
    context = scope.get("fastapi", {}).get("effective_route_context")
    found = scope.get("route") if context is None else getattr(context, "starlette_route", None) or context
    return getattr(found, "path_format", None) or UNMATCHED


def methods_of(scope: Scope) -> tuple[str, ...]:
    """Return the methods that the routes of this request's path take; Starlette names those of the first one alone."""
    routes = [route for route in scope["app"].router.routes if not isinstance(route, Mount)]
    asked = {"type": "http", "path": scope["path"], "root_path": scope.get("root_path", ""), "headers": []}
    return tuple(
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in routes)
    )
