"""Where work comes from: the request whose trace and id its spans, log lines and messages carry, in every process.

row.traceparent, row.correlation_id = ...here()                 # in the request, or in whatever comes of it
with Origin(row.traceparent, row.correlation_id).continued():   # wherever the work goes on
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from vertice.kernel import tracing

__all__ = ["Origin", "here"]

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""As in X-Request-ID: an id from outside is shown on every line."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A request, or a message from outside; empty for what nobody asked for, a schedule say."""

    traceparent: str = ""
    """W3C trace context, "" when nothing is traced."""
    correlation_id: str = ""

    @contextmanager
    def continued(self) -> Iterator[None]:
        """Let what the block traces, logs and leaves for others belong to it. An id that cannot be shown goes."""
        known = {"correlation_id": self.correlation_id} if _ACCEPTED.fullmatch(self.correlation_id) else {}
        with structlog.contextvars.bound_contextvars(**known), tracing.continued(self.traceparent):
            yield


def here() -> Origin:
    """Return where the work around this line comes from."""
    return Origin(tracing.traceparent(), str(structlog.contextvars.get_contextvars().get("correlation_id", "")))
