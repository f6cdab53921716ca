"""cluster.create: made, failed and undone, cancelled, held and retried."""

import pytest

from app.record.inventory import allocations
from tests.support.managed import IMAGE, REMOTE, Scene


def test_a_cluster_is_made(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.driver.status(run_id) == "completed"
    row = scene.cluster(cluster_id)
    assert (row["state"], row["run_id"], row["access"]["secret"]) == (
        "ready",
        run_id,
        f"{row['name']}-kubeconfig",
    )
    assert scene.site.ledger == [f"create {row['name']}"]
    assert row["observed"]["ready"] and row["observed_at"] and row["uid"]


def test_what_is_made_bears_the_cluster_its_run_and_its_step(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.ran("cluster.create", cluster_id)
    (made,) = scene.site.deployments.values()
    assert made.owner == cluster_id


def test_an_answer_that_is_lost_makes_no_second_cluster(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    run_id = scene.start("cluster.create", cluster_id)
    scene.site.faults.add("drop")
    scene.driver.drain()
    scene.site.faults.clear()
    assert scene.finish(run_id) == "completed"
    assert len(scene.site.ledger) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"template": "nothing-1"}, "VALIDATION_ERROR"),
        ({"credential": "gcp"}, "VALIDATION_ERROR"),
    ],
)
def test_what_it_is_made_of_is_looked_for_before_anything_is_made(
    scene: Scene, changes: dict[str, str], code: str
) -> None:
    cluster_id = scene.plant_cluster(**changes)
    run_id = scene.ran("cluster.create", cluster_id)
    assert (scene.driver.status(run_id), scene.error(run_id)) == ("failed", (code, "validate"))
    assert (scene.cluster(cluster_id)["state"], scene.site.ledger) == ("error", [])


def test_a_cluster_that_cannot_be_built_is_removed(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.create", cluster_id)
    assert (scene.driver.status(run_id), scene.error(run_id)) == (
        "failed",
        ("CLUSTER_BUILD_FAILED", "wait-ready"),
    )
    row = scene.cluster(cluster_id)
    assert (row["state"], row["uid"]) == ("error", None)
    (reason,) = row["failure_reasons"]
    assert reason.startswith("cluster.create failed (CLUSTER_BUILD_FAILED: The deployment cannot be built")
    assert reason.endswith(f"): see run {run_id}")
    assert [line.split()[0] for line in scene.site.ledger] == ["create", "delete", "gone"]


def test_a_dry_run_that_nobody_asked_for_is_no_cluster(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("dry")
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.error(run_id) == ("DRY_RUN_FORCED", "apply-deployment")
    assert scene.site.deployments == {}


def test_a_dry_run_that_was_asked_for_ends_validated(scene: Scene) -> None:
    cluster_id = scene.plant_cluster(dry_run=True)
    run_id = scene.ran("cluster.create", cluster_id)
    assert (scene.driver.status(run_id), scene.cluster(cluster_id)["state"]) == ("completed", "validated")


def test_a_cluster_that_somebody_deletes_meanwhile_fails_its_run(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("never")
    run_id = scene.start("cluster.create", cluster_id)
    scene.reach(run_id, "wait-ready")
    scene.site.deployments.clear()
    assert (scene.finish(run_id), scene.error(run_id)) == ("failed", ("RESOURCE_GONE", "wait-ready"))


def test_a_name_that_is_somebody_else_s_is_left_alone(scene: Scene) -> None:
    other = scene.plant_cluster()
    scene.ran("cluster.create", other)
    name = scene.cluster(other)["name"]
    scene.site.ledger.clear()
    cluster_id = scene.plant_cluster(name=name, management_id="mgt_by_another_way")
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.error(run_id) == ("CONFLICT", "apply-deployment")
    assert (scene.site.ledger, scene.site.deployments[name].owner) == ([], other)


def test_a_name_that_is_still_dying_is_waited_for(scene: Scene) -> None:
    other = scene.plant_cluster()
    scene.ran("cluster.create", other)
    name = scene.cluster(other)["name"]
    scene.site.faults.add("stuck")
    scene.site.clusters().delete(name)
    cluster_id = scene.plant_cluster(name=name, management_id="mgt_by_another_way")
    run_id = scene.start("cluster.create", cluster_id)
    scene.finish(run_id, most=4)
    assert scene.driver.step(run_id, "apply-deployment")["status"] == "retry_wait"
    scene.site.faults.clear()
    assert scene.finish(run_id) == "completed"
    assert scene.site.deployments[name].owner == cluster_id


def test_cancelled_while_it_is_built_nothing_is_left(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("never")
    run_id = scene.start("cluster.create", cluster_id)
    scene.reach(run_id, "wait-ready")
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "cancelled"
    assert (scene.site.deployments, scene.cluster(cluster_id)["state"]) == ({}, "error")


def test_the_lock_is_kept_until_what_was_made_is_gone(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults |= {"fails", "stuck"}
    run_id = scene.start("cluster.create", cluster_id)
    scene.finish(run_id, most=6)
    assert scene.driver.holder(f"cluster/{cluster_id}") == run_id
    assert "finalizer" in str(scene.driver.step(run_id, "apply-deployment", "comp")["error"])
    scene.site.faults.clear()
    assert scene.finish(run_id) == "failed"
    assert scene.driver.holder(f"cluster/{cluster_id}") is None


def test_held_and_mended_it_goes_on_from_where_it_failed(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.create", cluster_id, on_failure="hold")
    assert scene.driver.status(run_id) == "failed_held"
    scene.site.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-ready")
    assert scene.finish(again) == "completed"
    assert (scene.cluster(cluster_id)["state"], len(scene.site.ledger)) == ("ready", 1)


def test_what_was_undone_is_made_again_by_a_retry(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.create", cluster_id)
    scene.site.faults.clear()
    again = scene.driver.retry(run_id, earliest=True)
    assert (scene.finish(again), scene.cluster(cluster_id)["state"]) == ("completed", "ready")


def test_one_that_takes_long_says_so_before_it_fails(scene: Scene) -> None:
    cluster_id = scene.plant_cluster()
    scene.site.faults.add("never")
    run_id = scene.start("cluster.create", cluster_id)
    scene.reach(run_id, "wait-ready")
    long_ago = {"since": 1}
    scene.change_step(run_id, "wait-ready", ref=long_ago)
    scene.finish(run_id, most=2)
    assert scene.driver.step(run_id, "wait-ready")["progress"].startswith("slow: Ready is False")
    assert scene.cluster(cluster_id)["slow_since"]
    scene.driver.fire(run_id, "deadline")
    assert scene.finish(run_id) == "failed"
    assert scene.error(run_id) == ("STEP_TIMED_OUT", "wait-ready")
    assert scene.cluster(cluster_id)["slow_since"] is None


def test_a_cluster_on_servers_gets_them_from_a_pool(scene: Scene) -> None:
    pool_id = scene.plant_pool(3)
    pools = [{"poolId": pool_id, "count": 2, "image": IMAGE, "address": "{displayName}.example"}]
    cluster_id = scene.plant_cluster(template=REMOTE, node_pools=pools)
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.driver.status(run_id) == "completed"
    assert scene.servers() == [("available", False), ("provisioned", True), ("provisioned", True)]
    (made,) = scene.site.deployments.values()
    assert [(one["port"], one["user"]) for one in made.config["machines"]] == [(22, "root")] * 2
    assert {one["address"] for one in made.config["machines"]} < {
        f"rack-{place}.example" for place in range(3)
    }


def test_servers_are_installed_a_few_at_a_time(scene: Scene) -> None:
    pool_id = scene.plant_pool(6)
    cluster_id = scene.plant_cluster(
        template=REMOTE, node_pools=[{"poolId": pool_id, "count": 6, "image": IMAGE}]
    )
    run_id = scene.start("cluster.create", cluster_id)
    scene.reach(run_id, "allocate-resources")
    scene.driver.fire(run_id)
    scene.driver.drain()
    assert len(scene.children_of(run_id)) == 4
    assert scene.finish(run_id) == "completed"
    assert len(scene.children_of(run_id)) == 6


def test_a_pool_that_is_too_small_gives_none(scene: Scene) -> None:
    pool_id = scene.plant_pool(1)
    cluster_id = scene.plant_cluster(
        template=REMOTE, node_pools=[{"poolId": pool_id, "count": 2, "image": IMAGE}]
    )
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.error(run_id) == ("POOL_CAPACITY_EXCEEDED", "allocate-resources")
    message = "Not enough available servers in pool rack: 2 wanted, 1 free"
    assert scene.driver.run(run_id)["error_message"] == message
    assert (scene.servers(), scene.site.ledger) == ([("available", False)], [])


def test_what_did_nothing_yet_is_not_held(scene: Scene) -> None:
    pool_id = scene.plant_pool(1)
    pools = [{"poolId": pool_id, "count": 2, "image": IMAGE}]
    too_many = scene.plant_cluster(template=REMOTE, node_pools=pools)
    mistyped = scene.plant_cluster(template="aws-standalone-pc-1")
    taken = scene.plant_cluster(name="taken")
    scene.ran("cluster.create", taken)
    again = scene.plant_cluster(name="taken", management_id="mgt_by_another_way")
    for cluster_id in (too_many, mistyped, again):
        run_id = scene.ran("cluster.create", cluster_id, on_failure=None)
        assert (scene.driver.status(run_id), scene.cluster(cluster_id)["state"]) == ("failed", "error")


def test_what_was_made_is_held_unless_the_order_says_otherwise(scene: Scene) -> None:
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.create", scene.plant_cluster(), on_failure=None)
    assert scene.driver.status(run_id) == "failed_held"


def test_when_one_server_fails_all_are_given_back(scene: Scene) -> None:
    pool_id = scene.plant_pool(2)
    bad = next(iter(scene.bmcs.values()))
    bad.faults.add("wrongPassword")
    cluster_id = scene.plant_cluster(
        template=REMOTE, node_pools=[{"poolId": pool_id, "count": 2, "image": IMAGE}]
    )
    run_id = scene.start("cluster.create", cluster_id)
    scene.finish(run_id)
    assert scene.error(run_id) == ("BMC_AUTH_FAILED", "allocate-resources")
    assert scene.driver.status(run_id) == "failed"
    assert scene.servers() == [("available", False), ("error", False)]
    assert scene.allocated(cluster_id) == 0


def test_resumed_it_takes_another_server(scene: Scene) -> None:
    pool_id = scene.plant_pool(3)
    bad = next(iter(scene.bmcs.values()))
    bad.faults.add("wrongPassword")
    cluster_id = scene.plant_cluster(
        template=REMOTE, node_pools=[{"poolId": pool_id, "count": 2, "image": IMAGE}]
    )
    run_id = scene.ran("cluster.create", cluster_id, on_failure="hold")
    assert scene.driver.status(run_id) == "failed_held"
    scene.driver.act(run_id, "resume")
    assert scene.finish(run_id) == "completed"
    assert scene.servers() == [("error", False), ("provisioned", True), ("provisioned", True)]


def test_cancelled_while_servers_are_installed_they_are_all_free_again(scene: Scene) -> None:
    pool_id = scene.plant_pool(2)
    scene.boot.broken = {f"{server_id}:623" for server_id in scene.bmcs}
    cluster_id = scene.plant_cluster(
        template=REMOTE, node_pools=[{"poolId": pool_id, "count": 2, "image": IMAGE}]
    )
    run_id = scene.start("cluster.create", cluster_id)
    for _ in range(4):
        scene.reach(run_id, "allocate-resources")
        scene.driver.fire(run_id)
    scene.driver.drain()
    scene.driver.cancel(run_id)
    assert scene.finish(run_id) == "cancelled"
    assert scene.servers() == [("available", False)] * 2
    assert {scene.driver.status(child) for child in scene.children_of(run_id)} == {"cancelled"}


def test_servers_of_a_cluster_that_failed_later_are_wiped_and_free(scene: Scene) -> None:
    pool_id = scene.plant_pool(2)
    scene.site.faults.add("fails")
    cluster_id = scene.plant_cluster(
        template=REMOTE, node_pools=[{"poolId": pool_id, "count": 2, "image": IMAGE}]
    )
    run_id = scene.ran("cluster.create", cluster_id)
    assert scene.undone(run_id) == ["apply-deployment", "allocate-resources", "validate"]
    assert scene.servers() == [("available", False)] * 2
    assert scene.db.read(lambda tx: allocations.held_by(tx, cluster_id)) == []
