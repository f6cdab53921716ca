"""A candidate at work: its processes started and warm, commands to its drivers, what it cost, what it did."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.config import environment
from tests.bench.body import Mark, Witness
from tests.bench.candidates import STEPS, Candidate
from tests.bench.look import Look
from tests.bench.processes import Running, cpu_seconds
from tests.bench.waited import Waited
from tests.bench.workload import Wrong
from tests.support.servers import until

if TYPE_CHECKING:
    from tests.bench.stage import Stage

CLIENTS = 4  # Threads that trigger at the same time, over all drivers.
WARM_RUNS, WARM_S = 40, 90.0
STALL_S = 45.0  # Nothing has happened for so long: the candidate has lost something.
FOREVER_S = 3600.0
HELD_RUNS = 4  # How many are run while every commit is looked at.


@dataclass(frozen=True)
class Burst:
    """What one burst of runs took."""

    runs: int
    seconds: float  # From before the first trigger until the last run is recorded as completed.
    triggering: float  # Seconds until the last trigger was accepted.
    cpu: Mapping[str, float]  # CPU seconds of drivers, workers, redis and postgres.
    commits: int | None  # Writing transactions meanwhile, of all processes; None where they are not counted.

    @property
    def steps_per_second(self) -> float:
        """Throughput."""
        return self.runs * STEPS / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds of everything per 1,000 steps."""
        return sum(self.cpu_by_part.values())

    @property
    def cpu_by_part(self) -> dict[str, float]:
        """The same for drivers, workers, redis and postgres."""
        return {part: seconds / self.runs / STEPS * 1000 for part, seconds in self.cpu.items()}


@dataclass(frozen=True)
class Single:
    """Moments of one run alone, in seconds after its trigger began."""

    accepted: float
    first: float  # The first step's body begins.
    ended: float  # Its completion is recorded, or its last step has begun where nothing is recorded.


class Session:
    """The processes of one candidate on a fresh database."""

    def __init__(self, stage: "Stage", candidate: Candidate, slots: int | None) -> None:
        self.candidate, self.slots = candidate, slots
        self.workers: list[Running] = []
        self.drivers: list[Running] = []
        self.rate = 0.0  # Steps a second, roughly, as the warming found.
        self._stage = stage
        self.witness = Witness(stage.scratch() / "witness")
        self._look: Look | None = None
        self._runs = self._steps = 0  # What must be recorded by now.

    def serves(self, candidate: str, slots: int | None) -> bool:
        """Whether this is a session like the one asked for."""
        same = self.candidate.slots_each(slots) == self.candidate.slots_each(self.slots)
        return same and self.candidate.name == candidate

    def start(self) -> None:
        """Start everything on an empty Redis and a fresh database, and warm it up."""
        self._store = self._stage.store(self.candidate)
        self.env = self._environment()
        if self.candidate.prepare:
            prepared = self._launch(self.candidate.prepare)
            if prepared.process.wait(WARM_S) != 0:
                raise Wrong(f"{self.candidate.name}: no schema\n{prepared.log.read_text()[-2000:]}")
        for number in range(self.candidate.drivers):
            self.start_driver(number)
        self.start_workers()
        self._look = self._store.look()
        self.burst(WARM_RUNS // 2)
        self._check_waits()
        self.rate = self.burst(WARM_RUNS).steps_per_second

    def start_driver(self, number: int) -> None:
        """Start a process that triggers, and wait until it is ready."""
        driver = self._launch(self.candidate.driver, executor=number, talks=True)
        self.drivers.insert(number, driver)
        _answer(driver)

    def start_workers(self) -> None:
        """Start the processes that do the steps, unless the drivers do."""
        for number in range(self.candidate.workers if self.candidate.worker else 0):
            self.workers.append(self._launch(self.candidate.worker, executor=number))

    def stop(self) -> None:
        """End all processes."""
        if self._look is not None:
            self._look.close()
        for running in [*self.drivers, *self.workers]:
            running.stop()

    def burst(self, runs: int, ms: int = 0) -> Burst:
        """Trigger so many runs and wait until all are recorded; raises `Wrong` when something is missing."""
        begun_with, cpu, before = self._written(), self.cpu_by_part(), self.witness.count()
        part = runs // len(self.drivers)
        shares = [runs - part * (len(self.drivers) - 1), *[part] * (len(self.drivers) - 1)]
        for driver, share in zip(self.drivers, shares, strict=True):
            _tell(driver, do="burst", runs=share, ms=ms, clients=max(1, CLIENTS // len(self.drivers)))
        ended = self._await(runs, runs * STEPS)
        answers = [_answer(driver) for driver in self.drivers]
        spent = {part: seconds - cpu[part] for part, seconds in self.cpu_by_part().items()}
        self._check(before, runs * STEPS)
        begun = min(answer["begun"] for answer in answers)
        commits = self._check_commits(begun_with, runs)
        triggering = max(answer["triggered"] for answer in answers) - begun
        return Burst(runs=runs, seconds=ended - begun, triggering=triggering, cpu=spent, commits=commits)

    def single(self, ms: int = 0) -> Single:
        """One run alone."""
        before = self.witness.count()
        _tell(self.drivers[0], do="burst", runs=1, ms=ms, clients=1)
        ended = self._await(1, STEPS, pause=0.0003)
        answer = _answer(self.drivers[0])
        self._check(before, STEPS)
        moments = [mark.moment for mark in self.witness.marks(before)]
        begun = answer["begun"]
        return Single(
            accepted=answer["triggered"] - begun,
            first=min(moments) - begun,
            ended=(ended if self.candidate.ended else max(moments)) - begun,
        )

    def begin(self, ms: int) -> Mark:
        """Start a run with steps of so many milliseconds; returns when its first step has begun."""
        before = self.witness.count()
        _tell(self.drivers[0], do="burst", runs=1, ms=ms, clients=1)
        _answer(self.drivers[0])
        until(lambda: self.witness.count() > before, STALL_S, "the first step begins")
        return self.witness.marks(before)[0]

    def fan(self, count: int) -> float:
        """Seconds of one run of so many parallel steps and a step after them all."""
        before = self.witness.count()
        _tell(self.drivers[0], do="fan", count=count)
        ended = self._await(1 + self.candidate.children * count, count + 1, pause=0.002)
        answer = _answer(self.drivers[0])
        self._check(before, count + 1)
        return float(ended - answer["begun"])

    def cpu(self) -> float:
        """CPU seconds of drivers, workers, Redis and PostgreSQL so far."""
        return sum(self.cpu_by_part().values())

    def cpu_by_part(self) -> dict[str, float]:
        """The same for each part."""
        parts = {name: [pid] for name, pid in self._store.servers.items()}
        parts |= {"drivers": [one.pid for one in self.drivers], "workers": [one.pid for one in self.workers]}
        return {name: cpu_seconds(pids) for name, pids in parts.items()}

    def _await(self, runs: int, steps: int, pause: float = 0.004) -> float:
        """The moment at which so many more runs are recorded as completed, and their steps have begun."""
        self._runs, self._steps = self._runs + runs, self._steps + steps
        progress = _Progress(self)
        until(lambda: progress.count() >= self._steps, FOREVER_S, pause=pause)
        if self.candidate.ended:
            until(lambda: progress.ended() >= self._runs, FOREVER_S, pause=pause)
        return time.monotonic()

    def recorded(self, question: str) -> int:
        """A number that the candidate's database holds."""
        assert self._look is not None
        return self._look.ask(question)

    def transactions(self) -> int:
        """Writing transactions of all processes so far."""
        written = self._written()
        assert written is not None
        return written

    def _check(self, before: int, steps: int) -> None:
        """Every step ran, once, and is recorded."""
        marks = [(mark.run, mark.place) for mark in self.witness.marks(before)]
        if len(set(marks)) != steps or len(marks) != steps:
            raise Wrong(f"{self.candidate.name}: {len(set(marks))} steps ran, {len(marks)} times, of {steps}")
        if self.candidate.steps and self.recorded(self.candidate.steps) != self._steps:
            found = self.recorded(self.candidate.steps)
            raise Wrong(f"{self.candidate.name}: {found} steps are recorded, {self._steps} ran")

    def _check_commits(self, before: int | None, runs: int) -> int | None:
        """Every run has as many writing transactions as its promise needs."""
        now, name, floor = self._written(), self.candidate.name, self.candidate.commits
        if now is None or before is None or not floor:
            return None
        commits = now - before
        if commits < floor * runs:
            raise Wrong(f"{name}: {commits / runs:.1f} commits a run; it needs {floor} to be durable")
        return commits

    def _check_waits(self) -> None:
        """Every run waits for the disk as often as its promise needs."""
        needed = self.candidate.commits * HELD_RUNS
        if not needed or self._written() is None:
            return
        with Waited(self._store.url) as held:
            self.burst(HELD_RUNS)
        if len(held.xids) < needed:
            name, most = self.candidate.name, needed - len(held.xids)
            raise Wrong(f"{name}: {most} of {needed} commits were not waited for")

    def _written(self) -> int | None:
        return None if self._look is None else self._look.written()

    def _environment(self) -> dict[str, str]:
        slots = self.candidate.slots_each(self.slots)
        witness = {"BENCH_WITNESS": str(self.witness.path)}
        if self.candidate.ours:
            other = {} if self.slots is None else {"worker_processes": self.slots}
            settings = self._stage.settings(self._store.url, redis_url=self._store.redis_url, **other)
            return environment(settings, **witness)
        return {
            **os.environ,
            **witness,
            "BENCH_DATABASE": self._store.url,
            "ABSURD_DATABASE_URL": self._store.url,
            "BENCH_REDIS": self._store.redis_url,
            "BENCH_SLOTS": str(slots),
            "BENCH_STYLE": self.candidate.name,
        }

    def _launch(self, module: tuple[str, ...], *, executor: int = 0, talks: bool = False) -> Running:
        python = sys.executable if self.candidate.ours else str(self._stage.peers)
        slots = str(self.candidate.slots_each(self.slots))
        argv = [part.replace("{slots}", slots) for part in module]
        within = self.candidate.within if module == self.candidate.worker else ()
        env = {**self.env, "BENCH_EXECUTOR": f"executor-{executor}"}
        return self._stage.launch((*within, python, "-m", *argv), env, talks=talks)


class _Progress:
    """What has been done; asking raises `Wrong` when a process has died or nothing more is done."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen, self._since = -1, time.monotonic()

    def count(self) -> int:
        """How many steps have begun."""
        return self._judged(self._session.witness.count())

    def ended(self) -> int:
        """How many runs are recorded as completed."""
        return self._judged(self._session.recorded(self._session.candidate.ended))

    def _judged(self, now: int) -> int:
        if now != self._seen:
            self._seen, self._since = now, time.monotonic()
        name = self._session.candidate.name
        for running in [*self._session.drivers, *self._session.workers]:
            if running.has_ended():
                raise Wrong(f"{name}: a process has ended\n{running.log.read_text()[-2000:]}")
        if time.monotonic() - self._since > STALL_S:
            raise Wrong(f"{name}: nothing happens any more, work is lost")
        return now


def _tell(driver: Running, **what: Any) -> None:
    driver.input.write(json.dumps(what) + "\n")
    driver.input.flush()


def _answer(driver: Running) -> dict[str, Any]:
    line = driver.output.readline()
    if not line:
        raise Wrong(f"a driver has ended\n{driver.log.read_text()[-2000:]}")
    found: dict[str, Any] = json.loads(line)
    return found
