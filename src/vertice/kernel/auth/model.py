"""Who somebody is and what they may do. Plain data and plain decisions, without I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from vertice.kernel.errors import InputError

__all__ = [
    "LOCAL_ISSUER",
    "MAX_ID",
    "SCOPES_OF",
    "ApiToken",
    "AuthError",
    "ForbiddenError",
    "Identity",
    "Principal",
    "Role",
    "Scope",
    "require",
]

LOCAL_ISSUER = "local"
"""Issuer of the identities that no provider vouches for. A provider's is a URL, so the two never meet."""

MAX_ID = 200
"""Characters of the longest `Principal.id`: what the columns that keep one hold."""


class AuthError(InputError):
    """Nobody can be told from what was sent: no login, a wrong one, or one that has ended."""

    code = "not-logged-in"
    http_status = 401


class ForbiddenError(InputError):
    """It is known who asks, and they may not."""

    code = "forbidden"
    http_status = 403


class Role(StrEnum):
    """What a person is to the team; each covers those before it."""

    viewer = "viewer"
    """Looks."""
    reviewer = "reviewer"
    """Decides what the policy leaves to reviewers, registers projects, starts scans."""
    lead = "lead"
    """Decides what the policy keeps for leads."""
    admin = "admin"
    """Manages tokens of others, queues and settings."""

    def covers(self, other: "Role") -> bool:
        """Say whether who has this role may do all that `other` may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """What a machine's token is for. None contains another: a token that reads and writes has both."""

    read = "read"
    """Look at whatever the role may look at."""
    write = "write"
    """Register and edit projects, start scans, claim, assign, comment."""
    decide = "decide"
    """Decide on reviews."""
    admin = "admin"
    """Everybody's tokens, dead letters, settings."""


SCOPES_OF = MappingProxyType(
    {
        Role.viewer: frozenset({Scope.read}),
        Role.reviewer: frozenset({Scope.read, Scope.write, Scope.decide}),
        Role.lead: frozenset({Scope.read, Scope.write, Scope.decide}),
        Role.admin: frozenset(Scope),
    }
)
"""What a role may do at most."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or machine as a login describes it."""

    issuer: str
    subject: str
    name: str
    email: str
    role: Role

    @property
    def id(self) -> str:
        """The stable name, `issuer|subject`."""
        return f"{self.issuer}|{self.subject}"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever makes a request."""

    id: str
    """`issuer|subject`. For an API token that of the person who made it: two tokens are not two people."""
    name: str
    email: str
    role: Role
    kind: Literal["session", "token"]
    scopes: frozenset[Scope]
    identity: UUID
    """Key of the `identities` row."""
    token: UUID | None = None
    """Key of the API token, None for a session or a provider's access token."""

    def may(self, scope: Scope) -> bool:
        """Say whether `scope` is among what this login is for."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A machine's token, without its secret."""

    id: UUID
    name: str
    role: Role
    scopes: frozenset[Scope]
    owner: str
    """`Principal.id` of who made it."""
    owner_name: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    """Last use, to the minute."""
    revoked_at: datetime | None


def require(principal: Principal, *, role: Role | None = None, scope: Scope | None = None) -> None:
    """Raise ForbiddenError, saying what is lacking, unless the principal has the role and the scope."""
    if role is not None and not principal.role.covers(role):
        raise ForbiddenError(
            f"this takes the role {role}, you have {principal.role}",
            where=principal.name,
            todo="Ask somebody who has it, or an admin to give it to you.",
        )
    if scope is not None and not principal.may(scope):
        if principal.kind == "session":
            raise ForbiddenError(
                f"the role {principal.role} does not allow {scope}",
                where=principal.name,
                todo="Ask an admin for a role that does.",
            )
        raise ForbiddenError(
            f"the token lacks the scope {scope}", where=principal.name, todo="Make a token that has it."
        )
