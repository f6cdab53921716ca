"""The same pages each time: a clock that goes on by itself, equal ids, and then a clock that stands still."""

import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

BEGAN_MS = 1_790_000_000_000
STEP_MS = 40  # From one look at the clock to the next.


class Clock:
    """Milliseconds since 1970; each look of the thread that made it makes it later, until it is stopped.

    Other threads look as often as they like, and those that earlier tests have left in the process, too.
    """

    def __init__(self) -> None:
        self.at, self.step = BEGAN_MS, STEP_MS
        self._thread = threading.get_ident()

    def ms(self) -> int:
        """Now."""
        if threading.get_ident() == self._thread:
            self.at += self.step
        return self.at

    def days(self) -> float:
        """The same as SQLite counts: days since a noon long ago."""
        return (self.ms() + 0.5) / 86_400_000 + 2_440_587.5


@contextmanager
def stillness(patch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Whatever asks Python or SQLite for the time, or for an id, gets what it got the last time."""
    clock, dice = Clock(), random.Random(1)
    patch.setattr(time, "time_ns", lambda: clock.ms() * 1_000_000)
    patch.setattr(secrets, "randbits", dice.getrandbits)

    def connected(connection: Any, _record: Any) -> None:
        connection.create_function("julianday", 1, lambda _now: clock.days())

    event.listen(Engine, "connect", connected)
    yield clock
    event.remove(Engine, "connect", connected)
