"""The Adaptive Immune System's metrics (CONTRACT §4)."""

from collections.abc import Awaitable, Callable

from vertice.kernel.metrics import Metrics

__all__ = ["HitlMetrics"]


class HitlMetrics:
    """What is counted, by the names operators know. `active_reviews` counts the undecided reviews in the database."""

    def __init__(self, metrics: Metrics, *, active_reviews: Callable[[], Awaitable[int]]) -> None:
        self.http_requests = metrics.counter(
            "hitl_http_requests_total", "HTTP requests answered.", ("method", "endpoint", "status")
        )
        self.http_seconds = metrics.histogram(
            "hitl_http_request_duration_seconds", "Time to answer an HTTP request.", ("method", "endpoint")
        )
        self._decisions = metrics.counter("hitl_decisions_total", "Decisions recorded.", ("decision_type", "severity"))
        self._decision_seconds = metrics.histogram(
            "hitl_decision_processing_duration_seconds", "Time from a decision's arrival until it is recorded."
        )
        self._connections = metrics.counter("hitl_websocket_connections_total", "WebSocket connections accepted.")
        self._connected = metrics.gauge("hitl_websocket_connections_active", "WebSocket connections that are open.")
        self._messages = metrics.counter(
            "hitl_websocket_messages_sent", "Messages sent to WebSocket clients.", ("channel", "message_type")
        )
        metrics.reading("hitl_active_apv_reviews", "Reviews that wait for a decision.", active_reviews)

    def decided(self, decision: str, severity: str, *, seconds: float) -> None:
        """Count a decision that was recorded."""
        self._decisions.labels(decision, severity).inc()
        self._decision_seconds.observe(seconds)

    def connected(self) -> None:
        """Count a WebSocket connection that was accepted."""
        self._connections.inc()
        self._connected.inc()

    def disconnected(self) -> None:
        """Count the end of an accepted WebSocket connection."""
        self._connected.dec()

    def sent(self, channel: str, message_type: str, *, messages: int = 1) -> None:
        """Count messages sent. `channel` is the kind: `review` for `review:APV-…`, else every review were a series."""
        self._messages.labels(channel.partition(":")[0], message_type).inc(messages)
