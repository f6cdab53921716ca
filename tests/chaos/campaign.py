"""One campaign: a site, its users, a storm of faults, and the verdict of the checker afterwards.

1. Calm: some runs without any fault, which the costs under chaos are compared with.
2. Storm: runs without pause while faults strike by the schedule of the seed.
3. Rest: every fault is healed, and every run that was accepted has to end.
4. Verdict: the witnesses are heard, and whatever must not be is a finding.
"""

import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import WindlassError
from tests.chaos import checker
from tests.chaos.checks import effects, recovery, rest
from tests.chaos.checks.evidence import Evidence, Finding, collect
from tests.chaos.demands.batches import STRUCK, Batches
from tests.chaos.fault import POSTGRES, Fault, Setting, faults
from tests.chaos.sampler import Growth, Sampler, growths, judge
from tests.chaos.schedule import Beat, schedule
from tests.chaos.shares import Share, Shares
from tests.chaos.site import LAB_PASSWORD, ROOT, Site
from tests.chaos.stalls import Stall, Stalls
from tests.chaos.storm import Storm
from tests.chaos.workload.machines import Machines
from tests.chaos.workload.mix import Mix
from tests.chaos.workload.users import Users

CALM_S, REST_S = 120.0, 120.0
COLLECTIONS = 3
ENDED_WITHIN_S = 60.0  # Target: all runs have ended so long after the last fault.
RECORD = "record.jsonl"
TICK_S = 0.05
LONGEST_S = 4 * 3600.0
MORE_S = 900.0  # A storm that had its time or its runs goes on as long for a row that was not struck.
TIMES = frozenset({"recovery", "service", "late", "publications"})  # Findings that also tell how fast it was.
SAY_EVERY_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a campaign does; with its seed it can be repeated."""

    name: str
    seed: int
    backend: str = POSTGRES
    runs: int = 0  # Runs under the storm, at least.
    seconds: float = 0.0  # How long the storm lasts at least; 0: until its runs were asked for.
    calm: int = 60  # Runs before it.
    beats: tuple[Beat, ...] = ()
    setting: Setting = field(default_factory=Setting)
    window: int = 24  # Open runs at a time.
    tree: Path = ROOT
    rows: tuple[str, ...] = ()  # Rows that must have been struck; empty: all that its faults cover.
    timed: bool = True  # Whether it fails when something took longer than it should.
    soak: bool = False  # Whether memory and tables are sampled and judged.


@dataclass(kw_only=True)
class Result:
    """What came out of a campaign."""

    plan: Plan
    folder: Path
    runs: int = 0
    effects: int = 0
    injected: Counter[str] = field(default_factory=Counter)  # By fault.
    rows: Counter[str] = field(default_factory=Counter)  # By row of the matrices.
    refused: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)  # How the runs ended.
    answers: Counter[int] = field(default_factory=Counter)  # Statuses that the client was answered with.
    times: recovery.Times = recovery.NONE
    service_ms: int = 0  # Longest time until a request was accepted after the database was back.
    publications: Mapping[str, float] = field(default_factory=dict)
    late: int = 0  # Operations with an effect after that of a newer attempt: zombies.
    needed_operator: int = 0
    storm_s: float = 0.0
    ended_s: float = 0.0  # From the last heal to the end of the last run.
    stalls: Sequence[Stall] = ()  # When the machine itself stood still.
    shares: Sequence[Share] = ()  # How much of it a process got that wanted to work.
    growths: Mapping[str, Growth] = field(default_factory=dict)  # Of a soak.
    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def command(self) -> str:
        """What repeats it."""
        words = ["scripts/chaos", *sys.argv[1:]]
        if "--seed" not in words:
            words += ["--seed", str(self.plan.seed)]
        return shlex.join(words)


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Result:
    """Do what the plan says on a new site; the folder keeps the evidence."""
    known = faults(plan.backend)
    result = Result(plan=plan, folder=folder)
    with Site(plan.backend, folder, tree=plan.tree, setting=plan.setting) as site:
        users = Users(site, Mix(plan.seed), window=plan.window)
        site.users = users
        if "hard-reboots" in {name for beat in plan.beats for name in beat.faults}:
            site.machines = Machines(site, LAB_PASSWORD)
        stalls, shares = Stalls(folder), Shares(folder)
        try:
            return _Campaign(plan, site, users, known, stalls, shares, result, say).run()
        finally:
            shares.close()
            stalls.close()
            users.close()


class _Campaign:
    """The four phases."""

    def __init__(
        self,
        plan: Plan,
        site: Site,
        users: Users,
        known: Mapping[str, Fault],
        stalls: Stalls,
        shares: Shares,
        result: Result,
        say: Callable[[str], None],
    ) -> None:
        self._plan, self._site, self._users, self._known = plan, site, users, known
        self._stalls, self._shares, self._result, self._say = stalls, shares, result, say
        self._pause = threading.Event()
        self._sampler = Sampler(site) if plan.soak else None
        self._enough_at = 0.0
        seconds = plan.seconds or LONGEST_S
        self._strikes = schedule(plan.seed, plan.beats, known, seconds)

    def run(self) -> Result:
        self._users.start()
        self._calm()
        storm = self._storm()
        self._rest()
        self._judge(storm)
        return self._result

    def _calm(self) -> None:
        self._users.submit(self._plan.calm)
        if not self._wait_for_all(CALM_S):
            self._find("calm", f"{self._users.open} runs did not end without any fault")
        self._calm_until = self._site.db.read(lambda tx: tx.now)
        self._say(f"calm: {self._plan.calm} runs have ended")

    def _storm(self) -> Storm:
        plan, began, reported = self._plan, time.monotonic(), time.monotonic()
        self._users.submit(sys.maxsize)
        wanted = self._wanted()
        storm = Storm(self._site, self._known, self._strikes, seed=plan.seed, say=self._say, rows=wanted)
        try:
            while self._goes_on(storm, began):
                storm.tend()
                self._pause.wait(TICK_S)
                if self._sampler is not None:
                    self._sampler.look()
                if time.monotonic() - reported > SAY_EVERY_S:
                    reported = time.monotonic()
                    self._say(
                        f"{reported - began:7.1f} s  {self._users.asked} asked for, {self._users.open} open"
                    )
        finally:
            self._users.enough()
            storm.calm()
        self._result.storm_s = time.monotonic() - began
        return storm

    def _goes_on(self, storm: Storm, began: float) -> bool:
        """Until it had its time or its runs, and then until every row was struck."""
        now, plan = time.monotonic(), self._plan
        enough = self._users.asked >= plan.calm + plan.runs
        if now - began < plan.seconds or not (plan.seconds or enough):
            self._enough_at = now
            return True
        return bool(storm.missing) and now - self._enough_at < MORE_S

    def _rest(self) -> None:
        self._healed = self._site.db.read(lambda tx: tx.now, patience_s=30)
        if not self._wait_for_all(REST_S):
            self._find("lost", f"{self._users.open} runs did not end; no other did for {REST_S:.0f} s")
        give_up = time.monotonic() + 10
        while any(self._messages().values()) and time.monotonic() < give_up:
            self._pause.wait(0.2)

    def _wait_for_all(self, seconds: float) -> bool:
        """Wait until no client asks any more and every run has ended; give up after long without progress."""
        give_up, most, asked = time.monotonic() + seconds, 0, 0
        while time.monotonic() < give_up:
            with suppress(WindlassError, SQLAlchemyError):
                left = self._users.busy + self._users.still_open()
                if not left:
                    return True
                ended = self._users.ended()  # Not how few are open: a run that ends may begin others.
                if ended > most or self._users.asked > asked:
                    give_up = time.monotonic() + seconds
                most, asked = ended, self._users.asked
            self._pause.wait(0.1)
        return False

    def _settled(self, storm: Storm) -> Evidence:
        """The evidence, collected again when a run was accepted meanwhile.

        A server under load may accept a retry whose client has long had an answer to its second attempt.
        """
        for _ in range(COLLECTIONS):
            before = self._users.accepted()
            evidence = self._collected(storm)
            if self._users.accepted() == before == len(evidence.runs) and not self._users.still_open():
                break
            self._wait_for_all(REST_S)
        return evidence

    def _collected(self, storm: Storm) -> Evidence:
        site = self._site
        read_at = site.db.read(lambda tx: tx.now, patience_s=30)
        return collect(
            site.db,
            read_at=read_at,
            effects=list(site.ledger.read()),
            requests=list(self._users.client.log),
            injections=storm.injections,
            machines=site.machines.servers if site.machines else {},
            resets=site.machines.resets() if site.machines else (),
            stalls=list(self._stalls.found),
            shares=self._shares.found,
            calm_until=self._calm_until,
            lease_ms=site.settings.lease_ms,
            poison_limit=site.settings.poison_limit,
            marks=site.marks(),
            redis=self._messages(),
            sandboxes=site.sandboxes(),
        )

    def _judge(self, storm: Storm) -> None:
        site, result = self._site, self._result
        evidence = self._settled(storm)
        evidence.save(result.folder / RECORD)
        _count(result, evidence, storm)
        result.ended_s = recovery.ended_after(evidence, self._healed) / 1000
        if evidence.given(self._healed, self._healed + round(result.ended_s * 1000)) > ENDED_WITHIN_S * 1000:
            self._find("late", f"the last run ended {result.ended_s:.0f} s after the last fault")
        result.findings += checker.doctor(site.db, site.settings)
        result.findings += checker.check(evidence)
        result.findings += self._rows()
        if not self._plan.timed:
            result.findings = [one for one in result.findings if one.number not in TIMES]
        if self._sampler is not None:
            result.growths = growths(self._sampler.samples)
            result.findings += judge(self._sampler.samples)

    def _rows(self) -> Sequence[Finding]:
        """A row in which no fault was really injected has failed."""
        return [
            Finding(number="row", what=f"{row}: no fault was really injected")
            for row in self._wanted()
            if not self._result.rows[row]
        ] + [
            Finding(number="row", what=f"{row}: no batch was asked for, so none was struck")
            for row in self._wanted()
            if row in STRUCK and Batches.name in self._names() and not self._result.injected[Batches.name]
        ]

    def _wanted(self) -> Sequence[str]:
        return self._plan.rows or sorted({row for name in self._names() for row in self._known[name].rows})

    def _names(self) -> set[str]:
        return {name for beat in self._plan.beats for name in beat.faults}

    def _messages(self) -> dict[str, int]:
        return checker.messages(self._site.redis, self._site.settings.redis_prefix)

    def _find(self, number: str, what: str) -> None:
        self._result.findings.append(Finding(number=number, what=what))


def _count(result: Result, evidence: Evidence, storm: Storm) -> None:
    """The figures of the report."""
    result.runs, result.effects = len(evidence.runs), len(evidence.effects)
    for one in evidence.injections:
        result.injected[one.fault] += 1
        result.rows.update(one.rows)
    result.refused = storm.refused
    result.statuses = Counter(str(row["status"]) for row in evidence.runs.values())
    result.answers = Counter(reply.status for one in evidence.requests for reply in one.replies)
    result.times = recovery.times(recovery.recoveries(evidence))
    result.service_ms = max((at - since for since, at in recovery.service(evidence)), default=0)
    result.stalls, result.shares = evidence.stalls, evidence.shares
    result.publications = rest.publications(evidence)
    result.late = len(effects.late(evidence))
    result.needed_operator = sum(
        any(one["type"] == "run.blocked" for one in events) for events in evidence.events.values()
    )
