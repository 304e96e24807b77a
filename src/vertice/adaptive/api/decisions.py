"""Decisions: one on one review, or the same on many of low risk; and what was decided."""

import math
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from vertice.adaptive.api import answers
from vertice.adaptive.api.access import Deciding, Reading
from vertice.adaptive.api.conflict import CONFLICT, with_current
from vertice.adaptive.api.listing import FILTERS, listing
from vertice.adaptive.api.reviews import CodePath, Matching
from vertice.adaptive.api.service import Service, reviewer_of
from vertice.adaptive.execution.carry_out import standing_of
from vertice.adaptive.execution.interface import NotYetError
from vertice.adaptive.review import records
from vertice.adaptive.review.decide import MAX_TEXT, MIN_JUSTIFICATION, ConflictError, Standing, check
from vertice.adaptive.review.documents import DecisionDocument, decision_document
from vertice.adaptive.review.model import Decision, DecisionKind, DecisionRecord, DecisionState, Review
from vertice.adaptive.review.queue import Order, page
from vertice.adaptive.review.reading import expect
from vertice.adaptive.review.rules import facts_of, low_risk, permit, proposers_of
from vertice.kernel.auth.model import Principal
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.http.pages import Page, PageRequest, page_request
from vertice.kernel.http.problem import problem, responses, without_folders
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["BulkDecision", "BulkOutcome", "BulkOutcomes", "NewDecision", "decide", "router"]

_BULK = 200
"""Reviews that one bulk decision may be about."""


class NewDecision(BaseModel):
    """What you decide. Who you are, the login says."""

    model_config = ConfigDict(extra="forbid")
    decision: DecisionKind
    justification: str = Field(
        min_length=MIN_JUSTIFICATION, max_length=MAX_TEXT, description="Why, for whoever reads it in a year."
    )
    wanted: str = Field(default="", max_length=200, description="With modify: the version or constraint to try.")
    confidence_override: float | None = Field(
        default=None, ge=0, le=1, strict=True, description="Your own confidence, 0..1, in place of the wargame's."
    )
    accept_unproven: StrictBool = Field(default=False, description="Approve although the wargame proved nothing.")
    evidence_digest: str = Field(
        default="",
        max_length=64,
        description="sha256 of the evidence you saw; where it is given and another one lies there now, it is refused.",
    )


class BulkDecision(BaseModel):
    """The same decision on all reviews of low risk that fit the query."""

    model_config = ConfigDict(extra="forbid")
    decision: DecisionKind
    justification: str = Field(min_length=MIN_JUSTIFICATION, max_length=MAX_TEXT)
    codes: list[Annotated[str, Field(max_length=50)]] = Field(
        default=[], max_length=_BULK, description="Of these only; empty: of all that fit."
    )
    dry_run: StrictBool = Field(default=False, description="Say what would be decided, decide nothing.")


class BulkOutcome(BaseModel):
    """What became of one review in a bulk decision."""

    review: str = Field(description="Its code.")
    decided: bool = Field(description="Whether it was decided; in a dry run, whether it would be now.")
    reason: str = Field(description="Why it was left, or why it counts as low risk.")
    decision: UUID | None = Field(description="Id of the decision; null where none was made.")


class BulkOutcomes(BaseModel):
    """What became of each."""

    dry_run: bool = Field(description="Nothing was decided.")
    decided: int = Field(description="How many reviews were decided; in a dry run, how many would be.")
    left: int = Field(description="How many were left.")
    items: list[BulkOutcome]
    more: bool = Field(description=f"More reviews fit than the {_BULK} that were looked at.")


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl", tags=["decisions"])
    _add_deciding(routes, service)
    _add_bulk(routes, service)
    _add_list(routes, service)
    return routes


async def decide(
    service: Service,
    code: str,
    decision: Decision,
    principal: Principal,
    seen: Callable[[Review], None],
) -> DecisionRecord:
    """Let a decision bind, or wait for a second person's, and have it carried out.

    `seen` raises ConflictError when the review is not what the person saw.
    """
    started = perf_counter()
    standing, version = Standing(None, None), None
    where = await service.reviews.place(code)
    policy = await service.policy_of(where)
    if decision.kind is DecisionKind.approve:
        review = await service.reviews.get(where.code)
        seen(review)  # before the forge is asked
        standing, version = await _standing(service, review), review.version  # what was looked at is what is approved
    made = await service.reviews.record_decision(
        where.code,
        decision,
        expected_version=version,
        standing=standing,
        permit=permit(policy, principal.role),
        seen=seen,
    )
    service.metrics.decided(made.kind, where.severity, seconds=perf_counter() - started)
    if made.state is DecisionState.recorded:
        await service.tasks.enqueue_execution(made.id)
    return made


async def _standing(service: Service, review: Review) -> Standing:
    return await standing_of(service.reviews, review, service.settings.vertice_home, service.github)


def _add_deciding(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "/reviews/{code}/decisions",
        status_code=201,
        response_model=DecisionDocument,
        responses={
            201: answers.sends("ETag", "Location"),
            **responses(401, 403, 404, 422, 428, 503),
            409: CONFLICT,
        },
    )
    async def decide_review(code: CodePath, said: NewDecision, principal: Deciding, matching: Matching) -> Response:
        """Decide on the version of the review that If-Match names.

        It is stored, and carried out after; the answer's `state` says how far it is. Where somebody else was faster,
        the 409 has the review as it is now in `current`.
        """
        decision = Decision(
            kind=said.decision,
            justification=said.justification,
            reviewer=reviewer_of(principal),
            wanted=said.wanted,
            confidence_override=said.confidence_override,
            accept_unproven=said.accept_unproven,
        )
        try:
            made = await decide(service, code, decision, principal, lambda review: _check_seen(review, said, matching))
        except ConflictError as conflict:
            return await with_current(service, code, conflict)
        except NotYetError as error:  # of the forge, whose state is no secret to whoever may decide
            return problem(
                503,
                error.what,
                code=error.code,
                where=error.where,
                todo=error.todo,
                headers={"Retry-After": f"{math.ceil(error.seconds)}"} if error.seconds else None,
            )
        return answers.document(
            decision_document(made),
            status=201,
            version=made.review_version + 1,  # the decision itself counted it up
            headers={"Location": f"/hitl/decisions/{made.id}"},
        )


def _check_seen(review: Review, said: NewDecision, matching: Matching) -> None:
    if matching.versions is not None and review.version not in matching.versions:
        last = f" by {review.decisions[-1].reviewer.name}" if review.decisions else ""
        raise ConflictError(
            f"was changed{last} since you saw it: it is at version {review.version} now",
            where=review.code,
            todo="Look at it again and decide on what it says now.",
        )
    if said.evidence_digest and said.evidence_digest != review.evidence_digest:
        raise ConflictError(
            "its evidence is not the one you saw",
            where=review.code,
            todo="Look at it again and decide on what it says now.",
        )


def _add_bulk(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "/decisions/bulk",
        response_model=BulkOutcomes,
        responses=responses(401, 403, 422),
        openapi_extra={"parameters": FILTERS},
    )
    async def decide_many(request: Request, said: BulkDecision, principal: Deciding) -> Response:
        """Decide on every review of low risk (see docs/policy.md) that fits the query, each by itself.

        A review that is not of low risk, or that policy or its state does not let you decide so, is left, with the
        reason. Each decision is recorded and audited as if it had been made alone.
        """
        _check_filters(request)
        if said.decision is DecisionKind.modify:
            raise InputError(
                "many reviews cannot be modified at once", where="decision", todo="Ask for a version on each by itself."
            )
        wanted, _, _ = listing(request)
        async with service.database.read() as session:
            found, cursor = await page(session, wanted, Order.priority, PageRequest(_BULK), now=service.clock())
        codes = set(said.codes)
        chosen = [one.apv_code for one in found if not codes or one.apv_code in codes]
        outcomes = [await _one_of_many(service, code, said, principal) for code in chosen]
        decided = sum(outcome.decided for outcome in outcomes)
        return answers.document(
            BulkOutcomes(
                dry_run=said.dry_run,
                decided=decided,
                left=len(outcomes) - decided,
                items=outcomes,
                more=cursor is not None,
            ).model_dump()
        )


def _check_filters(request: Request) -> None:
    """Raise InputError for a parameter that is no filter: passed over, it would decide on more than was meant."""
    known = [one["name"] for one in FILTERS]
    for name in request.query_params:
        if name not in known:
            raise InputError(
                f"{printable(name, limit=100)} is no filter", where="query", todo=f"There are: {', '.join(known)}."
            )


async def _one_of_many(service: Service, code: str, said: BulkDecision, principal: Principal) -> BulkOutcome:
    review = await service.reviews.get(code)
    policy = await service.policy_of(review)
    low, why = low_risk(policy, facts_of(review, proposers_of(review)))
    if not low:
        return BulkOutcome(review=code, decided=False, reason=why, decision=None)
    decision = Decision(said.decision, said.justification, reviewer_of(principal))
    try:
        if said.dry_run:
            approving = decision.kind is DecisionKind.approve
            check(review, decision, await _standing(service, review) if approving else Standing(None, None))
            permit(policy, principal.role)(review, decision)
            return BulkOutcome(review=code, decided=True, reason=why, decision=None)
        made = await decide(service, review.code, decision, principal, partial(expect, version=review.version))
    except VerticeError as error:
        return BulkOutcome(review=code, decided=False, reason=_said(error), decision=None)
    return BulkOutcome(review=code, decided=True, reason=why, decision=made.id)


def _said(error: VerticeError) -> str:
    """Return why a review was left, as far as a client may know it."""
    if error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return without_folders(error.what)
    get_logger(__name__).error("not decided", **error.to_dict())
    return "something went wrong here"


def _add_list(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/decisions",
        response_model=Page[DecisionDocument],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_decisions(
        request: Request,
        _: Reading,
        which: Annotated[PageRequest, Depends(page_request)],
        decision: DecisionKind | None = None,
        state: DecisionState | None = None,
        review: Annotated[str, Query(max_length=50, description="Code of a review.")] = "",
    ) -> Response:
        """List what was decided, the newest first."""
        async with service.database.read() as session:
            items, cursor = await records.decisions(session, which, kind=decision, state=state, code=review)
        return answers.page(request, tuple(decision_document(made) for made in items), cursor)

    @routes.get("/decisions/{decision_id:uuid}", response_model=DecisionDocument, responses=responses(401, 403, 404))
    async def show_decision(
        decision_id: Annotated[UUID, Path(description="The decision's id.")], _: Reading
    ) -> Response:
        """Show one decision, and how far it has been carried out."""
        async with service.database.read() as session:
            made = await records.decision(session, decision_id)
        return answers.document(decision_document(made))
