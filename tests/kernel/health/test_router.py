"""The health endpoints."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.kernel.health.parts import Part, Service
from vertice.kernel.health.model import Level, Result

BAD = Result(Level.unhealthy, {"message": "gone", "latency_ms": 1.0})


async def test_everything_is_told_in_the_contracts_form(service: Callable[..., Service]):
    redis = Part("redis")
    redis.result = Result(Level.healthy, {"latency_ms": 2.1, "redis_version": "7.2.0", "uptime_seconds": 86400})
    answer = await service(redis).get("/health")
    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert list(body) == ["status", "version", "timestamp", "components"]
    assert (body["status"], body["version"]) == ("healthy", "1.2.3")
    assert body["timestamp"].endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])) < timedelta(minutes=1)
    assert body["components"] == {
        "redis": {
            "status": "healthy",
            "details": {"latency_ms": 2.1, "redis_version": "7.2.0", "uptime_seconds": 86400},
        }
    }


@pytest.mark.parametrize("critical", [True, False])
async def test_503_when_something_critical_is_unhealthy_and_200_when_anything_else_is(
    critical: bool, service: Callable[..., Service]
):
    part = Part("part", critical=critical)
    part.result = BAD
    client = service(part)
    for path in ("/health", "/hitl/health", "/health/components"):
        answer = await client.get(path)
        assert answer.status_code == (503 if critical else 200)
        assert answer.json()["components"]["part"]["status"] == "unhealthy"
    assert (await client.get("/health")).json()["status"] == ("unhealthy" if critical else "degraded")


async def test_liveness_touches_nothing_it_depends_on(service: Callable[..., Service]):
    part = Part("part", critical=True)
    part.result = BAD
    client = service(part)
    client.readiness.draining()
    for path in ("/health/live", "/hitl/health/live"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "healthy")
    assert part.runs == 0


async def test_ready_looks_at_what_is_critical_alone(service: Callable[..., Service]):
    critical, other = Part("critical", critical=True), Part("other")
    other.result = BAD
    client = service(critical, other)
    for path in ("/health/ready", "/hitl/health/ready"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
        assert list(answer.json()["components"]) == ["critical"]
    critical.result = BAD
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"], answer.json()["reason"]) == (503, False, "critical")
    assert other.runs == 0


async def test_not_ready_while_starting_and_from_the_moment_it_drains(service: Callable[..., Service]):
    client = service(Part("part", critical=True))
    client.readiness.draining()
    client.readiness.started()
    answer = await client.get("/hitl/health/ready")
    assert (answer.status_code, answer.json()["ready"], answer.json()["reason"]) == (503, False, "draining")
    client.readiness.__init__()  # as a process that has just begun
    assert (await client.get("/health/ready")).json()["reason"] == "starting"
    client.readiness.started()
    assert (await client.get("/health/ready")).status_code == 200


async def test_one_component(service: Callable[..., Service]):
    fine, bad = Part("fine"), Part("bad")
    bad.result = BAD
    client = service(fine, bad)
    assert (await client.get("/health/components/fine")).json()["status"] == "healthy"
    assert bad.runs == 0
    answer = await client.get("/health/components/bad")
    assert (answer.status_code, answer.json()) == (503, {"status": "unhealthy", "details": dict(BAD.details)})


async def test_a_component_that_does_not_exist_is_a_404_problem(service: Callable[..., Service]):
    answer = await service(Part("fine")).get("/health/components/%1b%5b2J")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "\x1b" not in answer.text
