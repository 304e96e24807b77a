"""What GitHub tells of itself: pull requests that somebody merged or closed there, workflows that ended."""

import re

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from starlette.concurrency import run_in_threadpool

from vertice.adaptive.api.service import Service
from vertice.adaptive.execution.github_webhook import PullRequestClosed, WorkflowFinished, parse_webhook
from vertice.adaptive.projects.model import Kind
from vertice.adaptive.projects.tables import ProjectRow
from vertice.adaptive.wargame.actions import WORKFLOW_PATH
from vertice.adaptive.work.names import WORKFLOWS
from vertice.kernel.bus.outbox import post
from vertice.kernel.bus.tables import InboxRow
from vertice.kernel.database import WriteSession
from vertice.kernel.errors import UnknownError
from vertice.kernel.http.problem import responses

__all__ = ["router"]

_BRANCH = re.compile(r"vertice/(APV-\d{8}-\d{3,9})(?:-\d+)?")


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl/webhooks", tags=["webhooks"])

    @routes.post(
        "/github",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "Taken, or of no interest here"}, **responses(401, 404)},
        openapi_extra={
            "security": [{"signature": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        },
    )
    async def take_delivery(request: Request) -> Response:
        """Take a delivery of GitHub's, signed with GITHUB_WEBHOOK_SECRET. One that comes again changes nothing."""
        secret = service.settings.github_webhook_secret.get_secret_value()
        if not secret:
            raise UnknownError("webhooks are not set up", where="webhooks", todo="Set GITHUB_WEBHOOK_SECRET.")
        event = await run_in_threadpool(parse_webhook, dict(request.headers), await request.body(), secret)
        if event is not None:
            await _take(service, event)
        return Response(status_code=204)

    return routes


async def _take(service: Service, event: PullRequestClosed | WorkflowFinished) -> None:
    async with service.database.write() as session:
        if not await _first_time(session, event.delivery, service):
            return
        if isinstance(event, WorkflowFinished):
            if event.path == WORKFLOW_PATH:
                data = {"repository": event.repository, "run": event.run, "title": event.title}
                data |= {"attempt": event.attempt, "conclusion": event.conclusion}
                post(session, WORKFLOWS, "workflow.finished", subject=event.title, data=data, at=service.clock())
            return
        code = _BRANCH.fullmatch(event.branch)
        if code is None or event.source.lower() != event.repository.lower():
            return  # a branch of a fork is not ours, whatever its name
        same = select(ProjectRow.id).where(
            ProjectRow.kind == Kind.github, func.lower(ProjectRow.location) == event.repository.lower()
        )
        project = (await session.execute(same)).scalar()
        if project is None:
            return
        await service.reviews.record_elsewhere(
            session,
            code[1],
            project,
            ref=f"refs/heads/{event.branch}",
            target=f"refs/heads/{event.target}",
            merged=event.merged,
            by=event.by,
            head=event.head,
            place="GitHub",
        )
    service.live.wake()


async def _first_time(session: WriteSession, delivery: str, service: Service) -> bool:
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    note = insert(InboxRow).values(source="github", id=delivery[:200], at=service.clock(), outcome="taken")
    done = await session.execute(note.on_conflict_do_nothing().returning(InboxRow.id))
    return done.first() is not None
