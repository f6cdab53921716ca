"""Two at the same instant: what follows is as if they had come one after the other."""

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread
from typing import Any, cast

import pytest

from app.domain.errors import Conflict, Gone, Rejected
from app.domain.ids import new_id
from app.domain.json import JsonObject
from app.engine.reconciler import resume
from app.engine.transitions import accept, operator_actions, retry
from app.engine.transitions.accept import Order
from app.engine.transitions.claim import Claim, Holder, locked_claim
from app.engine.transitions.journal import journal
from app.engine.transitions.settle import Done, locked_settle
from app.record.runs import timers
from app.record.session import Tx
from tasks.step import Again
from tests.support.driver import Driver
from tests.support.probes import DONE, POLLS

ROUNDS = 8
Work = Callable[[Tx], Any]


def at_once(driver: Driver, *works: Work) -> list[Any]:
    """Do each in a thread and a transaction of its own, at the same instant; a refusal is an answer."""
    start, answers = Barrier(len(works)), [None] * len(works)

    def one(place: int) -> None:
        start.wait()
        try:
            answers[place] = driver.db.write(works[place])
        except Exception as error:  # Whatever it is, the test examines it.
            answers[place] = error  # type: ignore[call-overload]

    threads = [Thread(target=one, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def held(driver: Driver, run_id: str, key: str, who: str) -> Claim:
    """Claim a step, or a member, for a worker."""
    row = driver.step(run_id, key)
    gen = row["gen"] if row["branch"] else driver.run(run_id)["dispatch_gen"]
    holder = Holder(nonce=f"driver:1/{who}", task_id=who, lease_ms=10_000)
    made = driver.db.write(lambda tx: locked_claim(tx, run_id, "forward", key, gen, holder))
    assert isinstance(made, Claim)
    return made


def armed_for(driver: Driver, run_id: str, purpose: str) -> dict[str, Any]:
    """The open timer of this purpose."""
    found = driver.db.read(lambda tx: timers.open_of(tx, run_id))
    return next(cast("JsonObject", one) for one in found if one["purpose"] == purpose)


@pytest.mark.parametrize("join", ["all", "collect", "two", "any"])
def test_the_last_two_members_close_their_join_once(driver: Driver, join: str) -> None:
    for _ in range(ROUNDS):
        run_id = driver.start("probe.map", {"items": ["a", "b"], "join": join})
        driver.deliver()
        claims = [held(driver, run_id, f"each-item[{n}].visit", f"w{n}") for n in range(2)]
        done = [Done({"report": one}) for one in "ab"]

        ended = at_once(
            driver,
            partial(locked_settle, claim=claims[0], outcome=done[0]),
            partial(locked_settle, claim=claims[1], outcome=done[1]),
        )
        assert [one.status for one in ended] == ["completed", "completed"]
        driver.waiting.clear()
        driver.find_lost()
        assert driver.finish(run_id) == "completed"
        assert driver.events(run_id).count("step.completed:each-item") == 1
        assert driver.events(run_id).count("step.completed:third") == 1


def test_one_of_two_messages_gets_the_step(driver: Driver) -> None:
    for _ in range(ROUNDS):
        run_id = driver.start("probe.line")
        gen = driver.run(run_id)["dispatch_gen"]
        holders = [Holder(nonce=f"driver:1/{n}", task_id=str(n), lease_ms=10_000) for n in range(3)]

        answers = at_once(
            driver,
            *(
                partial(locked_claim, run_id=run_id, phase="forward", key="first", gen=gen, holder=one)
                for one in holders
            ),
        )
        assert sum(isinstance(one, Claim) for one in answers) == 1
        driver.lose(run_id, "first")
        assert driver.finish(run_id) == "completed"


def test_a_late_result_and_its_successor_are_distinguished(driver: Driver) -> None:
    for _ in range(ROUNDS):
        run_id = driver.start("probe.line")
        driver.waiting.clear()
        old = held(driver, run_id, "first", "frozen")

        at_once(
            driver,
            partial(locked_settle, claim=old, outcome=Done({"first_done": 1})),
            partial(
                resume.lose, run_id=run_id, phase="forward", key="first", fence=old.fence, poison_limit=3
            ),
        )
        driver.reconcile([run_id])
        assert driver.finish(run_id) == "completed"
        assert driver.events(run_id).count("step.completed:first") == 1


def test_a_cancel_and_the_last_result_have_one_ending(driver: Driver) -> None:
    def stop(tx: Tx, run_id: str) -> None:
        with journal(tx, run_id) as j:
            operator_actions.cancel(j, "usr_test")

    ends = set()
    for _ in range(ROUNDS):
        run_id = driver.start("probe.line")
        driver.drain_until(run_id, "third")
        driver.waiting.clear()
        last = held(driver, run_id, "third", "w")

        at_once(
            driver,
            partial(locked_settle, claim=last, outcome=Done({})),
            partial(stop, run_id=run_id),
        )
        driver.reconcile([run_id])
        ends.add(driver.finish(run_id))
    assert ends <= {"completed", "cancelled"}


def test_a_hook_and_a_timer_wake_an_operation_once(driver: Driver) -> None:
    for n in range(ROUNDS):
        POLLS[:] = [Again()]
        run_id = driver.start("probe.job")
        driver.drain()
        token = driver.open_hook(run_id, "job")
        armed = armed_for(driver, run_id, "poll")
        driver.make_due(armed)

        at_once(
            driver,
            partial(resume.execute_hook, token_hash=token, payload={"n": n}),
            partial(resume.fire_timer, timer_id=armed["id"]),
        )
        driver.find_lost()
        assert driver.finish(run_id) == "completed"
        assert driver.run(run_id)["output"]["job_done"] == {"n": n}


def test_one_of_two_different_calls_of_a_hook_is_taken(driver: Driver) -> None:
    for _ in range(ROUNDS):
        POLLS[:] = [Again()]
        run_id = driver.start("probe.job")
        driver.drain()
        token = driver.open_hook(run_id, "job")

        answers = at_once(
            driver,
            *(partial(resume.execute_hook, token_hash=token, payload={"n": n}) for n in range(2)),
        )
        assert sum(isinstance(one, Gone) for one in answers) == 1
        driver.find_lost()
        driver.finish(run_id)


def test_one_timer_fires_once_although_two_fire_it(driver: Driver) -> None:
    for _ in range(ROUNDS):
        POLLS[:] = [Again()]
        run_id = driver.start("probe.job")
        driver.drain()
        armed = armed_for(driver, run_id, "poll")
        driver.make_due(armed)

        answers = at_once(driver, *[partial(resume.fire_timer, timer_id=armed["id"])] * 3)
        assert sum(bool(one) for one in answers) == 1
        driver.find_lost()
        assert driver.finish(run_id) == "completed"


def test_one_of_two_runs_gets_the_resource_and_the_other_is_refused(driver: Driver) -> None:
    order = Order(type="probe.locked", resource_id="p1")
    for _ in range(ROUNDS):
        names = [new_id("run") for _ in range(2)]

        answers = at_once(
            driver, *(partial(accept.accept, run_id=one, order=order, actor="u") for one in names)
        )
        assert sum(isinstance(one, Conflict) for one in answers) == 1
        driver.find_lost()
        driver.drain()
    assert DONE.count("third") == ROUNDS


def test_runs_that_end_at_once_free_their_resources_for_those_in_line(driver: Driver) -> None:
    for _ in range(ROUNDS):
        holders = [driver.start("probe.locked", resource_id=one) for one in ("p1", "p2")]
        queued = [driver.start("probe.locked", resource_id=one, on_conflict="queue") for one in ("p1", "p2")]
        driver.deliver()
        driver.deliver()
        claims = [held(driver, one, "third", one) for one in holders]
        driver.waiting.clear()

        at_once(driver, *(partial(locked_settle, claim=one, outcome=Done({})) for one in claims))
        driver.reconcile([*holders, *queued])
        driver.drain()
        assert [driver.status(one) for one in holders + queued] == ["completed"] * 4


def test_one_of_two_retries_is_made(driver: Driver) -> None:
    for _ in range(ROUNDS):
        old = driver.start("probe.line")
        driver.cancel(old)
        driver.waiting.clear()
        names = [new_id("run") for _ in range(2)]

        answers = at_once(driver, *(partial(retry.retry, old_id=old, new_id=one, actor="u") for one in names))
        assert sum(isinstance(one, Conflict) for one in answers) == 1
        driver.find_lost()
        driver.drain()


def test_one_key_is_one_run_however_often_it_is_sent_at_once(driver: Driver) -> None:
    for n in range(ROUNDS):
        order = Order(type="probe.line", idempotency_key=f"k{n}")
        names = [new_id("run") for _ in range(2)]

        answers = at_once(
            driver, *(partial(accept.accept, run_id=one, order=order, actor="u") for one in names)
        )
        assert len({one.id for one in answers}) == 1
        driver.find_lost()
        driver.drain()
    assert DONE.count("third") == ROUNDS


def test_two_operators_at_once_do_it_once(driver: Driver) -> None:
    def pause(tx: Tx, run_id: str) -> None:
        with journal(tx, run_id) as j:
            operator_actions.act(j, "pause", "usr_test")

    for _ in range(ROUNDS):
        run_id = driver.start("probe.line")
        answers = at_once(driver, *[partial(pause, run_id=run_id)] * 2)
        assert sum(isinstance(one, Rejected) for one in answers) == 1
        driver.act(run_id, "unpause")
        driver.drain()
