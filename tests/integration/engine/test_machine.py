"""Everything at any time: requests, losses, doubles, deaths, operators; the doctor checks after each."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.errors import Permanent, Rejected, StepError
from app.domain.states import NEEDS_OPERATOR, TERMINAL
from app.engine.reconciler import resume
from app.engine.transitions.branch import Wanted, claim_member, settle_and_claim
from app.engine.transitions.claim import Claim, Dropped, Holder, Passed, claim
from app.engine.transitions.journal import RunMessage
from app.engine.transitions.settle import Done, Suspended, settle
from app.record.fast_path import branch
from app.record.runs import doctor, timers
from app.record.session import Database
from app.worker.loop import go_on
from tasks.step import Again, Happened, NothingHappened
from tests.support import probes
from tests.support.driver import Driver

EXAMPLES, STEPS = 40, 40  # The same ones in each run: they are derived from the machine itself.
BODIES = ("first", "second", "third", "once", "job", "poll", "visit 1", "visit 2", "visit x")
UNDOS = ("undo first", "undo second", "undo third", "unvisit 1", "abort job")
KINDS = [*["fails for good"] * 3, "fails", "refused", "dies", "lost", "taken", "others", "hook"]
KINDS += ["cancel", "kill", "abandon", "pause"]
TROUBLES = st.lists(
    st.tuples(
        st.sampled_from(BODIES * 2 + UNDOS),
        st.sampled_from(KINDS),
    ),
    max_size=4,
)
LINES = ["probe.line", "probe.once", "probe.job", "probe.group", *["probe.locked"] * 3]
FANS = ["probe.map", "probe.pairs", "probe.mix"]
ORDERS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(LINES + FANS),
        "on_failure": st.sampled_from(["compensate", "hold"]),
        "resource": st.sampled_from(["p1", "p1", "p2"]),
        "items": st.sampled_from([[1, 2], [1, 2, 3], [1], []]),
        "join": st.sampled_from(["all", "any", "collect", "two"]),
        "limit": st.sampled_from([None, 1, 2]),
    }
)
GIVEN = {"first_done": 0, "second_done": 0, "report": "seen by a worker that was frozen"}
ACTIONS = ("resume", "compensate", "skip", "resolve", "pause", "unpause")
FINAL = TERMINAL | NEEDS_OPERATOR | {"paused"}


class Died(BaseException):
    """The worker is gone, in the middle of a body."""


class Refused(StepError):
    """Nothing happened."""

    nothing_happened = True


class Engine(RuleBasedStateMachine):
    """Rules are what may happen; each leaves rows in which the doctor finds nothing."""

    shared: ClassVar[Database]
    tenants: ClassVar[Iterator[int]] = count(1)
    names: ClassVar[Iterator[int]] = count(1)

    def __init__(self) -> None:
        super().__init__()
        probes.reset()
        self.db = self.shared.for_tenant(f"machine-{next(self.tenants)}")
        self.driver = Driver(self.db)
        self.runs: list[str] = []
        self.tokens: list[str] = []
        self.frozen: list[Claim] = []  # Of workers that stand still in a body.
        self.robbed: list[bool] = []  # For each link under way, whether its step was taken over.

    @initialize(given=ORDERS, troubles=TROUBLES)
    def begin(self, given: dict[str, Any], troubles: list[tuple[str, str]]) -> None:
        """There is always a run, and something goes wrong."""
        self.start(given, troubles)

    @rule(given=ORDERS, troubles=TROUBLES)
    def start(self, given: dict[str, Any], troubles: list[tuple[str, str]]) -> None:
        """A client starts a run, and things will go wrong."""
        self.plan(troubles)
        own = {"resource_id": given["resource"], "on_conflict": "queue"}
        more = own if given["type"] == "probe.locked" else {}
        wanted = {name: given[name] for name in ("items", "join", "limit")} if given["type"] in FANS else {}
        self.runs.append(self.driver.start(given["type"], wanted, on_failure=given["on_failure"], **more))

    @precondition(lambda self: self.driver.waiting)
    @rule(place=st.integers(0, 5), most=st.sampled_from([1, 2, 3, 99]), troubles=TROUBLES)
    def deliver(self, place: int, most: int, troubles: list[tuple[str, str]]) -> None:
        """Workers take messages, in any order, and things go wrong."""
        self.plan(troubles)
        self.driver.waiting.rotate(-(place % len(self.driver.waiting)))
        while self.driver.waiting and most:
            self.alive(self.run_link)
            most -= 1

    @rule(queue=st.sampled_from(["default", "default", "bmc"]), troubles=TROUBLES)
    def idle_worker(self, queue: str, troubles: list[tuple[str, str]]) -> None:
        """A worker runs whatever waits in its queue, and things go wrong."""
        self.plan(troubles)
        self.robbed.append(False)
        self.alive(lambda: go_on(self.driver.runner, queue, task_id="wake-up", limit_s=3600))
        self.robbed.pop()

    @rule()
    def freeze_member(self) -> None:
        """A worker finds a member of a fan-out, claims it, and stands still."""
        for wanted in self.wanted():
            claimed = claim_member(self.db, wanted)
            if claimed is None:
                branch.give_back(self.db, wanted.member)
            else:
                self.frozen.append(claimed)

    @precondition(lambda self: self.frozen)
    @rule(place=st.integers(0, 5))
    def wake_and_go_on(self, place: int) -> None:
        """A frozen worker settles its member together with the claim on another one."""
        for wanted in self.wanted():
            held = self.frozen.pop(place % len(self.frozen))
            mine = self.holds(held)
            settled = settle_and_claim(self.db, held, Done(dict(GIVEN)), wanted, logs=(), patience_s=5.0)
            assert mine or settled is None, "a result was taken that came too late"
            if settled is None:
                self.frozen.append(held)
                branch.give_back(self.db, wanted.member)
                continue
            self.driver.publish(settled.messages)
            self.frozen.extend(one for one in (settled.next, settled.beside) if one is not None)
            if settled.beside is None:
                branch.give_back(self.db, wanted.member)

    @precondition(lambda self: self.driver.waiting)
    @rule(place=st.integers(0, 5))
    def freeze(self, place: int) -> None:
        """A worker takes a message, claims its step, and stands still."""
        self.driver.waiting.rotate(-(place % len(self.driver.waiting)))
        run_message, link = self.driver.waiting.popleft()
        current = self.generation(run_message, link)
        got = self.claim(
            run_message.run_id, run_message.phase, run_message.segments[link].first, run_message.gen
        )
        assert current == run_message.gen or isinstance(got, Dropped), "an older generation was followed"

    @precondition(lambda self: self.frozen)
    @rule(place=st.integers(0, 5))
    def wake(self, place: int) -> None:
        """A frozen worker goes on as if nothing had been."""
        held = self.frozen.pop(place % len(self.frozen))
        mine = self.holds(held)
        outcome = Suspended({"job": 1}) if held.step["kind"] == "operation" else Done(dict(GIVEN))
        settled = settle(self.db, held, outcome)
        assert mine or settled.status == "fenced", "a result was taken that came too late"
        self.driver.publish(settled.messages)
        if settled.next is not None:
            self.frozen.append(settled.next)

    @precondition(lambda self: self.frozen)
    @rule(place=st.integers(0, 5))
    def lose(self, place: int) -> None:
        """A reconciler sees that a lease has run out, whose worker may still wake up."""
        held = self.frozen[place % len(self.frozen)]
        which = (held.run["id"], held.step["phase"], held.step["key"], held.fence)
        self.driver.publish(self.db.write(lambda tx: resume.lose(tx, *which, poison_limit=3)))

    @precondition(lambda self: any(self.driver.status(run_id) == "lock_waiting" for run_id in self.runs))
    @rule(resource=st.sampled_from(["probe/p1", "probe/p2"]))
    def grant(self, resource: str) -> None:
        """A reconciler that saw a free resource a while ago hands it out now."""
        self.driver.publish(self.db.write(lambda tx: resume.grant_waiting(tx, resource)))

    @precondition(lambda self: self.driver.waiting)
    @rule(place=st.integers(0, 5), twice=st.booleans())
    def lose_or_double_a_message(self, place: int, twice: bool) -> None:
        """The broker forgets a message, or keeps it twice."""
        self.driver.waiting.rotate(-(place % len(self.driver.waiting)))
        if twice:
            self.driver.waiting.append(self.driver.waiting[0])
        else:
            self.driver.waiting.popleft()

    @rule(polls=st.integers(1, 2), seen=st.sampled_from([None, Happened(), NothingHappened()]))
    def world(self, polls: int, seen: Any) -> None:
        """What polls and observations will return."""
        probes.POLLS[:] = [Again("on it")] * polls
        probes.SEEN[:] = [] if seen is None else [seen]

    @precondition(lambda self: self.runs)
    @rule(
        place=st.integers(0, 9),
        purpose=st.sampled_from(["retry", "poll", "retry", "poll", "hold", "deadline"]),
    )
    def fire(self, place: int, purpose: str) -> None:
        """Time passes for one run."""
        self.driver.fire(self.chosen(place), purpose)

    @precondition(lambda self: self.runs)
    @rule(place=st.integers(0, 9), mode=st.sampled_from(["graceful", "kill", "abandon"]))
    def cancel(self, place: int, mode: str) -> None:
        """A client cancels a run."""
        self.allowed(lambda: self.driver.cancel(self.chosen(place), mode=mode))

    @precondition(lambda self: self.runs)
    @rule(place=st.integers(0, 9), action=st.sampled_from(ACTIONS))
    def act(self, place: int, action: str) -> None:
        """An operator does something."""
        self.allowed(lambda: self.driver.act(self.chosen(place), action))

    @precondition(lambda self: self.stuck())
    @rule(place=st.integers(0, 9), action=st.sampled_from(ACTIONS[:4]))
    def help(self, place: int, action: str) -> None:
        """An operator looks after a run that needs one."""
        stuck = self.stuck()
        self.allowed(lambda: self.driver.act(stuck[place % len(stuck)], action))

    @precondition(lambda self: self.runs)
    @rule(
        place=st.integers(0, 9),
        start=st.sampled_from([None, "second", "third", "each-item", "parallel", "earliest"]),
    )
    def retry(self, place: int, start: str | None) -> None:
        """A client retries a run."""
        how: dict[str, Any] = {"earliest": True} if start == "earliest" else {"from_step": start}
        fresh = self.allowed(lambda: self.driver.retry(self.chosen(place), **how))
        if fresh is not None:
            self.runs.append(fresh)

    @precondition(lambda self: self.runs)
    @rule(place=st.integers(0, 9), payload=st.integers(0, 1))
    def hook(self, place: int, payload: int) -> None:
        """A hook is opened for an operation, or one is called."""
        run_id = self.chosen(place)
        row = self.driver.steps(run_id).get("job")
        if row is not None and row["status"] not in ("completed", "cancelled") and not self.ended(run_id):
            self.tokens.append(self.driver.open_hook(run_id, "job"))
        if self.tokens:
            self.allowed(lambda: self.driver.call_hook(self.tokens[place % len(self.tokens)], payload))

    @rule()
    def reconcile(self) -> None:
        """A reconciler applies its rules to everything, long after."""
        self.driver.reconcile(self.runs)

    @invariant()
    def healthy(self) -> None:
        """The doctor finds nothing."""
        findings = self.db.read(doctor.findings)
        assert not findings, [(one["what"], self.driver.log(one["run"])) for one in findings]

    def teardown(self) -> None:
        """When nothing goes wrong any more, every run ends, or needs an operator, or is paused by one."""
        probes.BEFORE.clear()
        probes.POLLS.clear()
        for _ in range(200):
            self.driver.drain()
            self.reconcile()
            fired = [self.driver.fire(run_id) for run_id in self.runs]
            if not self.driver.waiting and not any(fired):
                break
        while self.frozen:
            self.wake(0)
        for run_id in self.runs:
            assert self.settled(run_id), (self.driver.run(run_id), self.driver.events(run_id))
        self.healthy()
        late = self.db.read(lambda tx: [t for run_id in self.runs for t in timers.open_of(tx, run_id)])
        assert {one["purpose"] for one in late} <= {"hold", "deadline"}

    def run_link(self) -> None:
        """A worker takes the next message and runs its link to the end, unless it dies."""
        run_message, place = self.driver.waiting[0]
        current = self.generation(run_message, place)
        self.robbed.append(False)
        try:
            ended = self.driver.deliver()
        finally:
            robbed = self.robbed.pop()
        assert ended is not None
        assert current == run_message.gen or ended.word.startswith("dropped"), (
            "an older generation was followed"
        )
        assert not robbed or ended.word == "fenced", "a result was taken that came too late"

    def wanted(self) -> list[Wanted]:
        """The member that waits longest for a worker, if any."""
        found = branch.reserve(self.db, "default", 1)
        return [Wanted(one, self.holder()) for one in found]

    def holder(self) -> Holder:
        """A worker that will stand still."""
        return Holder(nonce=f"machine:1/{next(self.names)}", task_id="frozen", lease_ms=10_000)

    def holds(self, held: Claim) -> bool:
        """Whether a step still belongs to who claimed it."""
        row = self.driver.step(held.run["id"], held.step["key"], held.step["phase"])
        return bool((row["fence"], row["holder"]) == (held.fence, held.holder.nonce))

    def generation(self, run_message: RunMessage, place: int) -> int:
        """The generation that messages for this step have by now."""
        step = self.driver.step(run_message.run_id, run_message.segments[place].first, run_message.phase)
        return int(step["gen"] if step["branch"] else self.driver.run(run_message.run_id)["dispatch_gen"])

    def claim(self, run_id: str, phase: str, key: str, gen: int) -> Claim | Passed | Dropped:
        """A worker claims a step and then stands still."""
        got = claim(self.db, run_id, phase, key, gen, self.holder())
        if isinstance(got, Claim):
            self.driver.publish(got.messages)
            self.frozen.append(got)
        return got

    def rob(self, ctx: Any) -> None:
        """The step of a worker that stands still is taken over by another one, which is still at it."""
        self.driver.lose(ctx.run_id, ctx.step, ctx.phase)
        for run_message, place in list(self.driver.waiting):
            where = (run_message.run_id, run_message.phase, run_message.segments[place].first)
            if where == (ctx.run_id, ctx.phase, ctx.step):
                taken = isinstance(self.claim(*where, run_message.gen), Claim)
                self.robbed[-1] = self.robbed[-1] or taken

    def plan(self, troubles: list[tuple[str, str]]) -> None:
        """The next time one of these bodies runs, this happens in it."""
        for what, kind in troubles:
            probes.BEFORE[what] = partial(self.once, what, kind)

    def once(self, what: str, kind: str, ctx: Any) -> None:
        """Something goes wrong inside a body, this time."""
        probes.BEFORE.pop(what, None)
        self.happen(kind, ctx)

    def settled(self, run_id: str) -> bool:
        """Whether a run stands as it may stand when nothing moves any more."""
        run = self.driver.run(run_id)
        if run["status"] == "lock_waiting":
            holder = self.driver.holder(f"probe/{run['resource_id']}")
            return holder is not None and self.driver.status(holder) in FINAL - TERMINAL
        return run["status"] in FINAL

    def chosen(self, place: int) -> str:
        """One of the runs, the newest first."""
        return self.runs[-1 - place % len(self.runs)]

    def ended(self, run_id: str) -> bool:
        """Whether a run is over."""
        return self.driver.run(run_id)["completed_at"] is not None

    def stuck(self) -> list[str]:
        """The runs that need an operator."""
        return [run_id for run_id in self.runs if self.driver.status(run_id) in NEEDS_OPERATOR]

    def alive(self, work: Callable[[], Any]) -> None:
        """Do something that a worker does, who may die."""
        try:
            work()
        except Died:
            return

    def allowed(self, work: Callable[[], Any]) -> Any:
        """Do what a client asks for; a refusal is an answer."""
        try:
            return work()
        except Rejected:
            return None

    def happen(self, kind: str, ctx: Any) -> None:
        """What goes wrong inside a body."""
        raised = {"fails": StepError, "fails for good": Permanent, "refused": Refused, "dies": Died}
        if kind in raised:
            raise raised[kind]("told to")
        if kind == "lost":
            self.driver.lose(ctx.run_id, ctx.step, ctx.phase)
        elif kind in ("cancel", "kill", "abandon"):
            mode = "graceful" if kind == "cancel" else kind
            self.allowed(lambda: self.driver.cancel(ctx.run_id, mode=mode))
        elif kind == "pause":
            self.allowed(lambda: self.driver.act(ctx.run_id, "pause"))
        elif kind == "taken":
            self.rob(ctx)
        elif kind == "others" and self.driver.waiting:
            self.alive(self.run_link)
        elif self.tokens:
            self.allowed(lambda: self.driver.call_hook(self.tokens[-1], 1))


@pytest.mark.sqlite
def test_a_reconciler_that_comes_late_finds_the_resource_held(database_of: Callable[[str], str]) -> None:
    Engine.shared = Database(database_of("sqlite"), "machine")
    machine, order = Engine(), {"type": "probe.locked", "resource": "p1", "on_failure": "compensate"}
    for _ in range(2):
        machine.start(order, [])
    holder, waiter = machine.runs

    machine.grant("probe/p1")
    assert (machine.driver.holder("probe/p1"), machine.driver.status(waiter)) == (holder, "lock_waiting")
    machine.healthy()
    machine.teardown()
    Engine.shared.dispose()


@pytest.mark.sqlite
@pytest.mark.timeout(300)
def test_nothing_that_may_happen_breaks_an_invariant(database_of: Callable[[str], str]) -> None:
    Engine.shared = Database(database_of("sqlite"), "machine")
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            print_blob=True,
            suppress_health_check=checks,
        ),
    )
    Engine.shared.dispose()
