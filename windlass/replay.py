"""Replay: calls a workflow function from its first line; recorded calls return their recorded results.

Pure: only the host has side effects and accesses the record. One pass goes like this:

1. The function makes a call; the pass gives it the next ordinal and its key.
2. If the history has another call at this ordinal, the pass ends as `Diverged`.
3. If the history has its outcome, the call returns or raises it. Else the host executes it or suspends the
   run.
4. The function returns or raises: the outcome, unless the pass ended earlier or the history has further
   calls.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from windlass.attempt import perform, undo
from windlass.calls import (
    Call,
    Diverged,
    Gone,
    Host,
    Info,
    Memo,
    Outcome,
    Raised,
    Restarted,
    Returned,
    StepOptions,
    Suspend,
    Suspended,
)
from windlass.context import Context
from windlass.failures import Nondeterminism, end_of
from windlass.passage import Pass
from windlass.steps import resolve
from windlass.workflow import Definition

__all__ = [
    "Call",
    "Diverged",
    "Host",
    "Info",
    "Memo",
    "Outcome",
    "Raised",
    "Restarted",
    "Returned",
    "StepOptions",
    "Suspend",
    "Suspended",
    "find",
    "perform",
    "replay",
    "resolve",
    "undo",
]


def replay(
    definition: Definition,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    history: Sequence[Memo],
    host: Host,
    info: Info,
) -> Outcome:
    """One pass through a workflow function; arguments are JSON with secrets sealed."""
    return _run(Pass(definition, history, host, info), args, kwargs)


def find(
    definition: Definition,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    history: Sequence[Memo],
    host: Host,
    info: Info,
    key: str,
) -> Call:
    """The call with this key, found by a replay up to it without side effects.

    Nondeterminism when the function does not make it.
    """
    seeker = Pass(definition, history, _Still(host), info)
    seeker.sought = key
    outcome = _run(seeker, args, kwargs)
    if seeker.found is not None:
        return seeker.found
    told = f": {outcome}" if isinstance(outcome, Diverged) else ""
    raise Nondeterminism(f"the workflow function does not make the call {key!r} any more{told}")


def _run(one: Pass, args: Sequence[object], kwargs: Mapping[str, object]) -> Outcome:
    outcome: Outcome = Suspended()
    try:
        given, named = one.decoded(list(args)), one.decoded(dict(kwargs))
        result = one.definition.fn(Context(one), *given, **named)
        if not one.ended:
            outcome = Returned(one.encoded(result, "the result of the workflow"))
    except Gone:
        raise
    except BaseException as error:  # An author's function may raise anything; Suspend is one of ours.
        outcome = Raised(end_of(error))
    return one.left(outcome)


class _Still:
    """A host without side effects: a call that the history does not have ends the pass."""

    def __init__(self, host: Host) -> None:
        self.seal, self.unseal, self.clock_ms = host.seal, host.unseal, host.clock_ms

    def begin(self, call: Call) -> int:
        raise Suspend

    def invoke(self, call: Call) -> Any:
        raise Suspend

    def complete(self, call: Call, value: object) -> None:
        raise Suspend

    def fail(self, call: Call, error: Mapping[str, object], retry_in_ms: int | None) -> None:
        raise Suspend

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        raise Suspend
