"""The signature of messages: whoever can write into Redis cannot make a worker act.

A message is a hint, and SQL decides what it leads to; but its time limit would let Celery kill a healthy
worker, and its arguments choose what a worker looks at. Publishers and workers share a key that stands in
SQL, beside what it protects, and never travels through the broker.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from functools import cached_property

BYTES = 32


class MessageKey:
    """Signs and checks messages; ``load`` gives the key as hexadecimal digits and is asked once a process."""

    def __init__(self, load: Callable[[], str]) -> None:
        self._load = load

    @cached_property
    def _key(self) -> bytes:
        return bytes.fromhex(self._load())

    def sign(self, task_id: str, task: str, args: Sequence[object], time_limit: float) -> str:
        """The signature of a message: of its id, task and arguments, and the limit that Celery enforces."""
        said = json.dumps([task_id, task, list(args), float(time_limit)], separators=(",", ":"))
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()

    def verify(
        self, signature: object, task_id: str, task: str, args: Sequence[object], time_limit: float | None
    ) -> bool:
        """Whether a message was signed with this key and nothing of it has changed since."""
        if not isinstance(signature, str) or time_limit is None:
            return False
        right = self.sign(task_id, task, args, time_limit)
        return hmac.compare_digest(signature.encode(), right.encode())
