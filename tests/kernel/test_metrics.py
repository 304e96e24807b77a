"""Metrics: names, routes, and several processes that answer for one service."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi import FastAPI
from httpx import AsyncClient
from httpx_ws import HTTPXWSException, aconnect_ws
from prometheus_client.parser import text_string_to_metric_families

from tests.kernel.metered import service
from tests.server import free_port
from vertice.kernel.metrics import shared_folder


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://service")


async def scraped(app: FastAPI) -> dict[str, float]:
    async with client_of(app) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


def samples(text: str) -> dict[str, float]:
    list(text_string_to_metric_families(text))  # a stranger's parser can read it
    pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


async def test_every_name_type_and_label_is_the_contracts():
    app, figures = service()
    figures.decided("approve", "high", seconds=0.1)
    figures.connected()
    figures.sent("review:APV-20260101-001", "wargame_progress", messages=3)
    figures.sent("reviews", "new_review")
    async with client_of(app) as client:
        await client.get("/hitl/reviews/APV-1")
        text = (await client.get("/metrics")).text
    ours = [line for line in text.splitlines() if "hitl_" in line]
    assert {line for line in ours if line.startswith("# TYPE")} == {
        "# TYPE hitl_http_requests_total counter",
        "# TYPE hitl_decisions_total counter",
        "# TYPE hitl_websocket_connections_total counter",
        "# TYPE hitl_websocket_messages_sent counter",
        "# TYPE hitl_active_apv_reviews gauge",
        "# TYPE hitl_websocket_connections_active gauge",
        "# TYPE hitl_http_request_duration_seconds histogram",
        "# TYPE hitl_decision_processing_duration_seconds histogram",
    }
    bare = {re.sub(r'le="[^"]+"', "le", line.rpartition(" ")[0]) for line in ours if not line.startswith("#")}
    assert bare == {
        'hitl_http_requests_total{endpoint="/hitl/reviews/{code}",method="GET",status="200"}',
        'hitl_decisions_total{decision_type="approve",severity="high"}',
        "hitl_websocket_connections_total",
        'hitl_websocket_messages_sent{channel="review",message_type="wargame_progress"}',
        'hitl_websocket_messages_sent{channel="reviews",message_type="new_review"}',
        "hitl_active_apv_reviews",
        "hitl_websocket_connections_active",
        'hitl_http_request_duration_seconds_bucket{endpoint="/hitl/reviews/{code}",le,method="GET"}',
        'hitl_http_request_duration_seconds_sum{endpoint="/hitl/reviews/{code}",method="GET"}',
        'hitl_http_request_duration_seconds_count{endpoint="/hitl/reviews/{code}",method="GET"}',
        "hitl_decision_processing_duration_seconds_bucket{le}",
        "hitl_decision_processing_duration_seconds_sum",
        "hitl_decision_processing_duration_seconds_count",
    }
    assert samples(text)['hitl_websocket_messages_sent{channel="review",message_type="wargame_progress"}'] == 3


async def test_the_process_itself_is_measured_too():
    app, _ = service()
    found = await scraped(app)
    assert found["process_resident_memory_bytes"] > 1e6
    assert any(name.startswith("python_info{") for name in found)


async def test_requests_are_counted_by_route_never_by_path_or_invented_method():
    app, _ = service()
    with structlog.testing.capture_logs():
        async with client_of(app) as client:
            for number in range(5):
                await client.get(f"/hitl/reviews/APV-{number}?q={number}")
                await client.get(f"/none/{number}")
                await client.request(f"MADEUP{number}", "/hitl/reviews/1")
                await client.get(f"/hitl/reviews/{number}/broken")
    counted = {name: value for name, value in (await scraped(app)).items() if name.startswith("hitl_http_requests_")}
    assert counted == {
        'hitl_http_requests_total{endpoint="/hitl/reviews/{code}",method="GET",status="200"}': 5,
        'hitl_http_requests_total{endpoint="(none)",method="GET",status="404"}': 5,
        'hitl_http_requests_total{endpoint="/hitl/reviews/{code}",method="OTHER",status="405"}': 5,
        'hitl_http_requests_total{endpoint="/hitl/reviews/{code}/broken",method="GET",status="500"}': 5,
    }


async def test_the_time_of_a_streamed_answer_ends_with_its_last_byte():
    app, _ = service()
    async with client_of(app) as client:
        await client.get("/hitl/reviews/1/stream")
    found = await scraped(app)
    labels = 'endpoint="/hitl/reviews/{code}/stream"'
    assert found[f'hitl_http_request_duration_seconds_bucket{{{labels},le="0.25",method="GET"}}'] == 0
    assert found[f'hitl_http_request_duration_seconds_sum{{{labels},method="GET"}}'] > 0.29


@pytest.mark.parametrize("bound", ["0.5", "1.0"])
async def test_a_bucket_ends_at_the_goal_and_at_the_alert(bound: str):
    app, figures = service()
    figures.decided("approve", "high", seconds=0.1)
    assert f'hitl_decision_processing_duration_seconds_bucket{{le="{bound}"}}' in await scraped(app)


async def test_apps_do_not_share_their_figures():
    (one, figures), (other, _) = service(), service()
    figures.decided("approve", "high", seconds=0.1)
    name = 'hitl_decisions_total{decision_type="approve",severity="high"}'
    assert (await scraped(one))[name] == 1
    assert name not in await scraped(other)


async def test_active_reviews_are_read_at_each_scrape_and_left_out_while_they_cannot_be():
    answers: list[int | Exception] = [3, 4, ConnectionError("down"), 5]

    async def active_reviews() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    app, _ = service(active_reviews)
    seen = [(await scraped(app)).get("hitl_active_apv_reviews") for _ in range(4)]
    assert seen == [3, 4, None, 5]


SERVICE = '''
"""A service of several processes."""
import os
from tests.kernel.metered import service

async def active_reviews():
    return 7

app, _ = service(active_reviews)

@app.get("/pid")
async def pid() -> int:
    return os.getpid()
'''


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that three processes of uvicorn answer for."""
    tmp_path = tmp_path_factory.mktemp("several")
    (tmp_path / "several.py").write_text(SERVICE)
    port = free_port()
    with shared_folder() as folder:
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{root}"}
        command = [sys.executable, "-m", "uvicorn", "several:app", "--workers=3", f"--port={port}", "--log-level=error"]
        server = subprocess.Popen(command, env=environment, cwd=root)
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while len(pids(url, 30)) < 3:
                assert time.monotonic() < deadline
                assert server.poll() is None
            yield url
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    assert not folder.exists()
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def pids(url: str, tries: int) -> set[int]:
    found = set()
    for _ in range(tries):
        with suppress(httpx.TransportError):
            found.add(httpx.get(f"{url}/pid", timeout=5).json())
    return found


async def connections(url: str) -> float:
    async with AsyncClient() as client:
        return samples((await client.get(f"{url}/metrics")).text)["hitl_websocket_connections_active"]


async def until(url: str, expected: float) -> None:
    async with asyncio.timeout(30):
        while True:
            if await connections(url) == expected:
                return
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_several_processes_are_scraped_as_one(processes: str):
    async with AsyncClient() as client:
        answers = await asyncio.gather(*(client.get(f"{processes}/hitl/reviews/{n}") for n in range(60)))
        assert {answer.status_code for answer in answers} == {200}
        texts = [(await client.get(f"{processes}/metrics")).text for _ in range(10)]
        for text in texts:
            found = samples(text)
            assert found['hitl_http_requests_total{endpoint="/hitl/reviews/{code}",method="GET",status="200"}'] == 60
            labels = 'endpoint="/hitl/reviews/{code}"'
            assert found[f'hitl_http_request_duration_seconds_count{{{labels},method="GET"}}'] == 60
            assert found["hitl_active_apv_reviews"] == 7
            assert "# TYPE hitl_websocket_messages_sent untyped" not in text
        async with (
            aconnect_ws(f"{processes}/hitl/reviews/ws"),
            aconnect_ws(f"{processes}/hitl/reviews/ws"),
            aconnect_ws(f"{processes}/hitl/reviews/ws"),
        ):
            await until(processes, 3)
        await until(processes, 0)


@pytest.mark.slow
async def test_the_connections_of_killed_processes_are_not_counted_and_their_requests_still_are(processes: str):
    before = pids(processes, 30)
    name = 'hitl_http_requests_total{endpoint="/pid",method="GET",status="200"}'
    async with AsyncClient() as client:
        counted = samples((await client.get(f"{processes}/metrics")).text)[name]
        with suppress(HTTPXWSException):
            async with aconnect_ws(f"{processes}/hitl/reviews/ws"):
                await until(processes, 1)
                for pid in before:
                    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (after := pids(processes, 10)) or after & before:
        assert time.monotonic() < deadline
    async with AsyncClient() as client:
        found = samples((await client.get(f"{processes}/metrics")).text)
    assert found["hitl_websocket_connections_active"] == 0
    assert found[name] > counted
