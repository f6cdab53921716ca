"""The stage of one scenario: a running site, a client, and hands for faults that hit what they aim at.

Many scenarios may play on one site, one after the other; each is judged by the runs that were created while
it played.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any, TypeVar, cast

import httpx
import psutil
from sqlalchemy import func, select

from app.domain.json import JsonObject
from app.domain.rows.runs import StepRow
from app.record.runs import runs
from app.record.tables import delivery
from app.record.tables import run as runs_table
from tests.chaos import checker
from tests.chaos.bugs.witness import FILE
from tests.chaos.checks.evidence import Evidence, Finding, collect
from tests.chaos.checks.publications import links, newest
from tests.chaos.fault import Injection, Scope
from tests.chaos.faults.waiting import within
from tests.chaos.ledger import Effect
from tests.chaos.points import arms
from tests.chaos.points.arms import Arm
from tests.chaos.site import Site
from tests.chaos.workload.client import Client, Request
from tests.chaos.workload.mix import Order

T = TypeVar("T")
RUNS = "/v1/workflows/runs"
SOON_S, END_S = 20.0, 25.0
_NUMBERS = count(1)


class Missed(Exception):
    """A fault could not be done: what it aims at did not come."""


class Stage:
    """What a scenario works with; times are those of the database, in milliseconds."""

    def __init__(self, site: Site, name: str, seed: int) -> None:
        self.site, self.name = site, name
        self.rng = Random(f"{seed}/{name}")
        self.points = arms.of(site.folder)
        self.injections: list[Injection] = []
        self.findings: list[Finding] = []  # What the scenario saw itself, beside the checker.
        self.runs: list[str] = []
        self._client = Client(site.url, site.folder)
        self._seed = seed
        self._place, self._marks = site.ledger.since(0)[1], len(site.marks())
        self._since = site.db.read(lambda tx: tx.now)
        self._totals = _totals(collect(site.db))

    def close(self) -> None:
        """The client goes home, and no point is armed any more."""
        self.points.clear()
        self._client.close()

    # ------------------------------------------------------------------------------------ what clients do

    def start(self, kind: str, resource: str | None = None, *, header: bool = False, **given: Any) -> str:
        """Ask for a run of the chaos workload until it is accepted; its id."""
        number = next(_NUMBERS)
        body: dict[str, Any] = {"type": f"chaos.{kind}", "input": {**given, "order": number}}
        if resource is not None:
            body["resourceId"] = resource
        path = RUNS if resource is None else f"{RUNS}?onConflict=queue"
        key = f"{self.name}-{self._seed}-{number}"
        asked = self._client.ask(
            Request(kind="start", path=path, body=body, key=key, order=number), header=header
        )
        if asked.run_id is None:
            raise Missed(f"no run was accepted: {asked.replies[-1]}")
        self.runs.append(asked.run_id)
        return asked.run_id

    def demand(self, orders: Sequence[Order]) -> None:
        """What a fault asks for, as `tests.chaos.workload.users.Users` does."""
        for one in orders:
            self.start(one.type.removeprefix("chaos."), one.resource, **one.given)

    def ask(
        self, kind: str, path: str, body: Mapping[str, Any], key: str = "", *, patience_s: float = 20
    ) -> Request:
        """Anything else that a client or an operator asks for."""
        return self._client.ask(Request(kind=kind, path=path, body=body, key=key), patience_s=patience_s)

    def act(self, run_id: str, action: str) -> Request:
        """An operator's action."""
        return self.ask("act", f"{RUNS}/{run_id}/actions", {"action": action, "reason": "selftest"})

    def cancel(self, run_id: str, **how: Any) -> Request:
        """Ask a run to stop."""
        return self.ask("cancel", f"{RUNS}/{run_id}/cancel", {"reason": "selftest", **how})

    @contextmanager
    def subscribed(self, url: str) -> Iterator[None]:
        """An endpoint that is sent the events of runs."""
        with httpx.Client(base_url=self.site.url, trust_env=False) as http:
            made = http.post("/v1/webhooks", json={"url": url, "events": ["run.*"]})
            made.raise_for_status()
            try:
                yield
            finally:
                http.delete(f"/v1/webhooks/{made.json()['data']['id']}")

    # ------------------------------------------------------------------------------------ what can be seen

    def until(self, condition: Callable[[], T], why: str, seconds: float = SOON_S) -> T:
        """The first true value of the condition; `Missed` when there is none in time."""
        found: list[T] = []

        def check() -> bool:
            found[:] = [condition()]
            return bool(found[0])

        if not within(seconds, check):
            raise Missed(f"{self.name}: not within {seconds:.0f} s: {why}")
        return found[0]

    def row(self, run_id: str) -> dict[str, Any]:
        """The run as it stands."""
        return cast(
            "JsonObject", self.site.db.read(lambda tx: runs.read_run(tx, run_id), patience_s=30) or {}
        )

    def step(self, run_id: str, key: str, phase: str = "forward") -> dict[str, Any]:
        """A step of the run as it stands."""
        found = self.site.db.read(lambda tx: runs.one_step(tx, run_id, phase, key), patience_s=30)
        return cast("JsonObject", found or {})

    def members(self, run_id: str) -> list[StepRow]:
        """The members of the run's fan-outs as they stand."""
        rows = self.site.db.read(lambda tx: runs.all_steps(tx, run_id), patience_s=30)
        return [row for row in rows if row["branch"]]

    def runs_step(self, run_id: str, key: str, phase: str = "forward", *, fence: int = 1) -> dict[str, Any]:
        """The step's row once it runs under this fence or a later one."""

        def check() -> dict[str, Any] | None:
            row = self.step(run_id, key, phase)
            return row if row.get("status") == "running" and row["fence"] >= fence else None

        row = self.until(check, f"{key} of {run_id} runs")
        assert row is not None
        return row

    def started_by(self, actor: str) -> list[str]:
        """The runs that a client started."""
        wanted = select(runs_table.c.id).where(runs_table.c.triggered_by == actor)
        return self.site.db.read(lambda tx: [row["id"] for row in tx.rows(wanted)])

    def has_done(self, run_id: str, key: str) -> bool:
        """Whether the effect of a forward step has happened."""
        found = self.site.ledger.of(f"{run_id}/forward/{key}")
        return any(one.effect == "did" for one in found)

    def noted(self, effect: str, run_id: str) -> Effect | None:
        """The first effect of this kind of a run."""
        return next((one for one in self.site.ledger.of_run(run_id) if one.effect == effect), None)

    def deliveries(self) -> list[dict[str, Any]]:
        """Every webhook delivery of the runs."""
        wanted = select(delivery).where(delivery.c.run_id.in_(self.runs))
        return self.site.db.read(lambda tx: tx.rows(wanted))

    def ends(self, seconds: float = END_S) -> bool:
        """Wait until every run that was accepted has ended; whether they have."""
        still = [runs_table.c.id.in_(self.runs), runs_table.c.completed_at.is_(None)]
        wanted = select(func.count()).select_from(runs_table).where(*still)
        return within(seconds, lambda: self.site.db.read(lambda tx: tx.value(wanted)) == 0)

    # ------------------------------------------------------------------------------------ faults

    def hit(self, what: str, *pids: int, scope: Scope = "process") -> Injection:
        """Note a fault that was done just now."""
        made = Injection(
            fault=self.name, rows=(), what=what, scope=scope, at=round(time.time() * 1000), hit=pids
        )
        self.injections.append(made)
        return made

    def kill_holder(self, row: Mapping[str, Any]) -> None:
        """Kill -9 the pool process that runs a step."""
        pid = _pid(row)
        os.kill(pid, signal.SIGKILL)
        self.hit(f"killed {pid}, which ran {row['key']}", pid)

    def freeze_holder(self, row: Mapping[str, Any]) -> psutil.Process:
        """Stop the pool process that runs a step; the caller wakes it with `wake`."""
        process = psutil.Process(_pid(row))
        process.suspend()
        self.hit(f"froze {process.pid}, which ran {row['key']}", process.pid)
        return process

    def wake(self, process: psutil.Process) -> None:
        """Let a frozen process go on."""
        with suppress(psutil.NoSuchProcess):
            process.resume()
        for one in self.injections:
            if process.pid in one.hit:
                one.until = round(time.time() * 1000)

    def kill_all(self, role: str) -> None:
        """Kill -9 every process of a role."""
        found = self.site.processes(role)
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.hit(f"killed every {role}", *(one.pid for one in found))

    def arm(
        self, point: str, action: str, *, times: int = 1, role: str = "", where: str = "", seconds: float = 0
    ) -> Callable[[], bool]:
        """Arm a failpoint; the answer shows whether it has struck as often as it shall."""
        before = len(self.points.hits())
        self.points.arm(Arm(point=point, action=action, times=times, role=role, where=where, seconds=seconds))
        return lambda: len(self.points.hits()) - before >= times

    def struck(self, done: Callable[[], bool], what: str, scope: Scope = "process") -> None:
        """Wait until an armed point has struck, and note the fault."""
        self.until(done, what)
        self.hit(what, scope=scope)

    # ------------------------------------------------------------------------------------ the verdict

    def judge_now(self) -> None:
        """Run the doctor now, while everything that it reads is there."""
        found = checker.doctor(self.site.db, self.site.settings)
        self.findings += [one for one in found if one.run_id is None or one.run_id in self.runs]

    def verdict(self) -> list[Finding]:
        """What the checker, and the product's own doctor, find wrong with the runs of this scenario."""
        found = checker.doctor(self.site.db, self.site.settings)
        evidence = self._evidence()
        mine = [one for one in found if one.run_id is None or one.run_id in evidence.runs]
        seen = [one for one in links(self.site.folder / FILE) if one.run in evidence.runs]
        return [*mine, *checker.check(evidence), *newest(seen), *self.findings]

    def _evidence(self) -> Evidence:
        site = self.site
        effects, _ = site.ledger.since(self._place)
        everything = collect(
            site.db,
            effects=effects,
            requests=list(self._client.log),
            marks=site.marks(self._marks),
            injections=self.injections,
            lease_ms=site.settings.lease_ms,
            poison_limit=site.settings.poison_limit,
        )
        mine = {key: row for key, row in everything.runs.items() if row["created_at"] >= self._since}
        return replace(
            everything,
            runs=mine,
            steps={key: rows for key, rows in everything.steps.items() if key in mine},
            events={key: rows for key, rows in everything.events.items() if key in mine},
            schedules=[row for row in everything.schedules if row["created_at"] >= self._since],
            totals=_less(_totals(everything), self._totals),
        )


def _pid(row: Mapping[str, Any]) -> int:
    """The process that holds a step."""
    return int(str(row["holder"]).rpartition("/")[0].rpartition(":")[2])


def _totals(evidence: Evidence) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in evidence.totals:
        found[row["type"], row["status"]] += row["runs"]
    return found


def _less(now: Counter[tuple[str, str]], before: Counter[tuple[str, str]]) -> Sequence[dict[str, Any]]:
    return [
        {"type": kind, "status": status, "slot": 0, "runs": runs_}
        for (kind, status), runs_ in (now - before).items()
    ]
