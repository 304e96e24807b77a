"""Logs and traces of one process of a service, as its settings say."""

import logging
import sys

from vertice.kernel import tracing
from vertice.kernel.logging import configure
from vertice.kernel.settings import ServiceSettings

__all__ = ["start"]

_LOUD = ("aio_pika", "aiormq")
"""Clients that log every connection they lose with a traceback: whoever uses them says it in one line."""


def start(settings: ServiceSettings, *, service: str) -> None:
    """Set them up, under the name of `service`; `tracing.stop` before the process ends."""
    level = "DEBUG" if settings.debug else settings.log_level
    configure(environment=settings.environment, level=level, stream=sys.stdout, service=service)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_ours)
    if settings.otel_exporter_otlp_endpoint:
        tracing.configure(
            endpoint=settings.otel_exporter_otlp_endpoint,
            service=service,
            version=settings.app_version,
            environment=settings.environment,
        )


def _is_ours(record: logging.LogRecord) -> bool:
    """Pass over what aio_pika does with a connection that it could not make: it closes it when it is forgotten.

    That may be in any thread, where the connection's own loop is not.
    """
    return "RobustConnection.close()" not in record.getMessage()
