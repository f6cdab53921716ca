"""The one place that loads pyghmi, and throws it away when it may be broken.

pyghmi keeps its sessions, sockets and one I/O thread in module globals. A process forked after it was loaded
has the tables but not the thread, and waits for ever; a call that is interrupted (a soft time limit, a
signal) may leave a half-open session, a socket counted twice, or a thread that was named but never started.
No clean-up can be proved right for every such point, so the copy is marked in use before a conversation and
fit again after one that ended in a known way. A copy that is not fit is stopped, forgotten and loaded anew:
0.1 s, and rare.
"""

import importlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# The session tables live below this name; exceptions and constants stay, so that classes keep their identity.
STATEFUL = "pyghmi.ipmi"
STOP_WITHIN = 0.5


class Copy:
    """The modules of pyghmi as one process loaded them."""

    def __init__(self) -> None:
        # One conversation at a time: any caller that waits handles the packets of all sessions in the
        # process, so with two of them the failure of one could surface in the other.
        self.turn = threading.RLock()
        self.fit = False
        self.session: Any = None

    def module(self, name: str) -> object:
        """A module of pyghmi by its full name; its types stop here."""
        return importlib.import_module(name)

    def renew(self) -> None:
        """Forget whatever is loaded, by this process or the one it was forked from, and load it again."""
        stale, self.session = self.session, None
        for name in [name for name in sys.modules if name == STATEFUL or name.startswith(STATEFUL + ".")]:
            sys.modules.pop(name, None)
        if stale is not None:
            stop(stale)
        self.session = self.module("pyghmi.ipmi.private.session")


def stop(session: Any) -> None:
    """End the I/O thread of a copy that is given up, and close its sockets once nobody waits on them."""
    thread = session.iothread
    if thread is not None and thread.is_alive():
        thread.running = False
        with suppress(OSError, LookupError):
            waker: socket.socket = session.iosockets[0]
            waker.sendto(b"\x01", (session.myself, waker.getsockname()[1]))
        threading.Thread.join(thread, STOP_WITHIN)
        if thread.is_alive():
            return
    for each in session.iosockets:
        with suppress(OSError):
            each.close()


_copies: dict[int, Copy] = {}


@contextmanager
def borrowed() -> Iterator[Copy]:
    """This process's copy, for one conversation; the caller sets ``fit`` when it ended in a known way."""
    copy = _copies.setdefault(os.getpid(), Copy())
    with copy.turn:
        if not copy.fit:
            copy.renew()
        copy.fit = False
        yield copy
