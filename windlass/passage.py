"""One pass of replay through a workflow function: compares its calls with the recorded history."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from windlass.attempt import perform
from windlass.calls import (
    Call,
    Diverged,
    Host,
    Info,
    Memo,
    Outcome,
    Raised,
    Restarted,
    Returned,
    Suspend,
    Suspended,
    titled,
)
from windlass.failures import Misuse, rebuilt
from windlass.values import decode, encode
from windlass.workflow import Definition

MAIN = "main"  # The key of the function itself: no call has it.


class Pass:
    """One pass, with the calls that it has made; once it has ended, every further call raises Suspend again.

    So an author's code may catch a suspension without harm: the outcome of the pass does not change any more.
    """

    def __init__(self, definition: Definition, history: Sequence[Memo], host: Host, info: Info) -> None:
        self.definition, self.info = definition, info
        self.sought: str | None = None  # The key that find() looks for,
        self.found: Call | None = None  # and the call that has it.
        self._host = host
        self._known = {memo.ordinal: memo for memo in history}
        self._made = 0  # Calls made so far.
        self._uses: dict[str, int] = {}
        self._keys = {MAIN}
        self._end: Outcome | None = None  # The outcome of the pass, once it has ended.
        self._fault: BaseException | None = None  # What the host has raised.
        self._body = ""  # The step whose body is running.
        self._left = False
        self._thread = threading.get_ident()

    @property
    def ended(self) -> bool:
        """Whether the pass has ended; the function may still be running."""
        return self._end is not None

    def left(self, outcome: Outcome) -> Outcome:
        """The outcome of the pass, given that of the function; raises what the host has raised."""
        self._left = True
        if self._fault is not None:
            raise self._fault
        return self._end or self._missing(outcome) or outcome

    @property
    def replaying(self) -> bool:
        """Whether the history has a call at this place."""
        return self.sought is not None or self._made + 1 in self._known

    def passes_by(self, name: str) -> bool:
        """Whether find() searches for a call with another name."""
        return self.sought is not None and not self.sought.startswith(name)

    def enter(self, call: Call) -> Call:
        """The call with its ordinal and key, checked against the history."""
        self.check()
        self._made += 1
        call = call.at(self._made, self._key(call.name))
        memo = self._known.get(call.ordinal)
        if memo is not None and (memo.kind, memo.key) != (call.kind, call.key):
            self.stop(Diverged(call.ordinal, titled(memo.kind, memo.key), call.title))
        if call.key == self.sought:
            self.found, self._body = call, call.title
            self.stop(Suspended())
        return call

    def step(self, call: Call) -> Any:
        """Execute a step, unless the history has its outcome."""
        call = self.enter(call)
        memo = self._known.get(call.ordinal)
        if memo is None or memo.status == "pending":
            self._body = call.title
            with self._hosted():
                memo = perform(call, memo, self._host)
            self._body = ""
        return self.answer(call, memo)

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> list[Memo]:
        """The memos of calls that end outside of this pass, in order; suspends the run until all have ended.

        At most `limit` of them are open at a time: the next one begins when one has ended.
        """
        unended = [call for call in calls if self._pending(call)]
        ended = {}
        if unended:
            with self._hosted():
                ended = {memo.ordinal: memo for memo in self._host.wait(unended, limit)}
        return [ended.get(call.ordinal) or self._known[call.ordinal] for call in calls]

    def value(self, call: Call, make: Callable[[], object]) -> Any:
        """A value that is computed once and recorded."""
        call = self.enter(call)
        if not self._pending(call):
            return self._known[call.ordinal].value
        made = make()
        with self._hosted():
            self._host.complete(call, made)
        return made

    def answer(self, call: Call, memo: Memo) -> Any:
        """The value of a call that has ended; raises its error if it has failed."""
        if memo.status == "failed":
            raise rebuilt(call, memo.error or {})
        return self.decoded(memo.value)

    def clock_ms(self) -> int:
        """The host's clock."""
        return self._host.clock_ms()

    def encoded(self, value: object, what: str) -> Any:
        """A value in its stored form; raises NotStorable."""
        return encode(value, what, self._seal)

    def decoded(self, value: object) -> Any:
        """A stored value as a Python object."""
        return decode(value, self._unseal)

    def restart(self, args: Sequence[object], kwargs: Mapping[str, object]) -> NoReturn:
        """End this pass; the workflow continues as a new run."""
        self.check()
        restarted = Restarted(args, kwargs)
        self.stop(self._missing(restarted) or restarted)

    def check(self) -> None:
        """Raise Misuse where ctx must not be used; once the pass has ended, raise Suspend again."""
        if threading.get_ident() != self._thread:
            raise Misuse(
                "ctx was used from another thread: it belongs to the thread of its workflow function alone"
            )
        if self._body and (self._left or not self.ended):
            raise Misuse(f"ctx was used inside {self._body}: only the workflow function itself may use it")
        if self._left:
            raise Misuse("ctx was used after its workflow function was left")
        if self.ended:
            raise Suspend

    def stop(self, outcome: Outcome) -> NoReturn:
        """End the pass and leave the function."""
        self._end = outcome
        raise Suspend

    def _seal(self, text: str) -> str:
        with self._hosted():
            return self._host.seal(text)

    def _unseal(self, text: str) -> str:
        with self._hosted():
            return self._host.unseal(text)

    def _pending(self, call: Call) -> bool:
        memo = self._known.get(call.ordinal)
        return memo is None or memo.status == "pending"

    def _key(self, name: str) -> str:
        use = self._uses.get(name, 0) + 1
        while (key := name if use == 1 else f"{name}#{use}") in self._keys:
            use += 1
        self._uses[name] = use
        self._keys.add(key)
        return key

    def _missing(self, outcome: Outcome) -> Diverged | None:
        """The divergence of a function that has ended before the next recorded call; None if it made all."""
        memo = self._known.get(self._made + 1)
        if memo is None:
            return None
        ends = {Returned: "the end of the function", Restarted: "ctx.restart"}
        found = outcome.error["message"] if isinstance(outcome, Raised) else ends[type(outcome)]
        return Diverged(memo.ordinal, titled(memo.kind, memo.key), found)

    @contextmanager
    def _hosted(self) -> Iterator[None]:
        """An exception of the host ends the pass: an author's `except` must not handle it."""
        try:
            yield
        except Suspend:
            self._end = Suspended()
            raise
        except BaseException as fault:  # Stored, and raised again when the function has ended.
            self._end, self._fault = Suspended(), fault
            raise Suspend from fault
