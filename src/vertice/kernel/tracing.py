"""Traces: one from a request through the queue to the wargame it set off. Nothing, at nearly no cost, until set up.

    tracing.configure(endpoint="http://collector:4318", service="vertice-api", version=…, environment=…)
    with tracing.span("decide", review=code):
        sent.traceparent = tracing.traceparent()    # on one side of a queue
    with tracing.continued(sent.traceparent), tracing.span("wargame"):  # on the other
    tracing.stop()

Requests are traced by FastAPI itself: `FastAPI(telemetry=tracing.of_requests())`. No span ever fails what it is about:
they are sent by a thread of their own, and dropped when nobody takes them.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["configure", "continued", "identifiers", "note", "of_requests", "span", "stop", "traceparent"]

_SERVICE = "vertice"
_QUIET = ("/health", "/metrics", "/hitl/health")
"""Probes ask every few seconds: their traces would bury the others."""

_STOP_SECONDS = 3.0
_NOTHING: AbstractContextManager[None] = nullcontext()

_provider: "TracerProvider | None" = None
_given: ContextVar[str] = ContextVar("traceparent", default="")
"""What a process that traces nothing itself hands on."""


def configure(*, endpoint: str, service: str, version: str, environment: str) -> None:
    """Send this process's traces to the OTLP/HTTP collector at `endpoint` (its base URL).

    Called once, in the process that works (after a fork or spawn), before the app is made.
    """
    from vertice.kernel.otlp import provider_for

    global _provider  # noqa: PLW0603  (as logging: a process has one)
    stop()
    _provider = provider_for(endpoint, service=service, version=version, environment=environment)


def stop() -> None:
    """Send what waits, for three seconds at most, and trace no more. Blocks: `await asyncio.to_thread(stop)`."""
    global _provider
    provider, _provider = _provider, None
    if provider is not None:
        # The library waits for a collector that hangs ten times as long.
        sending = Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(_STOP_SECONDS)


def of_requests() -> "TelemetryConfig":
    """Return FastAPI's `telemetry`: a server span for each request but probes, going on from its `traceparent`."""
    return {
        "tracing": _provider is not None,
        "tracer_provider": _provider,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope["type"] != "http" or scope["path"].startswith(_QUIET),
    }


def span(name: str, **attributes: str | float | bool) -> AbstractContextManager[None]:
    """Trace the block as one span, a child of the one around it. An error that leaves the block marks it."""
    return _NOTHING if _provider is None else _span(_provider, name, attributes)


def note(**attributes: str | float | bool) -> None:
    """Add attributes to the span around this line, if there is one."""
    if _provider is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes(attributes)


def traceparent() -> str:
    """Return the W3C `traceparent` of the span around this line, to be sent along; empty when there is none.

    Where this process traces nothing: the one it goes on from.
    """
    if _provider is None:
        return _given.get()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def continued(traceparent: str) -> Iterator[None]:
    """Let the spans of the block be children of the one that `traceparent` names; anything else begins a new trace."""
    given = _given.set(traceparent)
    try:
        with _NOTHING if _provider is None else _continued(traceparent):
            yield
    finally:
        _given.reset(given)


def identifiers() -> Mapping[str, str]:
    """Return `trace_id` and `span_id` of the span around this line as hex; nothing outside a span."""
    if _provider is None:
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


@contextmanager
def _span(provider: "TracerProvider", name: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    import structlog
    from opentelemetry.trace import StatusCode

    if known := structlog.contextvars.get_contextvars().get("correlation_id"):
        attributes = {**attributes, "correlation_id": known}
    tracer = provider.get_tracer(_SERVICE)
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as error:
            # Its kind only: the text of an error may hold what should not leave the house.
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(StatusCode.ERROR)
            raise


@contextmanager
def _continued(traceparent: str) -> Iterator[None]:
    from opentelemetry import context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    token = context.attach(TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context.Context()))
    try:
        yield
    finally:
        context.detach(token)
