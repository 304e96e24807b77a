"""Sending traces to an OTLP/HTTP collector, without ever being in the way."""

import logging
from collections.abc import Sequence

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from vertice.kernel.redaction import redacted_text

__all__ = ["provider_for"]

_PATH = "/v1/traces"
_SECONDS = 3.0
"""For one batch, tries again included."""

_log = structlog.get_logger(__name__)


def provider_for(endpoint: str, *, service: str, version: str, environment: str) -> TracerProvider:
    """Return a provider whose spans go to the collector with base URL `endpoint`."""
    base = endpoint.rstrip("/")
    exporter = OTLPSpanExporter(base if base.endswith(_PATH) else f"{base}{_PATH}", timeout=_SECONDS)
    resource = Resource.create(
        {"service.name": service, "service.version": version, "deployment.environment.name": environment}
    )
    # The libraries' own words about a collector that is away would be many; `_Quiet` says it once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_WithoutSecrets())
    provider.add_span_processor(BatchSpanProcessor(_Quiet(exporter)))
    return provider


class _WithoutSecrets(SpanProcessor):
    """Takes secrets out of a query string: a login's code, a token."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        query = (span.attributes or {}).get("url.query")
        if query:
            span.set_attribute("url.query", redacted_text(f"?{query}")[1:])


class _Quiet(SpanExporter):
    """Says once that traces are dropped, and once that they are taken again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._dropping = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        dropping = result is not SpanExportResult.SUCCESS
        if dropping is not self._dropping:
            self._dropping = dropping
            if dropping:
                _log.warning("traces are dropped: the collector does not take them")
            else:
                _log.info("traces are taken again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
