"""API tokens for machines: shown once, kept as their sha256, revocable."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select, update

from vertice.kernel.auth.audit import OnEvent
from vertice.kernel.auth.cache import Recent
from vertice.kernel.auth.model import SCOPES_OF, ApiToken, AuthError, ForbiddenError, Principal, Role, Scope
from vertice.kernel.auth.secret import digest, new_secret
from vertice.kernel.auth.tables import ApiTokenRow, IdentityRow
from vertice.kernel.database import Database, WriteSession
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["MAX_LIFETIME", "PREFIX", "TokenStore", "UnknownTokenError"]

PREFIX: Final = "vrt_"
"""How every token begins, so that a leaked one is found by searching."""

MAX_LIFETIME: Final = timedelta(days=366)

_USE_NOTED = timedelta(minutes=1)
_PER_PERSON = 50
_LISTED = 500


class UnknownTokenError(InputError):
    """There is no such token, or it is somebody else's."""

    code: ClassVar = "unknown-token"
    http_status: ClassVar = 404


class TokenStore:
    """API tokens in the database, the recently used ones in memory."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime], on_event: OnEvent) -> None:
        self._database = database
        self._clock = clock
        self._on_event = on_event
        self._recent = Recent(clock)

    async def create(
        self, by: Principal, *, name: str, role: Role, scopes: Collection[Scope], lifetime: timedelta
    ) -> tuple[ApiToken, str]:
        """Make a token and return it with its secret, which is nowhere else.

        Raises ForbiddenError when it could do what its maker may not, InputError for a name, lifetime or number of
        tokens that cannot be.
        """
        name = name.strip()
        _check_words(name, scopes, lifetime)
        _check_grant(by, role, frozenset(scopes))
        secret, now = PREFIX + new_secret(), self._clock()
        row = ApiTokenRow(
            id=uuid4(),
            name=name,
            token_hash=digest(secret),
            role=role.value,
            scopes=" ".join(sorted(scopes)),
            created_by=by.identity,
            created_at=now,
            expires_at=now + lifetime,
            used_at=None,
            revoked_at=None,
        )
        async with self._database.write() as session:
            await self._check_number(session, by)
            owner = await session.get_one(IdentityRow, by.identity)
            session.add(row)
            await self._on_event(
                session, "token.created", by.id, f"{row.id} {printable(name)}: role {role}, scopes {row.scopes}"
            )
        return _to_token(row, owner), secret

    async def find(self, secret: str) -> Principal:
        """Return who uses the token. Raises AuthError when it is unknown, revoked or too old.

        Its role is never more than its maker's now. One that was revoked in another process may still be found here
        for `CACHE_SECONDS`. That it was used is written down once a minute.
        """
        key = digest(secret)
        principal = self._recent.get(key)
        if principal is not None:
            return principal
        mark, now = self._recent.mark, self._clock()
        query = select(ApiTokenRow, IdentityRow).join(IdentityRow, IdentityRow.id == ApiTokenRow.created_by)
        async with self._database.read() as session:
            found = (await session.execute(query.where(ApiTokenRow.token_hash == key))).one_or_none()
        if found is None or found[0].revoked_at is not None or _past(found[0].expires_at, now):
            raise AuthError("the API token is unknown, revoked or too old", where="Authorization", todo="Use another.")
        row, owner = found
        principal = _to_principal(row, owner)
        self._recent.keep(key, principal, ends=row.expires_at, mark=mark)
        if row.used_at is None or now - row.used_at >= _USE_NOTED:
            await self._note_use(row.id, now)
        return principal

    async def made_by(self, owner: UUID | None) -> tuple[ApiToken, ...]:
        """Return the newest tokens that `owner` (everybody when None) made, revoked ones too, at most 500."""
        query = select(ApiTokenRow, IdentityRow).join(IdentityRow, IdentityRow.id == ApiTokenRow.created_by)
        if owner is not None:
            query = query.where(ApiTokenRow.created_by == owner)
        query = query.order_by(ApiTokenRow.created_at.desc(), ApiTokenRow.id).limit(_LISTED)
        async with self._database.read() as session:
            return tuple(_to_token(row, person) for row, person in await session.execute(query))

    async def revoke(self, token: UUID, by: Principal) -> None:
        """End the token for good, at once in this process. Revoking it again changes nothing.

        A person may revoke what they made, a token itself, and who has the scope `admin` all. Raises UnknownTokenError
        when there is no such token or it is not theirs.
        """
        async with self._database.write() as session:
            row = await session.get(ApiTokenRow, token)
            if row is None or not _may_revoke(row, by):
                raise UnknownTokenError("there is no such token", where=str(token), todo="List yours.")
            if row.revoked_at is None:
                row.revoked_at = self._clock()
                await self._on_event(session, "token.revoked", by.id, f"{row.id} {printable(row.name)}")
            key = row.token_hash
        self._recent.forget(key)

    async def _check_number(self, session: WriteSession, by: Principal) -> None:
        good = or_(ApiTokenRow.expires_at.is_(None), ApiTokenRow.expires_at > self._clock())
        query = select(func.count()).where(ApiTokenRow.created_by == by.identity, ApiTokenRow.revoked_at.is_(None))
        if (await session.execute(query.where(good))).scalar_one() >= _PER_PERSON:
            raise InputError(
                f"you have {_PER_PERSON} tokens already", where="tokens", todo="Revoke those that nobody uses."
            )

    async def _note_use(self, token: UUID, now: datetime) -> None:
        stale = or_(ApiTokenRow.used_at.is_(None), ApiTokenRow.used_at <= now - _USE_NOTED)
        try:
            async with self._database.write() as session:
                await session.execute(update(ApiTokenRow).where(ApiTokenRow.id == token, stale).values(used_at=now))
        except VerticeError as error:
            # The token is good all the same; the next minute tries again.
            get_logger(__name__).warning("use of a token not noted", why=str(error))


def _check_words(name: str, scopes: Collection[Scope], lifetime: timedelta) -> None:
    if not name or len(name) > 100 or printable(name) != name:
        raise InputError("a token's name has 1 to 100 printable characters", where="name", todo="Say what uses it.")
    if not scopes:
        raise InputError("a token without scopes can do nothing", where="scopes", todo="Name at least one.")
    if not timedelta() < lifetime <= MAX_LIFETIME:
        raise InputError(
            f"a token lives at most {MAX_LIFETIME.days} days", where="lifetime", todo="Name a shorter time."
        )


def _check_grant(by: Principal, role: Role, scopes: frozenset[Scope]) -> None:
    if by.kind != "session":
        raise ForbiddenError("a token cannot make tokens", where=by.name, todo="Log in and make it as a person.")
    if not by.role.covers(role):
        raise ForbiddenError(
            f"a token of the role {role} is more than your own role {by.role}", where=by.name, todo="Choose a lesser."
        )
    beyond = scopes - (SCOPES_OF[role] & by.scopes)
    if beyond:
        raise ForbiddenError(
            f"the role {role} does not allow {', '.join(sorted(beyond))}", where=by.name, todo="Leave it out."
        )


def _may_revoke(row: ApiTokenRow, by: Principal) -> bool:
    if by.may(Scope.admin):
        return True
    return row.id == by.token if by.kind == "token" else row.created_by == by.identity


def _past(ends: datetime | None, now: datetime) -> bool:
    return ends is not None and ends <= now


def _to_principal(row: ApiTokenRow, owner: IdentityRow) -> Principal:
    role, given = Role(owner.role), Role(row.role)
    role = given if role.covers(given) else role
    return Principal(
        id=f"{owner.issuer}|{owner.subject}",
        name=f"{owner.name} (token {row.name})"[:100],
        email=owner.email,
        role=role,
        kind="token",
        scopes=frozenset(Scope(word) for word in row.scopes.split()) & SCOPES_OF[role],
        identity=owner.id,
        token=row.id,
    )


def _to_token(row: ApiTokenRow, owner: IdentityRow) -> ApiToken:
    return ApiToken(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        scopes=frozenset(Scope(word) for word in row.scopes.split()),
        owner=f"{owner.issuer}|{owner.subject}",
        owner_name=owner.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
