"""vm.delete: stopped, asked for, waited for, and over only when the machine is gone."""

import pytest

from tests.support.managed import Scene


@pytest.fixture
def vm_id(scene: Scene) -> str:
    """A machine that runs."""
    made = scene.plant_vm()
    scene.ran("vm.create", made)
    scene.room.ledger.clear()
    return made


def test_a_machine_is_stopped_and_deleted(scene: Scene, vm_id: str) -> None:
    run_id = scene.ran("vm.delete", vm_id)
    assert (scene.driver.status(run_id), scene.vm(vm_id)["state"]) == ("completed", "deleted")
    assert [line.split()[0] for line in scene.room.ledger] == ["stop", "delete", "gone"]


@pytest.mark.parametrize("action", ["stop", "pause"])
def test_one_that_does_not_run_is_deleted_as_well(scene: Scene, vm_id: str, action: str) -> None:
    scene.ran("vm.power", vm_id, {"action": action})
    run_id = scene.ran("vm.delete", vm_id)
    assert (scene.driver.status(run_id), scene.room.there) == ("completed", {})


def test_what_is_gone_already_is_deleted(scene: Scene, vm_id: str) -> None:
    scene.room.there.clear()
    run_id = scene.ran("vm.delete", vm_id)
    assert (scene.driver.status(run_id), scene.vm(vm_id)["state"]) == ("completed", "deleted")


def test_what_holds_it_is_told_and_the_lock_is_kept(scene: Scene, vm_id: str) -> None:
    scene.room.faults.add("stuck")
    run_id = scene.start("vm.delete", vm_id, on_failure="hold")
    scene.finish(run_id, most=4)
    assert "finalizer kubevirt.io" in scene.driver.step(run_id, "wait-deleted")["progress"]
    scene.driver.fire(run_id, "deadline")
    assert scene.finish(run_id) == "failed_held"
    assert scene.driver.holder(f"vm/{vm_id}") == run_id
    scene.room.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-deleted")
    assert scene.finish(again) == "completed"


def test_cancelled_too_late_it_is_an_error_that_can_be_deleted_again(scene: Scene, vm_id: str) -> None:
    scene.room.faults.add("stuck")
    run_id = scene.start("vm.delete", vm_id)
    scene.reach(run_id, "wait-deleted")
    scene.driver.cancel(run_id)
    assert (scene.finish(run_id), scene.vm(vm_id)["state"]) == ("cancelled", "error")
    scene.room.faults.clear()
    again = scene.ran("vm.delete", vm_id)
    assert (scene.driver.status(again), scene.vm(vm_id)["state"]) == ("completed", "deleted")
