"""Remedies and wargames, with their signed evidence; the audit log."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from vertice.adaptive.api import answers
from vertice.adaptive.api.access import Reading
from vertice.adaptive.api.service import Service
from vertice.adaptive.review import records
from vertice.adaptive.review.audit import AuditEntry, AuditReport
from vertice.adaptive.review.evidence import digest_of
from vertice.adaptive.review.records import RemedyRecord, RunRecord
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.http.pages import Page, PageRequest, page_request
from vertice.kernel.http.problem import responses
from vertice.kernel.together import Shared

__all__ = ["AuditEntries", "router"]

_Which = Annotated[PageRequest, Depends(page_request)]
_Code = Annotated[str, Query(max_length=50, alias="review", description="Code of a review.")]
_Run = Annotated[str, Path(max_length=50, pattern=r"^WAR-\d{8}-\d{3,9}$", description="`WAR-YYYYMMDD-NNN`")]
_EVIDENCE = "application/vnd.in-toto+json"


class AuditEntries(BaseModel):
    """Entries of the audit log, in order."""

    items: list[AuditEntry]
    next: int | None = Field(description="`after` of the next page; null on the last one.")


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl")
    _add_remedies(routes, service)
    _add_wargames(routes, service)
    _add_audit(routes, service)
    return routes


def _add_remedies(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/remedies",
        tags=["remedies"],
        response_model=Page[RemedyRecord],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_remedies(request: Request, _: Reading, which: _Which, code: _Code = "") -> Response:
        """List the remedies that were ever proposed, the newest first."""
        async with service.database.read() as session:
            items, cursor = await records.remedies(session, which, code=code)
        return answers.page(request, items, cursor)

    @routes.get(
        "/remedies/{key}", tags=["remedies"], response_model=RemedyRecord, responses=responses(401, 403, 404, 422)
    )
    async def show_remedy(
        key: Annotated[str, Path(max_length=200, description="The remedy's key.")], _: Reading
    ) -> Response:
        """Show one remedy."""
        async with service.database.read() as session:
            return answers.document(await records.remedy(session, key))


def _add_wargames(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/wargames",
        tags=["wargames"],
        response_model=Page[RunRecord],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_wargames(
        request: Request, _: Reading, which: _Which, verdict: VerdictWord | None = None, code: _Code = ""
    ) -> Response:
        """List the wargames that ended, the newest first. Those that run are told by the channel `wargames`."""
        async with service.database.read() as session:
            items, cursor = await records.runs(session, which, verdict=verdict, code=code)
        return answers.page(request, items, cursor)

    @routes.get(
        "/wargames/{code}", tags=["wargames"], response_model=RunRecord, responses=responses(401, 403, 404, 422)
    )
    async def show_wargame(code: _Run, _: Reading) -> Response:
        """Show one wargame."""
        async with service.database.read() as session:
            return answers.document(await records.run(session, code))

    @routes.get(
        "/wargames/{code}/evidence",
        tags=["wargames"],
        response_class=Response,
        responses={
            200: {
                "content": {_EVIDENCE: {"schema": {"type": "object"}}},
                "description": "A DSSE envelope",
                **answers.sends("Content-Disposition", "ETag"),
            },
            **responses(401, 403, 404, 422),
        },
    )
    async def download_evidence(code: _Run, _: Reading) -> Response:
        """Download the signed evidence: an in-toto statement that `vertice evidence verify` checks offline."""
        async with service.database.read() as session:
            text, digest = await records.evidence_of(session, code)
        if digest_of(text) != digest:
            raise UnfinishedError(
                "the evidence is not the one that was recorded", where=code, todo="See `vertice audit verify`."
            )
        headers = {"Content-Disposition": f'attachment; filename="{code}.intoto.json"', "ETag": f'"{digest}"'}
        return Response(text, media_type=_EVIDENCE, headers=headers)


def _add_audit(routes: APIRouter, service: Service) -> None:
    @routes.get("/audit", tags=["audit"], response_model=AuditEntries, responses=responses(401, 403, 422))
    async def list_audit(
        _: Reading,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of the last entry you have.")] = 0,
        limit: Annotated[int, Query(ge=1, le=500, description="Entries in a page.")] = 100,
    ) -> Response:
        """Read the audit log, oldest first."""
        found = await service.reviews.audit(after=after, limit=limit + 1)
        more = len(found) > limit
        items = [asdict(entry) for entry in found[:limit]]
        return answers.document({"items": items, "next": found[limit - 1].seq if more else None})

    async def verify(_: None) -> AuditReport:
        return await service.reviews.verify()

    verified = Shared(verify)  # it reads everything: once at a time

    @routes.get("/audit/verify", tags=["audit"], response_model=AuditReport, responses=responses(401, 403))
    async def verify_audit(_: Reading) -> Response:
        """Check the whole audit chain, its anchor, and that every review and decision is as it says."""
        return answers.document(await verified(None))
