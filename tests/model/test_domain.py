"""Everything at any time, on the pure domain: deaths, freezes, lost and doubled messages, people.

The machine moves the reference engine and judges every state by the domain's own invariants and its fold.
That the machine can see is shown by engines with one defect each.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.errors import InvalidStateTransition
from app.domain.fold import fold
from app.domain.invariants import broken
from app.domain.states import NEEDS_OPERATOR, TERMINAL, RunStatus, StepStatus
from tests.model.book import is_open
from tests.model.defects import ALL
from tests.model.reference import HARMLESS, LEASE_MS, ONCE, Claim, Reference, plan

EXAMPLES, STEPS = 600, 50
# Where a search meets soon what others find after thousands of sequences. Any other start finds it as well.
EARLY = {"ForgetsEarlierAttempts": 0, "NoFence": 1, "UndoesWhileAStepRuns": 2}
PLANS = [("first", "second", "third"), ("first", ONCE, "third"), (ONCE,), (ONCE, "second")]
ENDS = ["done", "done", "failed", "failed", "for good", "nothing", "refused", "away"]
MORE_ENDS = st.lists(st.sampled_from([*ENDS, "dies"]), max_size=12)
VERBS = ["resume", "compensate", "skip", "resolve", "pause", "unpause"]
FINAL = TERMINAL | NEEDS_OPERATOR | {RunStatus.PAUSED}
PLACES = st.integers(0, 5)


@dataclass
class Body:
    """A step that a worker executes; the worker may no longer hold it."""

    claim: Claim
    renews: bool = True  # The worker lives and renews its lease.


class Everything(RuleBasedStateMachine):
    """Rules are what may happen; each leaves a state in which every invariant holds."""

    made: ClassVar[type[Reference]] = Reference

    @initialize(
        names=st.sampled_from(PLANS),
        on_failure=st.sampled_from(["compensate", "hold"]),
        calm=st.sampled_from([2, 8, 20, 99]),
        ends=MORE_ENDS,
    )
    def begin(self, names: tuple[str, ...], on_failure: str, calm: int, ends: list[str]) -> None:
        """A client starts a run, and nothing disturbs it for some time."""
        self.calm = calm
        self.engine = self.made(plan(*names), on_failure=on_failure)
        self.bodies: list[Body] = []
        self.sent: Counter[str] = Counter()  # Effects that must not be repeated, by who may have them.
        self.go_on(ends)

    @rule(ends=MORE_ENDS)
    def go_on(self, ends: list[str]) -> None:
        """What has to happen happens: messages come, bodies end, time passes."""
        for how in ends:
            if self.bodies and how == "dies":
                self.die(0, took_effect=True)
            elif self.bodies:
                self.end(0, how)
            elif self.engine.messages:
                self.deliver(-1)
            else:
                self.wait(LEASE_MS + 1 if self.engine.busy() else 1_000)

    @precondition(lambda self: self.engine.messages)
    @rule(place=PLACES, twice=st.booleans())
    def deliver(self, place: int, twice: bool = False) -> None:
        """A worker takes a message, in any order; the broker may keep it."""
        messages = self.engine.messages
        message = messages[place % len(messages)]
        if not twice:
            messages.remove(message)
        self.work(self.engine.claim(message))

    @precondition(lambda self: self.engine.messages)
    @rule(place=PLACES)
    def lose_a_message(self, place: int) -> None:
        """The broker loses a message, or none was published."""
        self.engine.messages.pop(place % len(self.engine.messages))

    @precondition(lambda self: self.bodies)
    @rule(place=PLACES, how=st.sampled_from(ENDS), observable=st.booleans())
    def end(self, place: int, how: str, observable: bool = True) -> None:
        """A body ends, in time or too late; an attempt that is not the first observes before it acts."""
        claim = self.bodies.pop(place % len(self.bodies)).claim
        observes = claim.key == ONCE and claim.phase == "forward" and claim.unsure and how != "away"
        if observes:
            how = "for good" if not observable else "done" if self.sent[ONCE] else how
        cleared = observes and observable and not self.sent[ONCE]
        if how not in HARMLESS and (cleared or not observes):
            self.affect(claim)
        held = self.holds(claim)
        self.work(self.engine.settle(claim, how, cleared=cleared))
        assert held or self.engine.events[-1]["type"] == "step.fenced", "a stale result was taken"

    @precondition(lambda self: self.bodies)
    @rule(place=PLACES, took_effect=st.booleans())
    def die(self, place: int, took_effect: bool) -> None:
        """A worker is killed in the middle of a body."""
        claim = self.bodies.pop(place % len(self.bodies)).claim
        if took_effect and not (claim.unsure and self.sent[claim.key]):
            self.affect(claim)

    @precondition(lambda self: self.bodies)
    @rule(place=PLACES)
    def freeze(self, place: int) -> None:
        """A worker stands still; its lease will run out, and it will end its body all the same."""
        self.bodies[place % len(self.bodies)].renews = False

    @rule(ms=st.sampled_from([1, 1_000, LEASE_MS + 1, 70_000]))
    def wait(self, ms: int) -> None:
        """Time passes, and the reconciler checks leases and timers."""
        self.engine.now += ms
        for row in [row for row in self.engine.steps if row["status"] == StepStatus.RUNNING]:
            if any(body.renews and self.holds(body.claim) for body in self.bodies):
                row["lease_until"] = self.engine.now + LEASE_MS
            elif row["lease_until"] < self.engine.now:
                self.engine.lose(row["phase"], row["key"], row["fence"])
        for timer in list(self.engine.timers):
            if timer["due_at"] <= self.engine.now:
                self.engine.fire(timer)

    @precondition(lambda self: self.engine.busy())
    @rule()
    def take_away(self) -> None:
        """A worker is reported as lost: the error callback, or a clock that ran ahead."""
        row = next(row for row in self.engine.steps if row["status"] == StepStatus.RUNNING)
        self.engine.lose(row["phase"], row["key"], row["fence"])

    @precondition(lambda self: self.engine.timers)
    @rule(place=PLACES)
    def fire(self, place: int) -> None:
        """A timer is fired, perhaps too early or once more."""
        self.engine.fire(self.engine.timers[place % len(self.engine.timers)])

    @precondition(lambda self: self.engine.run["expect_since"] is not None)
    @rule()
    def publish_again(self) -> None:
        """The reconciler looks for lost messages, and may be wrong."""
        self.engine.redispatch()

    @precondition(lambda self: self.disturbed())
    @rule(mode=st.sampled_from(["graceful", "kill", "abandon"]))
    def cancel(self, mode: str) -> None:
        """A client cancels the run."""
        self.engine.cancel(mode)

    @precondition(lambda self: self.engine.status in NEEDS_OPERATOR | {RunStatus.PAUSED} or self.disturbed())
    @rule(verb=st.sampled_from(VERBS))
    def act(self, verb: str) -> None:
        """An operator does something, and answers for what is done again."""
        if self.engine.status in NEEDS_OPERATOR:
            self.sent.clear()
        self.engine.act(verb)

    @invariant()
    def healthy(self) -> None:
        """Every invariant of the domain holds."""
        assert not broken(self.engine.case())

    @invariant()
    def logged(self) -> None:
        """The fold of the log is the state."""
        state, engine = fold(self.engine.events), self.engine
        assert state["status"] == engine.status
        assert state["locks"] == {row["resource"]: row["fence"] for row in engine.locks}
        due = {one["step"]: one["due_at"] for one in engine.timers if is_open(one) and one["step"]}
        for row, seen in zip(engine.line("forward") + engine.line("comp"), state["steps"], strict=True):
            names = ("phase", "key", "status", "attempt", "outcome", "fence", "undoes")
            assert [seen[name] for name in names] == [row[name] for name in names]
            if row["status"] == StepStatus.RETRY_WAIT:
                assert seen["dueAt"] == due[row["key"]]

    def teardown(self) -> None:
        """When nothing goes wrong any more, the run ends, or needs an operator, or is paused by one."""
        for _ in range(60):
            before = len(self.engine.events)
            while self.bodies:
                self.end(0, "done")
            self.engine.messages.clear()
            self.wait(LEASE_MS + 1)
            self.engine.redispatch()
            while self.engine.messages:
                self.deliver(0)
            self.healthy()
            awaited = self.bodies or any(is_open(one) for one in self.engine.timers)
            if self.engine.status in FINAL and not awaited and before == len(self.engine.events):
                break  # Nothing is on its way, and nothing was found to do.
        assert self.engine.status in FINAL

    def disturbed(self) -> bool:
        """Whether clients and operators may act by now."""
        return len(self.engine.events) > self.calm

    def work(self, claim: Claim | None) -> None:
        """A claim makes a body."""
        if claim is not None:
            self.bodies.append(Body(claim))

    def holds(self, claim: Claim) -> bool:
        """Whether the step is the claim's still."""
        row = self.engine.step(claim.phase, claim.key)
        return bool(row["status"] == StepStatus.RUNNING and row["fence"] == claim.fence)

    def affect(self, claim: Claim) -> None:
        """A body does what it is for; what must not be repeated is not, by its holder."""
        if claim.key == ONCE and claim.phase == "forward" and self.holds(claim):
            self.sent[ONCE] += 1
            assert self.sent[ONCE] == 1, "what must not be repeated was repeated"


def explore(made: type[Reference], examples: int = EXAMPLES, **how: Any) -> None:
    """Try the same sequences of rules each time: they are derived from the machine itself, or from a seed."""
    machine = type(f"Everything{made.__name__}", (Everything,), {"made": made})
    if made.__name__ in EARLY:
        machine = seed(EARLY[made.__name__])(machine)
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=checks,
        **how,
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_nothing_that_may_happen_breaks_an_invariant() -> None:
    explore(Reference)


@pytest.mark.parametrize("defect", ALL, ids=lambda defect: str(defect.__name__))
def test_a_defect_is_found(defect: type[Reference]) -> None:
    with pytest.raises((AssertionError, InvalidStateTransition)):
        explore(defect, 4 * EXAMPLES, phases=[Phase.generate])  # It stops at the first finding.
