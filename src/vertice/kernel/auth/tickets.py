"""Tickets for one login: a one-time URL, or an OIDC login on its way to the provider and back."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

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

    async def take(self, kind: str, ticket: str, *, name: str, todo: str) -> dict[str, str]:
        """Use the ticket up and return its data.

        Raises AuthError when it is unknown, used or too old; `name` is what people call it (`this login link`), and
        `todo` what they do then.
        """
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
                raise AuthError(f"{name} {await _fault(session, kind, ticket)}", where="login", todo=todo)
        found: dict[str, str] = json.loads(data)
        return found


async def _fault(session: AsyncSession, kind: str, ticket: str) -> str:
    """Say why a ticket could not be taken. Only who holds it can ask, so that nothing is told to who guesses."""
    wanted = select(LoginTokenRow.used_at).where(LoginTokenRow.token_hash == digest(ticket), LoginTokenRow.kind == kind)
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        return "is not known here: it is not complete, or long out of date"
    if found.used_at is not None:
        return "was used already"
    return f"is too old: it is good for {TICKET_LIFETIME.seconds // 60} minutes"
