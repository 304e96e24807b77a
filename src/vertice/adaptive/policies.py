"""Which policy holds for a review: the service's, made stricter by what the project's own vertice.toml says."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.config import CONFIG_NAME, load_config, load_policy
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.review.policy import ALONE, TEAM, UNRESTRICTED, Policy, due_at, stricter
from vertice.kernel.codec import from_json
from vertice.kernel.settings import ServiceSettings

__all__ = ["Placed", "Policies"]


class Placed(Protocol):
    """A review, or as much of it as says where it belongs."""

    @property
    def project_id(self) -> UUID | None:
        """Of the registered project."""
        ...

    @property
    def project_root(self) -> Path:
        """Its folder."""
        ...


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one service."""

    service: Policy
    scans: ScanStore

    @classmethod
    def of(cls, settings: ServiceSettings, scans: ScanStore) -> "Policies":
        """Read the service's own policy; where only the local admin can log in, one person's approval is enough.

        Raises InputError naming the key when the file is malformed.
        """
        base = TEAM if settings.oidc_issuer else ALONE
        return cls(load_policy(settings.vertice_home, settings.vertice_config, base=base), scans)

    async def __call__(self, review: Placed) -> Policy:
        """Return the policy of a review: of its project as the newest scan saw it, or as its folder says now."""
        if review.project_id is not None:
            said = await self.scans.policy(review.project_id)
            return stricter(self.service, from_json(Policy, said)) if said else self.service
        return self._with_folder(review.project_root)

    def due_at(self, severity: Severity, created_at: datetime) -> datetime | None:
        """Return until when the service's policy wants a review decided. The duties bring in the project's own."""
        return due_at(self.service, severity, created_at)

    def _with_folder(self, root: Path) -> Policy:
        if not (root / CONFIG_NAME).is_file():
            return self.service
        return stricter(self.service, load_config(root, base=UNRESTRICTED).policy)
