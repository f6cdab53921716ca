"""cluster.upgrade: along the paths that the management cluster offers, or not at all."""

import pytest

from tests.support.managed import AWS, AWS_NEXT, Scene


@pytest.fixture
def cluster_id(scene: Scene) -> str:
    """A cluster that is ready and may be upgraded once."""
    made = scene.plant_cluster()
    scene.ran("cluster.create", made)
    return made


def template(scene: Scene) -> str:
    """What the only deployment is made of."""
    (there,) = scene.site.deployments.values()
    return there.template


@pytest.mark.parametrize(
    "given", [{"template": AWS_NEXT}, {"kubernetesVersion": "1.32"}, {"kubernetesVersion": "v1.32.4"}]
)
def test_a_cluster_is_upgraded(scene: Scene, cluster_id: str, given: dict[str, str]) -> None:
    run_id = scene.ran("cluster.upgrade", cluster_id, given)
    assert (scene.driver.status(run_id), template(scene)) == ("completed", AWS_NEXT)
    row = scene.cluster(cluster_id)
    assert (row["state"], row["template"], row["observed"]["kubernetesVersion"]) == (
        "ready",
        AWS_NEXT,
        "v1.32.4",
    )


@pytest.mark.parametrize("given", [{"template": "aws-standalone-cp-9"}, {"kubernetesVersion": "1.3"}])
def test_there_is_no_way_but_the_ones_offered(scene: Scene, cluster_id: str, given: dict[str, str]) -> None:
    run_id = scene.ran("cluster.upgrade", cluster_id, given)
    assert scene.error(run_id) == ("VALIDATION_ERROR", "check-upgrade-path")
    assert AWS_NEXT in scene.driver.run(run_id)["error_message"]
    assert template(scene) == AWS


def test_an_upgrade_that_fails_is_taken_back_where_there_is_a_way(scene: Scene, cluster_id: str) -> None:
    scene.site.upgrades[AWS_NEXT] = (AWS,)
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.upgrade", cluster_id, {"template": AWS_NEXT})
    assert scene.undone(run_id) == ["patch-template", "validate"]
    assert (template(scene), scene.cluster(cluster_id)["template"]) == (AWS, AWS)


def test_where_there_is_no_way_back_it_stays_and_says_so(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.upgrade", cluster_id, {"template": AWS_NEXT})
    assert scene.driver.status(run_id) == "failed"
    row = scene.cluster(cluster_id)
    assert (template(scene), row["template"], row["state"]) == (AWS_NEXT, AWS_NEXT, "error")


@pytest.mark.parametrize(("back", "state"), [((AWS,), "ready"), ((), "error")])
def test_cancelled_it_is_what_it_was_if_it_can_be(
    scene: Scene, cluster_id: str, back: tuple[str, ...], state: str
) -> None:
    scene.site.upgrades[AWS_NEXT] = back
    scene.site.faults.add("never")
    run_id = scene.start("cluster.upgrade", cluster_id, {"template": AWS_NEXT})
    scene.reach(run_id, "wait-ready")
    scene.driver.fire(run_id)
    scene.driver.drain()
    scene.driver.fire(run_id)
    scene.driver.drain()
    scene.driver.cancel(run_id)
    assert (scene.finish(run_id), scene.cluster(cluster_id)["state"]) == ("cancelled", state)


def test_held_it_goes_on_from_where_it_failed(scene: Scene, cluster_id: str) -> None:
    scene.site.faults.add("fails")
    run_id = scene.ran("cluster.upgrade", cluster_id, {"template": AWS_NEXT}, on_failure="hold")
    scene.site.faults.clear()
    again = scene.driver.retry(run_id, from_step="wait-ready")
    assert (scene.finish(again), template(scene)) == ("completed", AWS_NEXT)


def test_ready_from_before_is_not_ready_now(scene: Scene, cluster_id: str) -> None:
    scene.site.delay = 3
    run_id = scene.start("cluster.upgrade", cluster_id, {"template": AWS_NEXT})
    scene.reach(run_id, "wait-ready")
    scene.driver.fire(run_id)
    scene.driver.drain()
    assert scene.driver.step(run_id, "wait-ready")["status"] == "waiting"
    assert scene.finish(run_id) == "completed"
