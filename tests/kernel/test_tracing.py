"""Traces, taken by a real OTLP receiver."""

import asyncio
import io
import json
import logging as standard
import re
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.collector import Collector, attributes
from vertice.kernel import logging, tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    taken = Collector()
    tracing.configure(endpoint=taken.url, service="vertice-api", version="1.2.3", environment="production")
    yield taken
    tracing.stop()
    taken.close()


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    yield
    tracing.stop()


def service() -> FastAPI:
    app = FastAPI(telemetry=tracing.of_requests())
    inner = APIRouter(prefix="/reviews")

    @inner.get("/{code}")
    async def review(code: str) -> dict[str, str]:
        with tracing.span("load", review=code):
            return {"traceparent": tracing.traceparent()}

    @app.get("/health/live")
    async def live() -> str:
        return "ok"

    app.include_router(inner, prefix="/hitl")
    return app


async def get(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        return await client.get(path, headers=headers)


async def test_one_trace_goes_from_a_caller_through_a_request_and_a_queue_to_a_wargame(collector: Collector):
    answer = await get(service(), "/hitl/reviews/APV-1", traceparent=TRACEPARENT)
    sent = answer.json()["traceparent"]  # what the outbox, or a workflow's arguments, keep
    with tracing.continued(sent), tracing.span("wargame", run="WAR-1"):
        tracing.note(verdict="success")
    spans = collector.spans()
    request, load, wargame = spans["GET /hitl/reviews/{code}"], spans["load"], spans["wargame"]
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert request.kind == Span.SPAN_KIND_SERVER
    assert (request.parent_span_id.hex(), load.parent_span_id) == (PARENT, request.span_id)
    assert wargame.parent_span_id == load.span_id
    assert attributes(request)["http.route"] == "/hitl/reviews/{code}"
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(load) == {"review": "APV-1"}
    assert attributes(wargame) == {"run": "WAR-1", "verdict": "success"}
    assert collector.paths == ["/v1/traces"]
    (resource,) = (resource.resource for resource in collector.requests[0].resource_spans)
    assert attributes(resource).items() >= {
        ("service.name", "vertice-api"),
        ("service.version", "1.2.3"),
        ("deployment.environment.name", "production"),
    }


@pytest.mark.parametrize("wrong", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", "\x00é"])
def test_a_traceparent_that_is_none_begins_a_new_trace(wrong: str, collector: Collector):
    with tracing.continued(wrong), tracing.span("wargame"):
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[13]", tracing.traceparent())
    span = collector.spans()["wargame"]
    assert span.parent_span_id == b""
    assert span.trace_id.hex() != TRACE


async def test_spans_of_tasks_at_the_same_time_do_not_mix(collector: Collector):
    async def work(number: int) -> None:
        with tracing.span(f"outer {number}"):
            await asyncio.sleep(0.01 * (number % 3))
            with tracing.span(f"inner {number}"):
                await asyncio.sleep(0.01)

    await asyncio.gather(*(work(number) for number in range(9)))
    spans = collector.spans()
    for number in range(9):
        assert spans[f"inner {number}"].parent_span_id == spans[f"outer {number}"].span_id


def fails() -> None:
    raise ValueError("password s3nha")


def test_an_error_marks_its_span_by_its_kind_and_goes_on(collector: Collector):
    with pytest.raises(ValueError, match="s3nha"), tracing.span("decide"):
        fails()
    span = collector.spans()["decide"]
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes(span) == {"error.type": "ValueError"}
    assert b"s3nha" not in span.SerializeToString()


async def test_probes_are_not_traced(collector: Collector):
    await get(service(), "/health/live")
    assert collector.spans() == {}


async def test_a_query_is_traced_without_its_secrets(collector: Collector):
    await get(service(), "/hitl/reviews/1?code=s3nha&page=2&access_token=s3nha")
    span = collector.spans()["GET /hitl/reviews/{code}"]
    assert attributes(span)["url.query"] == "code=***&page=2&access_token=***"


def test_log_lines_within_a_span_name_it(collector: Collector):
    stream = io.StringIO()
    root = standard.getLogger()
    handlers, level = root.handlers, root.level
    try:
        logging.configure(environment="production", level="INFO", stream=stream)
        with tracing.span("decide"):
            standard.getLogger("library").warning("inside")
            logging.get_logger("x").info("inside too")
        logging.get_logger("x").info("outside")
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()
    first, second, outside = (json.loads(line) for line in stream.getvalue().splitlines())
    span = collector.spans()["decide"]
    for line in (first, second):
        assert (line["trace_id"], line["span_id"]) == (span.trace_id.hex(), span.span_id.hex())
    assert "trace_id" not in outside


async def test_without_a_collector_nothing_is_traced_and_everything_works():
    answer = await get(service(), "/hitl/reviews/1", traceparent=TRACEPARENT)
    assert answer.json() == {"traceparent": ""}
    with tracing.continued(TRACEPARENT), tracing.span("wargame"):
        tracing.note(verdict="success")
        assert (tracing.traceparent(), tracing.identifiers()) == (TRACEPARENT, {})  # handed on as it came
    assert tracing.traceparent() == ""


@pytest.fixture
def refusing() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def hanging() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refusing", "hanging"])
async def test_a_collector_that_is_away_is_said_once_and_hinders_nothing(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setattr("vertice.kernel.otlp._SECONDS", 0.3)
    endpoint = request.getfixturevalue(kind)
    with structlog.testing.capture_logs() as logs:
        tracing.configure(endpoint=endpoint, service="a", version="1", environment="development")
        app = service()
        for _ in range(10):
            assert (await get(app, "/hitl/reviews/1")).status_code == 200
            await asyncio.sleep(0.1)
        began = time.monotonic()
        await asyncio.to_thread(tracing.stop)
        assert time.monotonic() - began < 10
    assert [line["event"] for line in logs] == ["traces are dropped: the collector does not take them"]
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


async def test_a_collector_that_comes_back_is_said_once(collector: Collector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    collector.status = 400
    with structlog.testing.capture_logs() as logs:
        tracing.configure(endpoint=collector.url, service="a", version="1", environment="development")
        for expected in (1, 2):
            async with asyncio.timeout(10):
                while len(logs) < expected:
                    with tracing.span("x"):
                        await asyncio.sleep(0.05)
            collector.status = 200
        with tracing.span("x"):
            pass
        tracing.stop()
    assert [line["event"] for line in logs] == [
        "traces are dropped: the collector does not take them",
        "traces are taken again",
    ]
