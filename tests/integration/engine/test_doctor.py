"""The doctor finds what is wrong: each invariant is broken on purpose, in rows that no engine would write."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from app.domain.errors import StepError
from app.record.runs import doctor
from app.record.session import Tx
from app.record.tables import (
    delivery,
    event,
    hook,
    lock,
    lock_fence,
    lock_waiter,
    run,
    step,
    subscription,
    timer,
    webhook,
)
from tasks.step import Again
from tests.support.driver import Driver
from tests.support.logs import open_log
from tests.support.probes import BEFORE, POLLS, fails

Plant = Callable[[Tx, str], Any]


@pytest.fixture
def sick(driver: Driver) -> Driver:
    """An engine whose rows are changed behind its back."""
    driver.judged = False
    return driver


def found(driver: Driver, run_id: str, plant: Plant) -> set[str]:
    """The numbers of the invariants that do not hold once something was planted."""
    driver.db.write(lambda tx: open_log(tx, run_id))
    assert driver.db.read(doctor.findings) == []
    driver.db.write(lambda tx: plant(tx, run_id))
    findings = driver.db.read(doctor.findings)
    assert all(one["run"] == run_id and one["what"] and one["todo"] for one in findings)
    return {one["invariant"] for one in findings}


def change(table: Any, key: str | None = None, *where: Any, **values: Any) -> Plant:
    """Change rows of a run, of one step when a key is given."""

    def plant(tx: Tx, run_id: str) -> Any:
        own = table.c.id if table is run else table.c.run_id
        wanted = [table.c.tenant_id == tx.tenant, own == run_id, *where]
        if key is not None:
            wanted.append(table.c[STEP_COLUMN[table.name]] == key)
        done = tx.execute(update(table).where(*wanted).values(**values))
        assert done.rowcount >= 1

    return plant


STEP_COLUMN = {"step": "key", "event": "step", "timer": "step", "hook": "step"}


def logged(tx: Tx, run_id: str, type_: str, key: str | None = None, **payload: Any) -> None:
    """Append an event to a run's log."""
    mine = (run.c.tenant_id == tx.tenant, run.c.id == run_id)
    number = tx.value(
        update(run).where(*mine).values(event_seq=run.c.event_seq + 1).returning(run.c.event_seq)
    )
    phase = "forward" if key else None
    values = {"seq": number, "type": type_, "phase": phase, "step": key, "payload": payload or None, "at": 1}
    tx.execute(insert(event), {"tenant_id": tx.tenant, "run_id": run_id, "attempt": 1, **values})


def completed(driver: Driver) -> str:
    run_id = driver.start("probe.line")
    driver.finish(run_id)
    return run_id


def failed(driver: Driver) -> str:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line")
    driver.finish(run_id)
    return run_id


def queued(driver: Driver) -> str:
    return driver.start("probe.line")


def waiting(driver: Driver) -> str:
    BEFORE["first"] = fails(1, StepError)
    run_id = driver.start("probe.line")
    driver.drain()
    return run_id


def suspended(driver: Driver) -> str:
    POLLS.extend([Again()] * 9)
    run_id = driver.start("probe.job")
    driver.drain()
    return run_id


def held(driver: Driver) -> str:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line", on_failure="hold")
    driver.finish(run_id)
    return run_id


def locked(driver: Driver) -> str:
    run_id = driver.start("probe.locked", resource_id="p1")
    driver.deliver()
    return run_id


def mapped(driver: Driver) -> str:
    run_id = driver.start("probe.map", {"items": [1, 2]})
    driver.deliver()
    return run_id


def in_line(driver: Driver) -> str:
    locked(driver)
    return driver.start("probe.locked", resource_id="p1", on_conflict="queue")


def undoing(driver: Driver) -> str:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line")
    while driver.status(run_id) != "compensating":
        driver.deliver()
    return run_id


def unlogged(tx: Tx, run_id: str) -> None:
    """The log loses an event from its middle."""
    where = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq == 3)
    tx.execute(delete(event).where(*where))


def beheaded(tx: Tx, run_id: str) -> None:
    """The log loses its beginning."""
    where = (event.c.tenant_id == tx.tenant, event.c.run_id == run_id, event.c.seq == 1)
    tx.execute(delete(event).where(*where))


def without_lock(tx: Tx, run_id: str) -> None:
    """The lock is gone."""
    tx.execute(delete(lock).where(lock.c.tenant_id == tx.tenant, lock.c.run_id == run_id))


def with_lock(tx: Tx, run_id: str) -> None:
    """A lock is there that was never granted."""
    tx.execute(insert(lock_fence), {"tenant_id": tx.tenant, "resource": "probe/p9", "fence": 1})
    row = {"resource": "probe/p9", "run_id": run_id, "fence": 1, "granted_at": 1}
    tx.execute(insert(lock), {"tenant_id": tx.tenant, **row})


def with_great_fence(tx: Tx, run_id: str) -> None:
    """The lock has a fence that was never given."""
    tx.execute(update(lock_fence).where(lock_fence.c.tenant_id == tx.tenant).values(fence=0))


def with_hook(tx: Tx, run_id: str) -> None:
    """A hook was used without a word in the log."""
    row = {"id": f"hook_{run_id}", "token_hash": f"planted {run_id}", "run_id": run_id, "step": "job"}
    tx.execute(insert(hook), {"tenant_id": tx.tenant, "status": "executed", **row})


def with_line(tx: Tx, run_id: str) -> None:
    """A run that ended stands in a line."""
    row = {"resource": "probe/p9", "ticket": "tkt_1", "run_id": run_id, "since": 1}
    tx.execute(insert(lock_waiter), {"tenant_id": tx.tenant, **row})


def deliveries(tx: Tx, run_id: str, **row: Any) -> None:
    """An endpoint that listened from the beginning, and one delivery to it."""
    tenant = {"tenant_id": tx.tenant}
    endpoint = f"wh_{run_id}"
    tx.execute(insert(webhook), {**tenant, "id": endpoint, "url": "x", "active": True, "created_at": 1})
    tx.execute(insert(subscription), {**tenant, "event": "run.created", "webhook_id": endpoint})
    values = {"id": f"msg_{run_id}", "webhook_id": endpoint, "run_id": run_id, "status": "pending", **row}
    tx.execute(insert(delivery), {**tenant, **values})


def without_delivery(tx: Tx, run_id: str) -> None:
    """An event that an endpoint waits for was not sent."""
    deliveries(tx, run_id, seq=2, event="run.started")


def with_strange_delivery(tx: Tx, run_id: str) -> None:
    """A delivery reports something else than what happened."""
    deliveries(tx, run_id, seq=1, event="run.failed")


PLANTED: list[tuple[str, Callable[[Driver], str], Plant]] = [
    ("I1", completed, beheaded),
    ("I2", completed, unlogged),
    ("I2", completed, change(run, event_seq=99)),
    ("I2", held, change(run, status="blocked")),
    ("I2", completed, change(step, "second", status="skipped")),
    ("I2", completed, change(step, "second", attempt=2)),
    ("I2", completed, change(step, "second", outcome="unknown")),
    ("I2", completed, change(event, "second", event.c.type == "step.completed", type="step.log")),
    ("I3", completed, lambda tx, run_id: logged(tx, run_id, "step.completed", "second")),
    ("I3", completed, lambda tx, run_id: logged(tx, run_id, "run.completed")),
    (
        "I3",
        completed,
        lambda tx, run_id: logged(tx, run_id, "step.retrying", "second", error=None, outcome="x", dueAt=1),
    ),
    ("I3", queued, lambda tx, run_id: logged(tx, run_id, "run.failed")),
    ("I4", completed, change(step, "second", fence=9)),
    ("I4", completed, lambda tx, run_id: logged(tx, run_id, "step.started", "second", fence=1)),
    ("I5", completed, change(step, "first", status="failed")),
    ("I6", failed, change(step, "second", step.c.phase == "forward", outcome="none")),
    ("I6", completed, change(run, status="failed")),
    ("I6", failed, change(step, "second", step.c.phase == "comp", status="failed")),
    ("I6", failed, change(step, "second", step.c.phase == "comp", ordinal=1)),
    ("I7", queued, change(run, expect_since=None)),
    ("I7", queued, change(run, expect_from=None)),
    ("I7", waiting, change(timer, "first", cancelled_at=1)),
    ("I7", suspended, change(timer, "job", cancelled_at=1)),
    ("I7", held, change(timer, None, timer.c.purpose == "hold", cancelled_at=1)),
    ("I7", queued, change(step, "first", status="running", lease_until=None)),
    ("I7", queued, change(step, "first", status="running", lease_until=1)),
    ("I7", queued, change(run, status="lock_waiting")),
    ("I7", queued, change(run, status="cancelling")),
    ("I7", queued, change(step, None, status="completed")),
    ("I7", completed, change(run, expect_since=1)),
    ("I7", mapped, change(step, "each-item[0].visit", expect_since=None)),
    ("I7", completed, change(step, "second", status="running")),
    ("I7", waiting, change(step, "first", status="failed")),
    ("I7", waiting, change(step, "first", status="cancelled")),
    ("I7", undoing, change(step, "third", step.c.phase == "comp", status="failed")),
    ("I7", mapped, change(step, None, step.c.branch != "", status="completed")),
    ("I8", in_line, change(run, status="queued")),
    ("I8", locked, without_lock),
    ("I8", completed, with_lock),
    ("I8", completed, with_line),
    ("I8", locked, with_great_fence),
    ("I9", suspended, with_hook),
    ("I9", suspended, lambda tx, run_id: logged(tx, run_id, "hook.executed", "job")),
    ("I10", mapped, change(step, "each-item", pending=1)),
    ("I11", waiting, change(timer, "first", fired_at=1)),
    ("I11", waiting, change(timer, "first", fired_at=10**14, cancelled_at=1)),
    ("I11", waiting, change(timer, "first", due_at=1)),
    ("I12", completed, without_delivery),
    ("I12", completed, with_strange_delivery),
    ("I13", completed, change(step, "first", lost=4)),
]


@pytest.mark.parametrize(("number", "reach", "plant"), PLANTED)
def test_what_is_broken_is_found(
    sick: Driver, number: str, reach: Callable[[Driver], str], plant: Plant
) -> None:
    assert number in found(sick, reach(sick), plant)


def test_a_step_that_was_tried_too_often_is_found_when_budgets_are_known(sick: Driver) -> None:
    run_id = completed(sick)
    sick.db.write(lambda tx: change(step, "first", tries=4)(tx, run_id))

    assert sick.db.read(doctor.findings) == []
    known = sick.db.read(
        lambda tx: doctor.findings(tx, budgets={"probes.first": 3, "tests.support.probes.first": 3})
    )
    assert [one["invariant"] for one in known] == ["I13"]


def test_a_lock_of_a_run_that_is_not_there_is_found(sick: Driver) -> None:
    sick.db.write(lambda tx: with_lock(tx, "run_gone"))

    assert [one["invariant"] for one in sick.db.read(doctor.findings)] == ["I8"]


def free(tx: Tx, run_id: str, since: int = 1) -> None:
    """The lock that a run waits for is free, and was not granted."""
    where = (lock.c.tenant_id == tx.tenant, lock.c.resource == "probe/p1")
    assert tx.execute(delete(lock).where(*where)).rowcount == 1
    own = (lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.run_id == run_id)
    tx.execute(update(lock_waiter).where(*own).values(since=since))


def named(driver: Driver, run_id: str) -> list[str]:
    """What the doctor reports of a run."""
    return [one["what"] for one in driver.db.read(doctor.findings) if one["run"] == run_id]


def test_a_free_lock_that_is_not_granted_to_the_run_that_waits_for_it_is_found(sick: Driver) -> None:
    run_id = in_line(sick)
    assert named(sick, run_id) == []

    sick.db.write(lambda tx: free(tx, run_id))
    assert named(sick, run_id) == ["probe/p1 is free and the run has been waiting for it"]


def test_a_lock_that_was_let_go_just_now_is_no_finding(sick: Driver) -> None:
    run_id = in_line(sick)
    sick.db.write(lambda tx: free(tx, run_id, since=tx.now))

    assert named(sick, run_id) == []


def test_a_lock_that_was_held_until_just_now_is_no_finding(sick: Driver) -> None:
    run_id = in_line(sick)
    sick.db.write(lambda tx: free(tx, run_id))
    own = (run.c.resource_id == "p1", run.c.id != run_id)
    sick.db.write(lambda tx: tx.execute(update(run).where(*own).values(completed_at=tx.now)))

    assert named(sick, run_id) == []


def test_a_waiter_for_a_lock_without_a_run_is_found(sick: Driver) -> None:
    sick.db.write(lambda tx: with_line(tx, "run_gone"))

    assert named(sick, "run_gone") == ["a run that is not there waits for probe/p9"]


def test_open_runs_come_before_ended_ones(sick: Driver) -> None:
    ended, open_ = completed(sick), queued(sick)
    for run_id in (open_, ended):
        sick.db.write(lambda tx, r=run_id: change(run, event_seq=99)(tx, r))  # type: ignore[misc]

    assert [one["run"] for one in sick.db.read(doctor.findings)] == [open_, ended]


def test_the_work_is_bounded(sick: Driver) -> None:
    for run_id in [completed(sick) for _ in range(3)]:
        sick.db.write(lambda tx, r=run_id: change(run, event_seq=99)(tx, r))  # type: ignore[misc]

    assert len(sick.db.read(lambda tx: doctor.findings(tx, limit=2))) == 2
