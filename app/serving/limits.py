"""Limits for clients, also for those that send or read slowly."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes; each holds for one connection or one process."""

    head_s: int = 75  # For the head of a request, and for a connection that is kept alive without one.
    body_s: float = 30.0  # For a whole body, from the end of the head on.
    body_bytes: int = 1_048_576
    drained_bytes: int = 8_388_608  # Read from a body that is too long, so that its sender gets the refusal.
    buffer_bytes: int = 65_536  # For a head; a longer one is refused with 431.
    streamed_bytes: int = 16_777_216  # A stream ends after this; its client connects again.
    waiting: int = 512  # Requests of a process that wait for a thread; the next one is refused.
    connections: int = 4_096  # Of a process, at most; half of its descriptors if that is less.


LIMITS = Limits()


def holding(body_bytes: int) -> Limits:
    """The limits of an application that takes bodies of this size."""
    return replace(LIMITS, body_bytes=body_bytes, drained_bytes=body_bytes + LIMITS.drained_bytes)
