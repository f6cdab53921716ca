"""Retention: old ended runs go whole, open ones stay whatever their age, counters do not fall."""

from functools import partial

from sqlalchemy import update

from app.record.runs import metrics, runs
from app.record.tables import run
from tests.support.driver import Driver

DAY_MS = 86_400_000


def aged(driver: Driver, run_id: str, days: int) -> None:
    """Make a run one that ended so long ago."""
    past = driver.db.read(lambda tx: tx.now) - days * DAY_MS
    change = update(run).where(run.c.id == run_id).values(completed_at=past)
    driver.db.write(lambda tx: tx.execute(change))


def swept(driver: Driver, days: int = 90) -> int:
    """What the reconciler deletes of runs that ended longer ago."""
    old = driver.db.read(lambda tx: runs.ended_before(tx, tx.now - days * DAY_MS, 100))
    for run_id in old:
        driver.db.write(partial(runs.delete_run, run_id=run_id))
    return len(old)


def test_an_ended_run_goes_with_its_steps_and_events_when_its_time_is_over(driver: Driver) -> None:
    old, young = driver.start("probe.line"), driver.start("probe.line")
    driver.finish(old)
    driver.finish(young)
    aged(driver, old, 91)

    assert swept(driver) == 1

    assert driver.db.read(lambda tx: runs.read_run(tx, old)) is None
    assert driver.db.read(lambda tx: runs.events_of(tx, old)) == []
    assert driver.run(young)["status"] == "completed"


def test_an_open_run_stays_whatever_its_age(driver: Driver) -> None:
    waiting = driver.start("probe.job")
    driver.drain()

    assert swept(driver, days=-1) == 0

    assert driver.finish(waiting) == "completed"


def test_totals_do_not_fall_when_runs_are_deleted(driver: Driver) -> None:
    driver.finish(driver.start("probe.line"))
    before = driver.db.read(metrics.ended_totals)

    swept(driver, days=-1)

    assert driver.db.read(metrics.ended_totals) == before
