"""However a run ends, its resource can be worked on again and says which run it was."""

from typing import Any

import pytest

from app.domain.errors import InvalidStateTransition, KubeUnreachable, Permanent
from app.engine import admission
from app.engine.transitions.accept import Order
from app.record.inventory import servers
from app.record.runs import doctor
from tests.support.managed import IMAGE, Scene


def allowed(scene: Scene, kind: str, id_: str, action: str) -> None:
    """Raise unless an action would be accepted now."""
    order = Order(type=f"{kind}.{action}", resource_id=id_)
    scene.db.read(lambda tx: admission.check(tx, order, kind))


def server(scene: Scene, server_id: str) -> dict[str, Any]:
    """A server's row."""
    return scene.db.read(lambda tx: servers.read_server(tx, server_id)) or {}


def test_an_abandoned_cluster_can_be_deleted(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("never")
    run_id = scene.start("cluster.create", cluster_id)
    scene.reach(run_id, "wait-ready")
    scene.driver.cancel(run_id, mode="abandon")
    row = scene.cluster(cluster_id)
    assert (scene.driver.status(run_id), row["state"]) == ("cancelled", "error")
    assert row["failure_reasons"] == [f"cluster.create was abandoned: see run {run_id}"]
    assert scene.driver.status(scene.ran("cluster.delete", cluster_id)) == "completed"


def test_an_abandoned_machine_can_be_deleted(scene: Scene) -> None:
    vm_id = scene.plant_vm()
    scene.room.faults.add("never")
    run_id = scene.start("vm.create", vm_id)
    scene.reach(run_id, "wait-running")
    scene.driver.cancel(run_id, mode="abandon")
    assert (scene.vm(vm_id)["state"], scene.vm(vm_id)["run_id"]) == ("error", run_id)
    assert scene.driver.status(scene.ran("vm.delete", vm_id)) == "completed"


def test_an_abandoned_server_is_nobodys_and_can_be_given_back(scene: Scene) -> None:
    scene.plant_pool(1)
    [server_id] = scene.bmcs
    scene.boot.broken.add(f"{server_id}:623")
    run_id = scene.start("server.provision", server_id, {"image": IMAGE})
    scene.reach(run_id, "install")
    scene.driver.cancel(run_id, mode="abandon")
    row = server(scene, server_id)
    assert (row["state"], row["reserved_by"], row["run_id"]) == ("error", None, run_id)
    scene.boot.broken.clear()  # Giving it back wipes it, which the boot service has to do.
    given_back = scene.ran("server.lifecycle", server_id, {"action": "deprovision"})
    assert scene.driver.status(given_back) == "completed"


def test_a_creation_that_was_cancelled_before_it_began_can_be_deleted(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    run_id = scene.start("cluster.create", cluster_id)
    scene.change_cluster(cluster_id, run_id=run_id)
    scene.driver.cancel(run_id)
    assert scene.cluster(cluster_id)["failure_reasons"] == [f"cluster.create was cancelled: see run {run_id}"]
    allowed(scene, "cluster", cluster_id, "delete")


def test_a_first_step_that_did_nothing_leaves_nothing_behind(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("dead")
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.error(run_id) == (KubeUnreachable.code, "validate")
    allowed(scene, "cluster", cluster_id, "delete")


@pytest.mark.parametrize("action", ["skip", "resolve"])
def test_an_undo_that_an_operator_ends_strands_nobody(
    scene: Scene, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise Permanent("it cannot be undone")

    cluster_id = scene.plant_cluster()
    scene.site.faults.add("never")
    run_id = scene.start("cluster.create", cluster_id)
    scene.reach(run_id, "wait-ready")
    monkeypatch.setattr("tasks.cluster.mark", fail)
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "compensation_failed"
    scene.driver.act(run_id, action)
    assert (scene.finish(run_id), scene.cluster(cluster_id)["state"]) == ("cancelled", "error")


def test_a_resource_that_a_run_left_behind_is_found_and_the_refusal_names_the_run(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    run_id = scene.ran("cluster.create", cluster_id)
    scene.change_cluster(cluster_id, state="scaling")
    [found] = scene.db.read(doctor.findings)
    assert (found["invariant"], found["run"]) == ("I18", run_id)
    with pytest.raises(InvalidStateTransition, match="left it so; retry that run") as refused:
        allowed(scene, "cluster", cluster_id, "delete")
    assert refused.value.details["run"] == run_id
    scene.change_cluster(cluster_id, state="ready")
