"""What an armed failpoint does to the process that passes it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tests.chaos.points import arms
from tests.chaos.points.arms import Arm, Passing


class Injected(RuntimeError):
    """Raised at a failpoint on purpose."""


def role() -> str:
    """What this process is, by its command line; forked processes count as what forked them."""
    words = " ".join(sys.orig_argv)
    named = {"app.serving": "api", "-A tasks": "worker", "reconciler": "reconciler", "app.lab": "lab"}
    return next((role for word, role in named.items() if word in words), "other")


def kill(_arm: Arm) -> None:
    """As the kernel does it when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()  # The signal may take a moment to arrive.


def freeze(arm: Arm) -> None:
    """Stop all threads; a process of its own wakes this one up, since nothing else knows of it."""
    words = f"sleep {arm.seconds}; kill -CONT {os.getpid()}"
    subprocess.Popen(["/bin/sh", "-c", words], start_new_session=True, stdin=subprocess.DEVNULL)
    os.kill(os.getpid(), signal.SIGSTOP)


def leave(_arm: Arm) -> None:
    """End at once with success, without any farewell."""
    os._exit(0)


def raise_(arm: Arm) -> None:
    """Something unexpected."""
    raise Injected(f"injected at {arm.point}")


ACTIONS: Mapping[str, Callable[[Arm], None]] = {
    "kill": kill,
    "freeze": freeze,
    "exit": leave,
    "raise": raise_,
}
_PASSING: list[Passing] = []


def due(point: str, **facts: Any) -> Arm | None:
    """The arm that is to be carried out by the caller, who passes this point."""
    if not _PASSING:
        _PASSING.append(Passing(arms.here(), role()))
    return _PASSING[0].due(point, arms.facts_of(**facts))


def passed(point: str, **facts: Any) -> None:
    """Pass a point: what is armed there happens now."""
    arm = due(point, **facts)
    if arm is not None:
        ACTIONS[arm.action](arm)
