"""Several at once: signals, timeouts, cancels, children that end together: each thing happens once."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import func, select

from app.domain.errors import InvalidStateTransition
from app.engine.code import signals
from app.engine.reconciler import resume
from app.engine.transitions import operator_actions
from app.engine.transitions.journal import Journal, Message, RunMessage, journal
from app.record.runs import timers
from app.record.session import Tx
from app.record.tables import run
from app.worker.loop import run_link
from tests.support.driver import Driver
from windlass import workflow


@workflow("race-waits")
def race_waits(ctx: Any) -> Any:
    got = ctx.wait_for_signal("go", timeout="1h", default="late")
    return [got, ctx.wait_for_signal("go", timeout="1h", default="late")]


@workflow("race-child")
def race_child(ctx: Any) -> Any:
    return ctx.wait_for_signal("go")


@workflow("race-parent")
def race_parent(ctx: Any) -> Any:
    return ctx.parallel([ctx.child("race-child") for _ in range(3)])


@workflow("race-rounds")
def race_rounds(ctx: Any, left: int) -> Any:
    if left:
        ctx.restart(left - 1)
    return ctx.wait_for_signal("go")


@workflow("race-rounds-parent")
def race_rounds_parent(ctx: Any) -> Any:
    return ctx.run_child("race-rounds", 2)


def together(driver: Driver, *jobs: Callable[[], Iterable[Message]]) -> None:
    """Do things at the same moment and publish what follows; a refusal is an answer, too."""
    start, failures = threading.Barrier(len(jobs)), []

    def work(job: Callable[[], Iterable[Message]]) -> None:
        start.wait()
        try:
            driver.publish(job())
        except InvalidStateTransition:
            return
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not failures


def with_run(driver: Driver, run_id: str, do: Callable[[Journal], Any]) -> Callable[[], Iterable[Message]]:
    """A transaction of one run."""

    def work(tx: Tx) -> Iterable[Message]:
        with journal(tx, run_id) as j:
            do(j)
        return j.messages

    return lambda: driver.db.write(work)


def sends(driver: Driver, run_id: str, payload: Any) -> Callable[[], Iterable[Message]]:
    return with_run(driver, run_id, lambda j: signals.send(j, "go", payload, sender="usr_test"))


def cancels(driver: Driver, run_id: str) -> Callable[[], Iterable[Message]]:
    return with_run(driver, run_id, lambda j: operator_actions.cancel(j, "usr_test"))


def times_out(driver: Driver, run_id: str) -> Callable[[], Iterable[Message]]:
    """Fires the limit of the run's wait, whose time has come."""
    armed = driver.db.read(lambda tx: timers.open_of(tx, run_id))
    limit = next(one for one in armed if one["purpose"] == "deadline")
    driver.make_due(limit)
    return lambda: driver.db.write(lambda tx: resume.fire_timer(tx, limit["id"])) or []


def links(driver: Driver) -> list[Callable[[], Iterable[Message]]]:
    """All links whose messages were published."""

    def carried(run_message: RunMessage) -> Callable[[], Iterable[Message]]:
        where = {
            "run_id": run_message.run_id,
            "phase": run_message.phase,
            "key": run_message.segments[0].first,
            "gen": run_message.gen,
        }

        def link() -> Iterable[Message]:
            run_link(driver.runner, **where, task_id="t", chained=False)  # type: ignore[arg-type]
            return ()

        return link

    found = [carried(run_message) for run_message, _place in driver.waiting]
    driver.waiting.clear()
    return found


@pytest.mark.parametrize("turn", range(5))
def test_signal_timeout_and_cancel(driver: Driver, turn: int) -> None:
    run_id = driver.trigger(race_waits)
    driver.drain()
    jobs = [sends(driver, run_id, n) for n in (1, 2)] + [times_out(driver, run_id), cancels(driver, run_id)]
    together(driver, *(jobs[turn % 4 :] + jobs[: turn % 4]))
    assert driver.finish(run_id) == "cancelled"


@pytest.mark.parametrize("turn", range(5))
def test_signals_and_timeout(driver: Driver, turn: int) -> None:
    run_id = driver.trigger(race_waits)
    driver.drain()
    together(driver, times_out(driver, run_id), *(sends(driver, run_id, n) for n in range(3)))
    assert driver.finish(run_id) == "completed"
    got = driver.result(run_id)
    assert driver.events(run_id).count("signal.received") == 3
    assert len([one for one in got if one != "late"]) >= 1


@pytest.mark.parametrize("turn", range(3))
def test_children_that_end_at_once_while_their_parent_is_cancelled(driver: Driver, turn: int) -> None:
    driver.announce(race_child)
    run_id = driver.trigger(race_parent)
    driver.drain()
    children = [row["ref"] for key, row in driver.steps(run_id).items() if key != "main"]
    together(driver, *(sends(driver, one, turn) for one in children))
    together(driver, *links(driver), *([cancels(driver, run_id)] if turn else []))
    driver.reconcile([run_id, *children])
    assert driver.finish(run_id) == ("cancelled" if turn else "completed")
    driver.drain()
    assert {driver.status(one) for one in children} <= {"completed", "cancelled"}


@pytest.mark.parametrize("turn", range(4))
def test_a_child_that_starts_over_while_its_parent_is_cancelled(driver: Driver, turn: int) -> None:
    driver.announce(race_rounds)
    run_id = driver.trigger(race_rounds_parent)
    for _ in range(1 + turn % 2):
        driver.deliver()
    together(driver, *links(driver), cancels(driver, run_id))
    driver.drain()
    assert driver.status(run_id) == "cancelled"
    open_ = driver.db.read(lambda tx: tx.value(select(func.count()).where(*_open_runs(tx))))
    assert open_ == 0


def _open_runs(tx: Tx) -> tuple[Any, ...]:
    return (run.c.tenant_id == tx.tenant, run.c.completed_at.is_(None))
