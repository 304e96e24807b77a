"""Who may call a route, and how often: for the annotations of its parameters."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from vertice.kernel.auth.authenticator import authenticator
from vertice.kernel.auth.model import Principal, Role, Scope, require
from vertice.kernel.http.rate import RateLimiter, client_subject

__all__ = ["Administering", "Deciding", "Leading", "Reading", "Writing", "count_logins"]


def _allowed(rate: str, scope: Scope, role: Role | None = None) -> Callable[[HTTPConnection], Awaitable[Principal]]:
    async def principal(connection: HTTPConnection) -> Principal:
        found = await authenticator(connection).principal(connection)
        require(found, role=role, scope=scope)
        await _limiter(connection).take(rate, f"identity:{found.id}")
        return found

    return principal


Reading = Annotated[Principal, Depends(_allowed("identity", Scope.read))]
Writing = Annotated[Principal, Depends(_allowed("identity", Scope.write, Role.reviewer))]
Leading = Annotated[Principal, Depends(_allowed("identity", Scope.write, Role.lead))]
Administering = Annotated[Principal, Depends(_allowed("identity", Scope.admin, Role.admin))]
Deciding = Annotated[Principal, Depends(_allowed("decisions", Scope.decide, Role.reviewer))]


async def count_logins(connection: HTTPConnection) -> None:
    """Count a request that may log somebody in, by its address: whoever guesses does not get far."""
    if connection.scope.get("method") == "POST" or connection.url.path.endswith("/callback"):
        await _limiter(connection).take("login", client_subject(connection.scope))


def _limiter(connection: HTTPConnection) -> RateLimiter:
    found: RateLimiter = connection.app.state.limiter
    return found
