"""When a message is sent again after a failed delivery: 2, 4, 8, 16, 32, then 60 s, ten tries in all."""

TRIES = 10
CAP_MS = 60_000


def next_try_ms(attempts: int) -> int | None:
    """The pause in milliseconds after this many failed attempts; None when the message is dead."""
    return None if attempts >= TRIES else min(1000 * 2**attempts, CAP_MS)
