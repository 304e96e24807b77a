"""The login of the embedded default: a URL that is good once, printed where the server was started."""

from urllib.parse import quote

from vertice.kernel.auth.model import LOCAL_ISSUER, Identity, Role
from vertice.kernel.auth.tickets import TicketStore

__all__ = ["LocalLogin"]

_KIND = "local"


class LocalLogin:
    """Whoever can read what the server prints is its admin."""

    def __init__(self, tickets: TicketStore, *, name: str, email: str) -> None:
        self._tickets = tickets
        self._name = name
        self._email = email

    async def one_time_url(self, base_url: str, *, prefix: str) -> str:
        """Return a URL of the server at `base_url` that logs in whoever opens it first, for ten minutes."""
        ticket = await self._tickets.issue(_KIND, {"name": self._name, "email": self._email})
        return f"{base_url.rstrip('/')}{prefix}/login?token={quote(ticket)}"

    async def finish(self, ticket: str) -> Identity:
        """Use the ticket up and return the local admin. Raises AuthError when it is not good."""
        said = await self._tickets.take(
            _KIND, ticket, name="this login link", todo="`vertice login` prints a new one, where the server runs."
        )
        return Identity(LOCAL_ISSUER, Role.admin.value, said["name"] or "Local admin", said["email"], Role.admin)
