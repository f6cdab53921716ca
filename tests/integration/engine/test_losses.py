"""What may be lost or doubled at any time: messages, workers, answers. Nothing happens twice."""

from typing import Any

import pytest

from app.domain.errors import Conflict, StepError, Unavailable
from app.domain.ids import new_id
from app.engine.reconciler import resume
from app.engine.transitions import accept, retry
from app.engine.transitions.accept import Order
from app.engine.transitions.claim import Claim, Dropped, Holder, Passed, locked_claim
from app.engine.transitions.settle import Done, locked_settle
from app.record.inventory import gates
from app.record.runs import timers
from app.worker.execute import perform
from tasks.context import Context
from tasks.step import Again, Happened, NothingHappened
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, POLLS, SEEN, fails

HOLDER = Holder(nonce="driver:1/a", task_id="t", lease_ms=10_000)
OTHER = Holder(nonce="driver:2/b", task_id="u", lease_ms=10_000)


class Refused(StepError):
    """Nothing happened."""

    nothing_happened = True


def claimed(driver: Driver, run_id: str, key: str, holder: Holder = HOLDER, phase: str = "forward") -> Any:
    """Claim a step for the message that was published last."""
    gen = driver.run(run_id)["dispatch_gen"]
    return driver.db.write(lambda tx: locked_claim(tx, run_id, phase, key, gen, holder))


def test_a_doubled_message_is_dropped(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.waiting.extend(list(driver.waiting) * 3)

    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "second", "third"]


def test_a_doubled_message_of_a_step_that_runs_is_dropped(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    copy = driver.waiting[0]
    words: list[str] = []

    def again(_ctx: object) -> None:
        driver.waiting.appendleft(copy)
        ended = driver.deliver()
        words.append(ended.word if ended else "")

    BEFORE["first"] = again
    assert driver.finish(run_id) == "completed"
    assert words == ["dropped: another worker has it"]


def test_a_message_of_an_older_generation_is_dropped(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    old = driver.waiting.pop()
    driver.publish_again(run_id)
    driver.waiting.append(old)
    driver.waiting.rotate(1)

    ended = driver.deliver()
    assert ended is not None and ended.word == "dropped: an older generation"
    assert driver.finish(run_id) == "completed"


def test_messages_of_a_run_that_ended_are_dropped(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    kept = list(driver.waiting)
    driver.finish(run_id)
    driver.waiting.extend(kept)

    driver.drain()
    assert DONE == ["first", "second", "third"]


def test_a_message_of_an_unknown_run_is_dropped(driver: Driver) -> None:
    answer = driver.db.write(lambda tx: locked_claim(tx, "run_unknown", "forward", "first", 1, HOLDER))
    assert answer == Dropped("unknown run")


@pytest.mark.parametrize("after", [0, 1])
def test_a_lost_message_is_published_again(driver: Driver, after: int) -> None:
    run_id = driver.start("probe.line")
    for _ in range(after):
        driver.deliver()
    driver.waiting.clear()
    assert driver.finish(run_id) != "completed"

    assert driver.find_lost() == 1
    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "second", "third"]


def test_a_lost_message_of_an_undo_is_published_again(driver: Driver) -> None:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line")
    driver.deliver()
    driver.deliver()
    driver.waiting.clear()

    driver.find_lost()
    assert driver.finish(run_id) == "failed"
    assert DONE[-3:] == ["undo third", "undo second", "undo first"]


def test_ringing_for_a_run_that_expects_nothing_rings_nothing(driver: Driver) -> None:
    POLLS.append(Again())
    run_id = driver.start("probe.job")
    driver.drain()

    driver.publish_again(run_id)
    assert not driver.waiting
    driver.finish(run_id)
    driver.publish_again(run_id)
    assert not driver.waiting


def test_a_message_that_comes_after_its_step_lets_the_chain_go_on(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.deliver()

    assert claimed(driver, run_id, "first") == Passed()
    driver.finish(run_id)


def test_a_worker_lost_in_its_step_costs_an_attempt(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    left = [1]
    BEFORE["second"] = lambda _ctx: driver.lose(run_id, "second") if left and left.pop() else None

    assert driver.finish(run_id) == "completed"
    assert driver.step(run_id, "second")["attempt"] == 2
    assert "step.fenced:second" in driver.events(run_id)


def test_the_result_of_a_frozen_worker_is_fenced_off(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    frozen = claimed(driver, run_id, "first")
    driver.lose(run_id, "first")
    driver.drain()

    late = driver.db.write(lambda tx: locked_settle(tx, frozen, Done({"first_done": 666})))
    assert late.status == "fenced"
    assert driver.run(run_id)["output"]["first_done"] == 2


def test_a_step_that_loses_its_worker_again_and_again_fails_and_is_undone(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    BEFORE["second"] = lambda _ctx: driver.lose(run_id, "second")

    assert driver.finish(run_id) == "failed"
    assert DONE.count("second") == 3
    assert driver.run(run_id)["error_code"] == "WORKER_LOST"
    assert DONE[-2:] == ["undo second", "undo first"]


def test_an_undo_that_loses_its_worker_again_and_again_needs_an_operator(driver: Driver) -> None:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line")
    BEFORE["undo second"] = lambda _ctx: driver.lose(run_id, "second", "comp")

    assert driver.finish(run_id) == "compensation_failed"
    assert "undo first" not in DONE


def test_a_worker_that_was_stopped_in_good_order_is_not_counted(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    for _ in range(5):
        step = claimed(driver, run_id, "first").step
        lost = driver.db.write(
            lambda tx, step=step: resume.lose(  # type: ignore[misc]
                tx, run_id, "forward", "first", step["fence"], poison_limit=3, counted=False
            )
        )
        driver.waiting.clear()
        driver.publish(lost)

    assert driver.finish(run_id) == "completed"


def test_a_lease_that_was_renewed_at_the_last_moment_is_not_lost(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    claimed(driver, run_id, "first")

    assert (
        driver.db.write(
            lambda tx: resume.lose(tx, run_id, "forward", "first", 1, poison_limit=3, silent=True)
        )
        == []
    )
    assert driver.step(run_id, "first")["status"] == "running"


def test_a_lost_lease_is_expired_once(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    fence = claimed(driver, run_id, "first").fence

    for _ in range(3):
        driver.db.write(lambda tx: resume.lose(tx, run_id, "forward", "first", fence, poison_limit=3))
    assert driver.step(run_id, "first")["lost"] == 1
    driver.find_lost()
    driver.finish(run_id)


class TestAStepThatMustNotBeRepeated:
    """`once`: its worker is lost, or it fails, and it may have happened."""

    def lost(self, driver: Driver) -> str:
        """A run whose step lost its worker."""
        run_id = driver.start("probe.once")
        left = [1]
        BEFORE["once"] = lambda _ctx: driver.lose(run_id, "once") if left and left.pop() else None
        return run_id

    def test_it_goes_on_when_it_is_seen_to_have_happened(self, driver: Driver) -> None:
        SEEN.append(Happened())

        assert driver.finish(self.lost(driver)) == "completed"
        assert DONE == ["first", "once", "third"]

    def test_it_is_repeated_when_it_is_seen_not_to_have_happened(self, driver: Driver) -> None:
        SEEN.append(NothingHappened())

        assert driver.finish(self.lost(driver)) == "completed"
        assert DONE.count("once") == 2

    def test_it_stops_the_run_when_its_outcome_cannot_be_observed(self, driver: Driver) -> None:
        run_id = self.lost(driver)

        assert driver.finish(run_id) == "blocked"
        assert DONE == ["first", "once"]
        assert driver.run(run_id)["waiting_on"]["kind"] == "operator"

    def test_it_stops_the_run_when_every_observation_loses_its_worker(self, driver: Driver) -> None:
        run_id = driver.start("probe.once")
        driver.deliver()
        for _ in range(3):
            claimed(driver, run_id, "once")
            driver.lose(run_id, "once")

        assert driver.finish(run_id) == "blocked"
        assert driver.run(run_id)["error_code"] == "OUTCOME_UNKNOWN"

    @pytest.mark.parametrize(
        ("action", "status", "did"),
        [
            ("resolve", "completed", ["third"]),
            ("skip", "completed", ["third"]),
            ("resume", "completed", ["once", "third"]),
            ("compensate", "failed", ["undo first"]),
        ],
    )
    def test_an_operator_knows(self, driver: Driver, action: str, status: str, did: list[str]) -> None:
        run_id = self.lost(driver)
        driver.finish(run_id)
        DONE.clear()

        driver.act(run_id, action, reason="looked at the machine")
        assert driver.finish(run_id) == status
        assert did == DONE

    def test_a_failure_that_may_have_done_something_stops_the_run_too(self, driver: Driver) -> None:
        BEFORE["once"] = fails(1, StepError)

        run_id = driver.start("probe.once")
        assert driver.finish(run_id) == "blocked"
        assert DONE == ["first", "once"]

    def test_it_is_repeated_after_an_attempt_that_did_nothing(self, driver: Driver) -> None:
        BEFORE["once"] = fails(1, Refused)

        assert driver.finish(driver.start("probe.once")) == "completed"
        assert DONE.count("once") == 2

    def test_it_fails_when_no_attempt_did_anything(self, driver: Driver) -> None:
        BEFORE["once"] = fails(error=Refused)

        assert driver.finish(driver.start("probe.once")) == "failed"
        assert DONE == ["first", "once", "once", "once", "undo first"]

    def test_an_observation_that_saw_nothing_holds_for_later_attempts(self, driver: Driver) -> None:
        run_id = driver.start("probe.once")
        BEFORE["once"] = lambda _ctx: driver.lose(run_id, "once")
        driver.drain_until(run_id, "once")
        driver.deliver()
        SEEN.append(NothingHappened())
        BEFORE["once"] = fails(1, Refused)
        driver.deliver()

        SEEN.clear()  # It could not be observed any more.
        assert driver.finish(run_id) == "completed"

    def test_what_an_operator_reported_holds_for_later_attempts(self, driver: Driver) -> None:
        run_id = self.lost(driver)
        driver.finish(run_id)
        BEFORE["once"] = fails(1, Refused)

        driver.act(run_id, "resume", reason="looked at the machine")
        assert driver.finish(run_id) == "completed"

    def test_an_observation_that_fails_is_repeated(self, driver: Driver) -> None:
        run_id = self.lost(driver)
        SEEN.append(Unavailable("the database is away"))
        driver.drain()
        assert driver.step(run_id, "once")["status"] == "retry_wait"

        SEEN.append(NothingHappened())
        assert driver.finish(run_id) == "completed"

    def test_the_intent_of_an_attempt_that_did_nothing_is_withdrawn(self, driver: Driver) -> None:
        def refused_at_the_order(ctx: Context) -> None:
            with ctx.before_order():
                pass
            assert driver.db.read(lambda tx: gates.intended(tx, ctx.operation_id, 99))
            raise Refused

        BEFORE["once"] = refused_at_the_order
        run_id = driver.start("probe.once")
        assert driver.finish(run_id) == "failed"
        assert not driver.db.read(lambda tx: gates.intended(tx, f"{run_id}/forward/once", 99))


class TestACommitWhoseAnswerWasLost:
    """The same transaction again, by the same holder: the log does not change."""

    def twice(self, driver: Driver, run_id: str, work: Any) -> tuple[Any, Any]:
        """Do something twice; the second time nothing is written."""
        first = driver.db.write(work)
        before = driver.log(run_id)
        second = driver.db.write(work)
        assert driver.log(run_id) == before
        return first, second

    def test_accept(self, driver: Driver) -> None:
        order = Order(type="probe.line")
        first, second = self.twice(
            driver, "run_again", lambda tx: accept.accept(tx, "run_again", order, "usr_test")
        )
        assert first.id == second.id
        driver.find_lost()
        assert driver.finish("run_again") == "completed"

    def test_claim(self, driver: Driver) -> None:
        run_id = driver.start("probe.line")
        gen = driver.run(run_id)["dispatch_gen"]
        first, second = self.twice(
            driver, run_id, lambda tx: locked_claim(tx, run_id, "forward", "first", gen, HOLDER)
        )
        assert (first.fence, first.step["attempt"]) == (second.fence, second.step["attempt"])
        driver.lose(run_id, "first")
        driver.finish(run_id)

    def test_settle_of_the_last_step_of_a_segment(self, driver: Driver) -> None:
        run_id = driver.start("probe.line")
        driver.drain_until(run_id, "third")
        held = claimed(driver, run_id, "third")
        first, second = self.twice(driver, run_id, lambda tx: locked_settle(tx, held, Done({})))
        assert first.status == second.status == "completed"
        assert driver.status(run_id) == "completed"

    def test_settle_gives_the_claim_on_the_next_step_again(self, driver: Driver) -> None:
        run_id = driver.start("probe.line")
        held = claimed(driver, run_id, "first")
        first, second = self.twice(
            driver, run_id, lambda tx: locked_settle(tx, held, Done({"first_done": 1}))
        )
        assert first.next.fence == second.next.fence
        assert second.next.known["first_done"] == 1
        driver.lose(run_id, "second")
        assert driver.finish(run_id) == "completed"

    def test_settle_of_an_undo_gives_the_claim_on_the_next_undo_again(self, driver: Driver) -> None:
        BEFORE["third"] = fails()
        run_id = driver.start("probe.line")
        driver.drain_until(run_id, "second", "comp")
        held = claimed(driver, run_id, "second", phase="comp")
        first, second = self.twice(driver, run_id, lambda tx: locked_settle(tx, held, Done({})))
        assert (first.next.step["key"], second.next.step["key"]) == ("first", "first")
        assert second.next.known["outcome"] == first.next.known["outcome"]
        outcome, _ = perform(driver.runner, second.next)
        driver.db.write(lambda tx: locked_settle(tx, second.next, outcome))
        assert driver.status(run_id) == "failed"

    def test_settle_of_a_failure(self, driver: Driver) -> None:
        BEFORE["first"] = fails(1, StepError)
        run_id = driver.start("probe.line")
        held: Claim = claimed(driver, run_id, "first")
        outcome, _ = perform(driver.runner, held)
        first, second = self.twice(driver, run_id, lambda tx: locked_settle(tx, held, outcome))
        assert (first.status, second.status, second.chained) == ("retry_wait", "retry_wait", False)
        driver.finish(run_id)

    def test_a_timer(self, driver: Driver) -> None:
        BEFORE["first"] = fails(1, StepError)
        run_id = driver.start("probe.line")
        driver.drain()
        armed = driver.db.read(lambda tx: timers.open_of(tx, run_id))[0]
        driver.make_due(armed)
        self.twice(driver, run_id, lambda tx: resume.fire_timer(tx, armed["id"]))
        driver.find_lost()
        assert driver.finish(run_id) == "completed"

    def test_a_hook(self, driver: Driver) -> None:
        POLLS.append(Again())
        run_id = driver.start("probe.job")
        driver.drain()
        token = driver.open_hook(run_id, "job")
        first, second = self.twice(driver, run_id, lambda tx: resume.execute_hook(tx, token, {"a": 1}))
        assert first[0] == second[0]
        driver.find_lost()
        assert driver.finish(run_id) == "completed"

    def test_a_retry(self, driver: Driver) -> None:
        BEFORE["third"] = fails(1)
        old = driver.start("probe.line", on_failure="hold")
        driver.finish(old)
        self.twice(driver, old, lambda tx: retry.retry(tx, old, "run_again", "usr_test", from_step="third"))
        driver.find_lost()
        assert driver.finish("run_again") == "completed"

    @pytest.mark.parametrize("mode", ["graceful", "abandon", "kill"])
    def test_a_cancel(self, driver: Driver, mode: str) -> None:
        run_id = driver.start("probe.line")
        driver.deliver()
        driver.cancel(run_id, mode=mode)
        before = driver.log(run_id)
        if mode != "abandon":
            driver.cancel(run_id, mode=mode)
        assert driver.log(run_id) == before
        driver.finish(run_id)


def test_the_same_request_twice_is_one_run(driver: Driver) -> None:
    first = driver.start("probe.line", idempotency_key="k")
    driver.start("probe.line", idempotency_key="k")

    assert driver.finish(first) == "completed"
    assert DONE == ["first", "second", "third"]


@pytest.mark.parametrize("other", [{"tags": ["b"]}, {"tags": None}, {"callback_url": "https://b.example/"}])
def test_a_key_is_for_the_same_tags_and_callback(driver: Driver, other: dict[str, Any]) -> None:
    def asked(**order: Any) -> str:
        wanted = Order(type="probe.line", idempotency_key="k", **{"tags": ["a"], **order})
        return str(driver.db.write(lambda tx: accept.accept(tx, new_id("run"), wanted, "usr_test")).id)

    assert asked() == asked()
    with pytest.raises(Conflict, match="used for another request"):
        asked(**other)


def test_a_timer_is_not_fired_before_its_time(driver: Driver) -> None:
    BEFORE["first"] = fails(1, StepError)
    POLLS.append(Again())
    run_id = driver.start("probe.job")
    BEFORE.clear()
    driver.drain()
    armed = driver.db.read(lambda tx: timers.open_of(tx, run_id))[0]

    assert driver.db.write(lambda tx: resume.fire_timer(tx, armed["id"])) is None
    assert driver.finish(run_id) == "completed"


def test_an_unknown_timer_is_over(driver: Driver) -> None:
    assert driver.db.write(lambda tx: resume.fire_timer(tx, "tmr_unknown")) == []
