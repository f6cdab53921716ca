"""The bell of those who deliver messages of apps: one publication in Redis, heard at once by all who listen.

A Celery message for each costs publisher and worker more CPU than all that is done for a message of an app.
The bell says nothing but that somebody should look, so nobody has to sign it, and one that is not heard does
no harm: each dispatcher looks by itself once a second.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis


class Bell:
    """Rung by whoever has committed something that is due, or will be."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client, self._channel = client, f"{prefix}bell:app"

    def ring(self) -> None:
        """Let all who listen look; raises `RedisError`."""
        self._client.publish(self._channel, "")

    @contextmanager
    def hearing(self) -> Iterator[Callable[[float], bool]]:
        """What waits at most so many seconds, and returns whether it was rung; raises `RedisError`."""
        with self._client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
            heard.subscribe(self._channel)

            def rung(seconds: float) -> bool:
                if heard.get_message(timeout=seconds) is None:
                    return False
                while heard.get_message(timeout=0.0) is not None:
                    pass  # One look is enough for all that rang by now.
                return True

            yield rung
