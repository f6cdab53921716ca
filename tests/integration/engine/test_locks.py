"""One run at a time on a resource: in the order of asking, whatever becomes of those in line."""

from typing import Any

import pytest

from app.domain.errors import Conflict
from app.engine.reconciler import resume
from app.engine.transitions import locks as locking
from app.engine.transitions.journal import journal
from app.record.runs import locks
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails
from tests.support.servers import until


def ask(driver: Driver, **order: Any) -> str:
    """A run on the resource p1, in line when another run has it."""
    return driver.start("probe.locked", resource_id="p1", on_conflict="queue", **order)


def test_runs_on_one_resource_go_one_after_the_other(driver: Driver) -> None:
    line = [ask(driver) for _ in range(3)]
    statuses = [driver.status(one) for one in line]

    driver.drain()
    assert statuses == ["running", "lock_waiting", "lock_waiting"] or statuses[0] == "queued"
    assert DONE == ["first", "second", "third"] * 3
    ends = [driver.run(one)["completed_at"] for one in line]
    assert ends == sorted(ends)


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_a_run_s_end_is_the_last_word_of_its_log(driver: Driver, end: str) -> None:
    if end == "failed":
        BEFORE["third"] = fails()
    run_id = ask(driver)

    driver.finish(run_id)

    assert driver.events(run_id)[-2:] == ["lock.released", f"run.{end}"]


def test_a_run_that_will_not_wait_is_refused_with_the_holder(driver: Driver) -> None:
    holder = ask(driver)
    seen: list[Conflict] = []

    def ask_in_vain(_ctx: object) -> None:
        with pytest.raises(Conflict) as refused:
            driver.start("probe.locked", resource_id="p1")
        seen.append(refused.value)

    BEFORE["second"] = ask_in_vain
    driver.finish(holder)
    known = {"runId": holder, "step": "second", "detail": "running", "needsOperator": False}
    assert seen[0].details["holder"] == known


def test_a_run_that_is_refused_hears_that_the_holder_needs_an_operator_and_where(driver: Driver) -> None:
    BEFORE["second"] = fails()
    holder = ask(driver, on_failure="hold")
    driver.finish(holder)
    with pytest.raises(Conflict, match=f"run {holder}; it needs an operator at second") as refused:
        driver.start("probe.locked", resource_id="p1")
    assert (refused.value.details["holder"]["step"], refused.value.details["holder"]["needsOperator"]) == (
        "second",
        True,
    )


def test_a_refused_run_leaves_nothing_behind(driver: Driver) -> None:
    holder = ask(driver)

    with pytest.raises(Conflict):
        driver.start("probe.locked", resource_id="p1", idempotency_key="once")
    driver.finish(holder)
    again = driver.start("probe.locked", resource_id="p1", idempotency_key="once")
    assert driver.finish(again) == "completed"


def test_a_grant_comes_after_whatever_its_transaction_has_waited_for(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    with driver.db.transaction() as tx, journal(tx, run_id) as j:
        began = j.now
        until(lambda: driver.db.read(lambda other: other.now) > began, 5, "the transaction has waited")
        locking.take(j, "probe/p1", "reject")

    granted = driver.db.read(lambda tx: locks.holder(tx, "probe/p1"))
    assert granted is not None and (granted["granted_at"] or 0) > began
    assert j.now > began


def test_other_resources_are_not_concerned(driver: Driver) -> None:
    ask(driver)
    other = driver.start("probe.locked", resource_id="p2")

    driver.drain()
    assert driver.status(other) == "completed"


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_the_next_in_line_begins_however_the_holder_ended(driver: Driver, end: str) -> None:
    holder, waiter = ask(driver), ask(driver)
    if end == "failed":
        BEFORE["third"] = fails(1)
    if end == "cancelled":
        driver.cancel(holder)

    driver.drain()
    assert (driver.status(holder), driver.status(waiter)) == (end, "completed")


def test_a_cancelled_waiter_is_passed_over(driver: Driver) -> None:
    holder, second, third = ask(driver), ask(driver), ask(driver)
    driver.cancel(second)

    driver.drain()
    assert [driver.status(one) for one in (holder, second, third)] == ["completed", "cancelled", "completed"]


def test_each_grant_has_a_greater_fence(driver: Driver) -> None:
    line = [ask(driver) for _ in range(3)]
    driver.drain()

    fences = [
        row["payload"]["fence"] for one in line for row in driver.log(one) if row["type"] == "lock.granted"
    ]
    assert fences == sorted(set(fences))


def test_a_held_run_keeps_others_waiting_until_it_is_over(driver: Driver) -> None:
    BEFORE["third"] = fails(1)
    holder, waiter = ask(driver, on_failure="hold"), ask(driver)
    driver.drain()
    assert driver.status(waiter) == "lock_waiting"

    driver.act(holder, "compensate")
    driver.drain()
    assert (driver.status(holder), driver.status(waiter)) == ("failed", "completed")


def test_a_grant_that_was_left_over_is_made_later(driver: Driver) -> None:
    holder, waiter = ask(driver), ask(driver)
    driver.drain_until(holder, "third")
    driver.db.write(lambda tx: locks.withdraw(tx, waiter))
    driver.finish(holder)
    driver.db.write(lambda tx: locks.queue_up(tx, "probe/p1", waiter))

    assert driver.db.read(lambda tx: locks.free_with_waiters(tx, 10)) == ["probe/p1"]
    driver.publish(driver.db.write(lambda tx: resume.grant_waiting(tx, "probe/p1")))
    assert driver.finish(waiter) == "completed"
    assert driver.db.write(lambda tx: resume.grant_waiting(tx, "probe/p1")) == []


def test_a_free_resource_with_a_line_is_not_taken_out_of_turn(driver: Driver) -> None:
    holder, waiter = ask(driver), ask(driver)
    driver.drain_until(holder, "third")
    driver.db.write(lambda tx: locks.withdraw(tx, waiter))
    driver.finish(holder)
    driver.db.write(lambda tx: locks.queue_up(tx, "probe/p1", waiter))

    third = ask(driver)
    assert driver.status(third) == "lock_waiting"
    driver.publish(driver.db.write(lambda tx: resume.grant_waiting(tx, "probe/p1")))
    driver.drain()
    assert (driver.status(waiter), driver.status(third)) == ("completed", "completed")
