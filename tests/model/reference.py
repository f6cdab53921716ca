"""A reference engine: one run in memory, moved by the domain's tables alone.

It has the transactions of the real engine, for runs without fan-outs and operations. Its rows are those that
`app.domain.invariants` examines.
"""

from dataclasses import dataclass

from app.domain.case import Case
from app.domain.plan import Do, Plan, StepSpec, segments
from app.domain.policy import Backoff
from app.domain.states import FORWARD, NEEDS_OPERATOR, STEP_DONE, TERMINAL, UNWINDING, RunStatus, StepStatus
from tests.model.book import Book, Message, Row, is_open, row_of

POLICY = Backoff(first_ms=1_000, limit=3, jitter=False)
POISON = 3
LEASE_MS, HOLD_MS = 10_000, 60_000
ONCE = "once"  # The step that must not be repeated.
RESOURCE = "server/srv_1"
MAY_HAVE_HAPPENED = ("done", "unknown")
HARMLESS = ("nothing", "refused", "away")  # A body failed in this way before it did anything, or observed.
REPEATABLE = ("failed", "refused", "away")
RESUMABLE = frozenset({RunStatus.FAILED_HELD, RunStatus.BLOCKED, RunStatus.COMPENSATION_FAILED})
ENDINGS = {
    RunStatus.COMPLETED: "run.completed",
    RunStatus.FAILED: "run.failed",
    RunStatus.CANCELLED: "run.cancelled",
}
RESUMED: Row = {"tries": 0, "lost": 0, "unsure": False}


@dataclass(frozen=True)
class Claim:
    """What a worker believes to hold."""

    phase: str
    key: str
    fence: int
    unsure: bool


def plan(*names: str) -> Plan:
    """Steps in a row; all can be undone, and the one that must not be repeated travels alone."""
    specs = (StepSpec(name=name, undoable=True, alone=name == ONCE) for name in names)
    return Plan(tuple(Do(spec) for spec in specs))


class Reference(Book):
    """One run."""

    policy = POLICY
    poison = POISON

    def __init__(self, ordered: Plan, *, on_failure: str = "compensate") -> None:
        super().__init__(on_failure=on_failure)
        self._accept(ordered)

    def case(self) -> Case:
        """What the invariants examine."""
        return Case(
            now=self.now,
            run=self.run,
            steps=self.steps,
            events=self.events,
            timers=self.timers,
            locks=self.locks,
            poison_limit=POISON,
            budgets={row["name"]: POLICY.limit for row in self.steps},
        )

    # ------------------------------------------------------------------------------------ transactions

    def _accept(self, ordered: Plan) -> None:
        self.steps = [row_of(one) for one in ordered.rows()]
        self.event("run.created", input={}, steps=[dict(row) for row in self.steps])
        self.locks.append({"resource": RESOURCE, "fence": 1})
        self.event("lock.granted", resource=RESOURCE, fence=1)
        self.advance()

    def claim(self, message: Message) -> Claim | None:
        """T2: attempt, fence and lease are committed before the body starts."""
        step = self.step(message.phase, message.key)
        line = self.line(message.phase)
        before = line[: line.index(step)]
        claimable = self.status in (FORWARD if message.phase == "forward" else UNWINDING)
        if not claimable or message.gen != self.run["gen"] or step["status"] != StepStatus.PENDING:
            return None
        if any(row["status"] not in STEP_DONE for row in before):
            return None
        return self.take(step)

    def settle(self, claim: Claim, how: str, *, cleared: bool = False) -> Claim | None:
        """T3 and T23: done, failed, failed for good, or nothing happened; perhaps the next step's claim.

        ``cleared`` says that observing has shown that no earlier attempt took effect.
        """
        step = self.step(claim.phase, claim.key)
        if not self.holds(claim, step):
            self.event("step.fenced", step, fence=claim.fence)
            return None
        if how == "done":
            return self.completed(step)
        self.raised(step, how, claim, cleared=cleared)
        return None

    def lose(self, phase: str, key: str, fence: int) -> None:
        """A worker died or fell silent: the outcome is unknown."""
        step = self.step(phase, key)
        if step["status"] != StepStatus.RUNNING or step["fence"] != fence:
            return
        step.update(tries=max(0, step["tries"] - 1), outcome="unknown", unsure=True, lease_until=None)
        step["lost"] += 1
        self.event("step.lost", step, fence=fence)
        if step["lost"] >= self.poison or self.status == RunStatus.CANCELLING:
            self.failed(step)
        else:
            self.runnable(step)

    def fire(self, timer: Row) -> None:
        """T8: a timer that is due wakes what waits for it, once."""
        if self.status in TERMINAL or not is_open(timer) or not self.due(timer):
            return
        timer["fired_at"] = self.now
        if timer["purpose"] == "hold":
            self.event("run.hold_expired")
            self.stop(RunStatus.FAILED)
        else:
            self.runnable(self.step(timer["phase"], timer["step"]))

    def redispatch(self) -> None:
        """T10: publish again for a run for which a message is expected."""
        if self.run["expect_since"] is not None:
            following = self.following("comp" if self.status == RunStatus.COMPENSATING else "forward")
            assert following is not None
            self.publish(following)

    def cancel(self, mode: str) -> None:
        """T5: ask the run to stop."""
        if self.status in TERMINAL | {
            RunStatus.CANCELLING,
            RunStatus.COMPENSATING,
            RunStatus.COMPENSATION_FAILED,
        }:
            return
        self.run["cancel_mode"] = mode
        self.event("run.cancel_requested", mode=mode)
        for row in self.steps:
            if mode == "kill" and row["status"] == StepStatus.RUNNING:
                self.move(row, StepStatus.CANCELLED, outcome="unknown", lease_until=None)
                self.event("step.cancelled", row, outcome="unknown")
        self.stop(RunStatus.CANCELLED)

    def act(self, action: str) -> None:
        """One operator verb, when the run is in need of it."""
        allowed = {
            "pause": FORWARD,
            "unpause": {RunStatus.PAUSED},
            "compensate": NEEDS_OPERATOR | {RunStatus.PAUSED},
        }
        if self.status not in allowed.get(action, RESUMABLE):
            return
        self.event("operator.action", action=action)
        if action == "pause":
            self.run.update(paused_from=self.status, expect_since=None)
            self.become(RunStatus.PAUSED)
            self.event("run.paused")
        elif action == "unpause":
            self.event("run.unpaused")
            self.become(
                RunStatus.QUEUED if self.run["paused_from"] == RunStatus.QUEUED else RunStatus.RUNNING
            )
            self.advance()
        elif action == "compensate" and self.status != RunStatus.COMPENSATION_FAILED:
            self.stop(RunStatus.CANCELLED if self.run["cancel_mode"] else RunStatus.FAILED)
        else:
            self._helped(action)

    # ------------------------------------------------------------------------------ what follows from what

    def _helped(self, action: str) -> None:
        phase = "comp" if self.status == RunStatus.COMPENSATION_FAILED else "forward"
        step = next(row for row in self.line(phase) if row["status"] == StepStatus.FAILED)
        self.disarm("hold")
        self.become(RunStatus.COMPENSATING if phase == "comp" else RunStatus.RUNNING)
        if phase == "forward":
            self.event("run.resumed")
        if action in ("resume", "compensate"):
            self.move(step, StepStatus.PENDING, **RESUMED)
            self.event("step.ready", step)
            self.publish(step)
            return
        outcome = {"outcome": "done"} if action == "resolve" and phase == "forward" else {}
        self.move(step, StepStatus.RESOLVED if action == "resolve" else StepStatus.SKIPPED, **outcome)
        self.event("step.resolved" if action == "resolve" else "step.skipped", step)
        self.next_undo() if phase == "comp" else self.advance()

    def take(self, step: Row) -> Claim:
        """Claim a pending step."""
        unsure = step["unsure"]
        if self.status in (RunStatus.QUEUED, RunStatus.WAITING):
            first = self.status == RunStatus.QUEUED
            self.become(RunStatus.RUNNING)
            if first:
                self.event("run.started")
        self.run["expect_since"] = None
        self.move(step, StepStatus.RUNNING, unsure=step["outcome"] != "none", lease_until=self.now + LEASE_MS)
        step.update(attempt=step["attempt"] + 1, tries=step["tries"] + 1, fence=step["fence"] + 1)
        step["outcome"] = "unknown"
        self.event("step.started", step, fence=step["fence"])
        return Claim(step["phase"], step["key"], step["fence"], unsure)

    def holds(self, claim: Claim, step: Row) -> bool:
        """Whether a worker still holds what it believes to hold."""
        return bool(step["status"] == StepStatus.RUNNING and step["fence"] == claim.fence)

    def completed(self, step: Row) -> Claim | None:
        """A step is done."""
        self.move(step, StepStatus.COMPLETED, outcome="done", unsure=False, lease_until=None)
        self.event("step.completed", step)
        if step["phase"] == "comp":
            self.event("step.compensated", step, undoes=step["undoes"])
        following = self.following(step["phase"])
        goes_on = self.status == (RunStatus.COMPENSATING if step["phase"] == "comp" else RunStatus.RUNNING)
        if following is not None and goes_on and _one_segment(step, following):
            return self.take(following)
        if step["phase"] == "comp":
            self.next_undo()
        elif self.status == RunStatus.CANCELLING:
            self.stop(RunStatus(self.run["goal"]))
        else:
            self.advance()
        return None

    def raised(self, step: Row, how: str, claim: Claim, *, cleared: bool) -> None:
        """A body has failed: another attempt is due, or the step has failed for good."""
        harmless = how in HARMLESS
        outcome = "none" if harmless and (cleared or not step["unsure"]) else "unknown"
        step.update(outcome=outcome, unsure=outcome == "unknown", lease_until=None)
        once = step["name"] == ONCE and step["phase"] == "forward"
        repeatable = how in REPEATABLE and (harmless or not once) and self.status != RunStatus.CANCELLING
        wait = self.policy.wait_ms(step["tries"]) if repeatable else None
        if wait is None:
            self.failed(step)
            return
        step["unsure"] = not harmless or (claim.unsure and not cleared)
        self.move(step, StepStatus.RETRY_WAIT)
        self.arm("retry", self.now + wait, step)
        self.event("step.retrying", step, error={"code": "X"}, outcome=outcome, dueAt=self.now + wait)
        if self.status == RunStatus.RUNNING:
            self.become(RunStatus.WAITING)

    def failed(self, step: Row) -> None:
        """A step has failed for good: its run turns back, holds, or waits for an operator."""
        self.move(step, StepStatus.FAILED)
        self.event("step.failed", step, error={"code": "X"}, outcome=step["outcome"])
        if step["phase"] == "comp":
            self.become(RunStatus.COMPENSATION_FAILED, expect_since=None)
            self.event("run.needs_operator", step)
        elif self.status == RunStatus.CANCELLING:
            self.stop(RunStatus(self.run["goal"]))
        elif step["name"] == ONCE and step["outcome"] == "unknown":
            self.become(RunStatus.BLOCKED, expect_since=None)
            self.event("run.blocked", step, error={"code": "X"})
        else:
            self.stop(RunStatus.FAILED, hold=self.run["on_failure"] == "hold")

    def runnable(self, step: Row) -> None:
        """A wait is over."""
        self.disarm("retry", step)
        self.move(step, StepStatus.PENDING)
        self.event("step.ready", step)
        if self.status == RunStatus.WAITING:
            self.become(RunStatus.RUNNING)
        if self.status in FORWARD | UNWINDING:
            self.publish(step)

    def advance(self) -> None:
        """Do what is next on the way forward."""
        following = self.following("forward")
        if self.status not in FORWARD:
            return
        if following is None:
            self.finish(RunStatus.COMPLETED)
        elif following["status"] == StepStatus.PENDING:
            self.publish(following)
        elif following["status"] == StepStatus.RETRY_WAIT:
            self.become(RunStatus.WAITING)

    def next_undo(self) -> None:
        """Do what is next on the way back."""
        following = self.following("comp")
        if following is not None:
            self.publish(following)
            return
        self.event("run.compensated")
        self.finish(RunStatus(self.run["goal"]))

    def stop(self, goal: RunStatus, *, hold: bool = False) -> None:
        """Start nothing new; once no step runs: hold the run, undo what happened, or end it."""
        self.run.update(goal=goal, expect_since=None)
        if self.busy():
            self.become(RunStatus.CANCELLING)
        elif hold:
            self.arm("hold", self.now + HOLD_MS)
            self.become(RunStatus.FAILED_HELD)
            self.event("run.held", until=self.now + HOLD_MS)
        else:
            self._interrupt()
            undo = self.undoable() if self.run["cancel_mode"] != "abandon" else []
            self._compensate(goal, undo) if undo else self.finish(goal)

    def busy(self) -> bool:
        """Whether a step runs."""
        return any(row["status"] == StepStatus.RUNNING for row in self.steps)

    def undoable(self) -> list[Row]:
        """What may have happened, newest first."""
        return [row for row in reversed(self.line("forward")) if row["outcome"] in MAY_HAVE_HAPPENED]

    def _compensate(self, goal: RunStatus, undo: list[Row]) -> None:
        rows = [
            {**row_of(row["planned"]), "phase": "comp", "ordinal": place, "undoes": row["key"]}
            for place, row in enumerate(undo, 1)
        ]
        self.steps += rows
        self.become(RunStatus.COMPENSATING)
        self.event("run.compensating", goal=goal, steps=[dict(row) for row in rows])
        self.publish(rows[0])

    def _interrupt(self) -> None:
        for row in self.line("forward"):
            if row["status"] == StepStatus.RETRY_WAIT:
                self.move(row, StepStatus.CANCELLED)
                self.event("step.cancelled", row)
        self.disarm()

    def finish(self, status: RunStatus) -> None:
        """The end: the lock is free, no timer is left, and the last event is written."""
        for lock in self.locks:
            self.event("lock.released", resource=lock["resource"])
        self.locks.clear()
        self.disarm()
        self.become(status, expect_since=None)
        self.event(ENDINGS[status])


def _one_segment(step: Row, following: Row) -> bool:
    return len(segments([step["planned"], following["planned"]])) == 1
