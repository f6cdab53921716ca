"""Logs: JSON lines on standard error with run, step and attempt; on a terminal, lines for people."""

import logging
import sys
from typing import Any

import structlog

from app.auth.secrets import redact


def redacted(_logger: Any, _method: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    """Cut credentials out of a log line, its traceback included."""
    cleaned: structlog.types.EventDict = redact(entry)
    return cleaned


def configure(level: str = "INFO") -> None:
    """Send everything, Celery's own lines included, through one formatter."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    people = sys.stderr.isatty()
    last: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(sort_keys=True)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redacted,
                structlog.processors.EventRenamer("msg"),
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
