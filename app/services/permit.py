"""Whether the client of an open stream may still read it: its key can be revoked meanwhile."""

import time
from collections.abc import Callable

from app.domain.errors import Forbidden, Unauthorized

CHECK_S = 5.0  # A stream continues for at most this long after its client lost the right to read it.


class Permit:
    """What a stream asks before each of its turns; the question itself is asked every `CHECK_S`."""

    def __init__(self, check: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        """``check`` raises `Unauthorized` or `Forbidden` as it would for a new request."""
        self._check, self._clock = check, clock
        self._next = clock() + CHECK_S

    def holds(self) -> bool:
        """False once the same request would be refused; raises `Unavailable` when that cannot be known."""
        if self._clock() < self._next:
            return True
        try:
            self._check()
        except (Unauthorized, Forbidden):
            return False
        self._next = self._clock() + CHECK_S
        return True
