"""Rows as public objects: the words, the progress, why a run waits, what is never shown."""

from typing import Any

import pytest

from app.domain.states import API_STATUS, RunStatus
from app.record import tables
from app.services import present, resources

T0 = 1_768_305_600_000  # 2026-01-13T12:00:00Z


def run_row(**changes: Any) -> dict[str, Any]:
    """A run that has just started."""
    blank: dict[str, Any] = {column.name: None for column in tables.run.c}
    given = {"id": "run_1", "type": "cluster.create", "status": "running", "triggered_by": "usr_operator"}
    times = {
        "created_at": T0,
        "started_at": T0,
        "eta_ms": 300_000,
        "on_failure": "compensate",
        "event_seq": 3,
    }
    return {**blank, **given, **times, **changes}


def step_row(key: str, status: str = "pending", **changes: Any) -> dict[str, Any]:
    """A forward step."""
    blank: dict[str, Any] = {column.name: None for column in tables.step.c}
    given = {
        "key": key,
        "status": status,
        "phase": "forward",
        "kind": "task",
        "queue": "default",
        "attempt": 0,
    }
    return {**blank, **given, **changes}


def server_row(**changes: Any) -> dict[str, Any]:
    """A server that is free."""
    blank: dict[str, Any] = {column.name: None for column in tables.server.c}
    return {**blank, "state": "available", "health": "unknown", **changes}


def done(key: str, start: int, took: int, **changes: Any) -> dict[str, Any]:
    """A completed step."""
    return step_row(key, "completed", first_started_at=T0 + start, completed_at=T0 + start + took, **changes)


SEEDED = [
    done("validate", 0, 45),
    done("create-record", 45, 120),
    step_row("allocate-resources", "failed", first_started_at=T0 + 165, completed_at=T0 + 323_000),
    step_row("apply-deployment", "cancelled"),
]


def test_the_failed_run_of_the_seed_is_shown_as_the_seed_shows_it() -> None:
    row = run_row(
        status="failed",
        completed_at=T0 + 323_000,
        error_code="POOL_CAPACITY_EXCEEDED",
        error_message="Not enough",
        error_step="allocate-resources",
    )
    shown = present.run_summary(row, SEEDED, now=T0 + 400_000)
    assert shown["durationMs"] == 323_000 == sum(step["durationMs"] for step in shown["steps"])
    assert shown["steps"][0] == {"name": "validate", "status": "completed", "durationMs": 45}
    assert [step["name"] for step in shown["steps"]] == ["validate", "create-record", "allocate-resources"]
    assert shown["error"] == {
        "code": "POOL_CAPACITY_EXCEEDED",
        "message": "Not enough",
        "step": "allocate-resources",
    }


@pytest.mark.parametrize("fine", list(RunStatus))
def test_every_fine_state_has_one_of_five_words(fine: RunStatus) -> None:
    shown = present.run_summary(run_row(status=fine.value), [], now=T0)
    assert (shown["status"], shown["detail"]) == (API_STATUS[fine], fine.value)


def test_a_pending_step_has_a_name_and_a_status_only() -> None:
    assert present.run_summary(run_row(), [step_row("configure")], now=T0)["steps"] == [
        {"name": "configure", "status": "pending"}
    ]


def test_the_running_step_earns_partial_credit_by_its_usual_time() -> None:
    steps = [done("a", 0, 1000), step_row("b", "running", first_started_at=T0 + 1000), step_row("c")]
    usual = {"a": 1000.0, "b": 2000.0, "c": 1000.0}
    assert present.progress(run_row(), steps, now=T0 + 2000, usual_ms=usual) == 50


def test_a_step_that_overruns_never_earns_all_its_credit() -> None:
    steps = [step_row("a", "running", first_started_at=T0)]
    assert present.progress(run_row(), steps, now=T0 + 10**9, usual_ms={"a": 1.0}) == 95


def test_progress_is_100_only_when_completed() -> None:
    steps = [done("a", 0, 10), done("b", 10, 10)]
    assert present.progress(run_row(), steps, now=T0 + 30, usual_ms={}) == 99
    assert present.progress(run_row(status="completed"), steps, now=T0 + 30, usual_ms={}) == 100


def test_a_step_that_failed_keeps_what_it_has_earned() -> None:
    step = {"started_at": T0, "first_started_at": T0}
    row, usual = run_row(), {"a": 10_000.0, "b": 10_000.0}
    seen = [
        present.progress(
            row, [step_row("a", "running", **step), step_row("b")], now=T0 + 5_000, usual_ms=usual
        )
    ]
    failed = step_row("a", "failed", **step, completed_at=T0 + 5_000)
    held = run_row(status="failed_held", waiting_on={"kind": "operator", "since": T0 + 5_000})
    seen.append(present.progress(held, [failed, step_row("b")], now=T0 + 500_000, usual_ms=usual))
    resumed = step_row("a", "running", started_at=T0, first_started_at=T0 + 500_000)
    row = run_row(held_ms=495_000)
    seen.append(present.progress(row, [resumed, step_row("b")], now=T0 + 500_000, usual_ms=usual))
    assert seen == [25, 25, 25]


def test_no_end_is_expected_in_the_past_or_while_people_are_waited_for() -> None:
    held = run_row(status="failed_held", waiting_on={"kind": "operator", "since": T0 + 5_000})
    shown = [present.run_detail(row, [], now=T0 + 300_001) for row in (run_row(), held)]
    assert [one["estimatedCompletionAt"] for one in shown] == [None, None]
    assert [one["overdue"] for one in shown] == [True, False]
    later = present.run_detail(run_row(held_ms=60_000), [], now=T0 + 300_001)
    assert (later["estimatedCompletionAt"], later["overdue"]) == ("2026-01-13T12:06:00.000Z", False)


def test_the_time_that_a_run_stood_still_is_no_duration() -> None:
    row = run_row(status="completed", completed_at=T0 + 100_000, held_ms=90_000)
    assert present.run_summary(row, [], now=T0)["durationMs"] == 10_000


def test_the_estimate_is_the_start_plus_the_usual_duration() -> None:
    shown = present.run_detail(run_row(), [], now=T0)
    assert shown["estimatedCompletionAt"] == "2026-01-13T12:05:00.000Z"


def test_a_run_that_waits_says_on_what_and_until_when() -> None:
    waits = {"kind": "timer", "step": "power", "attempt": 2, "until": T0 + 1000}
    assert present.waiting_on(run_row(status="waiting", waiting_on=waits), [], now=T0) == {
        **waits,
        "until": "2026-01-13T12:00:01.000Z",
        "text": "Attempt 2 of power failed; the next one is due at 2026-01-13T12:00:01.000Z.",
    }


def test_a_message_that_nobody_takes_shows_as_waiting_for_a_worker_of_its_queue() -> None:
    row = run_row(status="queued", expect_since=T0)
    steps = [step_row("power", queue="bmc")]
    assert present.waiting_on(row, steps, now=T0 + 4_000) is None
    assert present.waiting_on(row, steps, now=T0 + 6_000) == {
        "kind": "worker",
        "queue": "bmc",
        "since": "2026-01-13T12:00:00.000Z",
        "text": "No worker has taken it from the queue bmc, where it waits since 2026-01-13T12:00:00.000Z.",
    }


@pytest.mark.parametrize("status", ["failed_held", "compensation_failed", "blocked"])
def test_a_run_that_is_stuck_needs_an_operator(status: str) -> None:
    shown = present.run_summary(run_row(status=status), [], now=T0)
    assert shown["needsOperator"] and shown["waitingOn"]["kind"] == "operator"


def test_undo_steps_stand_apart_from_the_steps() -> None:
    steps = [
        done("a", 0, 10, compensated_at=T0 + 50),
        step_row("undo-a", "running", phase="comp", undoes="a"),
    ]
    shown = present.run_detail(run_row(status="compensating"), steps, now=T0 + 60)
    assert [step["name"] for step in shown["steps"]] == ["a"]
    assert shown["steps"][0]["compensatedAt"] == "2026-01-13T12:00:00.050Z"
    assert shown["compensation"][0]["undoes"] == "a"


def test_values_are_shown_as_they_were_given_whatever_their_names_are() -> None:
    deep: Any = {"token": 5}
    for _ in range(100):
        deep = [deep]
    given = {"total_tokens": 5, "next_page_token": "n", "private": "p", "cookie": "c", "deep": deep}
    run = run_row(input={"args": [given]}, output={"value": given}, kind="code", version="1")
    shown = present.run_detail(run, [], now=T0)
    assert (shown["input"], shown["output"]) == ({"args": [given]}, given)


def test_what_was_declared_a_secret_is_hidden() -> None:
    given = {"args": ["web1", {"$secret": "v1.k.box"}], "kwargs": {}}
    shown = present.run_detail(run_row(input=given, kind="code", version="1"), [], now=T0)
    assert shown["input"]["args"] == ["web1", {"$secret": "[redacted]"}]


def test_a_server_never_shows_its_credential() -> None:
    blank: dict[str, Any] = {column.name: None for column in tables.server.c}
    shown = resources.server_object(
        {**blank, "state": "available", "health": "unknown", "credential": "v1.k.box"}, now=0
    )
    assert "v1.k.box" not in str(shown)
    assert "provision" in shown["allowedActions"]


def test_a_server_in_maintenance_takes_no_new_work() -> None:
    shown = resources.server_object(server_row(maintenance=True), now=0)
    assert "provision" not in shown["allowedActions"]
