"""Tickets are good once, for ten minutes. On both databases."""

import asyncio

import pytest
from sqlalchemy import select

from vertice.kernel.auth.model import AuthError, Role
from vertice.kernel.auth.tables import LoginTokenRow

WORDS = {"name": "this link", "todo": "Get another one."}


async def test_of_many_who_take_a_ticket_at_the_same_time_one_gets_it(store):
    ticket = await store.tickets.issue("local", {"name": "Ada"})
    taken = await asyncio.gather(
        *(store.tickets.take("local", ticket, **WORDS) for _ in range(20)), return_exceptions=True
    )
    assert [one for one in taken if isinstance(one, dict)] == [{"name": "Ada"}]
    assert [type(one) for one in taken if not isinstance(one, dict)] == [AuthError] * 19


async def test_a_ticket_is_good_for_ten_minutes(store, clock):
    early, late = await store.tickets.issue("local", {}), await store.tickets.issue("local", {})
    clock.move(minutes=9, seconds=59)
    await store.tickets.take("local", early, **WORDS)
    clock.move(seconds=2)
    with pytest.raises(AuthError, match="too old"):
        await store.tickets.take("local", late, **WORDS)


async def test_why_a_ticket_is_not_taken_is_said(store, clock):
    used, old, other = [await store.tickets.issue(kind, {}) for kind in ("local", "local", "oidc")]
    await store.tickets.take("local", used, **WORDS)
    clock.move(minutes=10)
    for ticket, why in (
        (used, "was used already"),
        (old, "is too old: it is good for 10 minutes"),
        (other, "is not known here: it is not complete, or long out of date"),
        ("", "is not known here: it is not complete, or long out of date"),
    ):
        with pytest.raises(AuthError) as refused:
            await store.tickets.take("local", ticket, **WORDS)
        assert (refused.value.what, refused.value.todo) == (f"this link {why}", "Get another one.")


async def test_a_ticket_is_good_for_what_it_was_issued_for(store):
    ticket = await store.tickets.issue("oidc", {})
    for kind, shown in (("local", ticket), ("oidc", ticket + "x"), ("oidc", "")):
        with pytest.raises(AuthError):
            await store.tickets.take(kind, shown, **WORDS)
    assert await store.tickets.take("oidc", ticket, **WORDS) == {}


async def test_old_tickets_are_cleared_away_and_none_is_kept_in_the_clear(store, database, clock):
    await store.tickets.issue("local", {})
    clock.move(minutes=11)
    ticket = await store.tickets.issue("local", {})
    async with database.read() as session:
        (row,) = (await session.scalars(select(LoginTokenRow))).all()
    assert ticket not in (row.token_hash, row.data)


async def test_whoever_holds_the_one_time_url_is_the_local_admin(service):
    identity = await service.local.finish(await service.ticket())
    assert (identity.id, identity.name, identity.email) == ("local|admin", "Ada", "ada@example.org")
    assert identity.role is Role.admin
