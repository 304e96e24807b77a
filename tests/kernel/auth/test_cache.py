"""What is remembered of logins for a few seconds, and what is not."""

from datetime import timedelta
from uuid import uuid4

import pytest

from vertice.kernel.auth.cache import CACHE_SECONDS, Recent
from vertice.kernel.auth.model import Principal, Role

SOMEBODY = Principal("local|x", "Ada", "", Role.viewer, "token", frozenset(), uuid4())


@pytest.fixture
def recent(clock):
    return Recent(clock)


def test_somebody_is_remembered_for_a_few_seconds(recent, clock):
    recent.keep("a", SOMEBODY, ends=None, mark=recent.mark)
    clock.move(seconds=CACHE_SECONDS - 1)
    assert recent.get("a") == SOMEBODY
    clock.move(seconds=1)
    assert recent.get("a") is None


def test_nobody_is_remembered_longer_than_their_login_lasts(recent, clock):
    recent.keep("a", SOMEBODY, ends=clock() + timedelta(seconds=2), mark=recent.mark)
    clock.move(seconds=2)
    assert recent.get("a") is None


def test_what_was_read_before_somebody_was_forgotten_is_not_remembered_after_it(recent):
    mark = recent.mark
    recent.forget("a")
    recent.keep("a", SOMEBODY, ends=None, mark=mark)
    assert recent.get("a") is None


def test_the_memory_is_bounded_and_the_oldest_goes(recent):
    for number in range(10_001):
        recent.keep(str(number), SOMEBODY, ends=None, mark=recent.mark)
    assert recent.get("0") is None
    assert recent.get("1") == recent.get("10000") == SOMEBODY
