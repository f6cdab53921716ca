"""A run under test: what happens to it, and what has become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from windlass.failures import Nondeterminism, WorkflowError
from windlass.testing.record import ENDED, Entry, Event, Record
from windlass.values import decode


class RunFailed(WorkflowError):
    """The run under test has not completed; `error` is what is known of why: code, message, details."""

    def __init__(self, told: str, error: Mapping[str, Any]) -> None:
        super().__init__(told)
        self.error = error

    @property
    def step(self) -> str | None:
        """The key of the step whose error has ended the run, if it was one."""
        step = (self.error.get("details") or {}).get("step")
        return None if step is None else str(step)


class Stuck(WorkflowError):
    """The run waits for something that no passing of time brings."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A call of a run, as a test looks at it."""

    key: str
    kind: str  # task, sleep, signal, child, event, value or hook
    status: str  # pending, completed or failed
    value: Any
    error: Mapping[str, Any] | None
    attempts: int


class World(Protocol):
    """The harness of a run."""

    record: Record

    def work(self) -> None:
        """Do everything that needs no time to pass."""

    def signal(self, entry: Entry, name: str, payload: object) -> None:
        """Give a signal to a run."""

    def cancel(self, entry: Entry) -> None:
        """Cancel a run."""

    def unseal(self, text: str) -> str:
        """A secret that was sealed."""


class Trial:
    """A run in a harness; one that went on as a fresh one (ctx.restart) is followed."""

    def __init__(self, harness: World, entry: Entry) -> None:
        self._harness, self._first = harness, entry

    def __repr__(self) -> str:
        return f"<{self._entry.definition.name} {self.id}: {self.status}>"

    @property
    def id(self) -> str:
        """The id of the run."""
        return self._entry.id

    @property
    def status(self) -> str:
        """running, completed, failed, cancelled, blocked (nondeterminism) or compensation_failed."""
        return self._entry.status

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Why it has failed: code, message, details."""
        return self._entry.error

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every call so far, in call order."""
        return tuple(
            Step(
                key=memo.key,
                kind=memo.kind,
                status=memo.status,
                value=decode(memo.value, self._harness.unseal),
                error=memo.error,
                attempts=memo.attempt,
            )
            for memo in self._entry.history()
        )

    def step(self, key: str) -> Step:
        """One call by its key; LookupError when it was not made."""
        for step in self.steps:
            if step.key == key:
                return step
        raise LookupError(f"{self!r} has no {key!r}; it has {[step.key for step in self.steps]}")

    @property
    def events(self) -> tuple[Event, ...]:
        """What has happened, oldest first; events that the author emits have their own type and payload."""
        return tuple(self._entry.events)

    @property
    def undone(self) -> tuple[str, ...]:
        """The keys of the steps that were undone, in that order."""
        return tuple(self._entry.undone)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What the run waits for, in words."""
        return tuple(call.title for call in self._entry.waiting())

    @property
    def children(self) -> tuple["Trial", ...]:
        """The runs that this run has started."""
        runs = self._harness.record.runs.values()
        return tuple(
            Trial(self._harness, each) for each in runs if each.parent and each.parent[0] is self._entry
        )

    def token(self, name: str) -> str:
        """The token of the newest hook of this name; LookupError when there is none."""
        for step in reversed(self.steps):
            if step.kind == "hook" and step.value["name"] == name:
                return str(step.value["token"].reveal())
        raise LookupError(f"{self!r} has no hook {name!r}")

    def signal(self, name: str, payload: object = None) -> None:
        """Send a signal, before or after the run waits for it."""
        self._harness.signal(self._entry, name, payload)

    def cancel(self) -> None:
        """Cancel the run: what it did is undone."""
        self._harness.cancel(self._entry)

    def finish(self) -> "Trial":
        """Let time pass until the run has ended, however it ends; Stuck when time alone does not help."""
        while self.status not in ENDED:
            if self.status in ("blocked", "compensation_failed"):
                return self
            if not self._harness.record.due():
                raise Stuck(f"{self!r} waits for {', '.join(self.waiting)}, and nothing is due")
            self._harness.work()
        return self

    def result(self) -> Any:
        """What the run gives; time passes as it must. RunFailed when it does not complete."""
        self.finish()
        if self.status == "completed":
            return decode(self._entry.result, self._harness.unseal)
        error = self.error or {}
        message = str(error.get("message"))
        if self.status == "blocked":
            raise Nondeterminism(f"{self!r}: {message}")
        failed = RunFailed(f"{self!r}: {message}", error)
        raise RunFailed(
            f"{self!r} at step {failed.step!r}: {message}" if failed.step else str(failed), error
        ) from (self._entry.cause)

    @property
    def _entry(self) -> Entry:
        entry = self._first
        while entry.successor is not None:
            entry = entry.successor
        return entry
