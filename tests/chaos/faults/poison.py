"""Workflow types of which one step is poison to the process that runs it, or to what has to be stored of it.

`HOW` says what there is; the input of ``chaos.venom`` names one. All of them end in a failed run that was
undone.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

from marshmallow import fields

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks.step import step
from tests.chaos.workload.types import SOON, STUBBORN, Given, five, note, one, two

HUGE = 2_000_000  # Characters, more than a result may have.
SPARE = 64 * 1024 * 1024  # Bytes that a process may still take before its memory ends.


class Poisoned(Given):
    """Which poison; ``fails`` keeps its meaning, and tells who judges that the run has to fail."""

    how = fields.String(required=True)
    fails = fields.Integer(load_default=5)


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    Event().wait()


def _left() -> None:
    os._exit(0)


def _deaf() -> None:
    """Beyond every limit: the step's own alarm is not heard, so that Celery's last resort has to end it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    Event().wait()


def _exited() -> None:
    sys.exit(3)


def _hungry() -> None:
    """Take memory until there is none."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + SPARE, before[1]))
    try:
        bytearray(10 * SPARE)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _endless() -> None:
    """A stack without end."""
    _endless()


def _unstorable() -> Any:
    return {"venom": object()}


def _huge() -> Any:
    return {"venom": "x" * HUGE}


def _not_a_number() -> Any:
    return {"venom": float("nan")}


def _wordy() -> None:
    raise RuntimeError("x" * HUGE + "\0\ud800")


# Whether it takes its process along, and what it does.
HOW: Mapping[str, tuple[bool, Callable[[], Any]]] = {
    "kill": (True, _killed),
    "exit": (True, _left),
    "deaf": (True, _deaf),
    "sys-exit": (False, _exited),
    "memory": (False, _hungry),
    "recursion": (False, _endless),
    "unstorable": (False, _unstorable),
    "huge": (False, _huge),
    "not-a-number": (False, _not_a_number),
    "wordy": (False, _wordy),
}


@step(retry=SOON, timeout="1s", alone=True)
def venom(ctx: Any, how: Any) -> Any:
    """What the input says."""
    deadly, act = HOW[how]
    note(ctx, "died" if deadly else "did", how)
    return act()


@venom.undo(retry=STUBBORN)
def unvenom(ctx: Any) -> None:
    """Back from it."""
    note(ctx, "undid")


@workflow("chaos.venom", expects=Poisoned, eta="5s")
def poisoned(_given: Mapping[str, Any]) -> Plan:
    """Chaos: venom."""
    return one() | two() | venom() | five()
