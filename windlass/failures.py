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
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, Self, TypeVar, overload

from windlass.attributes import give_back, kept
from windlass.calls import Call
from windlass.stacks import legible, shortened, stack_of

T = TypeVar("T")
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


class _Fact(Generic[T]):  # It is used as a decorator.
    """A property that an attribute of the instance, or of the type that the step raised, comes before."""

    def __init__(self, read: Callable[[Any], T], own: object = None) -> None:
        self._read, self._own, self.__doc__ = read, own, read.__doc__

    @overload
    def __get__(self, error: None, kind: type) -> Self: ...
    @overload
    def __get__(self, error: object, kind: type | None = None) -> T: ...
    def __get__(self, error: object, kind: type | None = None) -> object:
        if error is None:
            return self
        if self._own is not None:
            try:
                return self._own.__get__(error, kind) if hasattr(self._own, "__get__") else self._own
            except Exception:  # A property of the author's may need what did not survive.
                return self._read(error)
        return self._read(error)

    def after(self, own: object) -> "_Fact[T]":
        """The same, behind what the step's own type has under this name."""
        return _Fact(self._read, own)


class RecordedError(WorkflowError):
    """An error rebuilt from recorded facts: ``code``, ``message`` and ``type`` ("module:Name") survive.

    Where the type that a step raised has attributes of these names, they are that type's; ``facts`` has what
    was recorded in any case.
    """

    # The step's own type, a part of the instance, may use the same names.
    _call: Call
    _facts: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What was recorded: code, message, details."""
        return self._facts

    @_Fact
    def name(self) -> str:
        """The name of the call that has failed."""
        return self._call.name

    @_Fact
    def key(self) -> str:
        """Its key: the name, from its second use on `name#2`."""
        return self._call.key

    @_Fact
    def code(self) -> str:
        """The public code."""
        return str(self._facts.get("code") or "STEP_FAILED")

    @_Fact
    def message(self) -> str:
        """What the original exception said."""
        return str(self._facts.get("message") or "")

    @_Fact
    def details(self) -> Mapping[str, Any]:
        """What else is known."""
        return self._facts.get("details") or {}

    @_Fact
    def type(self) -> str | None:
        """The place of the original exception's type, "module:Qualname"."""
        return (self._facts.get("details") or {}).get("type")

    def __str__(self) -> str:
        return str(self._facts.get("message") or "")


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
        return (self._facts.get("details") or {}).get("runId")

    @property
    def status(self) -> str:
        """How the child ended: failed or cancelled."""
        return str((self._facts.get("details") or {}).get("status", "failed"))

    @property
    def child_type(self) -> str | None:
        """The type of the exception that left the child's function, "module:Qualname"."""
        return (self._facts.get("details") or {}).get("childType")


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
    details: dict[str, object] = {"type": type_of(error), "stack": stack_of(error)}
    if attributes := kept(error):
        details["attributes"] = attributes
    return {
        "code": _CODES.get(type(error), "STEP_FAILED"),
        "message": message_of(error),
        "details": details,
    }


def end_of(error: BaseException) -> dict[str, Any]:
    """What is kept of an exception that left the workflow function; its message begins with its type."""
    place, message = type_of(error), message_of(error)
    name = place.rpartition(":")[2].rpartition(".")[2]
    details = {"type": place, "stack": stack_of(error)}
    if isinstance(error, RecordedError):
        before = (error._facts.get("details") or {}).get("stack")
        details["step"] = error._call.key
        if before:
            details["stack"] = shortened(f"{before}\nThis left the workflow function:\n\n{details['stack']}")
    return {
        "code": "WORKFLOW_FAILED",
        "message": f"{name}: {message}" if message else name,
        "details": details,
    }


def type_of(error: BaseException) -> str:
    """The type of an exception as "module:Qualname"; of a rebuilt one, the type that it had."""
    if isinstance(error, RecordedError) and (place := (error._facts.get("details") or {}).get("type")):
        return str(place)
    return f"{type(error).__module__}:{type(error).__qualname__}"


def message_of(error: BaseException) -> str:
    """The message of an exception as text that every database can store."""
    try:
        text = str(error)
    except (
        Exception
    ) as failure:  # An author's __str__ may raise anything; the error is to be told all the same.
        text = f"(its message could not be written: {type(failure).__name__})"
    return legible(text)[:LONGEST_MESSAGE]


def rebuilt(call: Call, facts: Mapping[str, Any]) -> RecordedError:
    """The exception that the recorded facts of a call mean to the author."""
    base = _BY_KIND.get(call.kind) or _BY_CODE.get(str(facts.get("code")), StepFailed)
    own = _found((facts.get("details") or {}).get("type")) if base is StepFailed else None
    cls = base if own is None else _combined(own)  # type: ignore[arg-type]  # Types are hashable.
    error = cls.__new__(cls, "")
    error._call, error._facts = call, facts
    error.args = (str(facts.get("message") or ""),)
    if cls is not base:
        give_back(error, (facts.get("details") or {}).get("attributes"))
    return error


@lru_cache(maxsize=1024)
def _combined(own: type[Exception]) -> type[RecordedError]:
    """A type that is both StepFailed and this one, where there can be such a type."""
    if issubclass(own, StepFailed):
        return own
    try:
        cls = type(own.__name__, (StepFailed, own), {"__module__": own.__module__, **_own_names(own)})
        cls.__new__(cls, "")
    except Exception:  # A type of the author's may forbid heirs or instances in any way; then it is left out.
        return StepFailed
    return cls


def _own_names(own: type[Exception]) -> dict[str, object]:
    """The names that a step's own type has in common with recorded facts: its own come first."""
    facts = {name: one for name, one in vars(RecordedError).items() if isinstance(one, _Fact)}
    mine: dict[str, object] = {}
    for kind in reversed(own.__mro__):
        if kind.__module__ != "builtins":  # `name` of an ImportError says nothing, once it is rebuilt.
            mine.update(vars(kind))
    return {name: facts[name].after(mine[name]) for name in facts if mine.get(name) is not None}


def _found(place: object) -> type[Exception] | None:
    """The type at a place, if its module is loaded: else no `except` here can name it."""
    module, _, qualname = str(place).partition(":")
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None
