"""The attempts of one step, a direct call or a member of ctx.parallel, and its undo."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from windlass.calls import Call, Gone, Host, Memo, Suspend
from windlass.failures import NotStorable, facts_of, rebuilt
from windlass.steps import resolve
from windlass.values import decode, encode

log = logging.getLogger("windlass")


def perform(call: Call, memo: Memo | None, host: Host) -> Memo:
    """Attempt a step until it has ended: the memo of its outcome; Suspend when the host wants to wait.

    `memo` is the record of earlier attempts. Serves direct calls and members of ctx.parallel alike.
    """
    if memo is not None and memo.unsure and call.options.at_most_once:
        return _failed(call, _unknown(call), host, memo.attempt)
    while True:
        attempt = host.begin(call)
        try:
            value = encode(host.invoke(call), f"the result of {call.title}", host.seal)
        except (Gone, Suspend):
            raise
        except BaseException as error:  # CancelledError, KeyboardInterrupt: whatever it was, it has failed.
            facts, last = facts_of(error), isinstance(error, NotStorable) or attempt > call.options.retries
        else:
            host.complete(call, value)
            return _memo(call, "completed", attempt, value=value)
        if last:
            return _failed(call, facts, host, attempt)
        host.fail(call, facts, call.options.retry_delay_ms)


def undo(target: str, given: Mapping[str, object], result: object, unseal: Callable[[str], str]) -> None:
    """Take a step back: the undo function gets the step's own arguments, and `result=` if it takes that."""
    fn, known = resolve(target), decode(dict(given), unseal)
    parameters = inspect.signature(fn).parameters
    if "result" in parameters and "result" not in known["kwargs"]:
        known["kwargs"]["result"] = decode(result, unseal)
    fn(*known["args"], **known["kwargs"])


def _failed(call: Call, facts: Mapping[str, object], host: Host, attempt: int) -> Memo:
    """The step has failed for good. Its callback is called first: after a crash it may be called again."""
    if call.options.on_error is not None:
        try:
            call.options.on_error(rebuilt(call, facts))
        except Gone:
            raise
        except BaseException:  # Whatever the author's callback does, the step's error stands.
            log.exception("on_error of %s failed", call.title)
    host.fail(call, facts, None)
    return _memo(call, "failed", attempt, error=facts)


def _memo(call: Call, status: str, attempt: int, **outcome: Any) -> Memo:
    return Memo(ordinal=call.ordinal, key=call.key, kind=call.kind, status=status, attempt=attempt, **outcome)


def _unknown(call: Call) -> Mapping[str, object]:
    message = f"the worker was lost while {call.title} ran: whether it took effect cannot be told"
    return {
        "code": "OUTCOME_UNKNOWN",
        "message": message,
        "details": {"type": "windlass.failures:OutcomeUnknown"},
    }
