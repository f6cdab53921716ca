"""Two releases at work: what one does not know waits for the other, and is neither lost nor failed."""

import pytest
from structlog.testing import capture_logs

from app.domain.errors import OtherRelease
from app.domain.ids import new_id
from app.domain.rows.runs import StepRow
from app.engine.reconciler import schedules as schedule
from app.engine.reconciler.mover import Mover
from app.record.runs import runs
from chains import catalogue
from chains.messages import WakeUp
from tasks.step import REGISTRY
from tests.integration.engine.test_schedules import plant, row_of, runs_of
from tests.support import probes
from tests.support.driver import Driver

FIRST, SECOND, JOB = probes.first.spec.name, probes.second.spec.name, probes.job.spec.name


def older(patched: pytest.MonkeyPatch, *, steps: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> None:
    """This process is of a release that has not these."""
    for name in steps:
        patched.delitem(REGISTRY, name)
    for name in types:
        patched.delitem(catalogue._TYPES, name)


@pytest.mark.parametrize(("steps", "types"), [((FIRST,), ()), ((), ("probe.line",))], ids=["step", "type"])
def test_what_a_worker_does_not_know_waits_for_another_one(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...], types: tuple[str, ...]
) -> None:
    run_id = driver.start("probe.line")

    with monkeypatch.context() as patched:
        older(patched, steps=steps, types=types)
        driver.drain()
        run, row = driver.run(run_id), driver.step(run_id, "first")
        assert (run["status"], run["waiting_on"]["kind"], run["waiting_on"]["step"]) == (
            "queued",
            "worker",
            "first",
        )
        assert (row["status"], row["attempt"], row["lost"], run["expect_since"] is None) == (
            "pending",
            0,
            0,
            False,
        )

    driver.publish_again(run_id)
    assert (driver.finish(run_id), driver.run(run_id)["waiting_on"]) == ("completed", None)


def test_a_segment_ends_before_a_step_that_its_worker_does_not_know(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = driver.start("probe.line")

    with monkeypatch.context() as patched:
        older(patched, steps=(SECOND,))
        driver.drain()
        assert [driver.step(run_id, one)["status"] for one in ("first", "second")] == ["completed", "pending"]
        assert driver.run(run_id)["waiting_on"]["step"] == "second"

    driver.publish_again(run_id)
    assert (driver.finish(run_id), probes.DONE) == ("completed", ["first", "second", "third"])


def test_an_undo_that_a_worker_does_not_know_waits_for_another_one(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes.BEFORE["third"] = probes.fails()
    run_id = driver.start("probe.line")
    driver.drain_until(run_id, "third")

    with monkeypatch.context() as patched:
        older(patched, steps=(FIRST,))
        driver.drain()
        assert (driver.status(run_id), driver.run(run_id)["waiting_on"]["step"]) == ("compensating", "first")

    driver.publish_again(run_id)
    assert driver.finish(run_id) == "failed"
    assert probes.DONE[-2:] == ["undo second", "undo first"]


def test_a_worker_that_looks_for_what_waits_leaves_it_and_goes_on(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [driver.start("probe.job") for _ in range(6)]
    driver.start("probe.line")
    driver.waiting.clear()
    driver.find_lost()
    driver.waiting.clear()

    with monkeypatch.context() as patched:
        older(patched, types=("probe.job",))
        driver.wake_ups.append(WakeUp(queue="default"))
        driver.follow_wake_ups()
        assert probes.DONE == ["first", "second"]
        assert {driver.run(one)["waiting_on"]["kind"] for one in left} == {"worker"}

    driver.find_lost()
    assert {driver.finish(one) for one in left} == {"completed"}


def test_a_member_that_a_worker_does_not_know_waits_for_another_one(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = driver.start("probe.map", {"items": [1, 2]})
    driver.deliver()
    (name,) = {row["name"] for row in driver.steps(run_id).values() if row["branch"]}

    with monkeypatch.context() as patched:
        older(patched, steps=(name,))
        driver.drain()
        members = [row for row in driver.steps(run_id).values() if row["branch"]]
        assert {(row["status"], row["attempt"], row["expect_since"] is None) for row in members} == {
            ("pending", 0, False)
        }

    driver.find_lost()
    assert driver.finish(run_id) == "completed"


def test_a_loss_that_this_release_cannot_judge_is_no_failure(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = driver.start("probe.line")
    changes: StepRow = {
        "status": "running",
        "fence": 1,
        "lease_until": 1,
        "holder": "h:1/x",
        "lost": 2,
        "attempt": 1,
    }
    driver.db.write(lambda tx: runs.change_step(tx, run_id, "forward", "first", changes))
    driver.db.write(lambda tx: runs.change_run(tx, run_id, {"status": "running", "expect_since": None}))

    with monkeypatch.context() as patched:
        older(patched, steps=(FIRST,))
        driver.lose(run_id, "first")

    assert (driver.status(run_id), driver.step(run_id, "first")["status"]) == ("running", "pending")
    driver.judged = False  # Its log has no event of the first attempt.


def test_a_deadline_is_left_to_a_release_that_knows_what_follows(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = driver.start("probe.job")
    driver.drain()

    with monkeypatch.context() as patched:
        older(patched, steps=(JOB,))
        with pytest.raises(OtherRelease, match="another release"):
            driver.fire(run_id, "deadline")

    assert driver.status(run_id) == "waiting"
    assert driver.fire(run_id, "deadline")
    assert driver.finish(run_id) != "waiting"


def test_what_cannot_be_moved_is_logged_once(driver: Driver) -> None:
    def refuses(_tx: object, run_id: str) -> None:
        raise OtherRelease(f"{run_id} is of another release")

    mover, run_id = Mover(driver.db, driver.publish), new_id("run")
    with capture_logs() as logs:
        for _ in range(3):
            mover.move(refuses, [(run_id,)])

    assert [(one["event"], one["exc_info"]) for one in logs] == [("reconcile.skipped", False)]


@pytest.mark.parametrize(("late_ms", "outcomes"), [(1_000, []), (700_000, ["refused"])])
def test_a_due_time_of_an_unknown_type_is_left_to_others_for_a_while(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, late_ms: int, outcomes: list[str]
) -> None:
    now = driver.db.read(lambda tx: tx.now)
    schedule_id = plant(driver, next_due_at=now - late_ms, anchor_at=now - late_ms, every_ms=86_400_000)
    older(monkeypatch, types=("probe.line",))

    Mover(driver.db, driver.publish).move(schedule.fire, [(schedule_id,)])

    last = row_of(driver, schedule_id)["last"]
    assert [last["outcome"]] == outcomes if outcomes else last is None
    assert not runs_of(driver, schedule_id)
