"""The doctor finds what is wrong with runs of code workflows: each rule is broken on purpose."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from app.record.runs import doctor
from app.record.session import Tx
from app.record.tables import event, run, signal, step, timer
from tests.integration.code.flows import note, unnote
from tests.support.driver import Driver
from tests.support.logs import open_log
from windlass import workflow

Plant = Callable[[Tx, str], Any]


@workflow("sick")
def sick(ctx: Any) -> Any:
    ctx.step("one", note, "one", undo=unnote)
    ctx.parallel([ctx.call(name, note, name, retries=1) for name in ("left", "right")])
    ctx.wait_for_signal("go")
    ctx.wait_for_signal("go", timeout="1h")
    ctx.sleep("1h")
    return ctx.run_child("sick-child")


@workflow("sick-child")
def sick_child(ctx: Any) -> Any:
    return ctx.wait_for_signal("go")


def at(driver: Driver, place: str) -> str:
    """A run that has come to a place: members, signal, timed, sleep, child."""
    driver.judged = False
    driver.announce(sick_child)
    run_id = driver.trigger(sick)
    driver.deliver()
    if place != "members":
        driver.drain()
    for name in ("timed", "sleep", "child"):
        if place in ("members", "signal"):
            break
        if name in ("timed", "sleep"):
            driver.signal(run_id, "go", name)
        else:
            driver.fire(run_id, "sleep")
        driver.drain()
        if name == place:
            break
    return run_id


def found(driver: Driver, run_id: str, plant: Plant) -> set[str]:
    """The numbers of the invariants that do not hold once something was planted."""
    driver.db.write(lambda tx: open_log(tx, run_id))
    assert driver.db.read(doctor.findings) == []
    driver.db.write(lambda tx: plant(tx, run_id))
    return {one["invariant"] for one in driver.db.read(doctor.findings) if one["run"] == run_id}


def change(table: Any, *where: Any, **values: Any) -> Plant:
    """Change rows of a run."""

    def plant(tx: Tx, run_id: str) -> None:
        own = table.c.id if table is run else table.c.run_id
        done = tx.execute(
            update(table).where(table.c.tenant_id == tx.tenant, own == run_id, *where).values(**values)
        )
        assert done.rowcount >= 1

    return plant


def said(type_: str, **payload: Any) -> Plant:
    """Append an event to a run's log."""

    def plant(tx: Tx, run_id: str) -> None:
        mine = (run.c.tenant_id == tx.tenant, run.c.id == run_id)
        number = tx.value(
            update(run).where(*mine).values(event_seq=run.c.event_seq + 1).returning(run.c.event_seq)
        )
        values = {"seq": number, "type": type_, "payload": payload or None, "at": 1}
        tx.execute(insert(event), {"tenant_id": tx.tenant, "run_id": run_id, **values})

    return plant


def signalled(tx: Tx, run_id: str) -> None:
    """A signal without an event."""
    values = {"id": "sig_x", "seq": 99, "name": "go", "payload": 1, "payload_hash": "x", "sender": "x"}
    tx.execute(insert(signal), {"tenant_id": tx.tenant, "run_id": run_id, "received_at": 1, **values})


def without_signals(tx: Tx, run_id: str) -> None:
    """The signals are gone."""
    tx.execute(delete(signal).where(signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id))


def closed(purpose: str) -> Plant:
    return change(timer, timer.c.purpose == purpose, timer.c.fired_at.is_(None), cancelled_at=1)


PLANTS: dict[str, tuple[str, Plant, str]] = {
    "a wait counts calls that have ended": ("members", change(step, step.c.key == "main", pending=3), "I10"),
    "a wait forgets a call": ("signal", change(step, step.c.key == "main", pending=0), "I10"),
    "members are not published": ("members", change(step, step.c.key == "left", expect_since=None), "I7"),
    "a function waits for nothing": (
        "signal",
        change(step, step.c.kind == "signal", status="completed"),
        "I7",
    ),
    "a sleep has no timer": ("sleep", closed("sleep"), "I7"),
    "a signal's limit has no timer": ("timed", closed("deadline"), "I7"),
    "a child was never started": ("child", change(step, step.c.kind == "child", ref=None), "I7"),
    "a signal was never taken": ("timed", change(signal, consumed_by=None), "I9"),
    "a signal was taken by nobody": ("timed", said("signal.consumed", signalId="sig_x"), "I9"),
    "a signal was taken twice": ("sleep", change(signal, consumed_by="go"), "I9"),
    "a signal came from nowhere": ("signal", signalled, "I9"),
    "signals have gone": ("timed", without_signals, "I9"),
    "a result is not in the log": ("signal", change(step, step.c.key == "one", outcome="unknown"), "I2"),
    "an attempt is not in the log": ("signal", change(step, step.c.key == "one", attempt=2), "I2"),
    "a call is not in the log": ("signal", change(event, event.c.type == "step.begun", payload={}), "I2"),
    "a member was tried too often": ("signal", change(step, step.c.key == "left", tries=3), "I13"),
    "a run has too many events": ("signal", change(run, limits={"maxEvents": 5}), "I13"),
}


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_wrong_is_found(driver: Driver, name: str) -> None:
    place, plant, number = PLANTS[name]
    assert number in found(driver, at(driver, place), plant)


@pytest.mark.parametrize("place", ["members", "signal", "timed", "sleep", "child"])
def test_what_is_right_is_not_found(driver: Driver, place: str) -> None:
    run_id = at(driver, place)
    assert driver.db.read(doctor.findings) == []
    assert driver.status(run_id) == "waiting"
