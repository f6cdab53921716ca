"""Interprets the response of a handler to a message."""

import json
import math
from dataclasses import dataclass

from app.domain.apps.incoming import instant
from app.domain.apps.refusal import Refused

TOO_EARLY = 425
MOST_PAUSE_MS = 10 * 366 * 86_400_000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The message is delivered; ``again``: the handler wants another call, after a pause or at a time."""

    again: bool = False
    pause_ms: int = 0
    until: int | None = (
        None  # A time (ms since 1970) instead of a pause; at least a second from now, in whole seconds.
    )


def verdict(status: int, body: bytes | None) -> Verdict | None:
    """The verdict of a response; None when it is a failure. ``body`` is None when it is too long to read."""
    if status == TOO_EARLY:
        return Verdict(again=True, pause_ms=1_000, until=_retry_after(_value(body)))
    if not 200 <= status < 300:
        return None
    value = _value(body)
    asked = value.get("timeoutSeconds") if isinstance(value, dict) else None
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked >= 0:
        return Verdict()
    seconds = min(asked, MOST_PAUSE_MS // 1_000)
    return Verdict(again=True, pause_ms=math.ceil(seconds * 1_000))


def _retry_after(value: object) -> int | None:
    meta = value.get("meta") if isinstance(value, dict) else None
    try:
        return instant(meta.get("retryAfter") if isinstance(meta, dict) else None, "retryAfter")
    except Refused:
        return None


def _value(body: bytes | None) -> object:
    try:
        return json.loads(body or b"", parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
