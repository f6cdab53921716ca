"""Optimistic transitions: decide without a lock, write on the condition that the run has not changed.

    decided = decide(db, seen, lambda j: ...)

1. ``seen`` holds the rows of the run and its steps as they were read last. The number of the run's last event
   is its version, because every change of a run appends an event.
2. The rules run against a journal without a transaction. It collects changes and events in memory.
3. A rule that needs anything else (a lock, a timer, a webhook, a member of a fan-out) raises: its answer
   could be outdated, and nothing would notice.
4. Write run, steps and events with one statement, on the condition that version and generation are unchanged.
   For a member of a fan-out the condition is its own status, fence and generation instead.
5. Written: the rows in memory are the new ``seen``, for the next transition of this worker.
6. Raised or refused: nothing was written. The answer is None, and the caller runs the same rules under the
   run's lock.

Rules must not have effects of their own: they may run twice.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar, Unpack

from app.domain.ids import new_id
from app.domain.rows.runs import EventRow, RunRow, StepRow
from app.domain.run_kind import RunKind
from app.domain.states import RunStatus
from app.engine.transitions.journal import FAN_OUT, Journal, timer_message
from app.record.fast_path import branch as member
from app.record.fast_path import transition
from app.record.fast_path.branch import Change, Counted, MemberTransition
from app.record.fast_path.transition import Ending, OtherTimer, RunSnapshot, Transition
from app.record.session import Database, Tx

T = TypeVar("T")
D = TypeVar("D", bound="OptimisticTransition")


class NeedsLock(Exception):
    """The transition needs more than the run and its steps."""


@dataclass(frozen=True)
class Decided(Generic[T]):
    """What was decided and is written, and what is known now."""

    result: T
    seen: RunSnapshot


class OptimisticTransition(Journal):
    """The journal of one transition that is not under the lock."""

    def __init__(self, seen: RunSnapshot, new: RunRow | None = None) -> None:
        self.run = seen.run.copy()
        self._new_run: RunRow = new or {}
        # The database's clock at the last statement, plus our monotonic time: worker clocks are never used.
        self.now = seen.now + int((time.monotonic() - seen.read_at) * 1000)
        self.messages = []
        self.before = seen
        self._watched = seen.watched
        self._steps = [row.copy() for row in seen.steps]
        self._changed: dict[tuple[str, str], StepRow] = {}
        self._new: list[StepRow] = []
        self._ending: Ending | None = None
        self._other_timer: OtherTimer | None = None
        self._left: StepRow | None = None  # A step whose timers and hooks nobody needs any more.
        self._events = []
        self._changes = {}
        self._untold = None
        self._begun, self._ended = {}, []

    @property
    def tx(self) -> Tx:  # type: ignore[override]
        """There is none."""
        raise NeedsLock

    def change(self, step: StepRow, **changes: Unpack[StepRow]) -> None:
        """Change columns of a step."""
        step.update(changes)
        # A new step is inserted as it is in the end. An UPDATE in the statement that inserts it would not
        # find it: on PostgreSQL all parts of a statement see the state before it.
        if not any(step is new for new in self._new):
            self._changed.setdefault((step["phase"], step["key"]), {}).update(changes)

    def insert(self, rows: Sequence[StepRow]) -> None:
        """Add steps to the run; only later transitions see them."""
        self._new.extend(rows)

    def steps(self) -> list[StepRow]:
        """All steps of the run."""
        return self._steps

    def one(self, phase: str, key: str) -> StepRow | None:
        """One step of the run."""
        return next((row for row in self._steps if row["phase"] == phase and row["key"] == key), None)

    def some(self, phase: str, *keys: str | None) -> dict[str, StepRow]:
        """The named steps of the run, by key."""
        return {row["key"]: row for row in self._steps if row["phase"] == phase and row["key"] in keys}

    def line(self, phase: str, branch: str = "") -> list[StepRow]:
        """The steps of one branch, or of the main line, in order."""
        return [row for row in self._steps if row["phase"] == phase and row["branch"] == branch]

    def arm(self, purpose: str, due_at: int, step: StepRow | None = None) -> NoReturn:
        """Timers are armed under the lock."""
        raise NeedsLock

    def disarm(self, step: StepRow, *purposes: str) -> NoReturn:
        """Timers are disarmed under the lock."""
        raise NeedsLock

    def leave(self, step: StepRow) -> None:
        """Timers and hooks of a step are closed with those of its run, or by the write of a member."""
        self._left = step

    def arm_open(self, run_id: str, purpose: str, step: str) -> None:
        """Inform another run of this one, unless it has ended by the time this is written."""
        self._other_timer = OtherTimer(
            timer_id=new_id("tmr"), run_id=run_id, purpose=purpose, step=step, due_at=self.now
        )
        self.messages.append(timer_message(self._other_timer.timer_id, run_id, purpose, self.now))

    def close(self, status: str, *, hooks_too: bool) -> None:
        """Count the run and close its timers and hooks."""
        # Hooks move on to a retry, which works under the locks of both runs.
        if not hooks_too:
            raise NeedsLock
        duration = self.now - (self.run["started_at"] or self.now) - (self.run["held_ms"] or 0)
        self._ending = Ending(type=self.run["type"], status=status, duration_ms=duration)

    @property
    def born(self) -> RunRow:
        """The row of a run that is not written yet."""
        return {**self._new_run, **self._changes}

    @property
    def told(self) -> list[EventRow]:
        """The events so far."""
        return self._events

    def flush(self) -> None:
        """Drafts are written by `decide`."""
        if self._untold is not None:
            self._tell_status()
        # Who is told was read earlier. The write asks again (`subscriptions.unsubscribed`), or somebody who
        # subscribed in between would not be told of this event (I12;
        # test_an_endpoint_that_subscribed_during_a_step_is_sent_its_end).
        if self._has_subscribers():  # The deliveries are written in a transaction.
            raise NeedsLock
        if self._left is not None and not self._leaves_alone:
            raise NeedsLock

    @property
    def _leaves_alone(self) -> bool:
        """Whether the write closes timers and hooks, as the end of a run does; if not, the lock is needed."""
        return self._ending is not None

    @property
    def changes_anything(self) -> bool:
        """Whether there is something to write."""
        # A step never changes without its run here. What changes a member alone (`claim._left`) is no claim,
        # so `branch._claimed` sends it to the lock.
        return bool(self._changes)

    def write(self, db: Database, patience_s: float) -> int | None:
        """Write it down; returns the database's clock, or None when the run is no longer what was seen."""
        return transition.write(db, self._transition(), patience_s=patience_s)

    def _transition(self) -> Transition:
        return Transition(
            run_id=self.id,
            type=self.run["type"],
            version=self.before.run["event_seq"],
            # Besides the version: publishing again raises the generation and appends no event.
            gen=self.before.run["dispatch_gen"],
            run=self._changes,
            steps=[(phase, key, changes) for (phase, key), changes in self._changed.items()],
            new=self._new,
            events=self._events,
            ending=self._ending,
            other_timer=self._other_timer,
            leases=self._leases(),
        )

    def after(self, now: int) -> RunSnapshot:
        """What is true once the draft is written."""
        return RunSnapshot(run=self.run, steps=self._steps, now=now, watched=self._watched)


class OptimisticMember(OptimisticTransition):
    """The draft of a member of a fan-out: it knows its own branch, and its fan-out as it once was."""

    @property
    def read(self) -> list[StepRow]:
        """The steps that were read."""
        return self._steps

    def steps(self) -> NoReturn:
        """Most of them were not read."""
        raise NeedsLock

    def one(self, phase: str, key: str) -> StepRow:
        """One step of the branch, or the fan-out."""
        found = super().one(phase, key)
        if found is None:
            raise NeedsLock
        return found

    def line(self, phase: str, branch: str = "") -> list[StepRow]:
        """The steps of the branch, in order; the main line may have moved on."""
        if not branch:
            raise NeedsLock
        return super().line(phase, branch)

    def write(self, db: Database, patience_s: float) -> int | None:
        """Write it down; returns the database's clock, or None when the member is no longer what was seen."""
        return member.write(db, self._member_transition(), patience_s=patience_s)

    @property
    def _leaves_alone(self) -> bool:
        """A member's write closes those of the one step that it settles: nobody else arms any for that."""
        return True

    def _member_transition(self) -> MemberTransition:
        # Only what can be said as a difference may be written without the lock. A new status of the run, say,
        # would overwrite what the other members have made of it meanwhile.
        if not set(self._changes) <= {"event_seq", "log_bytes"} or self._new:
            raise NeedsLock
        known = {(row["phase"], row["key"]): row for row in self.before.steps}
        steps, counted = [], None
        for place, changes in self._changed.items():
            # The counter of the fan-out is changed by a difference: other members change it at the same time.
            if known[place]["branch"]:
                steps.append(Change(step=known[place], changes=changes))
            else:
                counted = _counted(known[place], changes)
        before = int(self.before.run["event_seq"])
        grown = int(self.run["log_bytes"]) - int(self.before.run["log_bytes"])
        events: list[EventRow] = [{**row, "seq": row["seq"] - before} for row in self._events]
        return MemberTransition(
            run_id=self.id,
            type=self.run["type"],
            log_bytes=grown,
            steps=steps,
            counted=counted,
            left=None if self._left is None else (self._left["phase"], self._left["key"]),
            events=events,
            leases=self._leases(),
        )


def _counted(group: StepRow, changes: StepRow) -> Counted:
    if (group["given"] or {}).get("need") is not None or not set(changes) <= set(member.COUNTERS):
        raise NeedsLock  # Whether enough have succeeded is known under the lock alone.
    return Counted(
        key=group["key"],
        ordinal=group["ordinal"],
        pending=changes.get("pending", group["pending"]) - group["pending"],
        succeeded=changes.get("succeeded", group["succeeded"]) - group["succeeded"],
        failures=changes.get("failures", group["failures"]) - group["failures"],
    )


def is_plain(seen: RunSnapshot) -> bool:
    """Whether the run and its steps are all that matters: few, and no fan-out."""
    if len(seen.steps) > transition.MOST_STEPS:
        return False
    if seen.run["kind"] == RunKind.CODE and seen.run["status"] == RunStatus.COMPENSATING:
        return False  # An undo looks at its call, which is not among the steps of the main line.
    return not any(row["branch"] or row["kind"] in FAN_OUT for row in seen.steps)


def decide(
    db: Database, seen: RunSnapshot, rules: Callable[[OptimisticTransition], T], *, patience_s: float = 5.0
) -> Decided[T] | None:
    """Let the rules write a draft, and write it down; None when that has to be done under the lock."""
    return _decided(db, OptimisticTransition(seen), rules, patience_s)


def decide_member(
    db: Database, seen: RunSnapshot, rules: Callable[[OptimisticMember], T], *, patience_s: float = 5.0
) -> Decided[T] | None:
    """The same for a member of a fan-out, whatever the others do meanwhile."""
    return _decided(db, OptimisticMember(seen), rules, patience_s)


def _decided(db: Database, draft: D, rules: Callable[[D], T], patience_s: float) -> Decided[T] | None:
    try:
        result = rules(draft)
        draft.flush()
        if not draft.changes_anything:
            return Decided(result, draft.before)
        now = draft.write(db, patience_s)
    except NeedsLock:
        return None
    return None if now is None else Decided(result, draft.after(now))
