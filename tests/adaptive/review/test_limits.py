"""Until when a review is to be decided, through all that may become of it."""

from datetime import UTC, datetime, timedelta

import pytest

from vertice.adaptive.review.limits import limits
from vertice.adaptive.review.model import Action, DecisionKind
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    def __init__(self):
        self.now = NOW
        self.limit = 3 * DAY

    def __call__(self):
        return self.now

    def due_at(self, _severity, since):
        return since + self.limit


@pytest.mark.parametrize(
    ("kind", "action", "due"),
    [
        (None, None, 3 * DAY),
        (DecisionKind.modify, Action.changes_requested, 3 * DAY),
        (DecisionKind.escalate, Action.escalated, 3 * DAY),
        (DecisionKind.reject, Action.pr_closed, 13 * DAY),
    ],
)
async def test_a_new_remedy_starts_the_time_anew_only_where_the_last_one_was_decided(
    database_url, tmp_path, samples, standing, kind, action, due
):
    clock = Clock()
    async with Database.open(database_url) as database:
        store = ReviewStore(database, home=tmp_path / "home", clock=clock, due_at=clock.due_at)
        first = await store.create(samples.a_new_review("run-1"))
        assert first.due_at == NOW + 3 * DAY
        if kind is not None:
            decision = samples.a_decision(kind)
            made = await store.record_decision(first.code, decision, expected_version=1, standing=standing)
            await store.record_outcome(made.id, action)
        clock.now = NOW + 10 * DAY
        assert (await store.create(samples.a_new_review("run-2"))).due_at == NOW + due
        clock.limit = 99 * DAY
        assert (await store.create(samples.a_new_review("run-3"))).due_at == NOW + due
        async with database.read() as session:
            (known,) = await limits(session, "", limit=10)
        assert (known.since, known.due_at) == (NOW + (10 * DAY if kind is DecisionKind.reject else 0 * DAY), NOW + due)
        assert (await store.verify()).ok


async def test_a_limit_is_brought_forward_and_never_put_off(database_url, tmp_path, samples):
    clock = Clock()
    async with Database.open(database_url) as database:
        store = ReviewStore(database, home=tmp_path / "home", clock=clock, due_at=clock.due_at)
        made = await store.create(samples.a_new_review())
        for wanted, due in ((4 * DAY, 3 * DAY), (2 * DAY, 2 * DAY), (2 * DAY, 2 * DAY), (3 * DAY, 2 * DAY)):
            await store.bring_forward(made.code, NOW + wanted)
            assert (await store.get(made.code)).due_at == NOW + due
        assert [one.action for one in await store.audit()] == ["review.created", "review.brought_forward"]
