"""Reviews: the queue, one of them, who has it, what was said about it."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from vertice.adaptive.api import answers
from vertice.adaptive.api.access import Leading, Reading, Writing
from vertice.adaptive.api.conflict import CONFLICT, with_current
from vertice.adaptive.api.listing import PARAMETERS, listing
from vertice.adaptive.api.service import Service, reviewer_of
from vertice.adaptive.review.decide import MAX_TEXT, ConflictError
from vertice.adaptive.review.documents import ReviewDocument, Summary, review_document
from vertice.adaptive.review.model import Comment, DecisionKind, Review, Reviewer
from vertice.adaptive.review.queue import Filter, Order, page
from vertice.adaptive.review.rules import NeedsSecond, Refused, facts_of, low_risk, may_decide, proposers_of
from vertice.kernel.auth import identities
from vertice.kernel.auth.model import Principal, Role
from vertice.kernel.errors import InputError
from vertice.kernel.http.etag import IfMatch, if_match, not_modified
from vertice.kernel.http.pages import Page, PageRequest
from vertice.kernel.http.problem import responses
from vertice.kernel.together import Shared

__all__ = [
    "Assignee",
    "CodePath",
    "CommentDocument",
    "Comments",
    "Matching",
    "NewComment",
    "Option",
    "Options",
    "router",
]

CodePath = Annotated[
    str,
    Path(max_length=50, pattern=r"^[A-Za-z0-9-]+$", description="The review's code, its id, or the code of an APV."),
]
Matching = Annotated[IfMatch, Depends(if_match)]


class CommentDocument(BaseModel):
    """What a person said about a review: untrusted text, to be escaped where it is shown."""

    id: UUID = Field(description="Of the comment.")
    author: str = Field(description="Id of the login that said it.")
    author_name: str
    text: str
    created_at: datetime


class Comments(BaseModel):
    """Everything that was said about a review, oldest first."""

    items: list[CommentDocument]


class NewComment(BaseModel):
    """Something to say."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=MAX_TEXT)


class Assignee(BaseModel):
    """Who is to look at a review."""

    model_config: ClassVar = ConfigDict(extra="forbid")
    id: str = Field(min_length=1, max_length=200, description="Id of a login, as `GET /hitl/people` says it.")


class Option(BaseModel):
    """A decision, and whether you may make it now."""

    decision: DecisionKind
    allowed: bool
    reason: str = Field(description="Why not; or what happens beside it, when a second person is needed.")
    approvals: int = Field(description="How many approvals there would be with yours.")
    needed: int = Field(description="How many it takes.")


class Options(BaseModel):
    """What you may do with a review now."""

    items: list[Option]
    low_risk: bool = Field(description="A bulk decision takes it.")
    low_risk_reason: str = Field(description="Why it counts as low risk, or why not.")


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl/reviews", tags=["reviews"])
    _add_list(routes, service)
    _add_one(routes, service)
    _add_assignment(routes, service)
    _add_comments(routes, service)
    return routes


def _add_list(routes: APIRouter, service: Service) -> None:
    async def made(asked: tuple[Filter, Order, PageRequest]) -> tuple[bytes, str | None]:
        async with service.database.look() as session:
            items, cursor = await page(session, *asked, now=service.clock())
        return answers.lines([item.line for item in items], cursor), cursor

    # Whoever has the queue open looks at it anew when an event comes: all of them at once, at the same page.
    shared = Shared(made, at_once=4)

    @routes.get(
        "",
        response_model=Page[Summary],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
        openapi_extra={"parameters": PARAMETERS},
    )
    async def list_reviews(request: Request, _: Reading) -> Response:
        """List the reviews that fit, the most urgent first."""
        text, cursor = await shared(listing(request))
        return answers.made_page(request, text, cursor)


def _add_one(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/{code}",
        response_model=ReviewDocument,
        responses={200: answers.sends("ETag"), **responses(401, 403, 404, 422)},
        openapi_extra=answers.UNCHANGED,
    )
    async def show_review(request: Request, code: CodePath, _: Reading) -> Response:
        """Show one review with its remedy, findings and decisions."""
        version, text = await service.reviews.document(code)
        return not_modified(request, version) or answers.text(text, version=version)

    @routes.get(
        "/{code}/options",
        response_model=Options,
        responses={200: answers.sends("ETag"), **responses(401, 403, 404, 422)},
    )
    async def show_options(code: CodePath, principal: Reading) -> Response:
        """Say which decisions you may make on it now, and why not the others."""
        review = await service.reviews.get(code)
        policy = await service.policy_of(review)
        facts = facts_of(review, proposers_of(review))
        items = []
        for kind in DecisionKind:
            ruling = may_decide(policy, reviewer_of(principal), principal.role, facts, kind)
            refused = isinstance(ruling, Refused)
            have, want = (ruling.have, ruling.want) if isinstance(ruling, NeedsSecond) else (1, 1)
            reason = f"{ruling.reason}. {ruling.todo}" if isinstance(ruling, Refused) else ""
            items.append(
                {"decision": kind, "allowed": not refused, "reason": reason, "approvals": have, "needed": want}
            )
        low, why = low_risk(policy, facts)
        return answers.document({"items": items, "low_risk": low, "low_risk_reason": why}, version=review.version)


def _add_assignment(routes: APIRouter, service: Service) -> None:
    changed = {200: answers.sends("ETag"), **responses(401, 403, 404, 412, 422, 428), 409: CONFLICT}

    async def assigned(review: Review, to: Reviewer | None, by: Principal, matching: IfMatch) -> Response:
        try:
            _refuse_taken(review, by)
            # As it was looked at: whoever was faster may have it by now, whatever If-Match allows.
            matching.check(review.version)
            review = await service.reviews.assign(review.code, to, by=reviewer_of(by), expected_version=review.version)
        except ConflictError as conflict:
            return await with_current(service, review.code, conflict)
        return answers.document(review_document(review), version=review.version)

    @routes.post("/{code}/claim", response_model=ReviewDocument, responses=changed)
    async def claim_review(code: CodePath, principal: Writing, matching: Matching) -> Response:
        """Take the review: others see that you look at it.

        One that somebody else has is a lead's to take from them: the 409 has it as it is now in `current`.
        """
        return await assigned(await service.reviews.get(code), reviewer_of(principal), principal, matching)

    @routes.delete("/{code}/claim", response_model=ReviewDocument, responses=changed)
    async def release_review(code: CodePath, principal: Writing, matching: Matching) -> Response:
        """Give the review back."""
        return await assigned(await service.reviews.get(code), None, principal, matching)

    @routes.put("/{code}/assignee", response_model=ReviewDocument, responses=changed)
    async def assign_review(code: CodePath, to: Assignee, principal: Leading, matching: Matching) -> Response:
        """Give the review to somebody: for leads."""
        review = await service.reviews.get(code)
        async with service.database.read() as session:
            name = await identities.name_of(session, to.id)
        if name is None:
            raise InputError("nobody of this id has logged in", where="id", todo="Take one from `GET /hitl/people`.")
        return await assigned(review, Reviewer(name, "", to.id), principal, matching)


def _refuse_taken(review: Review, by: Principal) -> None:
    if review.assignee not in {None, reviewer_of(by).key} and not by.role.covers(Role.lead):
        raise ConflictError(
            f"{review.assignee_name} has it", where=review.code, todo="Ask them to release it, or a lead."
        )


def _add_comments(routes: APIRouter, service: Service) -> None:
    @routes.get("/{code}/comments", response_model=Comments, responses=responses(401, 403, 404, 422))
    async def list_comments(code: CodePath, _: Reading) -> Response:
        """Show what was said about it."""
        return answers.document({"items": await service.reviews.comments(code)})

    @routes.post(
        "/{code}/comments",
        status_code=201,
        response_model=CommentDocument,
        responses=responses(401, 403, 404, 422),
    )
    async def add_comment(code: CodePath, said: NewComment, principal: Writing) -> Response:
        """Say something about it. The text is kept as it is."""
        made: Comment = await service.reviews.comment(code, reviewer_of(principal), said.text)
        return answers.document(made, status=201)
