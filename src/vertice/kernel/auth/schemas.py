"""What the routes take and give, as JSON."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from vertice.kernel.auth import csrf
from vertice.kernel.auth.model import ApiToken, Principal, Role, Scope
from vertice.kernel.auth.tokens import MAX_LIFETIME

__all__ = [
    "LoggedOut",
    "LoginMethod",
    "NewToken",
    "OneTimeToken",
    "SessionState",
    "Token",
    "TokenWithSecret",
    "Tokens",
    "Who",
    "token_of",
    "who_of",
]


class Who(BaseModel):
    """Who is logged in."""

    id: str = Field(description="`issuer|subject`; for an API token that of the person who made it.")
    name: str
    email: str
    role: Role
    kind: Literal["session", "token"]
    scopes: list[Scope]


class LoginMethod(BaseModel):
    """A way to log in."""

    kind: Literal["local", "oidc"]
    url: str = Field(description="Where a browser goes to begin.")


class SessionState(BaseModel):
    """Who is logged in, if anybody, and how to."""

    principal: Who | None
    csrf_token: str | None = Field(description=f"For the header {csrf.HEADER} of every change made with the cookie.")
    methods: list[LoginMethod]


class OneTimeToken(BaseModel):
    """The token of a one-time URL."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(max_length=200)


class LoggedOut(BaseModel):
    """What is left to do after a logout."""

    logout_url: str | None = Field(description="Where the session at the provider can be ended too.")


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100, description="What uses it.")
    role: Role = Field(description="At most your own.")
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    days: int = Field(default=90, strict=True, ge=1, le=MAX_LIFETIME.days, description="How many days it is good.")


class Token(BaseModel):
    """An API token."""

    id: UUID = Field(description="What it is revoked by.")
    name: str = Field(description="What uses it.")
    role: Role
    scopes: list[Scope]
    owner: str = Field(description="Id of the login that made it.")
    owner_name: str
    created_at: datetime
    expires_at: datetime | None = Field(description="Null: never.")
    used_at: datetime | None = Field(description="The last time, to the minute; null: never.")
    revoked_at: datetime | None = Field(description="Null: it was not.")


class TokenWithSecret(Token):
    """A new token."""

    secret: str = Field(description="Shown this once.")


class Tokens(BaseModel):
    """The newest tokens, at most 500."""

    items: list[Token]


def who_of(principal: Principal) -> Who:
    """Return the principal as the API shows it."""
    return Who(
        id=principal.id,
        name=principal.name,
        email=principal.email,
        role=principal.role,
        kind=principal.kind,
        scopes=sorted(principal.scopes),
    )


def token_of(token: ApiToken) -> Token:
    """Return the token as the API shows it."""
    return Token(
        id=token.id,
        name=token.name,
        role=token.role,
        scopes=sorted(token.scopes),
        owner=token.owner,
        owner_name=token.owner_name,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
    )
