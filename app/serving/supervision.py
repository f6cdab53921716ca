"""Replaces processes that have died; the operating system says which ones have.

granian's own loop uses a list of ended processes, which a thread fills and the loop copies and then clears: a
process that ends in between is never replaced. It also ends the server when one process dies twice within
five seconds, as under memory pressure. Here its list only makes the next check come sooner.
"""

import time
from typing import Any

from granian.server.mp import MPServer

CHECK_S = 0.5  # Between two checks, when nothing asks for one earlier.
YOUNG_S = 5.0  # A process that ends sooner may never have worked.
MOST_DEATHS = 6  # The server gives up after so many young ones in a row, if no older process works.
PAUSES_S = (0.5, 10.0)  # Before young ones are replaced: at first, and at most.


class Supervised(MPServer):
    """A server whose dead processes are replaced until it is stopped."""

    def __init__(self, *given: Any, **options: Any) -> None:
        """The arguments are granian's."""
        super().__init__(*given, **options)
        self.gave_up = False
        self._deaths = 0  # Of young processes, in a row.
        self._seen: set[object] = set()  # Dead processes that are counted already.
        self._next_at = 0.0

    def _serve_loop(self, spawn_target: object, target_loader: object) -> None:
        """Replace dead processes until SIGTERM, or until the server gives up."""
        while not self.interrupt_signal:
            dead = self._dead(time.monotonic())
            if self.gave_up:
                return
            if dead and time.monotonic() >= self._next_at:
                self._respawn_workers(dead, spawn_target, target_loader)
                self._seen.clear()
            self.main_loop_interrupt.wait(CHECK_S)
            self.main_loop_interrupt.clear()
            self.interrupt_children.clear()

    def _dead(self, now: float) -> list[int]:
        """The places of processes that have ended; what is new among them is counted."""
        workers: list[Any] = list(self.wrks)
        dead = [one for one in workers if not one.is_alive()]
        old = any(one not in dead and now - one.birth >= YOUNG_S for one in workers)
        if old and not dead:
            self._deaths = 0
        for one in set(dead) - self._seen:
            self._deaths = self._deaths + 1 if now - one.birth < YOUNG_S else 0
            first, most = PAUSES_S
            self._next_at = now + min(first * 2 ** (self._deaths - 1), most) if self._deaths else now
            self.gave_up = self._deaths >= MOST_DEATHS and not old
        self._seen.update(dead)
        return [one.idx for one in dead]
