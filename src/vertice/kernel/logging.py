"""Logs: JSON lines in production, a readable console otherwise.

On stderr by default, where a command's result is on stdout; a service gives `stream=sys.stdout`, where its logs are
collected. A log line is untrusted text: it is written as one line without control characters, and without secrets.
"""

import sys
import traceback
from typing import TYPE_CHECKING, Any, TextIO

from vertice.kernel.redaction import redacted
from vertice.kernel.text import printable
from vertice.kernel.tracing import identifiers

if TYPE_CHECKING:
    from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor

__all__ = ["configure", "get_logger"]

_LONGEST = 16_000
"""Characters of one field: container runtimes cut lines at some 16 KB, which would leave half a JSON object."""

_OWN_HANDLERS = (
    "dbos",
    "faststream",
    "faststream.access.rabbit",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.asgi",
    "uvicorn.error",
)
"""Libraries that give their loggers handlers of their own, unless there is one already."""


def configure(
    *,
    environment: str = "development",
    level: str = "WARNING",
    stream: TextIO | None = None,
    service: str = "vertice",
) -> None:
    """Set logging up for this process, libraries' standard `logging` included.

    Every line has the time (ISO 8601, UTC), level, event, service, version and environment; what is bound to
    structlog's context variables (`correlation_id`); and `trace_id` and `span_id` within a span.
    """
    import logging

    import structlog

    from vertice import __version__

    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _constants(service=service, version=__version__, environment=environment),
        _traced,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=_rendering(environment, colours=stream.isatty()),
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False


def get_logger(name: str) -> "FilteringBoundLogger":
    """Return the logger of module `name`: `log.info("patch proven", apv=code, seconds=3.2)`."""
    import structlog

    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _rendering(environment: str, *, colours: bool) -> "list[Processor]":
    import structlog

    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if environment == "production":
        return [
            _logger_name,
            remove_meta,
            structlog.processors.ExceptionRenderer(_exception_fields),
            _clean,
            structlog.processors.JSONRenderer(ensure_ascii=False),
            _one_line,
        ]
    return [
        remove_meta,
        structlog.processors.format_exc_info,
        _clean,
        _printable,
        structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
    ]


def _constants(**values: str) -> "Processor":
    def add(_logger: object, _method: str, event: "EventDict") -> "EventDict":
        return {**values, **event}

    return add


def _traced(_logger: object, _method: str, event: "EventDict") -> "EventDict":
    event.update(identifiers())
    return event


def _logger_name(_logger: object, _method: str, event: "EventDict") -> "EventDict":
    event["logger"] = event["_record"].name
    return event


def _exception_fields(exc_info: "ExcInfo") -> dict[str, str]:
    kind, error, trace = exc_info
    stack = "".join(traceback.format_exception(kind, error, trace))
    # Its end says what went wrong, so its beginning is what goes when it is long.
    return {"type": kind.__qualname__, "message": str(error), "stack": stack[-_LONGEST:]}


def _clean(_logger: object, _method: str, event: "EventDict") -> "EventDict":
    return {name: _shortened(redacted(name, value)) for name, value in event.items()}


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}…"
    return value


def _printable(_logger: object, _method: str, event: "EventDict") -> "EventDict":
    def shown(name: str, value: Any) -> Any:
        lines = name in {"exception", "stack"}
        return printable(value, limit=_LONGEST + 1, lines=lines) if isinstance(value, str) else value

    return {printable(name): shown(name, value) for name, value in event.items()}


def _one_line(_logger: object, _method: str, line: Any) -> str:
    """Escape, the way JSON does, what JSON leaves as it is: DEL, C1 and bidi controls, line separators, surrogates."""
    text = str(line)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
