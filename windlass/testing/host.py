"""The host of a harness: the same replay as in the service, over a record in memory."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from windlass.calls import Call, Gone, Memo, Suspend
from windlass.durations import no_signal
from windlass.failures import end_of
from windlass.testing.record import Door, Entry, Event, Record
from windlass.values import decode, encode

SEAL = "sealed:"
UNSTUBBED = object()


def sealed(text: str) -> str:
    """Text in place of a secret; enough to see in a test that the secret itself is not kept."""
    return SEAL + text[::-1]


def unsealed(text: str) -> str:
    """The secret again."""
    return text.removeprefix(SEAL)[::-1]


class Work(Protocol):
    """What a host asks of its harness."""

    record: Record
    stubs: dict[str, Any]
    replays: bool

    def overflow(self, entry: Entry) -> None:
        """End a run that has more events than it may."""

    def begin_child(self, parent: Entry, call: Call) -> None:
        """Start a child run."""

    def begin_member(self, entry: Entry, call: Call) -> None:
        """Let a member of ctx.parallel be done."""


class MemoryHost:
    """One pass through a function, or one member of ctx.parallel: results wait for the next commit."""

    def __init__(self, work: Work, entry: Entry, again: Callable[[], None]) -> None:
        self._work, self._record, self._entry = work, work.record, entry
        self._again = again  # Lets this pass be made once more.
        self._buffer: list[Callable[[], object]] = []

    def begin(self, call: Call) -> int:
        known = self._entry.memos.get(call.ordinal)
        attempt = 1 if known is None else known.attempt + (not known.unsure)
        if self._work.replays and self._buffer:
            self.flush(self._again)
            raise Suspend
        if self._entry.due.get(call.ordinal, 0) > self._record.now_ms:
            raise Suspend
        if call.options.intent or call.ordinal in self._entry.memos:
            self._buffer.append(lambda: self._intend(call, attempt))
        if self._buffer:
            self.flush()
        return attempt

    def invoke(self, call: Call) -> Any:
        try:
            stub = self._stub(call)
            return _answer(call.fn if stub is UNSTUBBED else stub, call.args, call.kwargs)
        except Gone:
            raise
        except BaseException as error:  # As in the service: whatever a body raises is its failure.
            self._entry.cause = error
            raise

    def complete(self, call: Call, value: object) -> None:
        self._buffer.append(lambda: self._entry.keep(call, status="completed", value=value, unsure=False))

    def fail(self, call: Call, error: Mapping[str, object], retry_in_ms: int | None) -> None:
        if retry_in_ms is None:
            self._buffer.append(lambda: self._entry.keep(call, status="failed", error=error, unsure=False))
            return
        self._buffer.append(lambda: self._entry.keep(call, error=error, unsure=False))
        self.flush(partial(self._retry_at, call, self._record.now_ms + retry_in_ms))
        if retry_in_ms:
            raise Suspend

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        while True:
            self._buffer += [partial(self._store, call) for call in self._next(calls, limit)]
            self.flush()
            if not self._next(calls, limit):
                break
        memos = [self._entry.memos[call.ordinal] for call in calls if call.ordinal in self._entry.memos]
        self._entry.room = limit if len(memos) < len(calls) else None
        if len(memos) < len(calls) or any(memo.status == "pending" for memo in memos):
            raise Suspend
        if self._work.replays:
            self._again()
            raise Suspend
        return memos

    def clock_ms(self) -> int:
        return self._record.now_ms

    def seal(self, text: str) -> str:
        return sealed(text)

    def unseal(self, text: str) -> str:
        return unsealed(text)

    def flush(self, last: Callable[[], object] = lambda: None) -> None:
        """Make everything so far durable, and with it what comes last."""
        changes = [*self._buffer, last]
        self._record.commit(lambda: [change() for change in changes])
        self._buffer = []
        most = self._entry.definition.max_events
        if most is not None and len(self._entry.events) > most and self._entry.status == "running":
            self._work.overflow(self._entry)
            raise Suspend

    def _next(self, calls: Sequence[Call], limit: int | None) -> Sequence[Call]:
        """The calls that may begin now."""
        memos = self._entry.memos
        new = [call for call in calls if call.ordinal not in memos]
        open_ = sum(1 for call in calls if call.ordinal in memos and memos[call.ordinal].status == "pending")
        return new if limit is None else new[: max(0, limit - open_)]

    def _intend(self, call: Call, attempt: int) -> None:
        self._entry.calls[call.ordinal] = call
        self._entry.keep(call, attempt=attempt, unsure=True)

    def _retry_at(self, call: Call, due: int) -> None:
        self._entry.due[call.ordinal] = due
        self._record.at(due, self._again)

    def _stub(self, call: Call) -> object:
        return self._work.stubs.get(call.key, self._work.stubs.get(call.name, UNSTUBBED))

    def _store(self, call: Call) -> None:
        """A wait begins, in the commit that also lets what ends at once end."""
        self._entry.calls[call.ordinal] = call
        self._entry.keep(call)
        STORED[call.kind](self, call)

    def _task(self, call: Call) -> None:
        self._entry.members.add(call.ordinal)
        self._work.begin_member(self._entry, call)

    def _sleep(self, call: Call) -> None:
        if call.wait["ms"]:
            self._later(call, call.wait["ms"], status="completed")
        else:
            self._entry.keep(call, status="completed")

    def _signal(self, call: Call) -> None:
        found = next((one for one in self._entry.unread if one.answers(call)), None)
        if found is not None:
            self._entry.unread.remove(found)
            self._entry.keep(call, status="completed", value=found.value)
        elif call.wait["timeout_ms"] is not None:
            error = {"code": "SIGNAL_TIMEOUT", "message": no_signal(call.wait)}
            self._later(call, call.wait["timeout_ms"], status="failed", error=error)

    def _child(self, call: Call) -> None:
        stub = self._stub(call)
        if stub is UNSTUBBED:
            return self._work.begin_child(self._entry, call)
        given = decode(dict(call.wait), self.unseal)
        try:
            value = encode(
                _answer(stub, given["args"], given["kwargs"]), f"the stub of {call.title}", self.seal
            )
        except Gone:
            raise
        except BaseException as error:  # A stub may raise anything; its child has failed then.
            self._entry.keep(call, status="failed", error=end_of(error))
        else:
            self._entry.keep(call, status="completed", value=value)

    def _event(self, call: Call) -> None:
        self._entry.keep(call, status="completed")
        payload = decode(call.wait["payload"], self.unseal)
        self._entry.events[-1] = Event(call.wait["type"], payload)

    def _hook(self, call: Call) -> None:
        token, hook_id = f"token-{self._record.number()}", f"hook_{self._record.number()}"
        self._record.hooks[token] = Door(self._entry, call.name, hook_id)
        made = {"hookId": hook_id, "name": call.name, "action": call.wait["action"]}
        sealed = {**made, "token": {"$secret": self.seal(token)}}
        self._entry.keep(call, status="completed", value=sealed)

    def _later(self, call: Call, wait_ms: int, **facts: object) -> None:
        def end() -> None:
            if self._entry.memos[call.ordinal].status == "pending" and self._entry.status == "running":
                self._entry.keep(call, **facts)
                self._again()

        self._record.at(self._record.now_ms + wait_ms, end)


def _answer(stub: object, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
    """What a stub gives in place of a function."""
    if isinstance(stub, BaseException):
        raise stub
    return stub(*args, **kwargs) if callable(stub) else stub


STORED: Mapping[str, Callable[[MemoryHost, Call], None]] = {
    "task": MemoryHost._task,
    "sleep": MemoryHost._sleep,
    "signal": MemoryHost._signal,
    "child": MemoryHost._child,
    "event": MemoryHost._event,
    "hook": MemoryHost._hook,
}
