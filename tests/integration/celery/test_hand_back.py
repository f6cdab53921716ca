"""Steps of dead worker processes go back at once; nobody waits for their leases."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from app.config import Settings
from app.engine.messages.timer_cache import TimerSet
from app.engine.process_id import instance, is_gone, place
from app.engine.reconciler import mover, resume
from app.engine.reconciler.reconciler import Reconciler, Stop
from app.engine.transitions.claim import Claim, Holder, locked_claim
from app.engine.transitions.journal import Message
from app.record.session import Database, Tx
from tests.support import probes
from tests.support.driver import Driver


def dead() -> str:
    """The name of a process of this host that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{place()}:{process.pid}"


@pytest.fixture
def zombie() -> Iterator[int]:
    """A process that has ended and that nobody has asked for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


@pytest.fixture
def driver(sqlite_url: str) -> Iterator[Driver]:
    """The engine on a database."""
    probes.reset()
    db = Database(sqlite_url)
    yield Driver(db=db)
    db.dispose()


@pytest.fixture
def reconciler(driver: Driver) -> Iterator[Reconciler]:
    """A reconciler whose broker is away."""
    redis: Any = Redis(port=1)
    settings, timers = Settings(), TimerSet(redis, "wl:")
    yield Reconciler(
        settings=settings,
        db=driver.db,
        redis=redis,
        publish=driver.publish,
        timers=timers,
        instance=instance(),
    )
    redis.close()


def begun_by(driver: Driver, process: str) -> str:
    """A run whose first step a process has begun."""
    run_id = driver.start("probe.line")
    run_message, _ = driver.waiting.popleft()
    holder = Holder(nonce=f"{process}/1", task_id="t", lease_ms=600_000)
    claimed = driver.db.write(
        lambda tx: locked_claim(tx, run_id, "forward", run_message.segments[0].first, run_message.gen, holder)
    )
    assert isinstance(claimed, Claim)
    return run_id


def test_a_process_that_has_ended_is_gone() -> None:
    assert is_gone(f"{dead()}/nonce")


def test_a_process_that_runs_is_not_gone() -> None:
    assert not is_gone(f"{instance()}/nonce")


def test_a_zombie_is_gone(zombie: int) -> None:
    assert is_gone(f"{place()}:{zombie}/nonce")


@pytest.mark.parametrize("holder", ["elsewhere:1/n", "", "nonsense", "a:b:c/d", "host/1"])
def test_nothing_is_said_about_processes_of_other_places(holder: str) -> None:
    assert not is_gone(holder)


def test_a_dead_processs_step_is_handed_back_in_the_second_pass(
    driver: Driver, reconciler: Reconciler
) -> None:
    run_id = begun_by(driver, dead())
    reconciler.orphans()
    assert driver.step(run_id, "first")["status"] == "running"
    reconciler.orphans()
    assert driver.step(run_id, "first")["status"] == "pending"
    assert driver.finish(run_id) == "completed"


def test_a_process_that_died_counts_as_a_loss_and_not_as_an_attempt(
    driver: Driver, reconciler: Reconciler
) -> None:
    run_id = begun_by(driver, dead())
    for _ in "ab":
        reconciler.orphans()
    step = driver.step(run_id, "first")
    assert (step["lost"], step["tries"]) == (1, 0)


def test_a_reconciler_that_stops_hands_back_at_once_and_counts_nothing(
    driver: Driver, reconciler: Reconciler
) -> None:
    run_id = begun_by(driver, dead())
    stopped = Stop()
    stopped.set()
    reconciler.run_forever(stopped)
    step = driver.step(run_id, "first")
    assert (step["status"], step["lost"], step["tries"]) == ("pending", 0, 0)


def test_a_living_processs_step_stays_its_own(driver: Driver, reconciler: Reconciler) -> None:
    run_id = begun_by(driver, instance())
    for _ in "abc":
        reconciler.orphans()
    assert driver.step(run_id, "first")["status"] == "running"


def test_a_run_that_cannot_be_moved_keeps_no_other_from_moving(
    driver: Driver, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = (begun_by(driver, dead()) for _ in "ab")
    lose = resume.lose

    def losing(tx: Tx, run_id: str, *more: Any, **how: Any) -> list[Message]:
        if run_id == broken:
            raise KeyError("a fault of ours that nobody has foreseen")
        return lose(tx, run_id, *more, **how)

    monkeypatch.setattr(resume, "lose", losing)
    monkeypatch.setattr(mover, "RULE_S", 60.0)  # To print the traceback may take longer than a rule.
    for _ in "ab":
        reconciler.orphans()
    assert [driver.step(run_id, "first")["status"] for run_id in (broken, sound)] == ["running", "pending"]


def test_a_signal_may_ask_to_stop_at_any_moment() -> None:
    stop, waits = Stop(), 2_000
    before = signal.signal(signal.SIGALRM, lambda *_: stop.set())
    signal.setitimer(signal.ITIMER_REAL, 0.000_1, 0.000_1)
    try:
        for _ in range(waits):
            stop.wait(0.001)
            stop.is_set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stop.is_set()
