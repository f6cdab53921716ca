"""cluster.scale: other numbers of nodes, or what there was."""

from typing import Any

import pytest

from tests.support.managed import IMAGE, REMOTE, Scene


@pytest.fixture
def cluster_id(scene: Scene) -> str:
    """A cluster that is ready, with two workers."""
    made = scene.plant_cluster()
    scene.ran("cluster.create", made)
    return made


def on_servers(scene: Scene, count: int) -> str:
    """A cluster that is ready, on so many servers of a pool that has four."""
    pool_id = scene.plant_pool(4)
    pools = [{"poolId": pool_id, "count": count, "image": IMAGE}]
    made = scene.plant_cluster(template=REMOTE, config={"controlPlaneNumber": 1}, node_pools=pools)
    scene.ran("cluster.create", made)
    return made


def config(scene: Scene) -> dict[str, Any]:
    """What the only deployment is told."""
    (there,) = scene.site.deployments.values()
    return dict(there.config)


def test_a_cluster_gets_its_numbers_of_nodes(scene: Scene, cluster_id: str) -> None:
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 5, "controlPlanes": 3})
    assert scene.driver.status(run_id) == "completed"
    assert config(scene) == {"workersNumber": 5, "controlPlaneNumber": 3}
    row = scene.cluster(cluster_id)
    assert (row["state"], row["config"]) == ("ready", config(scene))


def test_a_template_that_has_no_such_number_refuses(scene: Scene, cluster_id: str) -> None:
    scene.change_cluster(cluster_id, template="adopted-cluster-1")
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 5})
    assert scene.error(run_id) == ("INVALID_STATE_TRANSITION", "check-scale")
    assert config(scene)["workersNumber"] == 2


def test_numbers_that_cannot_be_reached_are_taken_back(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 5})
    assert scene.driver.status(run_id) == "failed"
    assert config(scene)["workersNumber"] == scene.cluster(cluster_id)["config"]["workersNumber"] == 2
    assert scene.cluster(cluster_id)["state"] == "error"


def test_cancelled_it_is_what_it_was(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("never")
    run_id = scene.start("cluster.scale", cluster_id, {"workers": 5})
    scene.reach(run_id, "wait-ready")
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "cancelled"
    assert (scene.cluster(cluster_id)["state"], config(scene)["workersNumber"]) == ("ready", 2)


def test_held_and_retried_from_the_wait_it_is_not_applied_twice(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 5}, on_failure="hold")
    scene.site.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-ready")
    assert (scene.finish(again), config(scene)["workersNumber"]) == ("completed", 5)
    assert [line.split()[0] for line in scene.site.ledger] == ["create", "change"]


def test_what_somebody_deleted_is_not_made_again(scene: Scene, cluster_id: str) -> None:
    scene.site.deployments.clear()
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 5})
    assert scene.error(run_id) == ("RESOURCE_GONE", "patch-config")
    assert scene.site.deployments == {}


def test_on_servers_more_are_taken(scene: Scene) -> None:
    cluster_id = on_servers(scene, 1)
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 3})
    assert scene.driver.status(run_id) == "completed"
    assert scene.servers() == [("available", False)] + [("provisioned", True)] * 3
    assert (len(config(scene)["machines"]), scene.allocated(cluster_id)) == (3, 3)


def test_on_servers_those_too_many_are_given_back_last(scene: Scene) -> None:
    cluster_id = on_servers(scene, 3)
    before = config(scene)["machines"]
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 1})
    assert scene.driver.status(run_id) == "completed"
    assert scene.servers() == [("available", False)] * 3 + [("provisioned", True)]
    assert config(scene)["machines"] == before[:1]


def test_on_servers_a_failure_gives_back_only_the_new_ones(scene: Scene) -> None:
    cluster_id = on_servers(scene, 1)
    before = config(scene)
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 3})
    assert scene.driver.status(run_id) == "failed"
    assert scene.servers() == [("available", False)] * 3 + [("provisioned", True)]
    assert config(scene) == before


def test_servers_whose_installation_was_deleted_by_age_stay_as_they_are(scene: Scene) -> None:
    cluster_id = on_servers(scene, 2)
    scene.forget_runs()
    run_id = scene.ran("cluster.scale", cluster_id, {"workers": 3})
    assert scene.driver.status(run_id) == "completed"
    assert scene.servers() == [("available", False), *[("provisioned", True)] * 3]
    scene.forget_runs()
    scene.ran("cluster.delete", cluster_id)
    assert scene.servers() == [("available", False)] * 4
