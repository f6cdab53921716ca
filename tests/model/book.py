"""The rows of one run in memory: what the reference engine reads and writes, along the domain's arrows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.plan import PlannedStep
from app.domain.states import STEP_DONE, RunStatus, StepStatus, check_run, check_step

Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message: examine this step."""

    gen: int
    phase: str
    key: str


class Book:
    """A run with its steps, its log, its timers and its locks; ``messages`` is what would be published."""

    def __init__(self, *, on_failure: str) -> None:
        self.now = 1_000_000
        self.run: Row = {
            "status": RunStatus.QUEUED,
            "event_seq": 0,
            "gen": 0,
            "expect_since": None,
            "goal": None,
        }
        self.run["limits"] = None
        self.run |= {"cancel_mode": None, "paused_from": None, "on_failure": on_failure}
        self.steps: list[Row] = []
        self.events: list[Row] = []
        self.timers: list[Row] = []
        self.locks: list[Row] = []
        self.messages: list[Message] = []

    @property
    def status(self) -> RunStatus:
        """The run's status."""
        return RunStatus(self.run["status"])

    def step(self, phase: str, key: str) -> Row:
        """One step."""
        return next(row for row in self.steps if (row["phase"], row["key"]) == (phase, key))

    def line(self, phase: str) -> list[Row]:
        """The steps of a phase, in order."""
        return [row for row in self.steps if row["phase"] == phase]

    def following(self, phase: str) -> Row | None:
        """The first step of a phase that is not done."""
        return next((row for row in self.line(phase) if row["status"] not in STEP_DONE), None)

    def event(self, type_: str, step: Row | None = None, **payload: Any) -> None:
        """Append to the log."""
        self.run["event_seq"] += 1
        where = {"phase": None, "step": None, "attempt": None}
        if step is not None:
            where = {"phase": step["phase"], "step": step["key"], "attempt": step["attempt"]}
        fixed = {"seq": self.run["event_seq"], "type": type_, "actor": None, "at": self.now}
        self.events.append({**fixed, **where, "payload": payload or None})

    def become(self, status: RunStatus, **changes: Any) -> None:
        """Change the run's status along an arrow of the table, and say so."""
        check_run(self.status, status)
        self.run.update(status=status, **changes)
        self.event("run.moved", runStatus=str(status))

    def move(self, step: Row, status: StepStatus, **changes: Any) -> None:
        """Change a step's status along an arrow of the table."""
        check_step(step["status"], status)
        step.update(status=status, **changes)

    def publish(self, step: Row) -> None:
        """Expect a message for this step under a new generation."""
        self.run.update(gen=self.run["gen"] + 1, expect_since=self.now)
        self.messages.append(Message(self.run["gen"], step["phase"], step["key"]))

    def arm(self, purpose: str, due_at: int, step: Row | None = None) -> None:
        """Arm a timer of the run or of a step."""
        where = {"phase": step["phase"], "step": step["key"]} if step else {"phase": None, "step": None}
        over = {"fired_at": None, "cancelled_at": None}
        self.timers.append({"purpose": purpose, "due_at": due_at, **where, **over})

    def disarm(self, purpose: str | None = None, step: Row | None = None) -> None:
        """Cancel open timers: all, those of a purpose, or those of a step."""
        for timer in self.timers:
            chosen = purpose in (None, timer["purpose"]) and (step is None or timer["step"] == step["key"])
            if chosen and is_open(timer):
                timer["cancelled_at"] = self.now

    def due(self, timer: Row) -> bool:
        """Whether the time of a timer has come."""
        return bool(timer["due_at"] <= self.now)


def is_open(timer: Mapping[str, Any]) -> bool:
    """Whether a timer may still fire."""
    return timer["fired_at"] is None and timer["cancelled_at"] is None


def row_of(one: PlannedStep) -> Row:
    """The row of a planned step."""
    facts = {name: getattr(one, name) for name in ("key", "name", "ordinal", "kind", "branch", "undoable")}
    counters = dict.fromkeys(("attempt", "tries", "lost", "fence"), 0)
    empty = dict.fromkeys(("lease_until", "expect_since", "reused_from", "undoes", "given"))
    state = {
        "phase": "forward",
        "status": StepStatus.PENDING,
        "outcome": "none",
        "unsure": False,
        "planned": one,
    }
    return {**facts, **counters, **empty, **state}
