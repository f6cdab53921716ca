"""Children: runs of their own; their parent waits without polling, and stops them when stopped."""

from typing import Any

import pytest
from sqlalchemy import delete

from app.record.session import Tx
from app.record.tables import event, run
from tests.integration.code.flows import DONE, TROUBLE, Rejected, fails, note, unnote
from tests.support.driver import Driver
from windlass import ChildFailed, workflow


@workflow("child")
def child(ctx: Any, what: str, pause: bool = False) -> Any:
    ctx.step("work", note, what, undo=unnote)
    if pause:
        ctx.wait_for_signal("go")
    return {"did": what, "for": ctx.parent_run_id}


@workflow("parent")
def parent(ctx: Any, what: str = "it", pause: bool = False) -> Any:
    return ctx.run_child("child", what, pause=pause)


@workflow("forgiving")
def forgiving(ctx: Any) -> Any:
    try:
        return ctx.run_child(child, "it")
    except ChildFailed as error:
        return [error.status, error.message, error.run_id]


@workflow("again")
def again(ctx: Any, left: int) -> Any:
    ctx.step("round", note, left)
    if left:
        ctx.restart(left - 1)
    return "landed"


@workflow("waits-for-rounds")
def waits_for_rounds(ctx: Any) -> Any:
    return ctx.run_child("again", 2)


@pytest.fixture(autouse=True)
def announced(driver: Driver) -> None:
    driver.announce(child, again)


def child_of(driver: Driver, run_id: str, key: str = "child") -> str:
    return str(driver.step(run_id, key)["ref"])


def test_a_parent_gets_what_its_child_returned(driver: Driver) -> None:
    run_id = driver.trigger(parent)
    assert driver.finish(run_id) == "completed"
    assert driver.result(run_id) == {"did": "it", "for": run_id}
    assert driver.run(child_of(driver, run_id))["parent_run_id"] == run_id


def test_a_childs_failure_is_its_parents(driver: Driver) -> None:
    TROUBLE["it"] = fails()
    run_id = driver.trigger(parent)
    assert driver.finish(run_id) == "failed"
    assert driver.run(run_id)["error_message"].endswith("Rejected: told to fail")


def test_a_childs_failure_may_be_caught(driver: Driver) -> None:
    TROUBLE["it"] = fails()
    run_id = driver.trigger(forgiving)
    assert driver.finish(run_id) == "completed"
    assert driver.result(run_id) == ["failed", "Rejected: told to fail", child_of(driver, run_id)]


def test_a_cancelled_child_is_told_to_its_parent(driver: Driver) -> None:
    run_id = driver.trigger(parent, "it", True)
    driver.drain()
    driver.cancel(child_of(driver, run_id))
    assert driver.finish(run_id) == "failed"
    assert driver.status(child_of(driver, run_id)) == "cancelled"


def test_cancelling_a_parent_stops_its_child_which_undoes(driver: Driver) -> None:
    run_id = driver.trigger(parent, "it", True)
    driver.drain()
    driver.cancel(run_id)
    driver.drain()
    assert (driver.status(run_id), driver.status(child_of(driver, run_id))) == ("cancelled", "cancelled")
    assert DONE == ["it", "undo it"]


def test_a_parent_that_is_cancelled_before_its_child_began(driver: Driver) -> None:
    run_id = driver.trigger(parent)
    driver.deliver()
    driver.cancel(run_id)
    driver.drain()
    assert (driver.status(child_of(driver, run_id)), DONE) == ("cancelled", [])


def test_a_child_that_starts_over_is_waited_for_to_its_end(driver: Driver) -> None:
    run_id = driver.trigger(waits_for_rounds)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "landed")
    assert DONE == [2, 1, 0]


def test_cancelling_a_parent_reaches_a_child_that_started_over(driver: Driver) -> None:
    run_id = driver.trigger(waits_for_rounds)
    while DONE != [2, 1]:
        driver.deliver()
    driver.cancel(run_id)
    driver.drain()
    assert DONE == [2, 1]
    assert (driver.status(run_id), len(driver.waiting)) == ("cancelled", 0)


@workflow("twins")
def twins(ctx: Any, pause: bool = True) -> Any:
    return ctx.parallel([ctx.child("child", 1, pause=pause), ctx.child("child", 2, pause=pause)])


def test_children_may_end_in_any_order(driver: Driver) -> None:
    run_id = driver.trigger(twins)
    driver.drain()
    for key in ("child#2", "child"):
        assert driver.status(run_id) == "waiting"
        driver.signal(child_of(driver, run_id, key), "go", None)
        driver.drain()
    assert [one["did"] for one in driver.result(run_id)] == [1, 2]


def test_one_childs_failure_waits_for_the_other(driver: Driver) -> None:
    TROUBLE[1] = fails()
    run_id = driver.trigger(twins, False)
    assert (driver.finish(run_id), sorted(DONE, key=str)) == ("failed", [1, 2, "undo 1?"])


@workflow("names-its-child")
def names_its_child(ctx: Any, child_id: str) -> Any:
    return ctx.run_child("child", "it", run_id=child_id)


def test_a_child_may_have_an_id_of_its_own_once(driver: Driver) -> None:
    first, second = driver.trigger(names_its_child, "own"), driver.trigger(names_its_child, "own")
    assert [driver.finish(one) for one in (first, second)] == ["completed", "failed"]
    assert "own" in driver.run(second)["error_message"]


@workflow("wants-what-is-not-there")
def wants_what_is_not_there(ctx: Any) -> Any:
    try:
        ctx.run_child("nobody")
    except ChildFailed as error:
        raise Rejected(str(error)) from None


def test_a_child_that_no_worker_knows_is_a_failure_with_its_name(driver: Driver) -> None:
    run_id = driver.trigger(wants_what_is_not_there)
    assert driver.finish(run_id) == "failed"
    assert "nobody" in driver.run(run_id)["error_message"]


def test_the_end_of_a_child_waits_until_its_parent_is_let_go(driver: Driver) -> None:
    run_id = driver.trigger(parent, "it", True)
    driver.drain()
    driver.act(run_id, "pause")
    driver.signal(child_of(driver, run_id), "go", None)
    driver.drain()
    assert driver.status(run_id) == "paused"
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"


def delete_run(driver: Driver, run_id: str) -> None:
    """What retention does to a run that ended long ago."""

    def work(tx: Tx) -> None:
        tx.execute(delete(event).where(event.c.tenant_id == tx.tenant, event.c.run_id == run_id))
        tx.execute(delete(run).where(run.c.tenant_id == tx.tenant, run.c.id == run_id))

    driver.db.write(work)


def test_a_child_outlives_a_parent_that_is_gone(driver: Driver) -> None:
    run_id = driver.trigger(parent, "it", True)
    driver.drain()
    lonely = child_of(driver, run_id)
    delete_run(driver, run_id)
    driver.signal(lonely, "go", None)
    assert driver.finish(lonely) == "completed"


def test_a_child_that_was_deleted_with_its_end_untold_is_told_as_gone(driver: Driver) -> None:
    run_id = driver.trigger(parent, "it", True)
    driver.drain()
    gone = child_of(driver, run_id)
    driver.publish = lambda messages: None  # type: ignore[method-assign]
    driver.cancel(gone)
    del driver.publish
    driver.reconcile([gone])
    while driver.fire(gone) or driver.deliver():
        continue
    delete_run(driver, gone)
    driver.fire(run_id, "child")
    assert driver.finish(run_id) == "failed"
