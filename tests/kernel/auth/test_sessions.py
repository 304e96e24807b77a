"""Sessions: how they begin, are found, and end. On both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from vertice.kernel.auth import identities
from vertice.kernel.auth.cache import CACHE_SECONDS
from vertice.kernel.auth.model import SCOPES_OF, AuthError, Role, Scope
from vertice.kernel.auth.store import AuthStore
from vertice.kernel.auth.tables import IdentityRow, SessionRow


async def test_whoever_logged_in_is_found_by_their_token(store, rita):
    made = await store.sessions.begin(rita)
    assert await store.sessions.find(made.token) == made.principal
    assert made.principal.id == "https://id.example.org|rita"
    assert (made.principal.kind, made.principal.scopes) == ("session", SCOPES_OF[Role.reviewer])


@pytest.mark.parametrize("token", ["", "x", "é", "\udc80", "0" * 43])
async def test_a_token_that_was_never_given_is_nobody(store, rita, token):
    await store.sessions.begin(rita)
    with pytest.raises(AuthError):
        await store.sessions.find(token)


async def test_the_database_does_not_hold_the_token(store, database, rita):
    made = await store.sessions.begin(rita)
    async with database.read() as session:
        row = (await session.scalars(select(SessionRow))).one()
    assert made.token not in {row.token_hash, str(row.identity_id)}
    assert len(row.token_hash) == 64
    with pytest.raises(AuthError):
        await store.sessions.find(row.token_hash)


async def test_every_login_is_a_new_session_of_the_same_person(store, rita):
    one, two = await store.sessions.begin(rita), await store.sessions.begin(rita)
    assert one.token != two.token
    assert one.principal.identity == two.principal.identity


async def test_an_unused_session_ends_after_two_hours(store, clock, rita):
    made = await store.sessions.begin(rita)
    clock.move(minutes=119)
    await store.sessions.find(made.token)
    clock.move(minutes=119)
    await store.sessions.find(made.token)
    clock.move(minutes=121)
    with pytest.raises(AuthError, match="has ended"):
        await store.sessions.find(made.token)


async def test_a_session_in_use_ends_after_twelve_hours(store, clock, rita):
    made = await store.sessions.begin(rita)
    for _ in range(11):
        clock.move(hours=1)
        await store.sessions.find(made.token)
    clock.move(minutes=59, seconds=59)
    await store.sessions.find(made.token)
    clock.move(seconds=2)
    with pytest.raises(AuthError):
        await store.sessions.find(made.token)


async def test_a_session_that_ended_is_gone_at_once_here_and_soon_elsewhere(store, database, clock, rita, ear):
    elsewhere = AuthStore(database, clock=clock)
    made = await store.sessions.begin(rita)
    await store.sessions.find(made.token)
    await elsewhere.sessions.find(made.token)
    await store.sessions.end(made.token)
    with pytest.raises(AuthError):
        await store.sessions.find(made.token)
    assert await elsewhere.sessions.find(made.token) == made.principal, "from memory"
    clock.move(seconds=CACHE_SECONDS)
    with pytest.raises(AuthError):
        await elsewhere.sessions.find(made.token)
    await store.sessions.end(made.token)
    assert [kind for kind, *_ in ear.heard] == ["login.succeeded", "session.ended"]


async def test_a_later_login_changes_the_role_of_earlier_sessions(store, clock, rita):
    made = await store.sessions.begin(rita)
    await store.sessions.begin(replace(rita, name="Rita R.", role=Role.viewer))
    clock.move(seconds=CACHE_SECONDS)
    found = await store.sessions.find(made.token)
    assert (found.name, found.role, found.may(Scope.write)) == ("Rita R.", Role.viewer, False)


async def test_what_a_login_wrote_stays_when_an_access_token_comes_at_the_same_time(store, database, clock, rita):
    made = await store.sessions.begin(rita)
    async with database.write() as session:
        key = await identities.remember(session, replace(rita, role=Role.viewer, name="r"), clock(), renew=False)
    found = await store.sessions.find(made.token)
    assert (key, found.role, found.name) == (made.principal.identity, Role.reviewer, "Rita Reviewer")


async def test_sessions_that_ended_are_cleared_away(store, database, clock, rita):
    await store.sessions.begin(rita)
    clock.move(hours=13)
    await store.sessions.begin(rita)
    async with database.read() as session:
        assert len((await session.scalars(select(SessionRow))).all()) == 1
        assert len((await session.scalars(select(IdentityRow))).all()) == 1


async def test_a_login_that_cannot_be_audited_does_not_happen(database, clock, rita):
    async def full(*_):
        raise OSError("no space")

    store = AuthStore(database, clock=clock, on_event=full)
    with pytest.raises(Exception, match="no space"):
        await store.sessions.begin(rita)
    async with database.read() as session:
        assert (await session.scalars(select(SessionRow))).all() == []
        assert (await session.scalars(select(IdentityRow))).all() == []
