"""One trace and one id from the request that asks for a scan, through the queues, to the attack in another process."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from tests import outside
from tests.adaptive.work.conftest import Crew
from tests.collector import Collector, attributes
from vertice.adaptive.messages.queues import APV_DISPATCH, TOPOLOGY
from vertice.adaptive.projects.model import ScanState
from vertice.adaptive.work.enqueue import Enqueuer
from vertice.kernel import tracing
from vertice.kernel.bus.rabbit import Address, connected
from vertice.kernel.bus.topology import declare
from vertice.kernel.http.request_id import RequestIdMiddleware

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[Collector]:
    taken = Collector()
    tracing.configure(endpoint=taken.url, service="vertice-api", version="1", environment="development")
    yield taken
    tracing.stop()
    taken.close()


def api(crew: Crew, enqueuer: Enqueuer) -> FastAPI:
    """What the API does about a request for a scan, and about a decision."""
    app = FastAPI(telemetry=tracing.of_requests())
    app.add_middleware(RequestIdMiddleware)

    @app.post("/scans/{project}")
    async def ask(project: UUID) -> UUID:
        return (await crew.projects.request_scan(project, by="ana")).id

    @app.post("/decisions/{decision}")
    async def decide(decision: UUID) -> None:
        await enqueuer.enqueue_execution(decision)

    return app


async def test_a_request_for_a_scan_and_all_that_comes_of_it_are_one_trace(
    either_crew: Crew, collector: Collector
) -> None:
    project = await either_crew.project("shop")
    folder = either_crew.folder / "decisions"
    folder.mkdir()
    worker = either_crew.hire(traces=collector.url)
    await either_crew.until(lambda: either_crew.diary.of("started"))
    enqueuer = Enqueuer(either_crew.url, either_crew.folder)
    transport = httpx.ASGITransport(api(either_crew, enqueuer))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        scan = UUID((await client.post(f"/scans/{project.id}")).json())
        assert (await either_crew.ended(scan)).state is ScanState.finished
        decision = uuid4()
        (folder / str(decision)).write_text("go")
        await client.post(f"/decisions/{decision}")
    await either_crew.until((folder / f"{decision}.done").exists)
    await enqueuer.close()
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 60) == 0
    spans = collector.every_span()
    ours = [span for span in spans if span.trace_id.hex() == TRACE]
    names = {span.name for span in ours}
    assert names >= {
        "POST /scans/{project}",
        *("scan", "find", "plan", "build", "attack", "test", "conclude"),
        "POST /decisions/{decision}",
        "execute",
    }
    by_id = {span.span_id: span for span in ours}
    (scanned,) = (span for span in ours if span.name == "scan")
    assert by_id[scanned.parent_span_id].name == "POST /scans/{project}"
    attacks = [span for span in ours if span.name == "attack"]
    assert {by_id[span.parent_span_id].name for span in attacks} == {"scan"}
    assert {(attributes(span)["probe"], attributes(span)["side"]) for span in attacks} == {
        ("P-a", "before"),
        ("P-a", "after"),
    }
    (executed,) = (span for span in ours if span.name == "execute")
    assert by_id[executed.parent_span_id].name == "POST /decisions/{decision}"


async def test_log_lines_messages_and_spans_of_every_process_can_be_joined_with_the_request(
    either_crew: Crew, collector: Collector, rabbitmq_url: str
) -> None:
    """The worker's log and RabbitMQ are read as an operator and a stranger do."""
    project = await either_crew.project("shop")
    folder = either_crew.folder / "decisions"
    folder.mkdir()
    worker = either_crew.hire(traces=collector.url, rabbitmq=rabbitmq_url, logs=True)
    await either_crew.until(lambda: either_crew.diary.of("started"))
    enqueuer = Enqueuer(either_crew.url, either_crew.folder)
    transport = httpx.ASGITransport(api(either_crew, enqueuer))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "request-7"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        scan = UUID((await client.post(f"/scans/{project.id}")).json())
        assert (await either_crew.ended(scan)).state is ScanState.finished
        decision = uuid4()
        (folder / str(decision)).write_text("go")
        await client.post(f"/decisions/{decision}")
    await either_crew.until((folder / f"{decision}.done").exists)
    await enqueuer.close()
    told = await outside.drain(rabbitmq_url, "eureka.remedy.status", 2)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 60) == 0
    assert [json.loads(message.body)["type"].rpartition(".")[2] for message in told] == ["planned", "proposed"]
    assert {message.correlation_id for message in told} == {"request-7"}
    assert {json.loads(message.body)["traceparent"].split("-")[1] for message in told} == {TRACE}
    lines = {line["event"]: line for line in logged(either_crew)}
    for event in ("scan begins", "scan ended", "decision carried out"):
        assert lines[event]["correlation_id"] == "request-7"
    assert "correlation_id" not in lines["worker started"]
    spans = [span for span in collector.every_span() if span.trace_id.hex() == TRACE]
    assert {span.name for span in spans} >= {"POST /scans/{project}", "scan", "attack", "conclude", "execute"}
    assert {attributes(span).get("correlation_id") for span in spans} == {"request-7"}


async def test_what_an_outside_scanner_tells_goes_on_in_the_scanners_own_trace(
    either_crew: Crew, collector: Collector, rabbitmq_url: str
) -> None:
    project = await either_crew.project("shop")
    worker = either_crew.hire(traces=collector.url, rabbitmq=rabbitmq_url, logs=True)
    await either_crew.until(lambda: either_crew.diary.of("started"))
    data = {"v": 1, "advisory": "CVE-2020-14343", "package": "PyYAML", "version": "5.3.1", "scanner": "trivy 0.58"}
    event = {"specversion": "1.0", "id": "1", "source": "/trivy", "type": "dev.vertice.apv.dispatched"}
    event |= {"traceparent": f"00-{TRACE}-{PARENT}-01", "data": {**data, "project": "shop"}}
    address = Address.parse(rabbitmq_url)
    async with connected(address) as broker:
        await declare(broker, TOPOLOGY)
    await outside.send(
        rabbitmq_url,
        APV_DISPATCH.name,
        json.dumps(event).encode(),
        correlation_id="scanner-9",
        content_type="application/cloudevents+json",
    )
    while not (found := await either_crew.scans.list(project_id=project.id)):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    assert (await either_crew.ended(found[0].id)).state is ScanState.finished
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 60) == 0
    spans = [span for span in collector.every_span() if span.trace_id.hex() == TRACE]
    assert {span.name for span in spans} >= {"take", "scan", "attack", "conclude"}
    by_id = {span.span_id: span for span in spans}
    (scanned,) = (span for span in spans if span.name == "scan")
    assert by_id[scanned.parent_span_id].name == "take"
    (ended,) = (line for line in logged(either_crew) if line["event"] == "scan ended")
    assert ended["correlation_id"] == "scanner-9"


def logged(crew: Crew) -> list[dict[str, Any]]:
    """What the workers wrote, line by line."""
    lines = (line for path in crew.folder.glob("worker-*.log") for line in path.read_text().splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


async def test_a_scan_that_nobody_traced_is_a_trace_of_its_own(either_crew: Crew, collector: Collector) -> None:
    project = await either_crew.project("shop")
    scan = await either_crew.projects.request_scan(project.id, by="ana")
    worker = either_crew.hire(traces=collector.url)
    assert (await either_crew.ended(scan.id)).state is ScanState.finished
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 60) == 0
    spans = collector.every_span()
    assert {span.name for span in spans} >= {"scan", "attack", "conclude"}
    assert len({span.trace_id for span in spans}) == 1
