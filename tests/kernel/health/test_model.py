"""Levels."""

import pytest

from vertice.kernel.errors import InputError
from vertice.kernel.health.model import Component, Level, Limits, Result, judged, overall

HEALTHY, DEGRADED, UNHEALTHY, UNKNOWN = Level.healthy, Level.degraded, Level.unhealthy, Level.unknown


@pytest.mark.parametrize(
    ("critical", "other", "whole"),
    [
        ([], [], HEALTHY),
        ([HEALTHY], [HEALTHY], HEALTHY),
        ([DEGRADED], [HEALTHY], DEGRADED),
        ([HEALTHY], [DEGRADED], DEGRADED),
        ([HEALTHY], [UNHEALTHY], DEGRADED),
        ([HEALTHY], [UNKNOWN], DEGRADED),
        ([UNKNOWN], [HEALTHY], UNKNOWN),
        ([UNHEALTHY], [HEALTHY], UNHEALTHY),
        ([UNKNOWN, UNHEALTHY, DEGRADED], [UNHEALTHY], UNHEALTHY),
    ],
)
def test_the_whole_is_as_bad_as_its_worst_critical_part_and_else_degraded(critical, other, whole):
    parts = [Component(f"c{at}", True, Result(level)) for at, level in enumerate(critical)]
    parts += [Component(f"o{at}", False, Result(level)) for at, level in enumerate(other)]
    assert overall(parts) is whole


def test_a_healthy_part_above_the_threshold_is_degraded():
    limits = Limits(slow_after_ms=10)
    assert judged(Result(HEALTHY, {"latency_ms": 10}), limits).status is HEALTHY
    slow = judged(Result(HEALTHY, {"latency_ms": 10.1, "version": "7"}), limits)
    assert slow.status is DEGRADED
    assert slow.details == {"message": "slow: above 10 ms", "latency_ms": 10.1, "version": "7"}


def test_slowness_makes_nothing_better_than_it_is():
    assert judged(Result(UNHEALTHY, {"latency_ms": 99}), Limits(slow_after_ms=10)).status is UNHEALTHY


@pytest.mark.parametrize("wrong", [{"time_limit_ms": 0}, {"time_limit_ms": 901}, {"slow_after_ms": 0}])
def test_limits_with_which_the_whole_could_not_answer_within_a_second_are_refused(wrong):
    with pytest.raises(InputError):
        Limits(**wrong)
