"""The template of a request's route: what logs and metrics are counted by, never the raw path."""

from starlette.types import Scope

__all__ = ["UNMATCHED", "route_template"]

UNMATCHED = "(none)"
"""Stands for every path that no route has."""


def route_template(scope: Scope) -> str:
    """Return the whole template, such as `/hitl/reviews/{code}`, once the request was routed."""
    # FastAPI shares a route between routers that include it: `route` then lacks their prefixes.
    context = scope.get("fastapi", {}).get("effective_route_context")
    found = scope.get("route") if context is None else getattr(context, "starlette_route", None) or context
    return getattr(found, "path_format", None) or UNMATCHED
