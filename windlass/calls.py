"""The interface between a workflow function and the host of its history: calls, memos, outcomes.

Every advance calls the function from its first line. Each of its ctx calls has an ordinal (1, 2, 3 … in call
order) and a key (its name, from its second use on ``name#2``). If the history has a memo with the ordinal,
the call returns its result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

TITLES = {
    "task": "step",
    "sleep": "sleep",
    "signal": "signal",
    "child": "child workflow",
    "event": "event",
    "value": "value",
    "hook": "hook",
}  # Each kind of call, as an author calls it.


@dataclass(frozen=True, kw_only=True)
class Memo:
    """A recorded call."""

    ordinal: int
    key: str
    kind: str
    status: str  # pending (begun: its outcome is unknown, or a further attempt is due), completed or failed
    value: Any = None  # When completed: JSON, secrets sealed.
    error: Mapping[str, Any] | None = None  # When failed: code, message, details.
    attempt: int = 0  # Attempts begun so far.
    unsure: bool = False  # An earlier attempt may have taken effect.


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """The options of a step."""

    retries: int = 0  # Attempts after the first.
    retry_delay_ms: int = 1_000
    timeout_ms: int | None = None  # None: the workflow's step_timeout.
    undo: str | None = None  # "module:qualname" of the function that takes it back.
    at_most_once: bool = False
    on_error: Callable[[Exception], Any] | None = None

    @property
    def intent(self) -> bool:
        """Whether the step must be recorded before its body begins."""
        return bool(self.retries or self.undo or self.at_most_once)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that the function makes now; one that has not begun has ordinal 0 and no key."""

    name: str
    kind: str
    ordinal: int = 0
    key: str = ""
    fn: Callable[..., Any] | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    input: Mapping[str, Any] | None = (
        None  # {"args", "kwargs"} as JSON, secrets sealed; whenever undo or target is set.
    )
    target: str | None = None  # "module:qualname" when another process can do the whole call from `input`.
    options: StepOptions = StepOptions()
    # sleep {"ms"} · signal {"name", "timeout_ms"} · child {"workflow", "version", "args", "kwargs", "run_id"}
    # event {"type", "payload"} · hook {"name", "action", "metadata"}; all JSON, secrets sealed.
    wait: Mapping[str, Any] = field(default_factory=dict)

    def at(self, ordinal: int, key: str) -> "Call":
        """This call with its ordinal and key; `dataclasses.replace` would dominate the time of a replay."""
        placed = object.__new__(Call)
        placed.__dict__.update(self.__dict__, ordinal=ordinal, key=key)
        return placed

    @property
    def title(self) -> str:
        """The call in words: step 'fetch#2'."""
        return titled(self.kind, self.key or self.name)


def titled(kind: str, key: str) -> str:
    """A call in words: step 'fetch#2'."""
    return f"{TITLES.get(kind, kind)} {key!r}"


class Gone(BaseException):
    """The process ends: the current attempt has neither succeeded nor failed, and counts as lost."""


class Suspend(BaseException):
    """Leave the function: the run goes on later, or not at all. No `except Exception` catches it."""


class Host(Protocol):
    """Keeps the history of a run. An exception that it raises ends the pass, and replay() raises it again.

    Any method may raise Suspend: the pass ends as Suspended.
    """

    def begin(self, call: Call) -> int:
        """Before the body of a step: everything so far is made durable; the intent, too, if options.intent.

        Returns the number of this attempt, from 1. One whose worker was lost is made again under its number:
        `retries` are for a body that fails.
        """

    def invoke(self, call: Call) -> Any:
        """The result of fn(*args, **kwargs); TimeoutError when it takes longer than options.timeout_ms."""

    def complete(self, call: Call, value: object) -> None:
        """A step or value has this result, as JSON; it is durable before whatever follows."""

    def fail(self, call: Call, error: Mapping[str, object], retry_in_ms: int | None) -> None:
        """A step's attempt has failed: for good (None), or a further attempt is due in so many milliseconds.

        Returns if the further attempt may be made at once, else raises Suspend.
        """

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        """Store the calls that history does not know yet; the memos of all if all have ended at once.

        Else raises Suspend. At most `limit` of them are open at a time. Steps among them are members of
        ctx.parallel, done elsewhere at the same time.
        Values: of a signal its payload, of a child its result, of a hook a mapping whose "token" is a sealed
        secret, of a sleep and an event None. A signal that did not come in time has failed.
        """

    def clock_ms(self) -> int:
        """Milliseconds since the epoch."""

    def seal(self, text: str) -> str:
        """Text that may be stored in place of a secret."""

    def unseal(self, text: str) -> str:
        """The secret that was sealed."""


@dataclass(frozen=True, kw_only=True)
class Info:
    """The run that a function executes."""

    run_id: str
    parent_run_id: str | None = None
    workflow: str
    version: str
    advance: int = 1  # Passes through the function so far, this one included.


@dataclass(frozen=True)
class Returned:
    """The function has returned: the run's result, as JSON."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """An exception has left the function: code, message ("Rejected: too expensive"), details (type, step)."""

    error: Mapping[str, Any]


@dataclass(frozen=True)
class Suspended:
    """The function waits; if it returned a result nevertheless, that is ignored."""


@dataclass(frozen=True)
class Restarted:
    """The workflow is to continue as a new run with these arguments (JSON)."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Diverged:
    """The code is not the code of this history: at this call history has `expected`, the code did `found`."""

    call: int
    expected: str
    found: str


Outcome = Returned | Raised | Suspended | Restarted | Diverged
