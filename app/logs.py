"""Logs: JSON lines on standard error with run, step and attempt; on a terminal, lines for people."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import structlog

from app.auth.secrets import redact

AGAIN_S = 3600.0
MOST_KEPT = 1_000
FRAMES = 3  # The innermost ones tell two errors apart.


def redacted(_logger: Any, _method: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    """Cut credentials out of a log line, its traceback included."""
    cleaned: structlog.types.EventDict = redact(entry)
    return cleaned


class Once:
    """Writes a traceback once; while the same goes on it is one line, and once an hour the whole again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, ...], tuple[float, int]] = {}

    def __call__(
        self, _logger: Any, _method: str, entry: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        """Replace a traceback that was written lately by its last line."""
        given = entry.get("exc_info")
        error = given if isinstance(given, BaseException) else _raised(given)
        if error is None:
            return entry
        where = [f"{at.filename}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)[-FRAMES:]]
        which = (str(entry.get("event")), type(error).__qualname__, *where)
        began, times = self._seen.get(which, (0.0, 0))
        if times and self._clock() - began < AGAIN_S:
            self._seen[which] = (began, times + 1)
            entry.pop("exc_info")
            return {**entry, "error": f"{type(error).__name__}: {error}", "repeats": times}
        if len(self._seen) >= MOST_KEPT:
            self._seen.clear()
        self._seen[which] = (self._clock(), 1)
        return entry


def _raised(given: Any) -> BaseException | None:
    """The error that a log line is about, as the logging module tells it."""
    found = sys.exc_info() if given is True else given
    error = found[1] if isinstance(found, tuple) else None
    return error if isinstance(error, BaseException) else None


_SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    structlog.processors.StackInfoRenderer(),
]
# One list for the whole process: a logger keeps the one of its first use, and a test that captures logs
# changes it in place.
_PROCESSORS: list[structlog.types.Processor] = [
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def configure(level: str = "INFO") -> None:
    """Send everything, Celery's own lines included, through one formatter."""
    structlog.configure(
        processors=_PROCESSORS,
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
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                Once(),
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
