"""A batch runs by readiness under its limit, and its failures do what their policies demand."""

import pytest

from tests.integration.batches.rig import Rig, failing, servers, soft


def test_a_batch_makes_its_servers_and_completes(rig: Rig) -> None:
    batch = rig.run(servers("web", "web-1", "web-2"), servers("db", needs=["web"]))

    assert rig.driver.status(batch) == "completed"
    assert rig.servers() == {"web-1", "web-2", "db-1"}
    assert rig.order(batch) == ["web", "db"]


def test_an_operation_begins_when_it_is_ready_and_not_with_its_level(rig: Rig) -> None:
    slow = servers("slow", rehearsal={"delay_seconds": 3600})
    batch = rig.submit(slow, servers("quick"), servers("after", needs=["quick"]))
    rig.driver.drain()

    assert rig.statuses(batch) == {"slow": "waiting", "quick": "completed", "after": "completed"}
    rig.judged = False


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_more_operations_run_at_once_than_the_limit(rig: Rig, limit: int) -> None:
    batch = rig.run(*(servers(f"op{n}") for n in range(8)), parallel_limit=limit)

    assert rig.driver.status(batch) == "completed"
    assert rig.most == limit


def test_more_than_one_transaction_starts_all_that_may_begin(rig: Rig) -> None:
    batch = rig.run(*(servers(f"op{n}") for n in range(70)), parallel_limit=70)

    assert rig.driver.status(batch) == "completed"
    assert len(rig.servers()) == 70


def test_the_higher_priority_begins_first_and_then_the_order_of_the_definition(rig: Rig) -> None:
    batch = rig.run(servers("a"), servers("b", priority=5), servers("c"), parallel_limit=1)

    assert rig.order(batch) == ["b", "a", "c"]


def test_a_failure_leaves_out_who_needs_it_and_lets_the_others_go_on(rig: Rig) -> None:
    bad = failing("bad", on_failure="continue")
    batch = rig.run(bad, servers("next", needs=["bad"]), servers("last", needs=["next"]), servers("other"))

    assert rig.statuses(batch) == {
        "bad": "failed", "next": "skipped", "last": "skipped", "other": "completed",
    }  # fmt: skip
    assert rig.driver.run(batch)["error_code"] == "PARTIALLY_COMPLETED"
    assert rig.servers() == {"other-1"}


def test_nothing_completed_is_no_part(rig: Rig) -> None:
    batch = rig.run(failing("bad", on_failure="continue"))

    assert rig.driver.status(batch) == "failed"
    assert rig.driver.run(batch)["error_code"] == "REHEARSED_FAILURE"


def test_a_soft_dependency_waits_and_is_given_how_the_other_ended(rig: Rig) -> None:
    batch = rig.run(failing("bad", on_failure="continue"), servers("next", needs=[soft("bad")]))

    assert rig.statuses(batch) == {"bad": "failed", "next": "completed"}
    child = rig.driver.run(rig.driver.step(batch, "next")["ref"])
    assert child["input"]["upstream"] == {"bad": {"status": "failed"}}


@pytest.mark.parametrize(
    ("other", "ends"), [(servers("other"), "skipped"), (failing("other", on_failure="continue"), "completed")]
)
def test_a_clean_up_runs_only_after_a_failure(rig: Rig, other: dict[str, object], ends: str) -> None:
    batch = rig.run(other, servers("clean", needs=[{"id": "other", "condition": "failure"}]))

    assert rig.statuses(batch)["clean"] == ends


def test_a_thousand_that_need_a_failure_are_left_out_at_once(rig: Rig) -> None:
    chain = [failing("op0", on_failure="continue")]
    chain += [servers(f"op{n}", needs=[f"op{n - 1}"]) for n in range(1, 1000)]

    batch = rig.run(*chain)

    found = rig.statuses(batch)
    assert found.pop("op0") == "failed"
    assert set(found.values()) == {"skipped"}


def test_fail_starts_nothing_more_and_keeps_what_there_is(rig: Rig) -> None:
    batch = rig.run(servers("good"), failing("bad", on_failure="fail"), servers("never"), parallel_limit=1)

    assert rig.driver.status(batch) == "failed"
    assert rig.statuses(batch) == {"good": "completed", "bad": "failed", "never": "cancelled"}
    assert rig.servers() == {"good-1"}


def test_rollback_undoes_all_that_was_made(rig: Rig) -> None:
    batch = rig.run(servers("good", "a", "b"), failing("bad", needs=["good"]), servers("late", needs=["bad"]))

    assert rig.driver.status(batch) == "failed"
    assert rig.statuses(batch) == {"good": "completed", "bad": "failed", "late": "skipped"}
    assert rig.servers() == set()


def test_hold_keeps_effects_and_locks_until_an_operator_decides(rig: Rig) -> None:
    batch = rig.run(servers("good"), failing("bad", on_failure="hold", needs=["good"]))

    assert rig.driver.status(batch) == "failed_held"
    assert rig.driver.holder("instance/local/good-1") == batch

    rig.driver.act(batch, "compensate")
    assert rig.finish(batch) == "failed"
    assert rig.servers() == set()


def test_the_strongest_policy_of_several_failures_decides(rig: Rig) -> None:
    operations = [failing(policy, on_failure=policy) for policy in ("continue", "fail", "rollback")]
    batch = rig.run(servers("good"), *operations)

    assert rig.driver.status(batch) == "failed"
    assert rig.servers() == set()


def test_without_rollback_a_batch_that_would_roll_back_fails(rig: Rig) -> None:
    batch = rig.run(servers("good"), failing("bad", needs=["good"]), rollback_enabled=False)

    assert rig.driver.status(batch) == "failed"
    assert rig.servers() == {"good-1"}
