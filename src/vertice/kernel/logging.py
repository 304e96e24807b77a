"""Logs: JSON lines in production, a readable console otherwise. Always on stderr: stdout belongs to the result."""

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

__all__ = ["configure", "get_logger"]

_SERVICE = "vertice"


def configure(*, environment: str = "development", level: str = "WARNING", stream: TextIO | None = None) -> None:
    """Set logging up for this process, libraries' standard `logging` included.

    Every line has the time (ISO 8601, UTC), level, event, service, version and environment.
    """
    import logging

    import structlog

    from vertice import __version__

    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _constants(service=_SERVICE, version=__version__, environment=environment),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(environment, colours=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


def get_logger(name: str) -> "FilteringBoundLogger":
    """Return the logger of module `name`: `log.info("patch proven", apv=code, seconds=3.2)`."""
    import structlog

    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _rendering(environment: str, *, colours: bool) -> "list[Processor]":
    import structlog

    if environment == "production":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [structlog.dev.ConsoleRenderer(colors=colours)]


def _constants(**values: str) -> "Processor":
    def add(_logger: object, _method: str, event: "dict[str, object]") -> "dict[str, object]":
        return {**values, **event}

    return add  # type: ignore[return-value]  # structlog types events as MutableMapping[str, Any]
