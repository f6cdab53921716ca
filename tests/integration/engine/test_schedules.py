"""Schedules on both databases: each due time has one run, or a reason why it has none."""

from typing import Any

import pytest
from sqlalchemy import delete, func, select

from app.domain.clock import parse_time
from app.domain.errors import Conflict
from app.domain.ids import new_id
from app.engine.reconciler import schedules as schedule
from app.record.paging import Window
from app.record.service import definitions, paused_types, schedules
from app.record.session import Tx
from app.record.tables import occurrence, run
from tests.integration.engine.test_races import ROUNDS, at_once
from tests.support.driver import Driver, announced
from windlass import workflow

MINUTE = 60_000
T0 = parse_time("2026-01-05T00:00:00Z")
Row = dict[str, Any]


def plant(driver: Driver, **values: Any) -> str:
    """A schedule that is due for the first time one minute after T0, and every minute from then on."""
    row = {
        "id": new_id("sch"),
        "name": new_id("name"),
        "type": "probe.line",
        "input": {},
        "timezone": "UTC",
        "every_ms": MINUTE,
        "anchor_at": T0,
        "overlap": "allow",
        "catch_up": "latest",
        "next_due_at": T0 + MINUTE,
        "created_by": "usr_test",
        **values,
    }
    driver.db.write(lambda tx: schedules.insert_schedule(tx, row))
    return str(row["id"])


def fire(driver: Driver, schedule_id: str, minutes: float) -> None:
    """Look at a schedule so many minutes after T0, by the database's clock."""

    def work(tx: Tx) -> Any:
        tx._now = T0 + round(minutes * MINUTE)
        return schedule.fire(tx, schedule_id)

    driver.publish(driver.db.write(work) or ())


def row_of(driver: Driver, schedule_id: str) -> Row:
    """The schedule."""
    return driver.db.read(lambda tx: schedules.read_schedule(tx, schedule_id)) or {}


def outcomes(driver: Driver, schedule_id: str) -> list[tuple[float, str]]:
    """What became of its due times, oldest first: minutes after T0, and the outcome."""
    found = driver.db.read(lambda tx: schedules.list_occurrences(tx, schedule_id, None, Window(limit=100)))
    return [((row["due_at"] - T0) / MINUTE, row["outcome"]) for row in reversed(found.rows)]


def runs_of(driver: Driver, schedule_id: str) -> list[str]:
    """Its runs, oldest first."""
    mine = run.c.triggered_by == schedule.actor(schedule_id)
    query = select(run.c.id).where(run.c.tenant_id == driver.db.tenant, mine).order_by(run.c.id)
    return [row["id"] for row in driver.db.read(lambda tx: tx.rows(query))]


def test_a_run_starts_when_it_is_due_and_not_before(driver: Driver) -> None:
    minutely = plant(driver)
    fire(driver, minutely, 0.9)
    assert runs_of(driver, minutely) == []
    fire(driver, minutely, 1)
    fire(driver, minutely, 1.5)
    (run_id,) = runs_of(driver, minutely)
    row = row_of(driver, minutely)
    assert (row["next_due_at"], row["started"], row["missed"]) == (T0 + 2 * MINUTE, 1, 0)
    assert row["last"] == {"dueAt": T0 + MINUTE, "outcome": "started", "reason": None, "runId": run_id}
    assert driver.finish(run_id) == "completed"


def test_each_of_two_reconcilers_at_the_same_instant_starts_what_the_other_did_not(driver: Driver) -> None:
    many = [plant(driver) for _ in range(ROUNDS)]

    def look(tx: Tx) -> list[Any]:
        return [schedule.fire(tx, one) for one in many]

    at_once(driver, look, look, look)
    driver.find_lost()
    started = [runs_of(driver, one) for one in many]
    assert [len(one) for one in started] == [1] * ROUNDS
    assert {driver.finish(run_id) for (run_id,) in started} == {"completed"}


def test_a_run_whose_schedule_did_not_move_on_is_not_started_again(driver: Driver) -> None:
    minutely = plant(driver)
    fire(driver, minutely, 1)
    behind = {"next_due_at": T0 + MINUTE}
    driver.db.write(lambda tx: schedules.note_turn(tx, minutely, behind))
    driver.db.write(lambda tx: tx.execute(delete(occurrence).where(occurrence.c.schedule_id == minutely)))
    fire(driver, minutely, 1)
    assert len(runs_of(driver, minutely)) == 1


def test_a_process_that_dies_before_the_commit_has_started_nothing(driver: Driver) -> None:
    minutely = plant(driver)

    def dies(tx: Tx) -> None:
        schedule.fire(tx, minutely)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driver.db.write(dies)
    assert (runs_of(driver, minutely), outcomes(driver, minutely)) == ([], [])
    fire(driver, minutely, 1)
    assert len(runs_of(driver, minutely)) == 1


@pytest.mark.parametrize(
    ("catch_up", "wanted"),
    [
        ("none", [(1, "missed"), (9, "started")]),
        ("latest", [(1, "missed"), (9, "started")]),
        ("all", [(1, "missed"), (7, "started"), (8, "started"), (9, "started")]),
    ],
)
def test_after_an_outage(driver: Driver, catch_up: str, wanted: list[tuple[int, str]]) -> None:
    minutely = plant(driver, catch_up=catch_up, catch_up_limit=3)
    fire(driver, minutely, 9.5)
    row, started = row_of(driver, minutely), len(wanted) - 1
    assert outcomes(driver, minutely) == wanted
    assert (row["started"], row["missed"], row["next_due_at"]) == (started, 9 - started, T0 + 10 * MINUTE)
    assert {driver.finish(run_id) for run_id in runs_of(driver, minutely)} == {"completed"}


def test_much_that_is_made_up_for_takes_several_passes(driver: Driver) -> None:
    minutely = plant(driver, catch_up="all", catch_up_limit=25)
    counts = []
    for minutes in (30.5, 30.6, 30.7, 30.8):
        fire(driver, minutely, minutes)
        counts.append(len(runs_of(driver, minutely)))
    assert counts == [10, 20, 25, 25]
    assert outcomes(driver, minutely) == [(1, "missed"), *((minute, "started") for minute in range(6, 31))]
    row = row_of(driver, minutely)
    assert (row["started"], row["missed"], row["next_due_at"]) == (25, 5, T0 + 31 * MINUTE)


def test_what_is_too_late_is_missed_with_its_reason(driver: Driver) -> None:
    hourly = plant(driver, every_ms=60 * MINUTE, catch_up="none")
    fire(driver, hourly, 3)
    row = row_of(driver, hourly)
    assert (row["started"], row["missed"], row["last"]["outcome"]) == (0, 1, "missed")
    assert row["last"]["reason"] == "no reconciler was there in time"


def test_skip_starts_nothing_while_a_run_is_open(driver: Driver) -> None:
    minutely = plant(driver, overlap="skip")
    for minute in (1, 2):
        fire(driver, minutely, minute)
    (run_id,) = runs_of(driver, minutely)
    assert row_of(driver, minutely)["last"]["reason"] == f"{run_id} has not ended"
    driver.finish(run_id)
    fire(driver, minutely, 3)
    assert outcomes(driver, minutely) == [(1, "started"), (2, "skipped"), (3, "started")]
    driver.finish(runs_of(driver, minutely)[-1])


def test_queue_lets_one_wait_until_the_run_before_has_ended(driver: Driver) -> None:
    minutely = plant(driver, overlap="queue")
    for minute in (1, 2, 3):
        fire(driver, minutely, minute)
    assert outcomes(driver, minutely) == [(1, "started"), (2, "queued"), (3, "skipped")]
    (first,) = runs_of(driver, minutely)
    driver.db.write(lambda tx: schedules.note_turn(tx, minutely, {"next_due_at": None}))
    assert driver.db.read(lambda tx: schedules.due(tx, 9)) == []
    driver.finish(first)
    assert driver.db.read(lambda tx: schedules.due(tx, 9)) == [minutely]
    fire(driver, minutely, 3.5)
    assert outcomes(driver, minutely) == [(1, "started"), (2, "started"), (3, "skipped")]
    assert driver.finish(runs_of(driver, minutely)[1]) == "completed"


def test_replace_cancels_the_run_before(driver: Driver) -> None:
    minutely = plant(driver, overlap="replace")
    for minute in (1, 2):
        fire(driver, minutely, minute)
    first, second = runs_of(driver, minutely)
    assert [driver.finish(first), driver.finish(second)] == ["cancelled", "completed"]


def test_replace_makes_up_for_several_due_times_and_the_last_one_stays(driver: Driver) -> None:
    minutely = plant(driver, overlap="replace", catch_up="all", catch_up_limit=4)
    fire(driver, minutely, 1)
    fire(driver, minutely, 4.5)
    ended = [driver.finish(run_id) for run_id in runs_of(driver, minutely)]
    assert outcomes(driver, minutely) == [(minute, "started") for minute in (1, 2, 3, 4)]
    assert ended == ["cancelled", "cancelled", "cancelled", "completed"]


def test_runs_on_one_resource_wait_in_line_for_it(driver: Driver) -> None:
    minutely = plant(driver, type="probe.locked", resource_id="p1")
    for minute in (1, 2):
        fire(driver, minutely, minute)
    first, second = runs_of(driver, minutely)
    assert (driver.holder("probe/p1"), driver.status(second)) == (first, "lock_waiting")
    assert [driver.finish(first), driver.finish(second)] == ["completed", "completed"]


def test_a_code_workflow_is_started_with_its_arguments(driver: Driver) -> None:
    facts = {"stepTimeoutMs": 1_000}
    for version in ("1", "2"):
        driver.db.write(lambda tx, v=version: definitions.announce(tx, "report", v, facts, "f"))  # type: ignore[misc]
    newest = plant(driver, type="report", input=["weekly", 3])
    pinned = plant(driver, type="report", input=["weekly", 3], workflow_version="1")
    for schedule_id, version in ((newest, "2"), (pinned, "1")):
        fire(driver, schedule_id, 1)
        found = driver.run(runs_of(driver, schedule_id)[0])
        assert (found["type"], found["version"]) == ("report", version)
        assert found["input"] == {"args": ["weekly", 3], "kwargs": {}}


@workflow("probe-again")
def again(ctx: Any, times: int) -> str:
    """Goes on in a fresh run, so many times."""
    if times:
        ctx.restart(times - 1)
    return str(ctx.wait_for_signal("enough"))


def test_a_run_that_goes_on_in_another_one_is_open_as_long_as_that_one(driver: Driver) -> None:
    driver.db.write(lambda tx: definitions.announce(tx, again.name, again.version, *announced(again)))
    minutely = plant(driver, type=again.name, input=[1], overlap="skip")
    fire(driver, minutely, 1)
    driver.drain()
    _, following = runs_of(driver, minutely)
    fire(driver, minutely, 2)
    assert row_of(driver, minutely)["last"]["reason"] == f"{following} has not ended"
    driver.signal(following, "enough", None)
    assert driver.finish(following) == "completed"
    fire(driver, minutely, 3)
    assert outcomes(driver, minutely) == [(1, "started"), (2, "skipped"), (3, "started")]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"type": "probe.locked"}, "VALIDATION_ERROR: resourceId"),
        ({"input": {"colour": "red"}}, "VALIDATION_ERROR: input.colour"),
        ({"type": "server.inspect", "resource_id": "srv_1"}, "NOT_FOUND: There is no server srv_1"),
    ],
)
def test_a_refusal_is_stored_counted_and_gone_on_from(driver: Driver, values: Row, reason: str) -> None:
    minutely = plant(driver, **values)
    for minute in (1, 2):
        fire(driver, minutely, minute)
    row = row_of(driver, minutely)
    assert row["last"]["reason"].startswith(reason)
    assert outcomes(driver, minutely) == [(1, "refused"), (2, "refused")]
    assert (row["started"], row["missed"], row["next_due_at"]) == (0, 2, T0 + 3 * MINUTE)


def test_a_type_that_is_paused_is_refused_until_it_is_let_go(driver: Driver) -> None:
    minutely = plant(driver)
    for minute, paused in ((1, True), (2, False)):
        driver.db.write(lambda tx, p=paused: paused_types.change(tx, "probe.line", p, "usr_test", "rain"))  # type: ignore[misc]
        fire(driver, minutely, minute)
    assert outcomes(driver, minutely) == [(1, "refused"), (2, "started")]
    driver.finish(runs_of(driver, minutely)[0])


def test_a_paused_schedule_is_due_for_nothing(driver: Driver) -> None:
    minutely = plant(driver, paused_at=T0)
    assert driver.db.read(lambda tx: schedules.due(tx, 9)) == []
    fire(driver, minutely, 1)
    assert outcomes(driver, minutely) == []


def test_the_same_key_runs_now_once_and_another_one_again(driver: Driver) -> None:
    minutely = plant(driver, overlap="skip")
    for key in ("a", "a", "b"):
        driver.db.write(lambda tx, k=key: run_now(tx, minutely, k))  # type: ignore[misc]
    driver.find_lost()
    assert [driver.finish(run_id) for run_id in runs_of(driver, minutely)] == ["completed"] * 2
    assert row_of(driver, minutely)["started"] == 2


def test_a_run_that_a_client_asked_for_is_refused_in_the_answer(driver: Driver) -> None:
    minutely = plant(driver)
    driver.db.write(lambda tx: paused_types.change(tx, "probe.line", True, "usr_test", None))
    with pytest.raises(Conflict):
        driver.db.write(lambda tx: run_now(tx, minutely, "a"))
    assert outcomes(driver, minutely) == []


def run_now(tx: Tx, schedule_id: str, key: str) -> str:
    """A client asks for a run."""
    row = schedules.read_schedule(tx, schedule_id, lock=True) or {}
    return schedule.run_now(tx, row, key, "usr_test").id


def test_the_newest_of_a_type_are_listed_first_with_what_became_of_their_runs(driver: Driver) -> None:
    first, second = plant(driver), plant(driver, created_at=2**41)
    plant(driver, type="probe.short")
    fire(driver, first, 1)
    (run_id,) = runs_of(driver, first)
    page = driver.db.read(lambda tx: schedules.list_schedules(tx, "probe.line", Window()))
    assert ([row["id"] for row in page.rows], page.total) == ([second, first], 2)
    assert driver.db.read(lambda tx: schedules.statuses_of(tx, [run_id, "gone"])) == {run_id: "queued"}
    driver.finish(run_id)


def test_occurrences_are_forgotten_with_age_unless_something_is_to_come_of_them(driver: Driver) -> None:
    minutely = plant(driver, overlap="skip")
    for minute in (1, 2):
        fire(driver, minutely, minute)
    driver.db.write(lambda tx: schedules.forget_before(tx, T0 + 5 * MINUTE))
    assert outcomes(driver, minutely) == [(1, "started")]
    driver.finish(runs_of(driver, minutely)[0])


def test_a_pass_over_a_busy_schedule_reads_its_open_runs_alone(driver: Driver) -> None:
    minutely = plant(driver)
    for minute in range(1, 6):
        fire(driver, minutely, minute)
    for run_id in runs_of(driver, minutely):
        driver.finish(run_id)
    fire(driver, minutely, 6)
    still_open = select(func.count()).select_from(occurrence).where(occurrence.c.closed_at.is_(None))
    mine = still_open.where(occurrence.c.schedule_id == minutely)
    assert driver.db.read(lambda tx: tx.value(mine)) == 1
    driver.finish(runs_of(driver, minutely)[-1])
