"""Logins in the database: sessions, API tokens, tickets for one login, and who has ever logged in.

store = AuthStore(database)
made = await store.sessions.begin(identity)
principal = await store.sessions.find(made.token)
"""

from collections.abc import Callable
from datetime import UTC, datetime

from vertice.kernel.auth import identities
from vertice.kernel.auth.audit import OnEvent, unheard
from vertice.kernel.auth.model import SCOPES_OF, Identity, Principal, Scope
from vertice.kernel.auth.sessions import Lifetimes, SessionStore
from vertice.kernel.auth.tickets import TicketStore
from vertice.kernel.auth.tokens import TokenStore
from vertice.kernel.database import Database

__all__ = ["AuthStore"]


def _now() -> datetime:
    return datetime.now(UTC)


class AuthStore:
    """The rooms of one database's logins."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = _now,
        lifetimes: Lifetimes | None = None,
        on_event: OnEvent = unheard,
    ) -> None:
        self._database = database
        self._on_event = on_event
        self.clock = clock
        self.sessions = SessionStore(database, clock=clock, lifetimes=lifetimes or Lifetimes(), on_event=on_event)
        self.tokens = TokenStore(database, clock=clock, on_event=on_event)
        self.tickets = TicketStore(database, clock=clock)

    async def known(self, identity: Identity, scopes: frozenset[Scope]) -> Principal:
        """Return the principal of a provider's access token, whose identity is written down when it is new.

        The role is that of this access token; what the last login left in the identity's row stays.
        """
        identity = identities.checked(identity)
        async with self._database.read() as session:
            key = await identities.find(session, identity)
        if key is None:
            async with self._database.write() as session:
                key = await identities.remember(session, identity, self.clock(), renew=False)
        return Principal(
            id=identity.id,
            name=identity.name,
            email=identity.email,
            role=identity.role,
            kind="token",
            scopes=scopes & SCOPES_OF[identity.role],
            identity=key,
        )

    async def refused(self, reason: str, *, client: str) -> None:
        """Say that a login was refused; both are printable and hold no secret."""
        async with self._database.write() as session:
            await self._on_event(session, "login.refused", "", f"{reason} (from {client})")
