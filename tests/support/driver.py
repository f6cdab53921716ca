"""Drives the engine in this process, message by message, on a real database, without broker and workers.

Links run in the order of publication, with the chain's own rule for the next link. Messages can be lost,
doubled or kept back on purpose; timers are fired by asking for the next one that is armed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from sqlalchemy import update

from app.domain.ids import new_id
from app.domain.json import JsonObject
from app.engine.code import signals
from app.engine.code.start import CodeOrder, start
from app.engine.messages.publisher import redispatch
from app.engine.reconciler import resume
from app.engine.transitions import accept, operator_actions, retry
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Journal, Message, RunMessage, TimerMessage, journal
from app.record.fast_path import ready as waiting
from app.record.runs import hooks, locks, lost_messages, runs, timers
from app.record.service import definitions
from app.record.session import Database, Tx
from app.record.tables import timer
from app.worker.execute import Runner
from app.worker.loop import Ended, go_on, run_link
from chains.messages import WakeUp
from windlass.workflow import Definition

# Purposes of timers that let a run go on; the others end something.
MOVING = frozenset({"retry", "poll", "sleep", "child", "stop"})


class NoWorld:
    """Capabilities of steps that touch nothing."""

    def bmc(self, server_id: str, holder: str) -> Any:
        """There are no controllers here."""
        raise AssertionError(f"{holder} asked for the controller of {server_id}")

    def seal(self, text: str) -> str:
        """Not sealed, but not the text either."""
        return text[::-1]

    def unseal(self, text: str) -> str:
        """The text."""
        return text[::-1]

    def open_hook(self, run_id: str, step: str) -> str:
        """There are no hooks here."""
        raise AssertionError(f"{run_id} asked for a hook for {step}")


@dataclass
class Driver:
    """The engine of one test."""

    db: Database
    capabilities: Any = field(default_factory=NoWorld)
    waiting: deque[tuple[RunMessage, int]] = field(default_factory=deque)
    wake_ups: list[WakeUp] = field(default_factory=list)
    published: int = 0
    instance: str = "driver:1"
    judged: bool = True  # Whether the doctor checks everything when the test has ended.

    def publish(self, messages: Iterable[Message]) -> None:
        """Keep messages for `deliver`, fire what is due; other timers and deliveries are in SQL anyway."""
        for message in messages:
            if isinstance(message, RunMessage):
                self.published += 1
                self.waiting.append((message, 0))
            elif isinstance(message, WakeUp):
                self.wake_ups.append(message)
            elif isinstance(message, TimerMessage) and message.at_once:
                self._fire(message.timer_id)

    def _fire(self, timer_id: str) -> None:
        messages = self.db.write(lambda tx: resume.fire_timer(tx, timer_id))
        self.publish(messages or ())

    @property
    def runner(self) -> Runner:
        """What links share."""
        return Runner(
            db=self.db,
            publish=self.publish,
            capabilities=self.capabilities,
            instance=self.instance,
            lease_ms=10_000,
            heartbeat_ms=3_000,
        )

    def start(self, type_: str, given: Mapping[str, Any] | None = None, **order: Any) -> str:
        """Accept a run and publish its message."""
        run_id = new_id("run")
        asked = Order(type=type_, input=given or {}, **order)
        made = accept.at_once(self.db, run_id, asked, "usr_test")
        made = made or self.db.write(lambda tx: accept.accept(tx, run_id, asked, "usr_test"))
        self.publish(made.messages)
        return run_id

    def trigger(self, workflow: Definition, *args: Any, **options: Any) -> str:
        """Start a code workflow of this process and publish its message."""
        self.announce(workflow)
        order = CodeOrder(workflow=workflow.name, version=workflow.version, args=args, **options)
        made, _new = start(self.db, order, "usr_test")
        self.publish(made.messages)
        return made.id

    def announce(self, *workflows: Definition) -> None:
        """Announce these code workflows, as a worker does."""
        for one in workflows:
            self.db.write(partial(_announce, one))

    def signal(self, run_id: str, name: str, payload: Any, **how: Any) -> str:
        """Send a signal; returns its id."""
        sent: list[str] = []
        self.under_lock(
            run_id, lambda j: sent.append(signals.send(j, name, payload, sender="usr_test", **how))
        )
        return sent[0]

    def result(self, run_id: str) -> Any:
        """What a code workflow returned."""
        return (self.run(run_id)["output"] or {})["value"]

    def deliver(self) -> Ended | None:
        """Run the link whose message was published first; None when there is none."""
        if not self.waiting:
            return None
        run_message, place = self.waiting.popleft()
        segment = run_message.segments[place]
        ended = run_link(
            self.runner,
            run_id=run_message.run_id,
            phase=run_message.phase,
            key=segment.first,
            gen=run_message.gen,
            task_id=f"{run_message.run_id}.{segment.first}.{run_message.gen}",
            chained=place + 1 < len(run_message.segments),
        )
        if ended.chain_goes_on and place + 1 < len(run_message.segments):
            self.waiting.append((run_message, place + 1))
        return ended

    def follow_wake_ups(self) -> None:
        """Let a worker go on with what waits in the queue of each wake-up, until none is left."""
        while self.wake_ups:
            go_on(self.runner, self.wake_ups.pop(0).queue, task_id="wake-up", limit_s=900)

    def drain(self) -> None:
        """Run links until none is left."""
        while self.deliver() is not None:
            continue

    def fire(self, run_id: str, purpose: str | None = None) -> bool:
        """Make the run's next timer due, and fire it; limits only when named; false when none is armed."""
        armed = self.db.read(lambda tx: timers.open_of(tx, run_id))
        wanted = MOVING if purpose is None else {purpose}
        chosen = next((one for one in armed if one["purpose"] in wanted), None)
        if chosen is None:
            return False
        self.make_due(chosen)
        messages = self.db.write(lambda tx: resume.fire_timer(tx, chosen["id"]))
        self.publish(messages or ())
        return True

    def make_due(self, armed: Mapping[str, Any]) -> None:
        """Let the time come for which a timer was armed."""
        self.db.write(lambda tx: _make_due(tx, armed))

    def drain_until(self, run_id: str, key: str, phase: str = "forward") -> None:
        """Run links until a message for this step is the next one."""
        while self.waiting:
            run_message, place = self.waiting[0]
            if (run_message.run_id, run_message.phase, run_message.segments[place].first) == (
                run_id,
                phase,
                key,
            ):
                return
            self.deliver()
        raise AssertionError(f"no message for {key} came")

    def finish(self, run_id: str, most: int = 100) -> str:
        """Run links and fire timers until nothing of the run moves; returns its status."""
        for _ in range(most):
            self.drain()
            if self.run(run_id)["completed_at"] is not None or not self.fire(run_id):
                break
        return str(self.run(run_id)["status"])

    def lose(self, run_id: str, key: str, phase: str = "forward") -> None:
        """The worker of a running step is gone."""
        row = self.step(run_id, key, phase)
        lost = self.db.write(lambda tx: resume.lose(tx, run_id, phase, key, row["fence"], poison_limit=3))
        self.publish(lost)

    def publish_again(self, run_id: str) -> None:
        """What the reconciler does for a lost message."""
        self.publish(self.db.write(lambda tx: redispatch(tx, run_id)))

    def find_lost(self) -> int:
        """Publish again whatever is expected, as after a broker that lost its data; returns how much."""
        after = waiting.RESERVED_MS + 1  # By then, what a worker reserved is expected again.
        lost = self.db.read(lambda tx: lost_messages.expected_since_before(tx, tx.now + after, 10_000))
        for one in lost:
            where = (one["run_id"], one.get("phase"), one.get("key"))
            self.publish(self.db.write(lambda tx, where=where: redispatch(tx, *where)))  # type: ignore[misc]
        return len(lost)

    def reconcile(self, run_ids: Iterable[str]) -> None:
        """What a reconciler does long after: no worker lives any more, and no message is left."""
        for run_id in run_ids:
            for row in self.db.read(lambda tx, one=run_id: runs.all_steps(tx, one)):  # type: ignore[misc]
                if row["status"] == "running":
                    self.lose(run_id, row["key"], row["phase"])
        for resource in self.db.read(lambda tx: locks.free_with_waiters(tx, 100)):
            self.publish(self.db.write(lambda tx, one=resource: resume.grant_waiting(tx, one)))  # type: ignore[misc]
        self.find_lost()

    def cancel(self, run_id: str, **how: Any) -> None:
        """Ask a run to stop."""
        self.under_lock(run_id, lambda j: operator_actions.cancel(j, "usr_test", **how))

    def act(self, run_id: str, action: str, **how: Any) -> None:
        """One operator action."""
        self.under_lock(run_id, lambda j: operator_actions.act(j, action, "usr_test", **how))

    def retry(self, run_id: str, *, fresh: str | None = None, **how: Any) -> str:
        """Retry a run as a new one; returns its id."""
        fresh = fresh or new_id("run")
        self.publish(self.db.write(lambda tx: retry.retry(tx, run_id, fresh, "usr_test", **how)).messages)
        return fresh

    def open_hook(self, run_id: str, step: str) -> str:
        """Open a hook for a step; returns its token."""
        token = new_id("tok")
        self.db.write(lambda tx: hooks.create(tx, token_hash=token, run_id=run_id, step=step))
        return token

    def call_hook(self, token: str, payload: Any) -> dict[str, Any]:
        """Call a hook."""
        answer, messages = self.db.write(lambda tx: resume.execute_hook(tx, token, payload))
        self.publish(messages)
        return answer

    def status(self, run_id: str) -> str:
        """The run's fine status."""
        return str(self.run(run_id)["status"])

    def run(self, run_id: str) -> dict[str, Any]:
        """The run's row."""
        found = self.db.read(lambda tx: runs.read_run(tx, run_id))
        assert found is not None
        return cast("JsonObject", found)

    def steps(self, run_id: str, phase: str = "forward") -> dict[str, dict[str, Any]]:
        """The run's steps by key."""
        rows = self.db.read(lambda tx: runs.all_steps(tx, run_id))
        return {row["key"]: cast("JsonObject", row) for row in rows if row["phase"] == phase}

    def step(self, run_id: str, key: str, phase: str = "forward") -> dict[str, Any]:
        """One step's row."""
        return self.steps(run_id, phase)[key]

    def holder(self, resource: str) -> str | None:
        """The run that holds a resource."""
        found = self.db.read(lambda tx: locks.holder(tx, resource))
        return None if found is None else str(found["run_id"])

    def events(self, run_id: str) -> list[str]:
        """The types of the run's events, those of steps with their key."""
        rows = self.db.read(lambda tx: runs.events_of(tx, run_id))
        return [f"{row['type']}:{row['step']}" if row["step"] else str(row["type"]) for row in rows]

    def log(self, run_id: str) -> list[dict[str, Any]]:
        """The rows of the run's log."""
        return cast("list[JsonObject]", self.db.read(lambda tx: runs.events_of(tx, run_id)))

    def under_lock(self, run_id: str, do: Callable[[Journal], Any]) -> None:
        """Do something with a run, and publish what follows."""

        def work(tx: Any) -> Journal:
            with journal(tx, run_id) as j:
                do(j)
            return j

        self.publish(self.db.write(work).messages)


def _announce(one: Definition, tx: Tx) -> None:
    definitions.announce(tx, one.name, one.version, *announced(one))


def announced(workflow: Definition) -> tuple[dict[str, Any], str]:
    """What a worker announces of a workflow: facts and fingerprint."""
    facts = {
        "maxEvents": workflow.max_events,
        "executionTimeoutMs": workflow.execution_timeout_ms,
        "stepTimeoutMs": workflow.step_timeout_ms,
        "secretPlaces": workflow.secret_places,
        "names": workflow.names,
    }
    return facts, workflow.fingerprint


def _make_due(tx: Tx, chosen: Mapping[str, Any]) -> None:
    tx.execute(update(timer).where(timer.c.id == chosen["id"]).values(due_at=1))
    if chosen["purpose"] == "deadline":
        runs.change_step(tx, chosen["run_id"], chosen["phase"], chosen["step"], {"deadline_at": 1})
