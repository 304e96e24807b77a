"""Sessions of browsers: a random token in a cookie, its sha256 in the database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from vertice.kernel.auth import identities
from vertice.kernel.auth.audit import OnEvent
from vertice.kernel.auth.cache import Recent
from vertice.kernel.auth.model import SCOPES_OF, AuthError, Identity, Principal, Role
from vertice.kernel.auth.secret import digest, new_secret
from vertice.kernel.auth.tables import IdentityRow, SessionRow
from vertice.kernel.database import Database
from vertice.kernel.errors import VerticeError
from vertice.kernel.logging import get_logger

__all__ = ["Lifetimes", "NewSession", "SessionStore"]

_SLIDE = timedelta(minutes=1)
"""A session's end is moved on at most this often."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a session ends: `idle` after its last use, and `absolute` after the login whatever happens."""

    idle: timedelta = timedelta(hours=2)
    absolute: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A login that worked. `token` is for the cookie and is nowhere else."""

    token: str
    principal: Principal
    ends: datetime


class SessionStore:
    """Sessions in the database, the recent ones in memory."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime], lifetimes: Lifetimes, on_event: OnEvent
    ) -> None:
        self._database = database
        self._clock = clock
        self._lifetimes = lifetimes
        self._on_event = on_event
        self._recent = Recent(clock)

    async def begin(self, identity: Identity) -> NewSession:
        """Log the identity in: its row takes the name, e-mail and role of this login."""
        identity = identities.checked(identity)
        token, now = new_secret(), self._clock()
        ends = now + min(self._lifetimes.idle, self._lifetimes.absolute)
        async with self._database.write() as session:
            await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            key = await identities.remember(session, identity, now, renew=True)
            session.add(SessionRow(token_hash=digest(token), identity_id=key, created_at=now, expires_at=ends))
            await self._on_event(session, "login.succeeded", identity.id, f"role {identity.role}")
        principal = Principal(
            id=identity.id,
            name=identity.name,
            email=identity.email,
            role=identity.role,
            kind="session",
            scopes=SCOPES_OF[identity.role],
            identity=key,
        )
        return NewSession(token, principal, ends)

    async def find(self, token: str) -> Principal:
        """Return whose session it is. Raises AuthError when it never was or has ended.

        A session that was ended in another process may still be found here for `CACHE_SECONDS`.
        """
        key = digest(token)
        principal = self._recent.get(key)
        if principal is not None:
            return principal
        mark, now = self._recent.mark, self._clock()
        query = select(SessionRow, IdentityRow).join(IdentityRow, IdentityRow.id == SessionRow.identity_id)
        async with self._database.read() as session:
            found = (await session.execute(query.where(SessionRow.token_hash == key))).one_or_none()
        if found is None or found[0].expires_at <= now:
            raise AuthError("the session has ended", where="session", todo="Log in again.")
        row, person = found
        role = Role(person.role)
        principal = Principal(
            id=f"{person.issuer}|{person.subject}",
            name=person.name,
            email=person.email,
            role=role,
            kind="session",
            scopes=SCOPES_OF[role],
            identity=person.id,
        )
        self._recent.keep(key, principal, ends=row.expires_at, mark=mark)
        ends = min(now + self._lifetimes.idle, row.created_at + self._lifetimes.absolute)
        if ends - row.expires_at >= _SLIDE:
            await self._move_on(key, ends)
        return principal

    async def end(self, token: str) -> None:
        """End the session, at once in this process. One that has ended already stays so."""
        key = digest(token)
        whose = select(IdentityRow).join(SessionRow, SessionRow.identity_id == IdentityRow.id)
        async with self._database.write() as session:
            person = (await session.scalars(whose.where(SessionRow.token_hash == key))).one_or_none()
            if person is not None:
                await session.execute(delete(SessionRow).where(SessionRow.token_hash == key))
                await self._on_event(session, "session.ended", f"{person.issuer}|{person.subject}", "logged out")
        self._recent.forget(key)

    async def _move_on(self, key: str, ends: datetime) -> None:
        try:
            async with self._database.write() as session:
                await session.execute(update(SessionRow).where(SessionRow.token_hash == key).values(expires_at=ends))
        except VerticeError as error:
            # Whoever asks is logged in all the same; the next minute tries again.
            get_logger(__name__).warning("session not prolonged", why=str(error))
