"""What somebody is told who was not the first: the review as it is now."""

from typing import Any

from starlette.responses import Response

from vertice.adaptive.api.service import Service
from vertice.adaptive.review.decide import ConflictError
from vertice.adaptive.review.documents import review_document
from vertice.kernel.http.problem import MEDIA_TYPE, problem

__all__ = ["CONFLICT", "with_current"]

_SCHEMAS = "#/components/schemas"

CONFLICT: dict[str, Any] = {
    "description": "Somebody else was faster, or what you saw is not what is there now",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "allOf": [
                    {"$ref": f"{_SCHEMAS}/Problem"},
                    {"type": "object", "properties": {"current": {"$ref": f"{_SCHEMAS}/ReviewDocument"}}},
                ]
            }
        }
    },
}
"""Of the OpenAPI document."""


async def with_current(service: Service, code: str, conflict: ConflictError) -> Response:
    """Return the conflict as a problem document, with the review in `current`."""
    now = await service.reviews.get(code)
    return problem(
        409,
        conflict.what,
        code=conflict.code,
        where=conflict.where,
        todo=conflict.todo,
        more={"current": review_document(now)},
    )
