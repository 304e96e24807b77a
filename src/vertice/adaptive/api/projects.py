"""Registered projects, their scans and findings, and what a scan leaves: SBOM, VEX, SARIF."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.api import answers
from vertice.adaptive.api.access import Leading, Reading, Writing
from vertice.adaptive.api.reviews import Matching
from vertice.adaptive.api.service import Service
from vertice.adaptive.projects.model import DocumentKind, Feed, Finding, FindingState, Kind, Project, Scan, ScanState
from vertice.adaptive.projects.tables import ApvRow, ProjectRow, ScanRow
from vertice.adaptive.triage.model import Apv
from vertice.kernel.auth.model import Role, require
from vertice.kernel.codec import DESCRIBED
from vertice.kernel.http.etag import not_modified
from vertice.kernel.http.pages import Key, Page, PageRequest, Sort, page_request
from vertice.kernel.http.problem import responses

if TYPE_CHECKING:
    from enum import Enum

__all__ = ["Export", "Feeds", "FindingDocument", "NewProject", "NewScan", "ProjectEdit", "router"]

_Which = Annotated[PageRequest, Depends(page_request)]
_ProjectId = Annotated[UUID, Path(description="The project's id.")]
_OfProject = Annotated[UUID | None, Query(description="Id of a project; of all when it is left out.")]
_ScanId = Annotated[UUID, Path(description="The scan's id.")]

_BY_NAME = Sort("name", (Key(ProjectRow.name), Key(ProjectRow.id)))
_NEWEST = Sort("newest", (Key(ScanRow.requested_at, descending=True), Key(ScanRow.id, descending=True)))
_URGENT = Sort("priority", (Key(ApvRow.priority), Key(ApvRow.code)))


class Export(StrEnum):
    """What a project's newest scan can be exported as."""

    json = "json"
    sarif = "sarif"
    sbom = "sbom"
    vex = "vex"


_EXPORTS = {
    Export.json: (DocumentKind.json, "application/json", "findings.json"),
    Export.sarif: (DocumentKind.sarif, "application/sarif+json", "findings.sarif"),
    Export.sbom: (DocumentKind.cyclonedx, "application/vnd.cyclonedx+json", "sbom.cdx.json"),
    Export.vex: (DocumentKind.cyclonedx, "application/vnd.cyclonedx+json", "vex.cdx.json"),
}
"""The document, its media type, its file's name. One CycloneDX document holds SBOM and VEX."""


class NewProject(BaseModel):
    """A project to look after."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    location: str = Field(min_length=1, max_length=4096, description="Absolute path of a folder, or `owner/repo`.")
    name: str = Field(default="", max_length=200, description='"": the last part of the location.')
    branch: str = Field(default="", max_length=200, description='"": the default one.')
    schedule: str = Field(default="", max_length=100, description='Cron expression in UTC; "": when asked for only.')


class ProjectEdit(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(default=None, min_length=1, max_length=200)
    branch: str | None = Field(default=None, max_length=200, description='"": the default one.')
    schedule: str | None = Field(
        default=None, max_length=100, description='Cron expression in UTC; "": when asked for only.'
    )
    archived: StrictBool | None = None


class NewScan(BaseModel):
    """How to look at a project."""

    model_config = ConfigDict(extra="forbid")
    heal: StrictBool = Field(default=True, description="Prepare and prove remedies, too.")
    priority: int = Field(default=5, ge=1, le=10, strict=True, description="1 (before all others) to 10.")


@dataclass(frozen=True, slots=True)
class FindingDocument:
    """One APV with all that is known of it."""

    __pydantic_config__: ClassVar = DESCRIBED

    finding: Finding
    apv: Apv
    """Advisory, component, places, reachability and why it has its priority."""


class Feeds(BaseModel):
    """Where advisories come from."""

    items: list[Feed]


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl")
    _add_projects(routes, service)
    _add_scans(routes, service)
    _add_exports(routes, service)
    _add_findings(routes, service)
    return routes


def _add_projects(routes: APIRouter, service: Service) -> None:
    tags: list[str | Enum] = ["projects"]

    @routes.get(
        "/projects",
        tags=tags,
        response_model=Page[Project],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_projects(request: Request, _: Reading, which: _Which, archived: bool = False) -> Response:
        """List the registered projects by name."""
        after = _BY_NAME.values(which.cursor) if which.cursor else None
        place = None if after is None else (after[0], after[1])
        found = await service.projects.list(archived=archived, after=place, limit=which.limit + 1)
        items, cursor = _BY_NAME.cut(found, which)
        return answers.page(request, items, cursor)

    @routes.post(
        "/projects",
        tags=tags,
        status_code=201,
        response_model=Project,
        responses={201: answers.sends("ETag", "Location"), **responses(401, 403, 409, 422)},
    )
    async def register_project(new: NewProject, principal: Leading) -> Response:
        """Look after a project from now on. A folder of the service's own machine takes an admin."""
        if new.kind is Kind.path:
            require(principal, role=Role.admin)
        made = await service.projects.register(
            new.kind, new.location, by=principal.id, name=new.name, branch=new.branch, schedule=new.schedule
        )
        headers = {"Location": f"/hitl/projects/{made.id}"}
        return answers.document(made, status=201, version=made.version, headers=headers)

    @routes.get(
        "/projects/{project_id}",
        tags=tags,
        response_model=Project,
        responses={200: answers.sends("ETag"), **responses(401, 403, 404, 422)},
        openapi_extra=answers.UNCHANGED,
    )
    async def show_project(request: Request, project_id: _ProjectId, _: Reading) -> Response:
        """Show one project."""
        found = await service.projects.get(project_id)
        return not_modified(request, found.version) or answers.document(found, version=found.version)

    @routes.patch(
        "/projects/{project_id}",
        tags=tags,
        response_model=Project,
        responses={200: answers.sends("ETag"), **responses(401, 403, 404, 409, 412, 422, 428)},
    )
    async def edit_project(
        project_id: _ProjectId, edit: ProjectEdit, principal: Leading, matching: Matching
    ) -> Response:
        """Change a project's name, branch or schedule, or archive it."""
        found = await service.projects.get(project_id)
        matching.check(found.version)
        edited = await service.projects.edit(
            project_id, by=principal.id, expected_version=found.version, **edit.model_dump(exclude_none=True)
        )
        return answers.document(edited, version=edited.version)


def _add_scans(routes: APIRouter, service: Service) -> None:
    tags: list[str | Enum] = ["scans"]

    @routes.post(
        "/projects/{project_id}/scans",
        tags=tags,
        status_code=202,
        response_model=Scan,
        responses={202: answers.sends("Location"), **responses(401, 403, 404, 409, 422)},
    )
    async def request_scan(project_id: _ProjectId, wanted: NewScan, principal: Writing) -> Response:
        """Ask for a scan; one that waits already is returned in place of a second. The workers take it from here."""
        scan = await service.projects.request_scan(
            project_id, by=principal.id, heal=wanted.heal, priority=wanted.priority
        )
        service.live.wake()
        await service.tasks.enqueue_scan(scan)
        return answers.document(scan, status=202, headers={"Location": f"/hitl/scans/{scan.id}"})

    @routes.get(
        "/scans",
        tags=tags,
        response_model=Page[Scan],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_scans(
        request: Request,
        _: Reading,
        which: _Which,
        project: _OfProject = None,
        state: Annotated[frozenset[ScanState], Query(description="Any of these.")] = frozenset(),
    ) -> Response:
        """List the scans, the newest first."""
        after = _NEWEST.values(which.cursor) if which.cursor else None
        place = None if after is None else (after[0], after[1])
        found = await service.scans.list(project_id=project, state=state, before=place, limit=which.limit + 1)
        items, cursor = _NEWEST.cut(found, which)
        return answers.page(request, items, cursor)

    @routes.get("/scans/{scan_id}", tags=tags, response_model=Scan, responses=responses(401, 403, 404, 422))
    async def show_scan(scan_id: _ScanId, _: Reading) -> Response:
        """Show one scan, and how far it is."""
        return answers.document(await service.scans.get(scan_id))


def _add_exports(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/projects/{project_id}/export/{kind}",
        tags=["projects"],
        response_class=Response,
        responses={
            200: {
                "content": {media: {"schema": {"type": "object"}} for _, media, _ in _EXPORTS.values()},
                "description": "The document of the project's newest scan",
                **answers.sends("Content-Disposition", "ETag"),
            },
            **responses(401, 403, 404, 422),
        },
    )
    async def export(
        project_id: _ProjectId,
        kind: Annotated[Export, Path(description="Of which kind.")],
        _: Reading,
    ) -> Response:
        """Download what the newest scan found: findings, SARIF, or CycloneDX with SBOM and VEX."""
        document, media, name = _EXPORTS[kind]
        scan = await service.scans.last_recorded(project_id)
        text = await service.scans.document(scan.id, document)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "ETag": f'"{scan.id}-{kind}"'}
        return Response(text, media_type=media, headers=headers)


def _add_findings(routes: APIRouter, service: Service) -> None:
    tags: list[str | Enum] = ["apvs"]

    @routes.get(
        "/apvs",
        tags=tags,
        response_model=Page[Finding],
        responses={200: answers.sends("Link"), **responses(401, 403, 422)},
    )
    async def list_apvs(
        request: Request,
        _: Reading,
        which: _Which,
        project: _OfProject = None,
        state: Annotated[frozenset[FindingState], Query(description="Any of these.")] = frozenset({FindingState.open}),
        severity: Annotated[frozenset[Severity], Query(description="Any of these.")] = frozenset(),
        package: Annotated[str, Query(max_length=100, description="Normalised name.")] = "",
    ) -> Response:
        """List the findings of registered projects, the most urgent first."""
        after = _URGENT.values(which.cursor) if which.cursor else None
        found = await service.scans.findings(
            project_id=project,
            state=state,
            severity=severity,
            package=package,
            after=None if after is None else (after[0], after[1]),
            limit=which.limit + 1,
        )
        items, cursor = _URGENT.cut(found, which)
        return answers.page(request, items, cursor)

    @routes.get("/apvs/{code}", tags=tags, response_model=FindingDocument, responses=responses(401, 403, 404, 422))
    async def show_apv(
        code: Annotated[str, Path(max_length=50, description="The APV's code.")], _: Reading
    ) -> Response:
        """Show one finding with its advisory, where it is used, and why it has its priority."""
        finding, apv = await service.scans.finding(code)
        return answers.document(FindingDocument(finding, apv))

    @routes.get("/feeds", tags=tags, response_model=Feeds, responses=responses(401, 403))
    async def list_feeds(_: Reading) -> Response:
        """Say where advisories come from, and how old they are."""
        return answers.document({"items": await service.scans.feeds()})
