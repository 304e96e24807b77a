"""What others hear of logins and tokens, in the transaction that makes it so."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from vertice.kernel.database import WriteSession

__all__ = ["OnEvent", "unheard"]

OnEvent: TypeAlias = Callable[[WriteSession, str, str, str], Awaitable[None]]
"""`on_event(session, kind, actor, detail)`, called inside the write transaction of the change, so that an audit entry
stands or falls with it.

Kinds: `login.succeeded`, `login.refused`, `session.ended`, `token.created`, `token.revoked`. `actor` is a
`Principal.id`, or "" when nobody was told apart; `detail` is printable and holds no secret.
"""


async def unheard(_session: WriteSession, _kind: str, _actor: str, _detail: str) -> None:
    """Take an event and do nothing."""
