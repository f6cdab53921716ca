"""Transitions decided from memory: they store the same as those under the lock, or are refused."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.errors import Permanent
from app.domain.events import EventType
from app.engine.messages.publisher import redispatch
from app.engine.transitions import accept, optimistic
from app.engine.transitions.accept import Order
from app.engine.transitions.claim import Claim, Holder, claim, locked_claim
from app.engine.transitions.settle import Done, settle
from app.record.fast_path import transition
from app.record.runs import runs
from app.record.service import paused_types
from app.record.service import webhooks as rows
from app.record.session import Tx
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails, reset

HOLDER = Holder(nonce="driver:1/a", task_id="t", lease_ms=10_000)
PASSING = {"holder", "task_id", "id", "run_id", "eta_ms"}


def stored(driver: Driver, run_id: str) -> list[Any]:
    """All that is stored of a run, without ids and moments."""
    steps = [*driver.steps(run_id).values(), *driver.steps(run_id, "comp").values()]
    kept = [driver.run(run_id), *steps, *driver.log(run_id)]
    return [{name: timeless(value) for name, value in row.items() if name not in PASSING} for row in kept]


def timeless(value: Any) -> Any:
    """The value with every moment in it made the same."""
    if isinstance(value, dict):
        return {name: timeless(one) for name, one in value.items()}
    return "a moment" if isinstance(value, int) and value > 10**12 else value


def first_claim(driver: Driver, run_id: str) -> Claim:
    """Claim the first step from what is seen."""
    made = claim(driver.db, run_id, "forward", "first", driver.run(run_id)["dispatch_gen"], HOLDER)
    assert isinstance(made, Claim)
    assert made.seen is not None
    return made


TROUBLES: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "a retry": lambda: BEFORE.update(first=fails(1, error=type("Again", (Permanent,), {"retryable": True}))),
    "a failure at the end": lambda: BEFORE.update(third=fails()),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("type_", ["probe.line", "probe.job", "probe.group", "probe.once"])
def test_the_story_is_that_of_the_lock(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, type_: str, trouble: str
) -> None:
    found = []
    for under_lock in (False, True):
        if under_lock:
            monkeypatch.setattr(transition, "see", lambda *_: None)
            monkeypatch.setattr(accept, "at_once", lambda *_: None)
        reset()
        TROUBLES[trouble]()
        run_id = driver.start(type_)
        driver.finish(run_id)
        found.append((list(DONE), stored(driver, run_id)))
    (bodies, rows), (bodies_locked, rows_locked) = found
    assert bodies == bodies_locked
    for row, row_locked in zip(rows, rows_locked, strict=True):
        assert row == row_locked


def test_a_line_needs_no_lock(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise AssertionError("the lock was taken")

    monkeypatch.setattr(runs, "lock_run", locked)
    run_id = driver.start("probe.line")
    assert driver.finish(run_id) == "completed"


def locks_taken(driver: Driver, monkeypatch: pytest.MonkeyPatch, type_: str) -> int:
    """How often the lock of a run is taken from its beginning to its end."""
    taken: list[str] = []
    lock = runs.lock_run

    def counted(tx: Tx, run_id: str) -> Any:
        taken.append(run_id)
        return lock(tx, run_id)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "lock_run", counted)
        assert driver.finish(driver.start(type_)) == "completed"
    return len(taken)


def subscribe(driver: Driver, webhook_id: str, *events: str, run_id: str | None = None) -> None:
    """An endpoint subscribes to these events, of one run or of all."""
    row = {"id": webhook_id, "url": "https://example.test/", "events": [], "active": True, "secret": "sealed"}
    driver.db.write(lambda tx: rows.insert_webhook(tx, {**row, "run_id": run_id}, events))


@pytest.mark.parametrize("type_", ["probe.line", "probe.group"])
def test_subscriptions_to_other_events_cost_a_run_nothing(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    alone = locks_taken(driver, monkeypatch, type_)
    ended = driver.start("probe.line")
    driver.finish(ended)
    subscribe(driver, "whk_other", "run.started", "run.completed", run_id=ended)
    subscribe(driver, "whk_failed", "run.failed", "step.failed")
    assert locks_taken(driver, monkeypatch, type_) == alone


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda driver, run_id: driver.cancel(run_id),
        lambda driver, run_id: driver.act(run_id, "pause"),
        lambda driver, run_id: driver.lose(run_id, "first"),
    ],
    ids=["cancelled", "paused", "lost"],
)
def test_a_result_is_judged_by_what_happened_meanwhile(driver: Driver, meanwhile: Any) -> None:
    run_id = driver.start("probe.line")
    held = first_claim(driver, run_id)
    meanwhile(driver, run_id)

    settled = settle(driver.db, held, Done({"first_done": 1}))
    assert settled.next is None
    assert driver.step(run_id, "second")["status"] != "running"


def test_a_result_that_comes_too_late_is_fenced(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    held = first_claim(driver, run_id)
    driver.lose(run_id, "first")
    driver.finish(run_id)

    assert settle(driver.db, held, Done({"first_done": 666})).status == "fenced"
    assert driver.step(run_id, "first")["output"] == {"first_done": 2}


def test_a_write_whose_answer_was_lost_is_recognised(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    held = first_claim(driver, run_id)
    first = settle(driver.db, held, Done({"first_done": 1}))

    again = settle(driver.db, held, Done({"first_done": 1}))
    assert first.next is not None and again.next is not None
    assert first.next.fence == again.next.fence
    assert driver.events(run_id).count("step.completed:first") == 1


def test_a_claim_of_a_message_that_was_published_anew_is_refused(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    seen = transition.see(driver.db, run_id)
    assert seen is not None
    driver.db.write(lambda tx: redispatch(tx, run_id))

    assert optimistic.decide(driver.db, seen, lambda j: j.event(EventType.RUN_MOVED)) is None
    assert "run.moved" not in driver.events(run_id)


def test_two_that_saw_the_same_do_not_both_write(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    seen = transition.see(driver.db, run_id)
    assert seen is not None

    answers = [optimistic.decide(driver.db, seen, lambda j: j.event(EventType.RUN_MOVED)) for _ in range(2)]
    assert [one is None for one in answers] == [False, True]


def test_an_endpoint_that_subscribed_during_a_step_is_sent_its_end(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    held = first_claim(driver, run_id)
    values = {"id": "whk_1", "url": "https://x.example/", "events": ["step.completed"], "active": True}
    driver.db.write(lambda tx: rows.insert_webhook(tx, values, ["step.completed"]))

    settled = settle(driver.db, held, Done({"first_done": 1}))
    assert any(type(hint).__name__ == "DeliveryMessage" for hint in settled.messages)


def test_a_paused_type_is_not_accepted_at_once(driver: Driver) -> None:
    driver.db.write(lambda tx: paused_types.change(tx, "probe.line", True, "usr_test", None))
    assert accept.at_once(driver.db, "run_paused", Order(type="probe.line"), "usr_test") is None
    assert driver.db.read(lambda tx: runs.read_run(tx, "run_paused")) is None


def test_a_known_key_is_not_accepted_again(driver: Driver) -> None:
    order = Order(type="probe.line", idempotency_key="k")
    assert accept.at_once(driver.db, "run_one", order, "usr_test") is not None
    assert accept.at_once(driver.db, "run_two", order, "usr_test") is None
    same = driver.db.write(lambda tx: accept.accept(tx, "run_two", order, "usr_test"))
    assert same.id == "run_one"


def test_times_come_from_the_databases_clock(driver: Driver) -> None:
    before = driver.db.read(lambda tx: tx.now)
    run_id = driver.start("probe.line")
    driver.finish(run_id)
    after = driver.db.read(lambda tx: tx.now)

    times = [row["at"] for row in driver.log(run_id)]
    assert before <= times[0] and times[-1] <= after
    assert times == sorted(times)


def test_the_lock_sees_what_a_draft_wrote(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    first_claim(driver, run_id)
    gen = driver.run(run_id)["dispatch_gen"]
    same = driver.db.write(lambda tx: locked_claim(tx, run_id, "forward", "first", gen, HOLDER))
    assert isinstance(same, Claim)
    assert same.fence == 1
