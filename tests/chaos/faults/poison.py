"""Workflow types of which one step is poison in ways that only a resource limit or a database notices.

see `HOW`; the input of ``chaos.venom`` names one. All of them end in a failed run that was
undone. What merely kills its process or returns nonsense is in `tests.chaos.workload.types`.
"""

import resource
import signal
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

from marshmallow import fields

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks.step import step
from tests.chaos.workload.types import SOON, STUBBORN, Given, five, note, one, two

SPARE = 64 * 1024 * 1024  # Bytes that a process may still take before its memory ends.


class Poisoned(Given):
    """Which poison; ``fails`` keeps its meaning, and shows the checks that the run has to fail."""

    how = fields.String(required=True)
    fails = fields.Integer(load_default=5)


def _deaf() -> None:
    """Without the alarm of its time limit, so that Celery's last resort has to end it."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    Event().wait()


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


def _not_a_number() -> Any:
    return {"venom": float("nan")}


def _unprintable() -> None:
    """Words that PostgreSQL can store neither as text nor as JSON."""
    raise RuntimeError("a zero \0 and half a character \ud800")


def _unprintable_result() -> Any:
    return {"venom": "a zero \0 and half a character \ud800"}


# Whether it takes its process along, and what it does.
HOW: Mapping[str, tuple[bool, Callable[[], Any]]] = {
    "deaf": (True, _deaf),
    "memory": (False, _hungry),
    "recursion": (False, _endless),
    "not-a-number": (False, _not_a_number),
    "unprintable-error": (False, _unprintable),
    "unprintable-result": (False, _unprintable_result),
}


@step(retry=SOON, timeout="1s", alone=True)
def venom(ctx: Any, how: Any) -> Any:
    """What the input names."""
    deadly, act = HOW[how]
    note(ctx, "died" if deadly else "did", how)
    return act()


@venom.undo(retry=STUBBORN)
def unvenom(ctx: Any) -> None:
    """Back from it."""
    note(ctx, "undid")


@workflow("chaos.venom", scope="runs:write", expects=Poisoned, eta="5s")
def poisoned(_given: Mapping[str, Any]) -> Plan:
    """Chaos: venom."""
    return one() | two() | venom() | five()
