"""The proxy before PostgreSQL, in a process of its own: what else a campaign does cannot starve it."""

import os
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from typing import Any, Literal

from app.host.child import end_with
from tests.chaos.faults.pgwire import Listener
from tests.chaos.faults.proxy import Proxy, Weather


class Gate:
    """In the other process: the proxy and, from the first question on, who reads along."""

    def __init__(self, target: int) -> None:
        self._proxy, self._listener = Proxy(target).start(), Listener()
        self._listens = False

    def port(self) -> int:
        """Where it listens."""
        return self._proxy.port

    def set(self, weather: Weather) -> None:
        """Change the weather."""
        self._proxy.set(weather)

    def cut(self) -> int:
        """Reset every connection."""
        return self._proxy.cut()

    def await_(self, statement: str, nth: int, lost: Literal["answer", "question"]) -> int:
        """Cut at the n-th statement like this; how many were cut before."""
        if not self._listens:  # A listener has to read a session from its beginning.
            self._listens, self._proxy.new_tap = True, self._listener.tap
            self._proxy.cut()
        self._listener.await_(statement, nth=nth, lost=lost)
        return self._listener.cut

    def hits(self) -> int:
        """Connections that were cut at a statement."""
        return self._listener.cut

    def forget(self) -> None:
        """Wait for no statement any more."""
        self._listener.forget()


class _Manager(BaseManager):
    """Starts the other process and carries calls."""


_Manager.register("Gate", Gate)


class DatabaseProxy:
    """Here: what faults do with it; any thread may call."""

    def __init__(self, target: int) -> None:
        """``target`` is PostgreSQL's port."""
        self.port = 0
        self._target = target
        self._manager: Any = _Manager(ctx=get_context("spawn"))

    def start(self) -> "DatabaseProxy":
        """Start the process; the port is known afterwards."""
        self._manager.start(_ends_with, (os.getpid(),))
        self._gate: Gate = self._manager.Gate(self._target)
        self.port = self._gate.port()
        return self

    def set(self, weather: Weather) -> None:
        """Change the weather, also for connections that are there."""
        self._gate.set(weather)

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        return self._gate.cut()

    def await_(self, statement: str, nth: int, lost: Literal["answer", "question"]) -> int:
        """Cut a connection at the n-th statement like this, once; how many were cut before."""
        return self._gate.await_(statement, nth, lost)

    def hits(self) -> int:
        """Connections that were cut at a statement until now."""
        return self._gate.hits()

    def forget(self) -> None:
        """Wait for no statement any more."""
        self._gate.forget()

    def close(self) -> None:
        """End the process, and with it every connection."""
        self._manager.shutdown()


def _ends_with(parent: int) -> None:
    end_with(parent)()
