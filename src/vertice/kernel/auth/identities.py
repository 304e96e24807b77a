"""The rows of everybody who ever logged in."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from vertice.kernel.auth.model import MAX_ID, AuthError, Identity, Role
from vertice.kernel.auth.tables import IdentityRow
from vertice.kernel.codec import DESCRIBED
from vertice.kernel.database import ReadSession, WriteSession
from vertice.kernel.http.pages import Key, PageRequest, Sort
from vertice.kernel.text import printable

__all__ = ["Person", "checked", "find", "name_of", "people", "remember"]

_BY_NAME = Sort("name", (Key(IdentityRow.name), Key(IdentityRow.id)))
_NAME = 100
_EMAIL = 150


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has logged in."""

    __pydantic_config__: ClassVar = DESCRIBED

    id: str
    """As the provider knows them, with its name before it: `Principal.id`."""
    name: str
    role: Role
    """As of the last login."""
    seen_at: datetime
    """Of the last login."""


def checked(identity: Identity) -> Identity:
    """Return the identity as it can be kept: name and e-mail without control characters and not too long.

    Raises AuthError when the issuer or subject cannot be kept whole: they say who it is, so they are never cut.
    """
    if printable(identity.id, limit=MAX_ID) != identity.id or not identity.subject:
        raise AuthError(
            f"the name by which the provider knows you cannot be kept ({len(identity.id)} characters)",
            where=printable(identity.id, limit=60),
            todo=f"Let the provider send a `sub` of printable characters, with the issuer at most {MAX_ID - 1}.",
        )
    # Cut after escaping, which makes text longer.
    name = (printable(identity.name.strip()) or identity.subject)[:_NAME]
    email = printable(identity.email.strip())
    return Identity(identity.issuer, identity.subject, name, email if len(email) <= _EMAIL else "", identity.role)


async def find(session: ReadSession | WriteSession, identity: Identity) -> UUID | None:
    """Return the key of the identity's row, None when it never logged in."""
    query = select(IdentityRow.id).where(IdentityRow.issuer == identity.issuer, IdentityRow.subject == identity.subject)
    return (await session.scalars(query)).one_or_none()


async def name_of(session: ReadSession, id_: str) -> str | None:
    """Return the name of who logs in as `Principal.id`, None when nobody ever did."""
    query = select(IdentityRow.name).where(IdentityRow.issuer + "|" + IdentityRow.subject == id_)
    return (await session.scalars(query)).one_or_none()


async def people(session: ReadSession, which: PageRequest) -> tuple[tuple[Person, ...], str | None]:
    """Return one page of everybody who ever logged in, by name, and the cursor of the next."""
    rows, cursor = _BY_NAME.cut((await session.scalars(_BY_NAME.page(select(IdentityRow), which))).all(), which)
    found = (Person(f"{row.issuer}|{row.subject}", row.name, Role(row.role), row.seen_at) for row in rows)
    return tuple(found), cursor


async def remember(session: WriteSession, identity: Identity, at: datetime, *, renew: bool) -> UUID:
    """Write the row of a checked identity and return its key.

    With `renew` a known one takes the name, e-mail and role of this login; else it stays as its last login left it.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    said = {"name": identity.name, "email": identity.email, "role": identity.role.value, "seen_at": at}
    new = dialect.insert(IdentityRow).values(
        id=uuid4(), issuer=identity.issuer, subject=identity.subject, created_at=at, **said
    )
    written = new.on_conflict_do_update(
        index_elements=[IdentityRow.issuer, IdentityRow.subject], set_=said if renew else {"seen_at": at}
    )
    key: UUID = (await session.execute(written.returning(IdentityRow.id))).scalar_one()
    return key
