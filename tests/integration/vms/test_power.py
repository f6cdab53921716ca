"""vm.power: every action from every state that allows it, repeated, refused, failed, cancelled."""

import pytest

from tests.support.managed import Scene

WAYS = {"running": [], "stopped": ["stop"], "paused": ["pause"]}


def machine(scene: Scene, state: str = "running") -> str:
    """A machine in this state."""
    vm_id = scene.plant_vm()
    scene.ran("vm.create", vm_id)
    for action in WAYS[state]:
        scene.ran("vm.power", vm_id, {"action": action})
    assert scene.vm(vm_id)["state"] == state
    scene.room.ledger.clear()
    return vm_id


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("stopped", "start", "running"),
        ("running", "stop", "stopped"),
        ("running", "restart", "running"),
        ("running", "pause", "paused"),
        ("paused", "unpause", "running"),
        ("paused", "stop", "stopped"),
    ],
)
def test_an_action_leads_to_its_state(scene: Scene, before: str, action: str, after: str) -> None:
    vm_id = machine(scene, before)
    run_id = scene.ran("vm.power", vm_id, {"action": action})
    assert (scene.driver.status(run_id), scene.vm(vm_id)["state"]) == ("completed", after)
    assert [line.split()[0] for line in scene.room.ledger] == [action]


@pytest.mark.parametrize(
    ("before", "action"), [("stopped", "start"), ("running", "stop"), ("running", "restart")]
)
def test_an_order_whose_answer_was_lost_is_not_given_twice(scene: Scene, before: str, action: str) -> None:
    vm_id = machine(scene, before)
    run_id = scene.start("vm.power", vm_id, {"action": action})
    scene.room.faults.add("drop")
    scene.driver.drain()
    scene.room.faults.clear()
    assert scene.finish(run_id) == "completed"
    assert [line.split()[0] for line in scene.room.ledger] == [action]


def test_a_restart_is_over_when_another_start_of_the_machine_runs(scene: Scene) -> None:
    vm_id = machine(scene)
    before = dict(scene.room.instances)
    scene.ran("vm.power", vm_id, {"action": "restart"})
    assert scene.room.instances.keys() == before.keys() and scene.room.instances != before


def test_a_machine_that_does_not_start_is_an_error(scene: Scene) -> None:
    vm_id = machine(scene, "stopped")
    scene.room.faults.add("broken")
    run_id = scene.ran("vm.power", vm_id, {"action": "start"})
    assert (scene.driver.status(run_id), scene.error(run_id)[1]) == ("failed", "wait-state")
    assert scene.vm(vm_id)["state"] == "error"


def test_one_that_takes_long_says_so(scene: Scene) -> None:
    vm_id = machine(scene, "stopped")
    scene.room.faults.add("never")
    run_id = scene.start("vm.power", vm_id, {"action": "start"})
    scene.reach(run_id, "wait-state")
    scene.change_step(run_id, "wait-state", ref={"since": 1})
    scene.finish(run_id, most=2)
    assert scene.driver.step(run_id, "wait-state")["progress"] == "slow: the machine is Starting"


def test_cancelled_it_says_what_it_was(scene: Scene) -> None:
    vm_id = machine(scene, "stopped")
    scene.room.faults.add("never")
    run_id = scene.start("vm.power", vm_id, {"action": "start"})
    scene.reach(run_id, "wait-state")
    scene.driver.cancel(run_id)
    assert (scene.finish(run_id), scene.vm(vm_id)["state"]) == ("cancelled", "stopped")


def test_retried_from_the_wait_it_only_waits(scene: Scene) -> None:
    vm_id = machine(scene, "stopped")
    scene.room.faults.add("never")
    run_id = scene.start("vm.power", vm_id, {"action": "start"}, on_failure="hold")
    scene.reach(run_id, "wait-state")
    scene.driver.fire(run_id, "deadline")
    scene.finish(run_id)
    scene.room.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-state")
    assert scene.finish(again) == "completed"
    assert [line.split()[0] for line in scene.room.ledger] == ["start"]


def test_a_machine_that_is_gone_cannot_be_switched(scene: Scene) -> None:
    vm_id = machine(scene)
    scene.room.there.clear()
    run_id = scene.ran("vm.power", vm_id, {"action": "stop"})
    assert scene.error(run_id) == ("RESOURCE_GONE", "call-subresource")
