"""vm.* with real workers and a real wire to the API server."""

import pytest

from tests.acceptance.clusters.site import Site, failure, steps, undone
from windlass import Conflict

pytestmark = pytest.mark.postgres
ONCE = ["create", "delete", "gone"]


def ends(site: Site, vm_id: str, action: str, **values: object) -> tuple[str, str]:
    """How an action ends, and the state that it leaves."""
    run = site.ended(site.client.vms.act(vm_id, action, **values).run_id)
    return run.status, site.client.vms.get(vm_id).state


def made(site: Site, name: str) -> list[str]:
    """What happened to a machine, without what switched it."""
    return [effect for effect in site.effects(name, "virtualmachines") if effect in ONCE]


def test_a_machine_is_made_switched_and_deleted(site: Site) -> None:
    vm_id, name = site.running()
    before = site.client.vms.get(vm_id).observed_at
    assert ends(site, vm_id, "pause") == ("completed", "paused")
    assert ends(site, vm_id, "unpause") == ("completed", "running")
    assert ends(site, vm_id, "stop", grace_period_seconds=5) == ("completed", "stopped")
    assert ends(site, vm_id, "start") == ("completed", "running")
    assert ends(site, vm_id, "restart", force=True) == ("completed", "running")
    assert site.client.vms.get(vm_id).observed_at != before
    assert site.ended(site.client.vms.delete(vm_id).run_id).status == "completed"
    assert (made(site, name), site.left(name)) == (ONCE, [])


@pytest.mark.parametrize("strategy", ["Always", "RerunOnFailure", "Once", "Halted"])
def test_a_machine_runs_whatever_its_run_strategy(site: Site, strategy: str) -> None:
    vm_id, _, run_id = site.machine(run_strategy=strategy, disks=[{"sizeGb": 1}])
    assert site.ended(run_id).status == "completed"
    assert site.client.vms.get(vm_id).state == "running"


def test_one_that_cannot_run_is_undone_and_leaves_nothing(site: Site) -> None:
    name = site.name("bad")
    site.treats(name, fail="ErrorPvcNotFound")
    vm_id, _, run_id = site.machine(name=name)
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("VM_START_FAILED", "wait-running"))
    assert undone(run) == ["create-vm", "validate"]
    assert (made(site, name), site.client.vms.get(vm_id).state) == (ONCE, "error")
    site.vanishes(name)


def test_cancelled_while_it_starts_it_leaves_nothing(site: Site) -> None:
    name = site.name("slow")
    site.treats(name, never=True)
    _, _, run_id = site.machine(name=name)
    site.at(run_id, "wait-running")
    site.client.runs.cancel(run_id)
    assert site.ended(run_id).status == "cancelled"
    assert made(site, name) == ONCE


def test_held_and_mended_it_goes_on_from_where_it_failed(site: Site) -> None:
    name = site.name("held")
    site.treats(name, fail="ErrorPvcNotFound")
    vm_id, _, run_id = site.machine(name=name, on_failure="hold")
    assert site.settled(run_id).detail == "failed_held"
    with pytest.raises(Conflict):
        site.client.vms.delete(vm_id)
    site.treats(name)
    run = site.ended(site.client.runs.retry(run_id, from_step="wait-running").id)
    assert (run.status, steps(run)["create-vm"]) == ("completed", "skipped")
    assert (made(site, name), site.client.vms.get(vm_id).state) == (["create"], "running")


def test_an_order_that_is_taken_and_forgotten_does_not_count(site: Site) -> None:
    vm_id, name = site.running()
    site.treats(name, lies=True)
    run_id = site.client.vms.act(vm_id, "stop").run_id
    site.at(run_id, "wait-state")
    site.client.runs.cancel(run_id)
    assert site.ended(run_id).status == "cancelled"
    assert site.client.vms.get(vm_id).state == "running"


@pytest.mark.parametrize("action", ["stop", "restart"])
def test_workers_that_are_killed_switch_a_machine_once(site: Site, action: str) -> None:
    vm_id, name = site.running()
    run_id = site.client.vms.act(vm_id, action).run_id
    site.at(run_id, "wait-state")
    for process in site.stack.pool("worker-kube"):
        process.kill()
    assert site.ended(run_id).status == "completed"
    assert site.effects(name, "virtualmachines").count(action) == 1
