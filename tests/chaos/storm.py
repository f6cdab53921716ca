"""Applies a schedule of faults to a site: strikes, keeps the evidence, heals."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from random import Random

from tests.chaos.fault import Fault, Injection
from tests.chaos.schedule import Strike
from tests.chaos.site import Site

LOG = "faults.jsonl"
TOO_LATE_S = 15.0  # A strike that others kept waiting for longer is dropped, unless a row still needs it.
ALONE_S = 45.0  # One that has to wait until all others are over gets more time.
AGAIN_S = 2.0  # A strike that a row still needs, and that could not be done, is tried again so much later.
HEALED_S = 600.0
MOST_OF_A_KIND = 3  # Under way at a time: a worker has to be left.
WIDE = frozenset({"host-frozen", "main-frozen", "host-clock-shifted"})  # One at a time: there are two hosts.
# Strikes and heals take a while; their threads live as long as this process, since what they start ends
# with them.
THREADS = ThreadPoolExecutor(12, thread_name_prefix="storm")


@dataclass(kw_only=True)
class Underway:
    """A fault between its strike and the end of its heal."""

    strike: Strike
    fault: Fault
    work: Future[Injection | None] | Future[None]  # The strike, then the heal.
    injection: Injection | None = None
    until_s: float = 0.0
    healing: bool = False


class Storm:
    """The faults of one campaign; `tend` is called all the time.

    Faults of single processes may overlap with each other and with one fault of the broker or the database;
    two of those never overlap, and a fault that wants to be alone waits for all others and keeps them
    waiting.
    """

    def __init__(
        self,
        site: Site,
        known: Mapping[str, Fault],
        strikes: Sequence[Strike],
        *,
        seed: int,
        say: Callable[[str], None],
        rows: Collection[str] = (),
    ) -> None:
        """``rows`` have to be struck: a fault that one of them still needs waits for its moment."""
        self.injections: list[Injection] = []
        self.refused: Counter[str] = Counter()  # Strikes that could not be done, by fault.
        self._site, self._known, self._seed, self._say = site, known, seed, say
        self._due = list(strikes)
        self._rows = {row for one in strikes for row in known[one.fault].rows}.intersection(rows)
        self._began = time.monotonic()
        self._under_way: list[Underway] = []

    @property
    def missing(self) -> set[str]:
        """Rows that were not struck yet, though the schedule has a fault for them."""
        return self._rows.difference(*(one.rows for one in self.injections))

    def tend(self) -> None:
        """Heal what has lasted long enough, and strike what is due and may strike now."""
        for one in list(self._under_way):
            self._look_after(one)
        for strike in self._overdue():
            fault = type(self._known[strike.fault])()  # Of its own, since two of a kind may be under way.
            if self._may(fault):
                self._due.remove(strike)
                rng = Random(f"{self._seed}/strike/{strike.number}")
                work = THREADS.submit(_struck_with, fault, self._site, rng)
                self._under_way.append(Underway(strike=strike, fault=fault, work=work))
            elif self._now() > strike.at_s + (TOO_LATE_S if not fault.alone else ALONE_S):
                self._due.remove(strike)
                self._refuse(strike)

    def calm(self, seconds: float = HEALED_S) -> None:
        """Strike nothing more, and heal everything; raises `TimeoutError` when something cannot be healed."""
        self._due.clear()
        pause, give_up = threading.Event(), time.monotonic() + seconds
        while self._under_way:
            for one in list(self._under_way):
                one.until_s = 0.0
                self._look_after(one)
            if time.monotonic() > give_up:
                names = ", ".join(one.fault.name for one in self._under_way)
                raise TimeoutError(f"cannot be healed: {names}")
            pause.wait(0.05)

    def _may(self, fault: Fault) -> bool:
        others = [one.fault for one in self._under_way]
        if not fault.alone and any(self._known[one.fault].alone for one in self._overdue()):
            return False  # It waits for those that are under way, and no other begins.
        scopes = {(one.injection or one.fault).scope for one in self._under_way}
        if any(one.alone for one in others) or (fault.alone and others):
            return False
        if sum(one.name == fault.name for one in others) >= MOST_OF_A_KIND:
            return False
        if fault.name in WIDE and any(one.name in WIDE for one in others):
            return False
        return fault.scope == "process" or scopes <= {"process"}

    def _look_after(self, one: Underway) -> None:
        """Take a fault on to its next stage, when it is time."""
        if not one.work.done():
            return
        if one.healing:
            one.work.result()
            self._under_way.remove(one)
            self._healed(one)
        elif one.injection is None:
            self._struck(one)
        elif self._now() >= one.until_s:
            one.healing = True
            one.work = THREADS.submit(one.fault.heal, self._site)

    def _struck(self, one: Underway) -> None:
        done = one.work.result()
        if done is None:
            self._under_way.remove(one)
            self._refuse(one.strike)
            return
        self._say(f"{self._now():7.1f} s  {one.fault.name}: {done.what}")
        self.injections.append(done)
        one.injection = done
        one.until_s = self._now() + one.strike.lasts_s

    def _refuse(self, strike: Strike) -> None:
        """Drop a strike that could not be done now, or put it off when a row still needs it."""
        self.refused[strike.fault] += 1
        if self.missing.intersection(self._known[strike.fault].rows):
            self._due.append(replace(strike, at_s=self._now() + AGAIN_S))

    def _healed(self, one: Underway) -> None:
        injection = one.injection
        assert injection is not None
        if one.fault.lasts_s != (0.0, 0.0) or one.fault.scope != "process":
            injection.until = round(time.time() * 1000)
        with (self._site.folder / LOG).open("a") as file:
            file.write(json.dumps(asdict(injection)) + "\n")

    def _overdue(self) -> list[Strike]:
        """What should strike by now."""
        return [one for one in self._due if one.at_s <= self._now()]

    def _now(self) -> float:
        """Seconds since the storm began."""
        return time.monotonic() - self._began


def _struck_with(fault: Fault, site: Site, rng: Random) -> Injection | None:
    """Strike; who stands still while it writes to SQLite keeps all others from writing.

    What makes a fault of the database ready, such as a move to a small disk, is an outage already.
    """
    began = round(time.time() * 1000)
    done = fault.strike(site, rng)
    if done is not None and done.scope in ("database", "site"):
        done.at = began
    if done is not None and fault.lasts_s[1] and done.scope == "process" and not site.is_writable():
        done.scope, done.what = "database", f"{done.what}, in the middle of a write"
    return done
