"""Every error that an author of code workflows meets, as one tree.

WorkflowError
 ├─ StepFailed        a step has failed for good; it is an instance of the step's own exception type, too
 │   ├─ StepTimedOut         its body took longer than it may
 │   ├─ OutcomeUnknown       it must not run twice, and whether it took effect cannot be told
 │   └─ ResultRefused        its result cannot be kept
 ├─ ChildFailed       a child run has failed or was cancelled
 ├─ SignalTimeout     no signal came in time
 ├─ NotStorable       a value is not JSON, or too large
 ├─ DefinitionError   a workflow, step or duration is not written as it must be
 ├─ Misuse            ctx was used where it cannot be
 └─ Nondeterminism    the code calls something else than it did when its history was written

What a step raised is kept as facts (code, message, type), and the error that the author's ``except`` sees is
built from these facts, the first time and on every replay alike.
"""

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from windlass.calls import Call
from windlass.stacks import shortened, stack_of

LONGEST_MESSAGE = 10_000  # Characters of an error's message that are kept.


class WorkflowError(Exception):
    """A code workflow could not do what its code says."""


class DefinitionError(WorkflowError, ValueError):
    """A workflow, step or duration is not written as it must be."""


class Misuse(WorkflowError, RuntimeError):
    """ctx was used where it cannot be."""


class NotStorable(WorkflowError, ValueError):
    """A value is not JSON, or too large."""


class Nondeterminism(WorkflowError):
    """The code calls something else than it did when its history was written."""


class RecordedError(WorkflowError):
    """An error rebuilt from recorded facts: ``code``, ``message`` and ``type`` ("module:Name") survive."""

    # Properties and one attribute: the step's own type, a part of the instance, may use the same names.
    _call: Call
    _facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the call that has failed."""
        return self._call.name

    @property
    def key(self) -> str:
        """Its key: the name, from its second use on `name#2`."""
        return self._call.key

    @property
    def code(self) -> str:
        """The public code."""
        return str(self._facts.get("code") or "STEP_FAILED")

    @property
    def message(self) -> str:
        """What the original exception said."""
        return str(self._facts.get("message") or "")

    @property
    def details(self) -> Mapping[str, Any]:
        """What else is known."""
        return self._facts.get("details") or {}

    @property
    def type(self) -> str | None:
        """The place of the original exception's type, "module:Qualname"."""
        return self.details.get("type")

    def __str__(self) -> str:
        return self.message


class StepFailed(RecordedError):
    """A step has failed for good; ``key`` names it."""


class StepTimedOut(StepFailed, TimeoutError):
    """A step's body took longer than it may."""


class OutcomeUnknown(StepFailed):
    """A step that must not run twice was lost, and whether it took effect cannot be told."""


class ResultRefused(StepFailed):
    """A step's result cannot be kept: it is not JSON, or too large."""


class ChildFailed(RecordedError):
    """A child run has failed or was cancelled; ``run_id`` is the child's, ``status`` how it ended."""

    @property
    def run_id(self) -> str | None:
        """The id of the child run."""
        return self.details.get("runId")

    @property
    def status(self) -> str:
        """How the child ended: failed or cancelled."""
        return str(self.details.get("status", "failed"))


class SignalTimeout(RecordedError):
    """No signal came in time; ``name`` is the signal's."""


_BY_CODE: Mapping[str, type[RecordedError]] = {
    "STEP_TIMED_OUT": StepTimedOut,
    "OUTCOME_UNKNOWN": OutcomeUnknown,
    "RESULT_REFUSED": ResultRefused,
}
_CODES: Mapping[type[BaseException], str] = {
    **{kind: code for code, kind in _BY_CODE.items()},
    NotStorable: "RESULT_REFUSED",
    TimeoutError: "STEP_TIMED_OUT",
}
_BY_KIND: Mapping[str, type[RecordedError]] = {"child": ChildFailed, "signal": SignalTimeout}


def facts_of(error: BaseException) -> dict[str, Any]:
    """What is kept of an exception that a step raised: code, message, place of its type, traceback."""
    return {
        "code": _CODES.get(type(error), "STEP_FAILED"),
        "message": message_of(error),
        "details": {"type": type_of(error), "stack": stack_of(error)},
    }


def end_of(error: BaseException) -> dict[str, Any]:
    """What is kept of an exception that left the workflow function; its message begins with its type."""
    place, message = type_of(error), message_of(error)
    name = place.rpartition(":")[2].rpartition(".")[2]
    details = {"type": place, "stack": stack_of(error)}
    if isinstance(error, RecordedError):
        before = (error._facts.get("details") or {}).get("stack")
        details["step"] = error.key
        if before:
            details["stack"] = shortened(f"{before}\nThis left the workflow function:\n\n{details['stack']}")
    return {
        "code": "WORKFLOW_FAILED",
        "message": f"{name}: {message}" if message else name,
        "details": details,
    }


def type_of(error: BaseException) -> str:
    """The type of an exception as "module:Qualname"; of a rebuilt one, the type that it had."""
    if isinstance(error, RecordedError) and error.type:
        return str(error.type)
    return f"{type(error).__module__}:{type(error).__qualname__}"


def message_of(error: BaseException) -> str:
    """The message of an exception as text that every database can store."""
    try:
        text = str(error)
    except (
        Exception
    ) as failure:  # An author's __str__ may raise anything; the error is to be told all the same.
        text = f"(its message could not be written: {type(failure).__name__})"
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:LONGEST_MESSAGE]


def rebuilt(call: Call, facts: Mapping[str, Any]) -> RecordedError:
    """The exception that the recorded facts of a call mean to the author."""
    base = _BY_KIND.get(call.kind) or _BY_CODE.get(str(facts.get("code")), StepFailed)
    own = _found((facts.get("details") or {}).get("type")) if base is StepFailed else None
    cls = base if own is None else _combined(own)  # type: ignore[arg-type]  # Types are hashable.
    error = cls.__new__(cls, "")
    error._call, error._facts = call, facts
    error.args = (error.message,)
    return error


@lru_cache(maxsize=1024)
def _combined(own: type[Exception]) -> type[RecordedError]:
    """A type that is both StepFailed and this one, where there can be such a type."""
    if issubclass(own, StepFailed):
        return own
    try:
        cls = type(own.__name__, (StepFailed, own), {"__module__": own.__module__})
        cls.__new__(cls, "")
    except Exception:  # A type of the author's may forbid heirs or instances in any way; then it is left out.
        return StepFailed
    return cls


def _found(place: Any) -> type[Exception] | None:
    """The type at a place, if its module is loaded: else no `except` here can name it."""
    module, _, qualname = str(place).partition(":")
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None
