"""A host that keeps its history in a list, and says what was asked of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from windlass.calls import Call, Info, Memo, Outcome, StepOptions, Suspend
from windlass.replay import replay
from windlass.workflow import Definition

INFO = Info(run_id="run_1", workflow="flow", version="1")
__all__ = ["INFO", "Book", "StepOptions", "advance"]


class Book:
    """Everything ends at once but signals, whose payloads come from `signals`."""

    def __init__(self, history: Sequence[Memo] = ()) -> None:
        self.history = {memo.ordinal: memo for memo in history}
        self.signals: dict[str, Any] = {}
        self.calls: list[Call] = []
        self.done: list[str] = []

    def memos(self) -> list[Memo]:
        """What a next pass is given."""
        return [self.history[ordinal] for ordinal in sorted(self.history)]

    def begin(self, call: Call) -> int:
        memo = self.history.get(call.ordinal)
        return memo.attempt + 1 if memo else 1

    def invoke(self, call: Call) -> Any:
        assert call.fn is not None
        self.calls.append(call)
        self.done.append(call.key)
        return call.fn(*call.args, **call.kwargs)

    def complete(self, call: Call, value: Any) -> None:
        self._keep(call, status="completed", value=value)

    def fail(self, call: Call, error: Mapping[str, Any], retry_in_ms: int | None) -> None:
        attempt = self.begin(call)
        if retry_in_ms is None:
            return self._keep(call, status="failed", error=error, attempt=attempt)
        return self._keep(call, status="pending", attempt=attempt)

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        self.calls += calls
        for call in calls:
            if call.kind == "signal" and call.name not in self.signals:
                raise Suspend
            value = self.signals.get(call.name)
            if call.kind == "task" and call.fn:
                value = call.fn(*call.args, **call.kwargs)
            if call.kind == "hook":
                value = {**call.wait, "token": {"$secret": "tok"[::-1]}}
            self._keep(call, status="completed", value=value)
        return [self.history[call.ordinal] for call in calls]

    def clock_ms(self) -> int:
        return 1_700_000_000_000

    def seal(self, text: str) -> str:
        return text[::-1]

    def unseal(self, text: str) -> str:
        return text[::-1]

    def _keep(self, call: Call, **facts: Any) -> None:
        self.history[call.ordinal] = Memo(ordinal=call.ordinal, key=call.key, kind=call.kind, **facts)


def advance(fn: Callable[..., Any], book: Book, *args: Any, **kwargs: Any) -> Outcome:
    """One pass of a function over a book."""
    made = Definition(name="flow", fn=fn)
    return replay(made, args, kwargs, book.memos(), book, INFO)
