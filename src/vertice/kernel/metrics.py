"""Metrics for Prometheus.

    metrics = Metrics()
    requests = metrics.counter("hitl_http_requests_total", "…", ("method", "endpoint", "status"))
    app.add_middleware(HttpMetrics, requests=requests, seconds=…)
    app.include_router(router(metrics))

Every app has a registry of its own. Several processes that answer for one service share a folder (`shared_folder`):
each writes its figures to a file there, and whichever is scraped adds them up. That is prometheus-client's
multiprocess mode, which it takes from the environment when it is first imported: hence the variable.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

from fastapi import APIRouter, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vertice.kernel.http.route import route_template
from vertice.kernel.logging import get_logger

__all__ = ["LATENCY_BUCKETS", "HttpMetrics", "Metrics", "router", "shared_folder"]

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
"""Seconds; with bounds at our goal (P95 below 0.5) and at the alert's (P95 above 1)."""
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_LEFT = 499
"""nginx's status for a client that went away before it had an answer."""
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_READING_SECONDS = 2.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = get_logger(__name__)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make the folder in which the processes that are started inside the block share their figures.

    They have to be started anew (`spawn`), as uvicorn does; this process itself takes no part.
    """
    folder = Path(tempfile.mkdtemp(prefix="vertice-metrics-"))
    os.environ[_SHARED] = str(folder)
    try:
        yield folder
    finally:
        del os.environ[_SHARED]
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A gauge that is read when it is asked for."""

    name: str
    meaning: str
    read: Callable[[], Awaitable[float]]


class Metrics:
    """The figures of one app, or of every process of one service when they share a folder."""

    def __init__(self) -> None:
        named = os.environ.get(_SHARED)
        self._folder = Path(named) if named else None
        self._registry = CollectorRegistry()
        self._suffixless: set[str] = set()
        self._readings: list[_Reading] = []
        if self._folder is None:
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
            GCCollector(registry=self._registry)

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        """Return a new counter. It is scraped by exactly `name`, also where that does not end in `_total`."""
        if not name.endswith("_total"):
            self._suffixless.add(name)
        return Counter(name, meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        """Return a new gauge: the sum over the processes that live."""
        return Gauge(name, meaning, labels, registry=self._registry, multiprocess_mode="livesum")

    def histogram(
        self, name: str, meaning: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
    ) -> Histogram:
        """Return a new histogram."""
        return Histogram(name, meaning, labels, registry=self._registry, buckets=buckets)

    def reading(self, name: str, meaning: str, read: Callable[[], Awaitable[float]]) -> None:
        """Add a gauge that `read` gives at each scrape: what is in the database is not summed over processes.

        While it cannot be read the gauge is left out: an old number would look like a true one.
        """
        self._readings.append(_Reading(name, meaning, read))

    async def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        readings = await asyncio.gather(*(_taken(reading) for reading in self._readings))
        return await asyncio.to_thread(self._text, [family for family in readings if family is not None])

    def _text(self, readings: list[GaugeMetricFamily]) -> bytes:
        families = [*self._collected(), *readings]
        everything = CollectorRegistry()
        everything.register(_Families(self._named(family) for family in families))
        text = generate_latest(everything)
        for name in self._suffixless:
            text = text.replace(f"# TYPE {name} untyped\n".encode(), f"# TYPE {name} counter\n".encode())
        return text

    def _collected(self) -> Iterable[Metric]:
        if self._folder is None:
            return self._registry.collect()
        _forget_dead(self._folder)
        files = MultiProcessCollector(None, str(self._folder))  # type: ignore[no-untyped-call]
        collected: Iterable[Metric] = files.collect()  # type: ignore[no-untyped-call]
        return collected

    def _named(self, family: Metric) -> Metric:
        # The library gives each counter the suffix that OpenMetrics demands, and a time of creation that nobody asked
        # for. "unknown" is the one type it writes without a suffix.
        bare = family.name in self._suffixless
        named = Metric(family.name, family.documentation, "unknown" if bare else family.type)
        for sample in family.samples:
            if sample.name == f"{family.name}_created":
                continue
            named.add_sample(family.name if bare else sample.name, sample.labels, sample.value)
        return named


class HttpMetrics:
    """Middleware: counts every request, and its time until the last byte, by its route. WebSockets are not requests."""

    def __init__(self, app: ASGIApp, *, requests: Counter, seconds: Histogram) -> None:
        self._app = app
        self._requests = cache(requests.labels)
        self._seconds = cache(seconds.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when it has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _LEFT

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = perf_counter()
        try:
            await self._app(scope, receive, sending)
        except Exception:
            status = 500
            raise
        finally:
            # A stranger makes up methods and paths: neither is counted as it came, else there were no end of series.
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            endpoint = route_template(scope)
            self._requests(method, endpoint, status).inc()
            self._seconds(method, endpoint).observe(perf_counter() - started)


def router(metrics: Metrics) -> APIRouter:
    """Return the route `GET /metrics`. No login: the gateway does not let it out."""
    routes = APIRouter(tags=["metrics"])

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def scrape() -> Response:
        """Every metric in Prometheus's text format."""
        return Response(await metrics.exposition(), headers={"Content-Type": _CONTENT_TYPE})

    return routes


class _Families(Collector):
    """What was collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        """Return it."""
        return self._families


async def _taken(reading: _Reading) -> GaugeMetricFamily | None:
    try:
        async with asyncio.timeout(_READING_SECONDS):
            value = await reading.read()
    except Exception as error:  # noqa: BLE001  (a scrape goes on without the one figure)
        _log.warning("metric cannot be read", metric=reading.name, error=f"{type(error).__name__}: {error}")
        return None
    return GaugeMetricFamily(reading.name, reading.meaning, value)


def _forget_dead(folder: Path) -> None:
    """Take the gauges of processes that died out of the sums; their counters stay, as a counter never falls."""
    for path in folder.glob("gauge_live*_*.db"):
        process = int(path.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
