"""API tokens: what they may do, and when they end. On both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from vertice.kernel.auth.cache import CACHE_SECONDS
from vertice.kernel.auth.model import AuthError, ForbiddenError, Role, Scope
from vertice.kernel.auth.store import AuthStore
from vertice.kernel.auth.tables import ApiTokenRow
from vertice.kernel.auth.tokens import UnknownTokenError
from vertice.kernel.errors import InputError

READ = frozenset({Scope.read})


@pytest.fixture
async def owner(store, rita):
    return (await store.sessions.begin(rita)).principal


async def make(store, by, **changes):
    wanted = {"name": "ci", "role": Role.reviewer, "scopes": READ, "lifetime": timedelta(days=30), **changes}
    return await store.tokens.create(by, **wanted)


async def test_a_token_speaks_for_whoever_made_it_and_no_further_than_its_scopes(store, owner):
    token, secret = await make(store, owner)
    found = await store.tokens.find(secret)
    assert secret.startswith("vrt_")
    assert (found.id, found.email, found.kind) == (owner.id, owner.email, "token")
    assert (found.name, found.token) == ("Rita Reviewer (token ci)", token.id)
    assert (found.role, found.scopes) == (Role.reviewer, READ)


async def test_the_database_does_not_hold_the_secret(store, database, owner):
    token, secret = await make(store, owner)
    async with database.read() as session:
        row = (await session.scalars(select(ApiTokenRow))).one()
    assert secret not in {str(value) for value in vars(row).values()}
    assert (await store.tokens.made_by(None))[0] == token


@pytest.mark.parametrize("secret", ["vrt_", "vrt_x", "vrt_\udc80", "vrt_" + "0" * 43])
async def test_a_token_that_was_never_made_is_nobody(store, owner, secret):
    await make(store, owner)
    with pytest.raises(AuthError):
        await store.tokens.find(secret)


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        (Role.lead, READ),
        (Role.admin, READ),
        (Role.reviewer, frozenset({Scope.admin})),
        (Role.viewer, frozenset({Scope.write})),
    ],
)
async def test_a_token_that_may_more_than_its_maker_is_not_made(store, owner, role, scopes):
    with pytest.raises(ForbiddenError):
        await make(store, owner, role=role, scopes=scopes)
    assert await store.tokens.made_by(None) == ()


async def test_a_token_cannot_make_tokens(store, owner):
    _, secret = await make(store, owner, scopes=frozenset({Scope.read, Scope.write}))
    with pytest.raises(ForbiddenError, match="a token cannot make tokens"):
        await make(store, await store.tokens.find(secret))


async def test_a_token_sinks_with_the_role_of_its_maker(store, clock, rita):
    lead = (await store.sessions.begin(replace(rita, role=Role.lead))).principal
    _, secret = await make(store, lead, role=Role.lead, scopes=frozenset({Scope.read, Scope.decide}))
    await store.sessions.begin(replace(rita, role=Role.viewer))
    found = await store.tokens.find(secret)
    assert (found.role, found.scopes) == (Role.viewer, READ)


async def test_a_token_ends_when_it_was_made_to(store, clock, owner):
    _, secret = await make(store, owner, lifetime=timedelta(hours=1))
    clock.move(minutes=59, seconds=58)
    await store.tokens.find(secret)
    clock.move(seconds=2)
    with pytest.raises(AuthError):
        await store.tokens.find(secret)


async def test_a_revoked_token_is_gone_at_once_here_and_soon_elsewhere(store, database, clock, owner, ear):
    elsewhere = AuthStore(database, clock=clock)
    token, secret = await make(store, owner)
    await store.tokens.find(secret)
    await elsewhere.tokens.find(secret)
    await store.tokens.revoke(token.id, owner)
    with pytest.raises(AuthError):
        await store.tokens.find(secret)
    await elsewhere.tokens.find(secret)
    clock.move(seconds=CACHE_SECONDS)
    with pytest.raises(AuthError):
        await elsewhere.tokens.find(secret)
    await store.tokens.revoke(token.id, owner)
    assert [kind for kind, *_ in ear.heard] == ["login.succeeded", "token.created", "token.revoked"]
    (listed,) = await store.tokens.made_by(owner.identity)
    assert listed.revoked_at is not None


async def test_who_may_revoke_a_token(store, rita, owner):
    stranger = (await store.sessions.begin(replace(rita, subject="eve", role=Role.lead))).principal
    admin = (await store.sessions.begin(replace(rita, subject="ada", role=Role.admin))).principal
    (one, _), (two, secret) = await make(store, owner), await make(store, owner)
    itself = await store.tokens.find(secret)
    with pytest.raises(UnknownTokenError):
        await store.tokens.revoke(one.id, stranger)
    with pytest.raises(UnknownTokenError):
        await store.tokens.revoke(one.id, itself)
    await store.tokens.revoke(two.id, itself)
    await store.tokens.revoke(one.id, admin)
    assert all(token.revoked_at for token in await store.tokens.made_by(None))
    with pytest.raises(UnknownTokenError):
        await store.tokens.revoke(owner.identity, admin)


async def test_the_last_use_is_noted_once_a_minute(store, clock, owner):
    _, secret = await make(store, owner)

    async def used():
        await store.tokens.find(secret)
        return (await store.tokens.made_by(None))[0].used_at

    first = await used()
    assert first is not None
    clock.move(seconds=30)
    assert await used() == first
    clock.move(seconds=31)
    assert await used() > first


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"name": "a\0"},
        {"name": "\ud800"},
        {"scopes": frozenset()},
        {"lifetime": timedelta()},
        {"lifetime": timedelta(days=367)},
    ],
)
async def test_what_cannot_be_a_token_is_refused(store, owner, wrong):
    with pytest.raises(InputError):
        await make(store, owner, **wrong)
    assert await store.tokens.made_by(None) == ()


async def test_a_person_has_at_most_fifty_tokens_that_are_good(store, owner):
    made = [await make(store, owner) for _ in range(50)]
    with pytest.raises(InputError, match="50 tokens already"):
        await make(store, owner)
    await store.tokens.revoke(made[0][0].id, owner)
    await make(store, owner)
