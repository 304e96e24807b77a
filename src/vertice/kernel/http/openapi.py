"""Adding to an app's OpenAPI document what holds for every route."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

__all__ = ["amend"]


def amend(app: FastAPI, change: Callable[[dict[str, Any]], None]) -> None:
    """Have `change` made to the document when FastAPI makes it, after the changes that were asked for before."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema
        document = original()
        if document is not known:
            change(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
