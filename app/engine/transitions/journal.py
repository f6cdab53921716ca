"""One run under its lock for one transaction: events and projections are written together or not at all.

    with journal(tx, run_id) as j:       # locks the run row
        j.move(step, StepStatus.COMPLETED)     # changes a step row
        j.event("step.completed", step)  # takes the next number of the run's log
        j.enqueue(step, line)               # a message will be expected; published after the commit

1. Lock the row of the run. Every other transition of this run waits, or finds the lock taken and is put off.
2. The rules read steps and change them. `move` allows only the arrows of the tables of states.
3. Each event takes the next number of the run. There are no gaps, because the number is read and raised under
   the lock (I2).
4. `flush` writes the run, its events, the deliveries of webhooks and the leases in the same transaction.
5. After the commit, the caller publishes `Journal.messages`. Not before: a worker that is quicker than the
   commit would find nothing to do and drop the message (chaos: "publish before commit").
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Unpack, cast

from app.domain.errors import NotFound
from app.domain.events import EventType, told_types
from app.domain.plan import Kind, PlannedStep, Segment, segments
from app.domain.rows.runs import EventRow, LockedRun, RunRow, StepRow, TimerRow
from app.domain.states import STANDING, STEP_ENDED, RunStatus, StepStatus, check_run, check_step
from app.record.fast_path.transition import Leases, RunSnapshot
from app.record.runs import hooks, leases, runs, timers
from app.record.service import deliveries
from app.record.session import Tx, dump
from chains.messages import DeliveryMessage, WakeUp

FAN_OUT = frozenset({"group", "map", "graph"})
GRAPH = "graph:operations"  # The step that is a graph; its members are child runs.
CHILD = "child"  # Purpose of the timers by which a run hears of the end of its children.
MAIN = "main"  # The step of a code workflow that advances its function; the calls are its branches.


@dataclass(frozen=True, kw_only=True)
class RunMessage:
    """A message to publish: this run may be able to proceed, from this step on."""

    run_id: str
    type: str
    phase: str
    gen: int
    segments: tuple[Segment, ...]

    @property
    def queue(self) -> str:
        """Where the first link of the chain goes."""
        return self.segments[0].queue


@dataclass(frozen=True, kw_only=True)
class TimerMessage:
    """A timer to put on the fast path."""

    timer_id: str
    due_at: int
    at_once: bool = False  # Due when it was armed: whoever armed it may fire it.
    parent: str | None = None  # The run that is to hear of a child's end.


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Links whose steps were cancelled by kill: Celery ends their processes, if it gets the message."""

    task_ids: tuple[str, ...]


def timer_message(timer_id: str, run_id: str, purpose: str, now: int) -> TimerMessage:
    """The message about a timer of another run that is due now."""
    parent = run_id if purpose == CHILD else None
    return TimerMessage(timer_id=timer_id, due_at=now, at_once=True, parent=parent)


Message = RunMessage | TimerMessage | DeliveryMessage | Halt | WakeUp


class Journal:
    """The locked run and what this transaction has written of it so far."""

    def __init__(self, tx: Tx, run: LockedRun) -> None:
        self.tx = tx
        self.run: RunRow = run
        self._watched = run.pop("watched")
        self.now = tx.now
        self.messages: list[Message] = []
        self._events: list[EventRow] = []
        self._changes: RunRow = {}
        self._untold: str | None = None  # The run's new status, which the next event shall contain.
        self._begun: dict[str, int] = {}  # Who has begun to hold a step, until when;
        self._ended: list[str] = []  # and who holds none any more.

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self.run["id"])

    @property
    def watched(self) -> frozenset[str]:
        """The types of events of this run that webhooks subscribe to."""
        return self._watched or frozenset()

    @property
    def status(self) -> str:
        """The run's fine status."""
        return str(self.run["status"])

    def event(
        self, type_: EventType, step: StepRow | None = None, *, actor: str | None = None, **payload: Any
    ) -> None:
        """Append an event under the next number."""
        self.set(event_seq=self.run["event_seq"] + 1)
        if self._untold is not None:
            payload["runStatus"], self._untold = self._untold, None
        if payload:
            self.weigh(payload)
        self._events.append(
            {
                "run_id": self.id,
                "seq": self.run["event_seq"],
                "type": str(type_),
                "phase": step["phase"] if step else None,
                "step": step["key"] if step else None,
                "attempt": step["attempt"] if step else None,
                "actor": actor,
                "payload": payload or None,
                "at": self.now,
            }
        )

    def weigh(self, value: Any) -> None:
        """Count what is kept of a run: a value that its log or its signals hold."""
        self.set(log_bytes=self.run["log_bytes"] + len(dump(value)))

    def set(self, **changes: Unpack[RunRow]) -> None:
        """Change columns of the run."""
        if "expect_since" in changes:
            changes.setdefault("expect_from", changes["expect_since"])
        self.run.update(changes)
        self._changes.update(changes)

    def become(self, status: RunStatus, /, **changes: Unpack[RunRow]) -> None:
        """Change the run's status along an arrow of the table."""
        check_run(self.status, status)
        if self.status != status:
            # The next event tells it: the fold knows the run's status from events alone (I2).
            self._untold = str(status)
            if self.status in STANDING:
                since = (self.run["waiting_on"] or {}).get("since") or self.now
                changes["held_ms"] = (self.run["held_ms"] or 0) + self.now - since
        changes["status"] = str(status)
        self.set(**changes)

    def move(self, step: StepRow, status: str, /, **changes: Unpack[StepRow]) -> None:
        """Change a step's status along an arrow of the table."""
        check_step(step["status"], status)
        if step["status"] == StepStatus.RUNNING:
            self.let_go(step)
        if status == StepStatus.RUNNING:
            self._begun[str(changes["holder"])] = int(changes["lease_until"] or 0)
        changes["status"] = str(status)
        self.change(step, **changes)

    def move_members(self, moved: Sequence[tuple[StepRow, str, StepRow]]) -> None:
        """The same for members of a graph, which no worker holds, with few writes: row, status, changes."""
        changed = []
        for step, status, changes in moved:
            check_step(step["status"], status)
            known: StepRow = {**changes, "status": str(status)}
            step.update(known)
            changed.append((step, known))
        runs.change_steps(self.tx, self.id, changed)

    def let_go(self, step: StepRow) -> None:
        """Whoever holds a step holds it no longer."""
        if (holder := step["holder"]) is not None:
            self._ended.append(holder)

    def _leases(self) -> Leases:
        """Which leases begin and end; who goes on from one step to the next keeps the one he has."""
        # A holder that settles one step and claims the next (T23) writes no row of `lease` at all: until when
        # it holds stands in the step, the row only says that it holds one.
        begun = {holder: until for holder, until in self._begun.items() if holder not in self._ended}
        return Leases(begun, [holder for holder in self._ended if holder not in self._begun])

    def change(self, step: StepRow, **changes: Unpack[StepRow]) -> None:
        """Change columns of a step."""
        step.update(changes)
        runs.change_step(self.tx, self.id, step["phase"], step["key"], changes)

    def insert(self, rows: Sequence[StepRow]) -> None:
        """Add steps to the run."""
        runs.insert_steps(self.tx, rows)

    def steps(self) -> list[StepRow]:
        """All steps of the run: forward steps in order, then undo steps in order."""
        return runs.all_steps(self.tx, self.id)

    def one(self, phase: str, key: str) -> StepRow | None:
        """One step of the run."""
        return runs.one_step(self.tx, self.id, phase, key)

    def some(self, phase: str, *keys: str | None) -> dict[str, StepRow]:
        """The named steps of the run, by key; names that are None are left out."""
        return runs.some_steps(self.tx, self.id, phase, *keys)

    def line(self, phase: str, branch: str = "") -> list[StepRow]:
        """The steps of one branch, or of the main line, in order."""
        return [row for row in runs.line_steps(self.tx, self.id, phase, branch) if row["branch"] == branch]

    def enqueue(self, step: StepRow, line: Sequence[StepRow]) -> None:
        """Expect a message for this step under a new generation, so that older messages drop themselves."""
        # Raised in the transaction that decides to publish: two chains of one run never both claim. Without
        # it (chaos: "dispatch without generation"; NO_GENERATION in the model) each chain publishes for all
        # that follows.
        if step["branch"]:
            self.change(step, gen=step["gen"] + 1, expect_since=self.now)
            gen = step["gen"]
        else:
            gen = self.run["dispatch_gen"] + 1
            self.set(dispatch_gen=gen, expect_since=self.now, expect_queue=step["queue"])
        self._message(step, line, gen)

    def enqueue_members(self, branches: Sequence[Sequence[StepRow]]) -> None:
        """Expect a message for the first step of each branch, as `enqueue` does, with a single write."""
        for line in branches:
            line[0].update({"gen": line[0]["gen"] + 1, "expect_since": self.now})
            self._message(line[0], line, line[0]["gen"])
        runs.expect_members(self.tx, self.id, [line[0]["key"] for line in branches], self.now)

    def _message(self, step: StepRow, line: Sequence[StepRow], gen: int) -> None:
        carried = tuple(segments(planned(row) for row in carried_steps(step, line)))
        self.messages.append(
            RunMessage(run_id=self.id, type=self.run["type"], phase=step["phase"], gen=gen, segments=carried)
        )

    def arm(self, purpose: str, due_at: int, step: StepRow | None = None) -> None:
        """Arm a timer of the run or of one of its steps."""
        where = {"phase": step["phase"], "step": step["key"]} if step else {}
        timer_id = timers.arm(self.tx, self.id, purpose=purpose, due_at=due_at, **where)
        self.messages.append(TimerMessage(timer_id=timer_id, due_at=due_at))

    def arm_other(self, run_id: str, purpose: str, **where: str) -> None:
        """Arm a timer of another run, due now, so that it takes notice of this one."""
        # Without the lock of that run: a child that ends and a parent that stops would wait for each other.
        # The timer is durable and is fired under the other run's lock alone.
        timer_id = timers.arm(self.tx, run_id, purpose=purpose, due_at=self.now, **where)
        self.messages.append(timer_message(timer_id, run_id, purpose, self.now))

    def arm_open(self, run_id: str, purpose: str, step: str) -> None:
        """The same for a step of another run, unless that has ended."""
        # A run that was deleted after its retention has no timers: the foreign key would refuse this
        # transaction, and with it the end of our own run.
        if runs.is_open(self.tx, run_id):
            self.arm_other(run_id, purpose, phase="forward", step=step)

    def seen(self) -> RunSnapshot | None:
        """What the next transition may be decided from once this one is written."""
        main = self.one("forward", MAIN)
        if main is None:
            return None
        return RunSnapshot(run=self.run, steps=[main], now=self.now, watched=self._watched)

    def disarm(self, step: StepRow, *purposes: str) -> None:
        """Cancel the timers of a step."""
        timers.disarm(self.tx, self.id, phase=step["phase"], step=step["key"], purposes=purposes)

    def leave(self, step: StepRow) -> None:
        """Nothing wakes a step that is done: its timers are cancelled, and its hooks expire."""
        self.disarm(step)
        hooks.expire(self.tx, self.id, step["key"])

    def close(self, status: str, *, hooks_too: bool) -> None:
        """Count the run, which has ended, and close its timers and, unless they move on, its hooks."""
        timers.disarm(self.tx, self.id)
        if hooks_too:
            hooks.expire(self.tx, self.id)
        took = self.now - (self.run["started_at"] or self.now) - (self.run["held_ms"] or 0)
        runs.add_total(self.tx, self.run["type"], status, max(0, took))

    def flush(self) -> None:
        """Write the run and its events; matching webhooks get their delivery rows here."""
        if self._untold is not None:
            self._tell_status()
        if self._changes:
            runs.change_run(self.tx, self.id, self._changes)
        if self._events:
            runs.append_events(self.tx, self._events)
            # In this transaction. Written after the commit, a delivery is lost with the worker that dies in
            # between (I12; chaos: "webhook row in a second transaction").
            created = deliveries.fan_out(self.tx, self.id, self._events) if self._has_subscribers() else ()
            self.messages.extend(DeliveryMessage(delivery_id=one, fence=0) for one in created)
        # `journal` flushes once more at its end: what is written must not be written twice.
        leases.write(self.tx, self.id, self._leases())
        self._changes, self._events, self._begun, self._ended = {}, [], {}, []

    def _has_subscribers(self) -> bool:
        """Whether somebody is told of one of the events."""
        return bool(self._watched and self._watched & told_types(self._events))

    def _tell_status(self) -> None:
        if not self._events:
            self.event(EventType.RUN_MOVED)
            return
        last = self._events[-1]
        last["payload"] = {**(last["payload"] or {}), "runStatus": self._untold}
        self.weigh({"runStatus": self._untold})
        self._untold = None


@contextmanager
def journal(tx: Tx, run_id: str) -> Iterator[Journal]:
    """Lock a run and write down what happens to it; raises `NotFound`."""
    run = runs.lock_run(tx, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}")
    opened = Journal(tx, run)
    yield opened
    opened.flush()


def step_of(j: Journal, timer: TimerRow) -> StepRow | None:
    """The step that a timer is of; None for one of the run itself, and for a step that is gone."""
    phase, key = timer["phase"], timer["step"]
    return None if phase is None or key is None else runs.one_step(j.tx, j.id, phase, key)


def is_call(step: StepRow) -> bool:
    """Whether a step is a call of a code workflow."""
    return str(step["branch"]).startswith(f"{MAIN}/")


def is_member(step: StepRow) -> bool:
    """Whether a step is the place of a child run in a graph."""
    return step["kind"] == "child" and not is_call(step)


def carried_steps(step: StepRow, line: Sequence[StepRow]) -> list[StepRow]:
    """The steps that a chain from this step on carries: up to the next fan-out."""
    carried = []
    for row in line:
        if row["ordinal"] < step["ordinal"] or row["status"] in STEP_ENDED:
            continue
        if row["kind"] in FAN_OUT:
            break
        carried.append(row)
    return carried


def planned(row: StepRow) -> PlannedStep:
    """A step row as the plan knows it."""
    return PlannedStep(
        key=row["key"],
        name=row["name"],
        ordinal=row["ordinal"],
        kind=cast("Kind", row["kind"]),
        queue=row["queue"],
        branch=row["branch"],
        timeout_ms=row["timeout_ms"],
        alone=row["alone"],
    )
