"""What was made is undone: item by item, newest first, in part, again, and over retries."""

import json

import pytest

from app.domain.errors import InvalidStateTransition
from app.engine.batches.rollback import RollbackDisabled
from app.engine.batches.scope import DependentsStand
from app.services import batches
from tests.integration.batches.rig import Rig, failing, servers


def removals(rig: Rig) -> list[str]:
    """The servers that are gone, in the order in which that was noted."""
    gone = [row for row in rig.inventory() if row["state"] == "gone"]
    return [row["name"] for row in sorted(gone, key=lambda row: row["updated_at"])]


def chain(count: int) -> list[dict[str, object]]:
    """Operations of which each needs the one before."""
    return [servers(f"op{n}", needs=[f"op{n - 1}"] if n else []) for n in range(count)]


def test_a_completed_batch_is_rolled_back_by_hand_newest_first(rig: Rig) -> None:
    batch = rig.run(*chain(3))

    assert rig.roll_back(batch) is not None

    assert removals(rig) == ["op2-1", "op1-1", "op0-1"]
    assert batches.find(rig.ctx, batch)["status"] == "RolledBack"


def test_who_was_needed_is_undone_after_who_needed_it_whatever_ended_last(rig: Rig) -> None:
    slow = servers("slow", rehearsal={"delay_seconds": 0.2})
    batch = rig.run(servers("base"), servers("top", needs=["base"]), slow)

    rig.roll_back(batch)

    gone = removals(rig)
    assert gone.index("top-1") < gone.index("base-1")


def test_only_the_items_that_were_made_are_undone(rig: Rig) -> None:
    half = servers("half", "a")
    half["server_configs"] += failing("x", "b")["server_configs"]
    batch = rig.run(half)

    assert rig.servers() == set()
    detail = batches.detail(rig.ctx, batch)
    (operation,) = detail["operations"]
    assert operation["status"] == "RolledBack"
    assert [one["status"] for one in operation["items"]] == ["RolledBack", "RolledBack"]
    assert detail["status"] == "RolledBack"


def test_what_another_batch_made_is_kept_and_not_undone(rig: Rig) -> None:
    rig.run(servers("mine", "shared"))
    batch = rig.run(servers("theirs", "shared", "own"))

    shown = batches.detail(rig.ctx, batch)["operations"][0]["items"]
    assert [one["effect"] for one in shown] == ["kept", "created"]
    rig.roll_back(batch)
    assert rig.servers() == {"shared"}


def test_a_name_that_is_there_as_something_else_is_in_the_way(rig: Rig) -> None:
    rig.run(servers("mine", "shared"))
    other = servers("theirs", "shared")
    other["server_configs"][0]["plan"] = "8xCPU-32GB"

    batch = rig.run(other)

    assert rig.driver.run(batch)["error_code"] == "CONFIGURATION_CONFLICT"
    assert rig.servers() == {"shared"}


def test_a_lost_answer_makes_no_second_server(rig: Rig) -> None:
    batch = rig.run(servers("web", rehearsal={"lost_answers": 1}))

    assert rig.driver.status(batch) == "completed"
    assert [row["state"] for row in rig.inventory()] == ["running"]
    assert batches.detail(rig.ctx, batch)["operations"][0]["attempts"] == 2


def test_an_undo_that_fails_is_repeated_and_what_is_undone_is_not_undone_again(rig: Rig) -> None:
    batch = rig.run(servers("good"), servers("stuck", rehearsal={"undo_fail_attempts": 4}))

    rig.roll_back(batch)
    assert batches.find(rig.ctx, batch)["status"] == "RollbackFailed"
    assert rig.servers() == {"stuck-1"}

    second = rig.roll_back(batch)
    assert second is not None
    assert rig.statuses(second) == {"stuck": "completed"}
    assert batches.find(rig.ctx, batch)["status"] == "RolledBack"


def test_named_operations_are_undone_unless_others_build_on_them(rig: Rig) -> None:
    batch = rig.run(*chain(3))

    with pytest.raises(DependentsStand) as refused:
        rig.roll_back(batch, operations=["op1"])
    assert refused.value.details["operations"] == ["op2"]

    rig.roll_back(batch, operations=["op2"])
    assert rig.servers() == {"op0-1", "op1-1"}
    assert batches.find(rig.ctx, batch)["status"] == "PartiallyCompleted"

    rig.roll_back(batch)
    assert batches.find(rig.ctx, batch)["status"] == "RolledBack"


def test_a_rollback_to_a_checkpoint_keeps_what_had_completed_there(rig: Rig) -> None:
    batch = rig.run(*chain(7), rollback_strategy={"checkpoint_interval": 3}, parallel_limit=1)
    points = batches.detail(rig.ctx, batch)["checkpoints"]
    assert [len(one["completed_operations"]) for one in points] == [3, 6]

    assert all(one["mirrored_at"] for one in points)
    copied = json.loads((rig.folder / "batches" / batch / "cp-0002.json").read_text())
    assert copied["completed_since"] == ["op3", "op4", "op5"]

    rig.roll_back(batch, checkpoint_id="cp-0001")

    assert rig.servers() == {"op0-1", "op1-1", "op2-1"}


def test_a_batch_is_rolled_back_once_and_only_when_it_has_ended(rig: Rig) -> None:
    batch = rig.submit(servers("web"))
    with pytest.raises(InvalidStateTransition):
        rig.roll_back(batch)
    rig.finish(batch)
    rig.roll_back(batch)

    with pytest.raises(InvalidStateTransition):
        rig.roll_back(batch)


def test_rollback_that_is_switched_off_needs_force(rig: Rig) -> None:
    batch = rig.run(servers("web"), rollback_enabled=False)

    with pytest.raises(RollbackDisabled):
        rig.roll_back(batch)
    rig.roll_back(batch, force=True)
    assert rig.servers() == set()


def test_a_preview_names_what_would_be_undone_and_stores_nothing(rig: Rig) -> None:
    batch = rig.run(*chain(2))

    planned = batches.rollback(rig.ctx, batch, dry_run=True)

    assert planned["operations"] == [{"id": "op1", "items": ["op1-1"]}, {"id": "op0", "items": ["op0-1"]}]
    assert len(rig.servers()) == 2


def test_preserve_successful_undoes_only_what_failed(rig: Rig) -> None:
    half = servers("half", "a")
    half["server_configs"] += failing("x", "b")["server_configs"]
    batch = rig.run(servers("good"), half, rollback_strategy={"preserve_successful": True})

    assert rig.servers() == {"good-1"}
    assert batches.find(rig.ctx, batch)["status"] == "PartiallyCompleted"


def test_of_operations_that_need_nothing_the_last_to_end_is_undone_first(rig: Rig) -> None:
    batch = rig.run(servers("a"), servers("b"), servers("c"), parallel_limit=1)

    rig.roll_back(batch)

    assert removals(rig) == ["c-1", "b-1", "a-1"]
