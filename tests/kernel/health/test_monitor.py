"""Looking at the parts: in parallel, within their limits, and not too often."""

import asyncio
from time import perf_counter

import structlog

from tests.kernel.health.parts import Part
from vertice.kernel.health.model import Level, Limits, Result
from vertice.kernel.health.monitor import Health

SHORT = Limits(time_limit_ms=100)


async def test_a_part_that_hangs_is_unhealthy_in_time_even_when_it_does_not_let_itself_be_cancelled():
    hanging = Part("hanging", limits=SHORT)
    hanging.seconds, hanging.stubborn = 3, True
    health = Health([hanging, Part("fine")], version="1")
    started = perf_counter()
    report = await health.report()
    assert perf_counter() - started < 1
    assert [(part.name, part.status) for part in report.components] == [
        ("hanging", Level.unhealthy),
        ("fine", Level.healthy),
    ]
    assert report.components[0].result.details["message"] == "no answer in time"
    await health.close()


async def test_a_part_that_still_hangs_is_not_asked_again():
    hanging = Part("hanging", limits=SHORT)
    hanging.seconds, hanging.stubborn = 0.4, True
    health = Health([hanging], version="1", fresh_seconds=0)
    for _ in range(3):
        assert (await health.report()).status is Level.degraded
    assert hanging.runs == 1
    hanging.seconds = 0
    await asyncio.sleep(0.5)
    assert (await health.report()).status is Level.healthy
    assert hanging.runs == 2
    await health.close()


async def test_many_who_ask_at_once_cause_one_look():
    part = Part("part")
    part.seconds = 0.05
    health = Health([part], version="1", fresh_seconds=60)
    await asyncio.gather(*(health.report() for _ in range(50)))
    await health.report()
    assert part.runs == 1


async def test_a_result_is_used_until_it_is_old():
    part = Part("part")
    health = Health([part], version="1", fresh_seconds=0)
    await health.report()
    await health.report()
    assert part.runs == 2


async def test_whoever_goes_away_does_not_take_the_look_with_them():
    part = Part("part")
    part.seconds = 0.1
    health = Health([part], version="1", fresh_seconds=60)
    gone = asyncio.create_task(health.report())
    await asyncio.sleep(0.02)
    stays = asyncio.create_task(health.report())
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).status is Level.healthy
    assert part.runs == 1


async def test_an_error_is_unhealthy_and_its_text_is_in_the_log_only():
    part = Part("part")
    part.error = RuntimeError("no route to db.internal, user vertice")
    with structlog.testing.capture_logs() as logs:
        report = await Health([part], version="1").report()
    (component,) = report.components
    assert component.status is Level.unhealthy
    assert component.result.details["message"] == "the check failed (RuntimeError)"
    assert "db.internal" not in str(report.to_dict())
    assert "db.internal" in logs[0]["error"]


async def test_each_change_is_logged_once():
    part = Part("part")
    health = Health([part], version="1", fresh_seconds=0)
    with structlog.testing.capture_logs() as logs:
        await health.report()
        part.result = Result(Level.degraded, {"message": "tired"})
        await health.report()
        await health.report()
        part.result = Result(Level.healthy)
        await health.report()
    assert [(line["log_level"], line["now"], line["message"]) for line in logs] == [
        ("warning", "degraded", "tired"),
        ("info", "healthy", ""),
    ]


async def test_a_part_without_a_latency_of_its_own_gets_the_time_it_took():
    report = await Health([Part("part")], version="1").report()
    assert report.components[0].result.details["latency_ms"] >= 0
