"""Wakes those who deliver messages of apps: one publication in Redis, received at once by all subscribers.

A Celery message for each costs publisher and worker more CPU than all that is done for a message of an app.
The publication says nothing but that somebody should look, so nobody has to sign it, and one that is lost
does no harm: each dispatcher looks by itself once a second.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis


class AppWakeUp:
    """Published by whoever has committed something that is due, or will be."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client, self._channel = client, f"{prefix}wake-up:app"

    def publish(self) -> None:
        """Let all subscribers look; raises `RedisError`."""
        self._client.publish(self._channel, "")

    @contextmanager
    def subscribed(self) -> Iterator[Callable[[float], bool]]:
        """What waits at most so many seconds, and returns whether one came; raises `RedisError`."""
        with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(self._channel)

            def received(seconds: float) -> bool:
                if subscription.get_message(timeout=seconds) is None:
                    return False
                while subscription.get_message(timeout=0.0) is not None:
                    pass  # One look is enough for all that came by now.
                return True

            yield received
