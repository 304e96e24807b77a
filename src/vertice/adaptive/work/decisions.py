"""The decisions of the review store, for the workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from vertice.adaptive.execution.carry_out import carry_out_one
from vertice.adaptive.execution.github import GitHubSettings
from vertice.adaptive.review.store import ReviewStore

__all__ = ["StoredDecisions"]


@dataclass(frozen=True, slots=True)
class StoredDecisions:
    """`Decisions` over the review store and the forges."""

    store: ReviewStore
    home: Path
    github: GitHubSettings | None = None

    async def waiting(self) -> Sequence[UUID]:
        """Return the decisions that bind and are not carried out, the oldest first."""
        return [record.id for record in await self.store.uncarried()]

    async def carry_out(self, decision_id: UUID) -> None:
        """Do what was decided, unless that was done. Raises what kept the forge from it."""
        for record in await self.store.uncarried():
            if record.id == decision_id:
                await carry_out_one(self.store, record, self.home, self.github)

    async def give_up(self, decision_id: UUID, why: str) -> None:
        """Say that it could not be carried out: the review is open again."""
        await self.store.record_failure(decision_id, why)
