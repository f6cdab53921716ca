"""cluster.delete: asked for, waited for, and over only when all is gone."""

from dataclasses import replace

import pytest

from tests.support.managed import IMAGE, REMOTE, Scene


@pytest.fixture
def cluster_id(scene: Scene) -> str:
    """A cluster that is ready."""
    made = scene.plant_cluster()
    scene.ran("cluster.create", made)
    return made


def test_a_cluster_is_deleted(scene: Scene, cluster_id: str) -> None:
    run_id = scene.ran("cluster.delete", cluster_id)
    assert (scene.driver.status(run_id), scene.site.deployments) == ("completed", {})
    row = scene.cluster(cluster_id)
    assert (row["state"], row["uid"], row["access"]) == ("deleted", None, None)


def test_what_is_gone_already_is_deleted(scene: Scene, cluster_id: str) -> None:
    scene.site.deployments.clear()
    run_id = scene.ran("cluster.delete", cluster_id)
    assert (scene.driver.status(run_id), scene.cluster(cluster_id)["state"]) == ("completed", "deleted")


def test_what_holds_it_is_told_and_the_lock_is_kept(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("stuck")
    run_id = scene.start("cluster.delete", cluster_id, on_failure="hold")
    scene.finish(run_id, most=4)
    progress = scene.driver.step(run_id, "wait-deleted")["progress"]
    assert "WaitingForClusterDeletion" in progress and "finalizer" in progress
    scene.driver.fire(run_id, "deadline")
    assert scene.finish(run_id) == "failed_held"
    assert scene.driver.holder(f"cluster/{cluster_id}") == run_id
    scene.site.faults.clear()
    scene.driver.act(run_id, "resume")
    assert scene.finish(run_id) == "completed"


def test_its_servers_are_given_back_once_it_is_gone(scene: Scene) -> None:
    pools = [{"poolId": scene.plant_pool(2), "count": 2, "image": IMAGE}]
    cluster_id = scene.plant_cluster(template=REMOTE, node_pools=pools)
    scene.ran("cluster.create", cluster_id)
    scene.site.faults.add("stuck")
    run_id = scene.start("cluster.delete", cluster_id)
    scene.finish(run_id, most=4)
    assert scene.servers() == [("provisioned", True)] * 2
    scene.site.faults.clear()
    assert scene.finish(run_id) == "completed"
    assert (scene.servers(), scene.allocated(cluster_id)) == ([("available", False)] * 2, 0)


def test_a_deletion_that_was_cancelled_too_late_leaves_an_error(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("stuck")
    run_id = scene.start("cluster.delete", cluster_id)
    scene.reach(run_id, "wait-deleted")
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "cancelled"
    row = scene.cluster(cluster_id)
    assert row["observed"]["deleting"] and row["state"] == "error"


def test_deleted_again_after_a_failure_it_goes_on(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("stuck")
    first = scene.start("cluster.delete", cluster_id)
    scene.reach(first, "wait-deleted")
    scene.driver.cancel(first)
    scene.finish(first)
    scene.site.faults.clear()
    run_id = scene.ran("cluster.delete", cluster_id)
    assert (scene.driver.status(run_id), scene.cluster(cluster_id)["state"]) == ("completed", "deleted")


def test_a_retry_from_the_wait_only_waits(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("stuck")
    run_id = scene.start("cluster.delete", cluster_id, on_failure="hold")
    scene.reach(run_id, "wait-deleted")
    scene.driver.fire(run_id, "deadline")
    scene.finish(run_id)
    scene.site.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-deleted")
    assert scene.finish(again) == "completed"
    assert [line.split()[0] for line in scene.site.ledger] == ["create", "delete", "gone"]


def on_servers(scene: Scene) -> str:
    """A cluster that is ready, on two servers of a pool."""
    pools = [{"poolId": scene.plant_pool(2), "count": 2, "image": IMAGE}]
    cluster_id = scene.plant_cluster(template=REMOTE, node_pools=pools)
    scene.ran("cluster.create", cluster_id)
    return cluster_id


def test_a_silent_management_cluster_is_waited_for_and_no_server_is_given_away(scene: Scene) -> None:
    cluster_id = on_servers(scene)
    scene.site.faults.add("stuck")
    run_id = scene.start("cluster.delete", cluster_id)
    scene.reach(run_id, "wait-deleted")
    scene.site.faults.add("dead")
    assert scene.finish(run_id, most=25) == "waiting"
    assert scene.driver.step(run_id, "wait-deleted")["status"] == "retry_wait"
    assert scene.servers() == [("provisioned", True)] * 2
    scene.site.faults.clear()
    assert scene.finish(run_id) == "completed"


def test_a_deployment_that_lost_its_label_is_deleted_all_the_same(scene: Scene) -> None:
    cluster_id = on_servers(scene)
    [(name, there)] = scene.site.deployments.items()
    scene.site.deployments[name] = replace(there, owner=None)
    scene.site.faults.add("stuck")
    run_id = scene.start("cluster.delete", cluster_id)
    scene.finish(run_id, most=4)
    assert scene.site.ledger[-1] == f"delete {name}"
    assert scene.servers() == [("provisioned", True)] * 2
    scene.site.faults.clear()
    assert scene.finish(run_id) == "completed"


def test_what_others_made_in_its_place_is_left_alone(scene: Scene, cluster_id: str) -> None:
    [(name, there)] = scene.site.deployments.items()
    scene.site.deployments[name] = replace(there, owner=None, uid="another")
    run_id = scene.ran("cluster.delete", cluster_id)
    assert (scene.driver.status(run_id), list(scene.site.deployments)) == ("completed", [name])
