"""The floor of the record: the statements that the engine issues for a run of five steps, without the engine.

One run is done by the engine on a SQLite of its own, and what it writes is kept. Every run after that is the
same writes under another id, each one statement and one commit. No rule is asked, no lease renewed, nothing
published but ids over a Redis list: what is left is the price of the record.
"""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import redis

from app.config import load
from app.domain.ids import new_id
from app.domain.rows.runs import EventRow, RunRow, StepRow
from app.host.child import end_with
from app.record import migrate
from app.record.fast_path import insert_run, transition
from app.record.fast_path.transition import Transition
from app.record.runs import statistics
from app.record.session import Database
from tests.bench import body, types
from tests.bench.peers.driver import serve
from tests.support.driver import Driver

LIST = "replayed"
LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Writes:
    """What the engine wrote of one run: its acceptance, then its claim and five outcomes."""

    accepted: tuple[RunRow, list[StepRow], list[EventRow]]
    transitions: list[Transition]

    def accept(self, db: Database, run_id: str, ms: int) -> None:
        """Write a run of this id."""
        run, steps, events = self.accepted
        given: RunRow = {**run, "id": run_id, "input": {"ms": ms}}
        own: list[StepRow] = [{**row, "run_id": run_id} for row in steps]
        told: list[EventRow] = [{**row, "run_id": run_id} for row in events]
        insert_run.create(db, given, own, told)

    def of(self, run_id: str) -> Iterator[Transition]:
        """The transitions of a run of this id."""
        for one in self.transitions:
            events: list[EventRow] = [{**row, "run_id": run_id} for row in one.events]
            yield replace(one, run_id=run_id, events=events)


def recorded() -> Writes:
    """Let the engine do a run, and keep what it writes."""
    accepted: list[Any] = []
    transitions: list[Transition] = []
    create, write = insert_run.create, transition.write

    def creating(db: Database, *what: Any) -> int | None:
        accepted.append(what)
        return create(db, *what)

    def writing(db: Database, wanted: Transition, **how: Any) -> int | None:
        transitions.append(wanted)
        return write(db, wanted, **how)

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'one.db'}"
        migrate.upgrade(url)
        db = Database(url)
        with (
            patch.object(insert_run, "create", creating),
            patch.object(transition, "write", writing),
            patch.object(body, "work", lambda *_: None),
        ):
            driver = Driver(db)
            driver.finish(driver.start(types.line.name, {"ms": 0}))
        db.dispose()
    assert len(transitions) == types.STEPS + 1
    return Writes(accepted=accepted[0], transitions=transitions)


class Runs:
    """Starts runs."""

    def __init__(self) -> None:
        settings = load()
        self._writes, self._db = recorded(), Database(settings.database)
        self._redis = redis.Redis.from_url(settings.redis)

    def trigger(self, ms: int) -> None:
        """Commit a run and report that."""
        run_id = new_id("run")
        self._writes.accept(self._db, run_id, ms)
        self._redis.lpush(LIST, json.dumps([run_id, ms]))

    def fan(self, count: int) -> None:
        """Not measured."""
        raise NotImplementedError(count)


def work(writes: Writes) -> None:
    """Take runs and do their steps, one after the other, until the process is ended."""
    settings = load()
    db, broker = Database(settings.database), redis.Redis.from_url(settings.redis)
    while True:
        taken: Any = broker.brpop([LIST])
        run_id, ms = json.loads(taken[1])
        claim, *outcomes = writes.of(run_id)
        transition.write(db, claim)
        for place, outcome in enumerate(outcomes, 1):
            body.work(run_id, place, ms)
            transition.write(db, outcome)


def host() -> None:
    """As many processes as a worker host has, and what its reconciler does for the planner."""
    settings, writes, own = load(), recorded(), os.getpid()
    for _ in range(settings.worker_processes):
        if os.fork() == 0:
            end_with(own)()
            work(writes)
    db, pause = Database(settings.database), threading.Event()
    while True:
        statistics.refresh(db)
        pause.wait(LOOK_S)


if __name__ == "__main__":
    serve(Runs()) if sys.argv[1] == "driver" else host()
