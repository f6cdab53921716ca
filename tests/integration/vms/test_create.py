"""vm.create: made, failed and undone, cancelled, held and retried."""

import pytest

from tests.support.managed import Scene


@pytest.mark.parametrize("strategy", ["Manual", "Halted", "RerunOnFailure", "Always", "Once"])
def test_a_machine_is_made_and_runs_whatever_its_run_strategy(scene: Scene, strategy: str) -> None:
    vm_id = scene.plant_vm(run_strategy=strategy)
    run_id = scene.ran("vm.create", vm_id)
    assert (scene.driver.status(run_id), scene.vm(vm_id)["state"]) == ("completed", "running")
    assert sum("create" in line for line in scene.room.ledger) == 1


def test_an_answer_that_is_lost_makes_no_second_machine(scene: Scene) -> None:
    vm_id = scene.plant_vm()
    run_id = scene.start("vm.create", vm_id)
    scene.room.faults.add("drop")
    scene.driver.drain()
    scene.room.faults.clear()
    assert scene.finish(run_id) == "completed"
    assert [line.split()[0] for line in scene.room.ledger] == ["create", "start"]


def test_a_machine_that_cannot_run_is_removed(scene: Scene) -> None:
    vm_id = scene.plant_vm()
    scene.room.faults.add("broken")
    run_id = scene.ran("vm.create", vm_id)
    assert (scene.driver.status(run_id), scene.error(run_id)) == (
        "failed",
        ("VM_START_FAILED", "wait-running"),
    )
    assert scene.undone(run_id) == ["create-vm", "validate"]
    assert (scene.room.there, scene.vm(vm_id)["state"]) == ({}, "error")


def test_cancelled_while_it_starts_nothing_is_left(scene: Scene) -> None:
    vm_id = scene.plant_vm()
    scene.room.faults.add("never")
    run_id = scene.start("vm.create", vm_id)
    scene.reach(run_id, "wait-running")
    scene.driver.cancel(run_id)
    assert (scene.finish(run_id), scene.room.there) == ("cancelled", {})


def test_held_and_mended_it_goes_on_from_where_it_failed(scene: Scene) -> None:
    vm_id = scene.plant_vm()
    scene.room.faults.add("never")
    run_id = scene.start("vm.create", vm_id, on_failure="hold")
    scene.reach(run_id, "wait-running")
    scene.driver.fire(run_id, "deadline")
    assert scene.finish(run_id) == "failed_held"
    scene.room.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-running")
    assert (scene.finish(again), scene.vm(vm_id)["state"]) == ("completed", "running")


def test_a_machine_that_somebody_deletes_meanwhile_fails_its_run(scene: Scene) -> None:
    vm_id = scene.plant_vm()
    scene.room.faults.add("never")
    run_id = scene.start("vm.create", vm_id)
    scene.reach(run_id, "wait-running")
    scene.room.there.clear()
    assert (scene.finish(run_id), scene.error(run_id)) == ("failed", ("RESOURCE_GONE", "wait-running"))


def test_a_name_that_is_somebody_else_s_is_left_alone(scene: Scene) -> None:
    other = scene.plant_vm()
    scene.ran("vm.create", other)
    vm_id = scene.plant_vm(name=scene.vm(other)["name"], management_id="mgt_by_another_way")
    run_id = scene.ran("vm.create", vm_id)
    assert scene.error(run_id) == ("CONFLICT", "create-vm")
    assert [one.owner for one in scene.room.there.values()] == [other]
