"""Which events an endpoint subscribes to: names, or patterns with ``*`` (contracts/runs.rst#webhooks)."""

from collections.abc import Iterable

from app.domain.errors import ValidationFailed
from app.domain.events import TOLD

MOST_PATTERNS = 50


def validate(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns without repeats; raises `ValidationFailed` on ``events`` when one matches nothing."""
    wanted = tuple(dict.fromkeys(patterns))
    if not 1 <= len(wanted) <= MOST_PATTERNS:
        raise ValidationFailed.of("events", f"Needs 1 to {MOST_PATTERNS} names or patterns")
    idle = [pattern for pattern in wanted if not any(_fits(pattern, event) for event in TOLD)]
    if idle:
        names = ", ".join(pattern[:64] for pattern in idle)
        raise ValidationFailed.of("events", f"Match no event: {names}; there are {', '.join(TOLD)}")
    return wanted


def matches(patterns: Iterable[str], event: str) -> bool:
    """Whether an endpoint with these patterns is told of the event."""
    return any(_fits(pattern, event) for pattern in patterns)


def _fits(pattern: str, event: str) -> bool:
    if pattern == "*":
        return True
    words, wanted = event.split("."), pattern.split(".")
    return len(words) == len(wanted) and all(
        want in ("*", word) for want, word in zip(wanted, words, strict=True)
    )
