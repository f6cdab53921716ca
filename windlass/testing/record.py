"""The record of a harness: runs in memory, changed by commits, between which a worker may be killed."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.calls import Call, Gone, Memo
from windlass.workflow import Definition

ENDED = frozenset({"completed", "failed", "cancelled"})


class Killed(Gone):
    """The worker has died at a commit."""


@dataclass(frozen=True)
class Event:
    """Something that has happened to a run; events of the author's own have their type and payload."""

    type: str
    payload: Any = None


@dataclass(frozen=True, eq=False)
class Signal:
    """What was sent to a run and nobody has read yet."""

    name: str
    value: Any
    hook_id: str | None = None  # The hook that brought it.

    def answers(self, call: Call) -> bool:
        """Whether a call waits for this: for its name, or for this very hook."""
        wanted = call.wait.get("hook")
        return self.name == call.name and wanted in (None, self.hook_id)


@dataclass(kw_only=True, eq=False)
class Entry:
    """A run as it is kept."""

    id: str
    definition: Definition
    args: list[Any]
    kwargs: dict[str, Any]
    parent: tuple["Entry", Call] | None = None
    status: str = "running"  # running, blocked, compensating, compensation_failed, or one of ENDED
    result: Any = None
    error: Mapping[str, Any] | None = None
    memos: dict[int, Memo] = field(default_factory=dict)
    calls: dict[int, Call] = field(default_factory=dict)  # Calls that wait, and steps that may be undone.
    members: set[int] = field(default_factory=set)  # Steps that are members of ctx.parallel.
    due: dict[int, int] = field(default_factory=dict)  # When the next attempt of a step may be made.
    room: int | None = None  # While ctx.parallel holds calls back: how many may be open.
    unread: list[Signal] = field(default_factory=list)  # The oldest first.
    events: list[Event] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    advances: int = 0
    successor: "Entry | None" = None
    cause: BaseException | None = None  # The last exception that one of its bodies has raised.

    def history(self) -> list[Memo]:
        """The memos in call order."""
        return [self.memos[ordinal] for ordinal in sorted(self.memos)]

    def pending(self) -> list[Memo]:
        """What has begun and not ended."""
        return [memo for memo in self.history() if memo.status == "pending"]

    def waiting(self) -> list[Call]:
        """The calls that others end; steps that the function itself does again are not among them."""
        apart = (
            memo.ordinal for memo in self.pending() if memo.kind != "task" or memo.ordinal in self.members
        )
        return [self.calls[ordinal] for ordinal in apart]

    def rests(self) -> bool:
        """Whether the function has nothing to do before one of its calls has ended."""
        waits = len(self.waiting())
        return waits > 0 and (self.room is None or waits >= self.room)

    def keep(self, call: Call, **facts: Any) -> Memo:
        """Keep what is known of a call now."""
        known = self.memos.get(call.ordinal)
        base = known or Memo(ordinal=call.ordinal, key=call.key, kind=call.kind, status="pending")
        self.memos[call.ordinal] = memo = replace(base, **facts)
        if memo.status != "pending" and memo.kind != "value" and (known is None or known.status == "pending"):
            self.events.append(Event(f"{_word(memo.kind)}.{memo.status}", memo.key))
        return memo


def _word(kind: str) -> str:
    return "step" if kind == "task" else kind


@dataclass(eq=False)
class Door:
    """Where the token of a hook leads."""

    entry: Entry
    name: str
    hook_id: str


class Record:
    """All runs of a harness, its clock, and what is to be done next."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms
        self.runs: dict[str, Entry] = {}
        self.hooks: dict[str, Door | None] = {}  # By their tokens; None once one is used.
        self.ready: deque[Callable[[], None]] = deque()
        self.commits = 0  # That a worker has made.
        self.kill_before: frozenset[int] = frozenset()
        self.kill_after: frozenset[int] = frozenset()
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)

    def commit(self, change: Callable[[], object]) -> Any:
        """Make a change durable, as a whole; a worker that is to die here does."""
        self.commits += 1
        if self.commits in self.kill_before:
            raise Killed
        made = change()
        if self.commits in self.kill_after:
            raise Killed
        return made

    def number(self) -> int:
        """A fresh number, for ids and tokens."""
        return next(self._numbers)

    def at(self, due_ms: int, act: Callable[[], None]) -> None:
        """Let something happen when the clock gets there."""
        heapq.heappush(self._timers, (due_ms, next(self._numbers), act))

    def due(self, until_ms: int | None = None) -> bool:
        """Set the clock to the next timer, if there is one in time, and let that happen."""
        if not self._timers or (until_ms is not None and self._timers[0][0] > until_ms):
            return False
        due_ms, _, act = heapq.heappop(self._timers)
        self.now_ms = max(self.now_ms, due_ms)
        act()
        return True
