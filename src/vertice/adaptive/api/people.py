"""Who there is: for whoever gives reviews to others."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from vertice.adaptive.api import answers
from vertice.adaptive.api.access import Reading
from vertice.adaptive.api.service import Service
from vertice.kernel.auth import identities
from vertice.kernel.auth.identities import Person
from vertice.kernel.http.pages import Page, PageRequest, page_request
from vertice.kernel.http.problem import responses

__all__ = ["router"]


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl", tags=["login"])

    @routes.get(
        "/people",
        response_model=Page[Person],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_people(
        request: Request, _: Reading, which: Annotated[PageRequest, Depends(page_request)]
    ) -> Response:
        """List everybody who ever logged in, by name: whom a review can be given to, with the role they had then."""
        async with service.database.read() as session:
            items, cursor = await identities.people(session, which)
        return answers.page(request, items, cursor)

    return routes
