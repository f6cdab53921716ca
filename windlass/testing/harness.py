"""Runs of code workflows in this process: no server, no waiting, the same replay."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from windlass.attempt import perform, undo
from windlass.calls import (
    Call,
    Diverged,
    Gone,
    Info,
    Outcome,
    Raised,
    Restarted,
    Returned,
    Suspend,
    Suspended,
)
from windlass.durations import Duration, duration_ms
from windlass.failures import Misuse, Nondeterminism, message_of
from windlass.replay import find, replay
from windlass.testing.host import MemoryHost, sealed, unsealed
from windlass.testing.record import ENDED, Entry, Killed, Record, Signal
from windlass.testing.trial import Trial
from windlass.values import concealed, encode
from windlass.workflow import Definition, definition

START = datetime(2026, 1, 1, tzinfo=UTC)


class Harness:
    """Runs workflows in memory; the clock skips to whatever is due next.

    After every result the function is left and called from the top again, so that code which is not
    deterministic fails in its first test; ``replays=False`` spares that. ``kill_before={3}`` and
    ``kill_after={3}`` let the worker die at its third commit, before or after that is durable; another one
    takes over at once. See `windlass.testing.survives` for all of these at once.
    """

    def __init__(
        self,
        *,
        start: datetime = START,
        replays: bool = True,
        kill_before: Collection[int] = (),
        kill_after: Collection[int] = (),
    ) -> None:
        self.record = Record(round(start.timestamp() * 1000))
        self.record.kill_before, self.record.kill_after = frozenset(kill_before), frozenset(kill_after)
        self.replays = replays
        self.stubs: dict[str, object] = {}
        self.killed = 0  # Workers that have died.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.record.ready.clear()

    @property
    def now(self) -> datetime:
        """What the clock of the harness shows."""
        return datetime.fromtimestamp(self.record.now_ms / 1000, UTC)

    def start(
        self, workflow: Definition | str, /, *args: object, run_id: str | None = None, **kwargs: object
    ) -> "Trial":
        """Start a run and let it work until it waits or has ended."""
        made = workflow if isinstance(workflow, Definition) else definition(workflow)
        entry = self._enter(made, encode([list(args), kwargs], f"the input of {made.name!r}", sealed), run_id)
        self.work()
        return Trial(self, entry)

    def stub(self, name: str, answer: object) -> None:
        """Let a step or child of this name (or key) give a value, raise an error or call a function."""
        self.stubs[name] = answer

    def skip(self, duration: Duration) -> None:
        """Let time pass: everything that falls due meanwhile happens, in order."""
        until = self.record.now_ms + duration_ms(duration, "the time to skip")
        while self.record.due(until):
            self.work()
        self.record.now_ms = until

    def execute_hook(self, token: str, payload: object = None) -> None:
        """Execute a hook with its token; LookupError when there is none, Misuse when it was used."""
        if token not in self.record.hooks:
            raise LookupError(f"there is no hook with the token {token!r}")
        door = self.record.hooks[token]
        if door is None or door.entry.status in ENDED:
            raise Misuse("The hook was executed before, or its run has ended")
        self.record.hooks[token] = None
        self.signal(door.entry, door.name, payload, hook_id=door.hook_id)

    def signal(self, entry: Entry, name: str, payload: object, *, hook_id: str | None = None) -> None:
        """Give a signal to the oldest wait for it, or keep it until there is one."""
        if entry.status in ENDED:
            raise Misuse(f"Run {entry.id} has ended ({entry.status}): it takes no signal {name!r}")
        value = encode(payload, f"the payload of signal {name!r}", sealed)
        sent = Signal(name, value, hook_id)
        waiting = (entry.calls[memo.ordinal] for memo in entry.pending() if memo.kind == "signal")
        call = next((call for call in waiting if sent.answers(call)), None)
        if call is None:
            entry.unread.append(sent)
        else:
            entry.keep(call, status="completed", value=value)
            self.wake(entry)
        self.work()

    def cancel(self, entry: Entry) -> None:
        """Cancel a run and its children: what it did is undone, newest first."""
        if entry.status in ENDED:
            raise Misuse(f"Run {entry.id} has ended already: {entry.status}")
        self._stop(entry, "cancelled", {"code": "CANCELLED", "message": f"run {entry.id} was cancelled"})
        self.work()

    def work(self) -> None:
        """Do everything that needs no time to pass."""
        while self.record.ready:
            job = self.record.ready.popleft()
            try:
                job()
            except Killed:
                self.killed += 1
                self.record.ready.appendleft(job)

    def unseal(self, text: str) -> str:
        """A secret that was sealed."""
        return unsealed(text)

    def wake(self, entry: Entry) -> None:
        """Let a run go on, when all that it waits for has ended."""
        self.record.ready.append(lambda: self._advance(entry))

    def begin_child(self, parent: Entry, call: Call) -> None:
        """Start a child run."""
        wait = call.wait
        made = definition(wait["workflow"], wait["version"])
        self._enter(made, (wait["args"], wait["kwargs"]), wait["run_id"], (parent, call))

    def begin_member(self, entry: Entry, call: Call) -> None:
        """Let a member of ctx.parallel be done."""
        self.record.ready.append(lambda: self._member(entry, call))

    def _enter(
        self,
        made: Definition,
        given: Sequence[Any],
        run_id: str | None,
        parent: tuple[Entry, Call] | None = None,
    ) -> Entry:
        run_id = run_id or f"run_{self.record.number()}"
        if run_id in self.record.runs:
            raise Misuse(f"There is a run {run_id!r} already")
        args, kwargs = concealed(given[0], given[1], made.secret_places, sealed)
        entry = Entry(id=run_id, definition=made, args=args, kwargs=kwargs, parent=parent)
        self.record.runs[run_id] = entry
        self.wake(entry)
        return entry

    def _advance(self, entry: Entry) -> None:
        if entry.status != "running" or entry.rests():
            return
        entry.advances += 1
        host = MemoryHost(self, entry, lambda: self.wake(entry))
        outcome = replay(entry.definition, entry.args, entry.kwargs, entry.history(), host, _info(entry))
        if not isinstance(outcome, Suspended):
            host.flush(lambda: self._settle(entry, outcome))

    def _member(self, entry: Entry, call: Call) -> None:
        memo = entry.memos[call.ordinal]
        if entry.status != "running" or memo.status != "pending":
            return
        host = MemoryHost(self, entry, lambda: self.begin_member(entry, call))
        made, history = entry.definition, entry.history()
        try:
            perform(find(made, entry.args, entry.kwargs, history, host, _info(entry), call.key), memo, host)
            host.flush(lambda: self.wake(entry))
        except Suspend:
            return
        except Nondeterminism as error:
            _block(entry, str(error))

    def _settle(self, entry: Entry, outcome: Outcome) -> None:
        if isinstance(outcome, Returned):
            self._end(entry, "completed", result=outcome.value)
        elif isinstance(outcome, Raised):
            self._stop(entry, "failed", outcome.error)
        elif isinstance(outcome, Restarted):
            self._restart(entry, outcome)
        elif isinstance(outcome, Diverged):
            told = f"at call {outcome.call} history has {outcome.expected}, the code made {outcome.found}"
            _block(entry, told)

    def _restart(self, entry: Entry, outcome: Restarted) -> None:
        """A fresh run goes on, with the signals that nobody has read and the open hooks."""
        parent, entry.parent = entry.parent, None
        following = self._enter(entry.definition, (outcome.args, outcome.kwargs), None, parent)
        following.unread, entry.unread = entry.unread, []
        for door in self.record.hooks.values():
            if door is not None and door.entry is entry:
                door.entry = following
        entry.successor = following
        self._end(entry, "completed")

    def overflow(self, entry: Entry) -> None:
        """End a run that has more events than it may."""
        told = f"the run has more than {entry.definition.max_events} events, which is its limit (max_events)"
        self._stop(entry, "failed", {"code": "MAX_EVENTS_EXCEEDED", "message": told})

    def _stop(self, entry: Entry, goal: str, error: Mapping[str, object]) -> None:
        """The run does not go on: its children are cancelled, and it is compensated."""
        entry.status, entry.error = "compensating", error
        for child in list(self.record.runs.values()):
            if child.parent and child.parent[0] is entry and child.status == "running":
                self._stop(child, "cancelled", {"code": "CANCELLED", "message": "its parent was stopped"})
        self.record.ready.append(lambda: self._compensate(entry, goal))

    def _compensate(self, entry: Entry, goal: str) -> None:
        """Undo what has happened or may have, newest first."""
        host = MemoryHost(self, entry, lambda: None)
        for memo in reversed(entry.history()):
            call = entry.calls.get(memo.ordinal)
            if call is None or not call.options.undo or not memo.attempt or memo.key in entry.undone:
                continue
            try:
                undo(call.options.undo, call.input or {}, memo.value, host.unseal)
            except Gone:
                raise
            except BaseException as error:  # An undo may raise anything; an operator has to look then.
                told = f"undoing {call.title} failed: {message_of(error)}"
                entry.status, entry.cause = "compensation_failed", error
                entry.error = {"code": "COMPENSATION_FAILED", "message": told, "details": {"step": call.key}}
                return
            host.flush(partial(entry.undone.append, memo.key))
        if entry.status == "compensating":
            host.flush(lambda: self._end(entry, goal))

    def _end(self, entry: Entry, status: str, result: object = None) -> None:
        entry.status, entry.result = status, result
        if entry.parent is None or entry.parent[0].status != "running":
            return
        parent, call = entry.parent
        if status == "completed":
            parent.keep(call, status=status, value=result)
        else:
            child_type = ((entry.error or {}).get("details") or {}).get("type")
            details = {
                "type": "windlass:ChildFailed",
                "runId": entry.id,
                "status": status,
                "childType": child_type,
            }
            parent.keep(call, status="failed", error={**(entry.error or {}), "details": details})
        self.wake(parent)


def _block(entry: Entry, told: str) -> None:
    entry.status, entry.error = "blocked", {"code": "NONDETERMINISM", "message": told}


def _info(entry: Entry) -> Info:
    made = entry.definition
    return Info(
        run_id=entry.id,
        parent_run_id=entry.parent[0].id if entry.parent else None,
        workflow=made.name,
        version=made.version,
        advance=entry.advances,
    )
