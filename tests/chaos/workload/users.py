"""Those who use the site: clients that start, cancel and retry runs, a caller of hooks, an operator.

They know nothing of faults: they do what the documentation advises, and keep asking.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import WindlassError
from app.domain.states import NEEDS_OPERATOR, RunStatus
from app.record.runs.runs import read_run
from app.record.tables import run as runs
from tests.chaos.ledger import Effect
from tests.chaos.site import Site
from tests.chaos.workload import machines
from tests.chaos.workload.authors import Author
from tests.chaos.workload.batches import KEY as BATCH
from tests.chaos.workload.batches import WORKFLOW, Batcher
from tests.chaos.workload.client import Client, Request, together
from tests.chaos.workload.mix import FIRST_DEMAND, Mix, Order

RUNS = "/v1/workflows/runs"
LOOK_S = 0.25
STALE_S = 2.0  # A count that is older is of no use.
SURE_S = (
    25.0  # An operator waits this long before believing that an order was not sent: a frozen worker may wake.
)


class Users:
    """Clients in threads of their own; at most `window` runs are open at a time."""

    def __init__(self, site: Site, mix: Mix, *, window: int = 48, threads: int = 8) -> None:
        self.site, self.mix, self.window = site, mix, window
        self.client = Client(site.url, site.folder)
        self.open = 0  # Open runs, at the last count.
        self._batches, self._counted_at = 0, 0.0  # Open batches at the last count, and when that was.
        self._threads = threads
        self._numbers, self._demanded = count(1), count(FIRST_DEMAND)
        self._lock = threading.Lock()
        self._limit = self._asked = 0
        self._done = threading.Event()
        self._workers: list[threading.Thread] = []
        self._beside: list[threading.Thread] = []
        self._operated: dict[str, float] = {}

    def start(self) -> None:
        """Let the operator, the caller of hooks and the counter begin."""
        for work in (self._count, self._operate, self._call_hooks):
            self._beside.append(self._thread(work))

    def submit(self, runs_: int) -> None:
        """Ask for so many runs more, beside whatever else happens."""
        with self._lock:
            self._limit += runs_
        self._workers = [one for one in self._workers if one.is_alive()]
        self._workers += [self._thread(self._work) for _ in range(self._threads - len(self._workers))]

    def demand(self, orders: Sequence[Order]) -> None:
        """Ask for these runs as well, all at once, whatever is open; their numbers are given here."""
        for order in orders:
            numbered = replace(order, number=next(self._demanded))
            self._workers.append(self._thread(partial(self._demand, numbered)))

    def enough(self) -> None:
        """Ask for nothing more; what is under way goes on."""
        with self._lock:
            self._limit = 0

    @property
    def asked(self) -> int:
        """How many runs were asked for."""
        return self._asked

    @property
    def open_batches(self) -> float:
        """Open batches; infinite while they cannot be counted, as when the database is away."""
        return self._batches if time.monotonic() - self._counted_at < STALE_S else math.inf

    @property
    def busy(self) -> bool:
        """Whether a client still asks for something."""
        return any(one.is_alive() for one in self._workers)

    def close(self) -> None:
        """Everybody goes home."""
        self._done.set()
        self.client.stopped.set()
        for one in [*self._workers, *self._beside]:
            one.join(30)
        self.client.close()

    def still_open(self) -> int:
        """How many runs have not ended, by the record itself."""
        return self._number(runs.c.completed_at.is_(None))

    def accepted(self) -> int:
        """How many runs there are, by the record itself."""
        return self._number()

    def ended(self) -> int:
        """How many runs have ended."""
        return self._number(runs.c.completed_at.is_not(None))

    def start_run(self, order: Order) -> Request:
        """Start one run as a client would, and do what its order says; the request that started it."""
        if order.type.startswith("code."):
            return Author(client=self.client, seed=self.mix.seed, rest=self._done.wait).start(order)
        if order.type == BATCH:
            return Batcher(client=self.client, seed=self.mix.seed, rest=self._done.wait).start(order)
        asked = self._start(order)
        if asked.run_id is None:
            return asked
        if order.twice:
            self._repeat(order, asked)
        if order.cancel_after_ms is not None:
            self._done.wait(order.cancel_after_ms / 1000)
            self.cancel(asked.run_id, twice=order.cancel_twice)
        if order.retry is not None:
            self._retry(order, asked.run_id)
        return asked

    def cancel(self, run_id: str, *, twice: bool = False) -> None:
        """Ask a run to stop, at the same time from two sides if wished."""
        ask = self._asking("cancel", f"{RUNS}/{run_id}/cancel", {"reason": "chaos"})
        together([ask] * (2 if twice else 1))

    def _start(self, order: Order, kind: str = "start") -> Request:
        key = f"chaos-{self.mix.seed}-{order.number}"
        path = RUNS if order.resource is None else f"{RUNS}?onConflict=queue"
        request = Request(kind=kind, path=path, body=order.body, key=key, order=order.number)
        return self.client.ask(request, header=order.header)

    def _repeat(self, order: Order, first: Request) -> None:
        """The same again must be the same run; another body under the same key must be refused."""
        self._start(order, "again")
        changed = {**order.body, "input": {**order.body["input"], "pace": 49}}
        request = Request(kind="other-body", path=first.path, body=changed, key=first.key, order=order.number)
        self.client.ask(request, header=order.header)

    def _retry(self, order: Order, run_id: str) -> None:
        """Once the run has failed, start it again, if wished from two sides at once."""
        if self._status(run_id) != "failed":
            return
        body = {"reason": "chaos"} | ({} if order.retry == "start" else {"fromStep": order.retry})
        asks = [
            self._asking("retry", f"{RUNS}/{run_id}/retry", body, f"retry-{run_id}-{n}")
            for n in range(2 if order.retry_twice else 1)
        ]
        together(asks)

    def _status(self, run_id: str) -> str | None:
        """The status of a run once it has ended; None when everybody goes home before."""
        give_up = time.monotonic() + 300
        while not self._done.is_set() and time.monotonic() < give_up:
            shown = self.client.get(f"{RUNS}/{run_id}", wait=5)
            if shown is not None and shown["completedAt"]:
                return str(shown["status"])
            if shown is None:
                self._done.wait(LOOK_S)
        return None

    def _asking(self, kind: str, path: str, body: dict[str, Any], key: str = "") -> Callable[[], Request]:
        return lambda: self.client.ask(Request(kind=kind, path=path, body=body, key=key), header=True)

    def _work(self) -> None:
        while not self._done.is_set():
            if self.open >= self.window:
                self._done.wait(0.05)
                continue
            with self._lock:
                if self._limit <= 0:
                    return
                self._limit -= 1
                self._asked = number = next(self._numbers)
                self.open += 1
            self.start_run(self.mix.order(number))

    def _demand(self, order: Order) -> None:
        self.start_run(order)

    def _count(self) -> None:
        while not self._done.wait(LOOK_S):
            with suppress(WindlassError, SQLAlchemyError):
                self.open = self.still_open()
                self._batches = self._number(runs.c.completed_at.is_(None), runs.c.type == WORKFLOW)
                self._counted_at = time.monotonic()

    def _operate(self) -> None:
        """What an operator does: checks the machine, and reports what happened."""
        wanted = select(runs.c.id, runs.c.status).where(runs.c.status.in_(NEEDS_OPERATOR))
        due: dict[str, float] = {}
        while not self._done.wait(LOOK_S * 2):
            with suppress(WindlassError, SQLAlchemyError):
                found = {row["id"]: row["status"] for row in self.site.db.read(lambda tx: tx.rows(wanted))}
                now = time.monotonic()
                due = {
                    one: due.get(one, now + (SURE_S if status == RunStatus.BLOCKED else 0))
                    for one, status in found.items()
                }
                for run_id in [one for one, moment in due.items() if moment <= now]:
                    due[run_id] = now + 5
                    self._help(run_id, found[run_id])

    def _help(self, run_id: str, status: str) -> None:
        action = "compensate"
        if status == RunStatus.BLOCKED:
            action = "resolve" if self._sent(run_id) else "resume"
        elif status == RunStatus.COMPENSATION_FAILED:
            action = "resume"
        body = {"action": action, "reason": "chaos"}
        self.client.ask(Request(kind="act", path=f"{RUNS}/{run_id}/actions", body=body), patience_s=5)

    def _sent(self, run_id: str) -> bool:
        """Whether the order that must not be repeated was sent: read from the ledger, or from the machine."""
        row = self.site.db.read(lambda tx: read_run(tx, run_id)) or {}
        if row.get("type") == machines.TYPE:
            return bool(self.site.machines.sent(row["resource_id"], row["started_at"]))
        return any(one.effect == "did" and one.step == "once" for one in self.site.ledger.of_run(run_id))

    def _call_hooks(self) -> None:
        """Call each hook that a step has noted, sometimes twice."""
        place = 0
        while not self._done.wait(LOOK_S):
            notes, place = self.site.ledger.since(place)
            for one in notes:
                if one.effect == "began" and one.value:
                    self._call(one)

    def _call(self, began: Effect) -> None:
        path = "/v1/hooks/" + str(began.value).rpartition("/")[2]
        for _ in range(1 + began.pid % 2):
            self.client.ask(Request(kind="hook", path=path, body={"called": began.operation}))

    def _number(self, *which: ColumnElement[bool]) -> int:
        where = select(func.count()).select_from(runs).where(*which)
        return int(self.site.db.read(lambda tx: tx.value(where)))

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name="users", daemon=True)
        thread.start()
        return thread
