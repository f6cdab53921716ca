"""What people do to a batch: retry, cancel, pause, approve."""

from shutil import rmtree
from typing import Any

import pytest

from app.auth.keys import Principal
from app.domain.errors import Conflict, InvalidStateTransition, ResourceLocked, ValidationFailed
from app.providers.compute import Compute
from app.services import batches
from tests.integration.batches.rig import Rig, definition_of, failing, servers


def retried(rig: Rig, batch: str, **how: Any) -> str:
    """Retry to the end; returns the new batch."""
    new = str(batches.retry(rig.ctx, batch, **how)["workflow_id"])
    rig.finish(new)
    return new


def flaky(id_: str, times: int, **more: Any) -> dict[str, Any]:
    """An operation whose server fails so often, and then comes."""
    return servers(id_, rehearsal={"fail_attempts": times}, **more)


def test_attempts_are_repeated_as_the_policy_says(rig: Rig) -> None:
    batch = rig.run(flaky("web", 2))

    assert rig.driver.status(batch) == "completed"
    assert batches.detail(rig.ctx, batch)["operations"][0]["attempts"] == 3


def test_a_retry_does_what_failed_and_keeps_the_rest(rig: Rig) -> None:
    bad = flaky("bad", 3, on_failure="fail", needs=["good"])
    first = rig.run(servers("good"), bad, servers("late", needs=["bad"]))
    assert batches.find(rig.ctx, first)["status"] == "Failed"
    facts = rig.facts("good-1")

    second = retried(rig, first)

    assert rig.statuses(second) == {"good": "skipped", "bad": "completed", "late": "completed"}
    assert batches.detail(rig.ctx, second)["operations"][0]["reused_from"] == first
    assert rig.facts("good-1") == facts
    rig.roll_back(second)
    assert rig.servers() == set()


def test_the_half_of_an_operation_that_stands_is_found_again(rig: Rig) -> None:
    half = servers("half", "a", on_failure="fail")
    half["server_configs"] += flaky("x", 3)["server_configs"]
    first = rig.run(half)
    facts = rig.facts("a")

    second = retried(rig, first)

    assert rig.driver.status(second) == "completed"
    assert rig.facts("a") == facts
    assert rig.servers() == {"a", "x-1"}


def test_a_server_that_was_removed_by_hand_is_made_again_by_a_retry_of_all(rig: Rig) -> None:
    first = rig.run(servers("good"), flaky("bad", 3, on_failure="fail"))
    rmtree(next(rig.folder.glob("*/good-1")))

    second = retried(rig, first, only_failed=False)

    assert rig.driver.status(second) == "completed"
    assert rig.servers() == {"good-1", "bad-1"}
    assert [row["incarnation"] for row in rig.inventory() if row["name"] == "good-1"] == [1, 2]


def test_a_server_that_was_kept_and_is_gone_since_is_made_by_a_retry(rig: Rig) -> None:
    others = rig.run(servers("mine", "shared"))
    bad = flaky("bad", 3, on_failure="fail", needs=["theirs"])
    first = rig.run(servers("theirs", "shared"), bad)
    rig.roll_back(others)
    assert rig.servers() == set()

    second = retried(rig, first)

    assert rig.statuses(second) == {"theirs": "completed", "bad": "completed"}
    assert rig.servers() == {"shared", "bad-1"}


def test_a_server_that_was_kept_and_is_there_is_not_observed_again(rig: Rig) -> None:
    rig.run(servers("mine", "shared"))
    first = rig.run(servers("theirs", "shared"), flaky("bad", 3, on_failure="fail", needs=["theirs"]))

    second = retried(rig, first)

    assert rig.statuses(second) == {"theirs": "skipped", "bad": "completed"}


def test_a_held_batch_goes_on_from_its_failure_with_its_locks(rig: Rig) -> None:
    first = rig.run(servers("good"), flaky("bad", 3, on_failure="hold", needs=["good"]))
    assert rig.driver.status(first) == "failed_held"

    second = retried(rig, first)

    assert rig.driver.status(first) == "failed"
    assert rig.driver.status(second) == "completed"
    assert rig.driver.holder("instance/local/good-1") is None


def test_a_retry_of_an_operation_that_the_batch_left_out_is_refused(rig: Rig) -> None:
    whole = definition_of(flaky("bad", 3, on_failure="fail"), servers("other"))
    asked = batches.submit(rig.ctx, Principal(name="test", scopes=frozenset()), whole, only=["bad"])
    first = str(asked["workflow_id"])
    rig.finish(first)

    with pytest.raises(ValidationFailed, match="operations: The batch has no operation other"):
        batches.retry(rig.ctx, first, operations=["other"])


def test_a_checkpoint_that_there_is_not_is_reported_with_the_member_that_names_it(rig: Rig) -> None:
    batch = rig.run(flaky("bad", 3, on_failure="fail"))

    with pytest.raises(ValidationFailed, match="from: The batch has no checkpoint cp-0009"):
        batches.retry(rig.ctx, batch, from_="cp-0009")
    with pytest.raises(ValidationFailed, match="checkpoint_id: The batch has no checkpoint cp-0009"):
        batches.rollback(rig.ctx, batch, checkpoint_id="cp-0009")


def test_a_second_cancel_does_not_take_back_the_rollback_of_the_first(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = rig.submit(servers("done"), servers("slow", needs=["done"]))
    asked = iter([True, False])
    real = rig.world.compute

    def compute(*where: str) -> Compute:
        if rig.servers() == {"done-1"}:  # While the second one is being made.
            for undo in asked:
                batches.cancel(rig.ctx, batch, rollback=undo)
                assert rig.driver.status(batch) == "cancelling"
        return real(*where)

    monkeypatch.setattr(rig.world, "compute", compute)

    assert rig.finish(batch) == "cancelled"
    assert rig.servers() == set()


def test_a_batch_that_was_rolled_back_is_submitted_anew(rig: Rig) -> None:
    batch = rig.run(servers("good"), failing("bad"))

    with pytest.raises(InvalidStateTransition):
        batches.retry(rig.ctx, batch)


def test_a_retry_and_a_rollback_exclude_each_other(rig: Rig) -> None:
    first = rig.run(servers("good"), flaky("bad", 3, on_failure="fail"))
    second = str(batches.retry(rig.ctx, first)["workflow_id"])

    with pytest.raises(Conflict):
        batches.rollback(rig.ctx, first)
    with pytest.raises(Conflict):
        batches.retry(rig.ctx, first)
    rig.finish(second)


def test_two_batches_cannot_work_on_one_name(rig: Rig) -> None:
    batch = rig.submit(servers("web", "a", "b"))

    with pytest.raises(ResourceLocked) as refused:
        rig.submit(servers("other", "b"))
    assert refused.value.details["holder"]["runId"] == batch
    rig.finish(batch)
    rig.run(servers("other", "b"))


def test_a_key_is_accepted_once(rig: Rig) -> None:
    one = rig.submit(servers("web"), key="once")

    assert rig.submit(servers("web"), key="once") == one
    with pytest.raises(Conflict):
        rig.submit(servers("db"), key="once")
    rig.finish(one)


def test_cancel_lets_running_items_end_and_undoes_nothing(rig: Rig) -> None:
    slow = servers("slow", rehearsal={"delay_seconds": 3_600})
    batch = rig.submit(servers("done"), slow, servers("late", needs=["slow"]))
    rig.driver.drain()

    batches.cancel(rig.ctx, batch)

    assert rig.finish(batch) == "cancelled"
    found = {one["id"]: one["status"] for one in batches.detail(rig.ctx, batch)["operations"]}
    assert found == {"done": "Completed", "slow": "Cancelled", "late": "Cancelled"}
    assert "done-1" in rig.servers()
    rig.roll_back(batch)
    assert rig.servers() == set()


def test_cancel_with_rollback_undoes_what_was_made(rig: Rig) -> None:
    slow = servers("slow", rehearsal={"delay_seconds": 3_600})
    batch = rig.submit(servers("done"), slow)
    rig.driver.drain()

    batches.cancel(rig.ctx, batch, rollback=True)

    assert rig.finish(batch) == "cancelled"
    assert rig.servers() == set()
    assert batches.find(rig.ctx, batch)["status"] == "RolledBack"


def test_while_it_is_paused_no_operation_and_no_item_begins(rig: Rig) -> None:
    batch = rig.submit(servers("web", "a", "b", parallel=1), servers("db", needs=["web"]))
    rig.driver.deliver()

    batches.pause(rig.ctx, batch)
    rig.driver.drain()
    assert rig.servers() == {"a"}
    assert rig.driver.status(batch) == "paused"

    batches.resume(rig.ctx, batch)
    assert rig.finish(batch) == "completed"
    assert rig.servers() == {"a", "b", "db-1"}


def test_what_cannot_be_paused_or_resumed_is_refused_in_the_words_of_batches(rig: Rig) -> None:
    batch = rig.submit(servers("web"))

    with pytest.raises(InvalidStateTransition, match="A batch that is running cannot be resumed"):
        batches.resume(rig.ctx, batch)
    batches.pause(rig.ctx, batch)
    with pytest.raises(InvalidStateTransition, match="A batch that is paused cannot be paused"):
        batches.pause(rig.ctx, batch)


def test_an_operation_waits_for_its_approval(rig: Rig) -> None:
    batch = rig.run(servers("web"), servers("db", needs=["web"], approval=True))
    assert rig.statuses(batch) == {"web": "completed", "db": "pending"}
    assert batches.detail(rig.ctx, batch)["operations"][1]["detail"] == "awaits_approval"

    batches.approve(rig.ctx, batch, "db")
    assert rig.finish(batch) == "completed"


def test_an_approval_that_comes_after_a_cancel_is_refused(rig: Rig) -> None:
    slow = servers("slow", rehearsal={"delay_seconds": 3_600})
    batch = rig.submit(slow, servers("db", approval=True))
    rig.driver.drain()
    batches.cancel(rig.ctx, batch)
    rig.finish(batch)
    before = len(rig.driver.log(batch))

    with pytest.raises(InvalidStateTransition, match="db cannot begin any more: its batch is cancelled"):
        batches.approve(rig.ctx, batch, "db")
    assert len(rig.driver.log(batch)) == before
    assert batches.detail(rig.ctx, batch)["operations"][1]["detail"] is None


def test_a_paused_batch_takes_an_approval(rig: Rig) -> None:
    batch = rig.submit(servers("db", approval=True))
    batches.pause(rig.ctx, batch)

    batches.approve(rig.ctx, batch, "db")

    batches.resume(rig.ctx, batch)
    assert rig.finish(batch) == "completed"


def test_a_part_of_a_batch_brings_what_it_needs(rig: Rig) -> None:
    batch = rig.run(servers("web"), servers("db", needs=["web"]), servers("other"), only=["db"])

    assert rig.statuses(batch) == {"web": "completed", "db": "completed"}


def test_a_copy_that_cannot_be_written_is_reported_and_stops_nothing(rig: Rig) -> None:
    (rig.folder / "batches").write_text("no folder")

    batch = rig.run(servers("web"), rollback_strategy={"checkpoint_interval": 1})

    assert rig.driver.status(batch) == "completed"
    (point,) = batches.detail(rig.ctx, batch)["checkpoints"]
    assert point["mirrored_at"] is None
    assert point["mirror_error"].startswith(("FileExistsError", "NotADirectoryError"))


def test_progress_counts_and_ends_at_a_hundred(rig: Rig) -> None:
    batch = rig.submit(servers("web"), servers("db", needs=["web"]))
    before = batches.progress(rig.ctx, batch)
    assert (before["running_operations"], before["pending_operations"]) == (["web"], ["db"])
    assert (before["percent"], before["current_level"]) == (0.0, 0)

    rig.finish(batch)
    assert batches.progress(rig.ctx, batch)["percent"] == 100.0
    assert batches.stats(rig.ctx)["by_provider"] == {"local": {"completed": 2}}
    assert batches.page(rig.ctx, status="completed")[1] == 1


def test_progress_names_the_first_hundred_in_the_order_in_which_they_begin(rig: Rig) -> None:
    others = (servers(f"op{n}", needs=["first"]) for n in range(120))
    urgent = servers("urgent", needs=["first"], priority=5)
    batch = rig.submit(servers("first", approval=True), *others, urgent)

    shown = batches.progress(rig.ctx, batch)
    assert shown["pending_operations"] == ["urgent", "first", *(f"op{n}" for n in range(98))]
    assert (shown["pending_count"], shown["running_operations"], shown["current_level"]) == (122, [], 0)
