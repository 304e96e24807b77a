"""Tickets for one login: a one-time URL, or an OIDC login on its way to the provider and back."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, update

from vertice.kernel.auth.model import AuthError
from vertice.kernel.auth.secret import digest, new_secret
from vertice.kernel.auth.tables import LoginTokenRow
from vertice.kernel.database import Database

__all__ = ["TICKET_LIFETIME", "TicketStore"]

TICKET_LIFETIME = timedelta(minutes=10)


class TicketStore:
    """Tickets in the database. Each can be taken once, whoever and however many try."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def issue(self, kind: str, data: Mapping[str, str]) -> str:
        """Return a new ticket, good for `TICKET_LIFETIME`; `data` comes back to whoever takes it."""
        ticket, now = new_secret(), self._clock()
        async with self._database.write() as session:
            await session.execute(delete(LoginTokenRow).where(LoginTokenRow.expires_at <= now))
            session.add(
                LoginTokenRow(
                    token_hash=digest(ticket),
                    kind=kind,
                    data=json.dumps(dict(data)),
                    expires_at=now + TICKET_LIFETIME,
                    used_at=None,
                )
            )
        return ticket

    async def take(self, kind: str, ticket: str) -> dict[str, str]:
        """Use the ticket up and return its data. Raises AuthError when it is unknown, used or too old."""
        now = self._clock()
        taken = (
            update(LoginTokenRow)
            .where(
                LoginTokenRow.token_hash == digest(ticket),
                LoginTokenRow.kind == kind,
                LoginTokenRow.used_at.is_(None),
                LoginTokenRow.expires_at > now,
            )
            .values(used_at=now)
            .returning(LoginTokenRow.data)
        )
        async with self._database.write() as session:
            data = (await session.execute(taken)).scalar_one_or_none()
        if data is None:
            raise AuthError(
                "this login link or step was used already, is too old, or never was",
                where="login",
                todo="Start the login again.",
            )
        found: dict[str, str] = json.loads(data)
        return found
