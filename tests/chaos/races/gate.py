"""Many at the same instant: threads that leave one gate together, each a random moment early or late."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Barrier, Event, Thread
from typing import Any, cast

from app.domain.errors import Rejected
from app.domain.json import JsonObject
from app.engine.reconciler import resume
from app.engine.transitions.claim import Claim, Holder, claim
from app.engine.transitions.settle import Done, settle
from app.record.runs import runs, timers
from app.record.session import Database
from tests.support import probes
from tests.support.driver import Driver

JOIN_S = 60.0
PATIENCE = 60  # Rounds of messages and timers until everything has to stand still.
Work = Callable[[], Any]


@dataclass
class Gate:
    """One race: an engine of its own in a tenant of its own, and who takes part."""

    db: Database
    rng: Random
    spread_ms: float = 12.0  # By how much the threads are early or late.
    driver: Driver = field(init=False)
    runs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _works: list[Work] = field(default_factory=list)

    def __post_init__(self) -> None:
        probes.reset()
        self.driver = Driver(self.db, instance=f"race:{self.rng.randrange(10**6)}")

    def start(self, type_: str, given: dict[str, Any] | None = None, **order: Any) -> str:
        """Accept a run that is looked after until the end."""
        run_id = self.driver.start(type_, given, **order)
        self.runs.append(run_id)
        return run_id

    def enters(self, work: Work, times: int = 1) -> None:
        """One participant, or several that do the same."""
        self._works += [work] * times

    def workers(self, times: int = 2) -> None:
        """Workers who take whatever message comes, until there is none."""
        self.enters(self._drain, times)

    def each_message(self, copies: int = 1) -> None:
        """A worker for each message that waits, or several for the same."""
        while self.driver.waiting:
            run_message, place = self.driver.waiting.popleft()
            for _ in range(copies):
                own = Driver(self.db, instance=self.driver.instance, waiting=deque([(run_message, place)]))
                self.enters(lambda own=own: self._alone(own))  # type: ignore[misc]

    def open(self) -> list[Any]:
        """Let all participants go; what each of them was answered, in the order in which they entered."""
        works, self._works = self._works, []
        gate, answers = Barrier(len(works)), [None] * len(works)
        waits = [self.rng.random() * self.spread_ms / 1000 for _ in works]

        def one(place: int) -> None:
            gate.wait()
            Event().wait(waits[place])
            try:
                answers[place] = works[place]()
            except Rejected as refusal:
                answers[place] = refusal  # type: ignore[call-overload]
            except Exception as error:  # Whatever it is, it is no answer.
                self.problems.append(f"{type(error).__name__}: {error}")

        threads = [Thread(target=one, args=(place,), daemon=True) for place in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(JOIN_S)
        if any(thread.is_alive() for thread in threads):
            self.problems.append("a participant waits for ever")
        return answers

    def lose(self, run_id: str, key: str, phase: str = "forward") -> None:
        """A reconciler takes the worker of a step for lost, if one is at it."""
        row = self.db.read(lambda tx: runs.one_step(tx, run_id, phase, key))
        if row is not None and row["status"] == "running":
            which = (run_id, phase, key, row["fence"])
            self.driver.publish(self.db.write(lambda tx: resume.lose(tx, *which, poison_limit=9)))

    def hold(self, run_id: str, key: str) -> Claim:
        """A worker claims a step of the main line and stands still."""
        gen = self.driver.run(run_id)["dispatch_gen"]
        holder = Holder(nonce=f"race:1/{self.rng.random()}", task_id="race", lease_ms=10_000)
        claimed = claim(self.db, run_id, "forward", key, gen, holder)
        assert isinstance(claimed, Claim), claimed
        return claimed

    def settle(self, claimed: Claim, result: dict[str, Any]) -> str:
        """It goes on; in a word what became of its result. What it would do next is left to others."""
        settled = settle(self.db, claimed, Done(result))
        self.driver.publish(settled.messages)
        return settled.status

    def fire(self, armed: dict[str, Any]) -> Any:
        """A reconciler fires a timer."""
        messages = self.db.write(lambda tx: resume.fire_timer(tx, armed["id"]))
        self.driver.publish(messages or ())
        return bool(messages)

    def armed(self, run_id: str, purpose: str) -> dict[str, Any] | None:
        """The run's open timer of this purpose, made due."""
        found = self.db.read(lambda tx: timers.open_of(tx, run_id))
        chosen = next((one for one in found if one["purpose"] == purpose), None)
        if chosen is not None:
            self.driver.make_due(chosen)
        return cast("JsonObject | None", chosen)

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more: every lost worker is found, until nothing moves."""
        probes.BEFORE.clear()
        probes.POLLS.clear()
        for _ in range(PATIENCE):
            self.driver.drain()
            self.driver.reconcile(self.runs)
            fired = [self.driver.fire(one) for one in self.runs]
            if not self.driver.waiting and not any(fired):
                return
        self.problems.append("it does not come to rest")

    def expect(self, holds: bool, what: str) -> None:
        """What must be so."""
        if not holds:
            self.problems.append(what)

    def _drain(self) -> None:
        while self.driver.waiting:
            try:
                self.driver.deliver()
            except IndexError:  # Another worker was quicker.
                return

    def _alone(self, own: Driver) -> Any:
        ended = own.deliver()
        self.driver.waiting.extend(own.waiting)
        return ended
