"""What the routes work with, opened once for a process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from vertice.adaptive.api.live import Audience
from vertice.adaptive.execution.github import GitHubSettings
from vertice.adaptive.metrics import HitlMetrics
from vertice.adaptive.policies import Placed
from vertice.adaptive.projects.model import Scan
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.review.model import Reviewer
from vertice.adaptive.review.policy import Policy
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.auth.model import Principal
from vertice.kernel.bus.live import Live
from vertice.kernel.database import Database
from vertice.kernel.settings import ServiceSettings

__all__ = ["Service", "Tasks", "reviewer_of"]


class Tasks(Protocol):
    """Tells the workers what there is to do. What is told twice is done once; what is not told they find later."""

    async def enqueue_scan(self, scan: Scan) -> None:
        """A scan was asked for."""
        ...

    async def enqueue_execution(self, decision_id: UUID) -> None:
        """A decision binds and is to be carried out."""
        ...

    async def close(self) -> None:
        """Tell what is still to be told."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """The Adaptive Immune System behind its API."""

    settings: ServiceSettings
    database: Database
    reviews: ReviewStore
    projects: ProjectStore
    scans: ScanStore
    live: Live
    audience: Audience
    tasks: Tasks
    policy_of: Callable[[Placed], Awaitable[Policy]]
    """The service's policy, made stricter by the project's own."""
    github: GitHubSettings | None
    metrics: HitlMetrics
    clock: Callable[[], datetime]


_NO_EMAIL = "unknown@email.invalid"
"""Of a login that tells none (RFC 2606 §2): who it is, its id says."""


def reviewer_of(principal: Principal) -> Reviewer:
    """Return who decides: the login says it, never the request's body."""
    return Reviewer(principal.name, principal.email or _NO_EMAIL, principal.id)
