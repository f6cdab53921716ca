"""cluster.* with real workers, a real wire to the API server, and servers that are really installed."""

from typing import Any

import pytest

from tests.acceptance.clusters.site import (
    IMAGE,
    NEXT,
    REMOTE,
    TEMPLATE,
    Site,
    failure,
    steps,
    undone,
)
from tests.support.servers import until
from windlass import Conflict, InvalidState

pytestmark = pytest.mark.postgres
ONCE = ["create", "delete", "gone"]


def test_a_cluster_on_servers_is_made_scaled_upgraded_and_deleted(site: Site) -> None:
    pool_id = site.pool_of(3)
    pools = [{"poolId": pool_id, "count": 2, "image": IMAGE}]
    cluster_id, name = site.created(template=REMOTE, config={"controlPlaneNumber": 1}, node_pools=pools)
    assert site.free(pool_id) == 1
    assert site.ended(site.client.clusters.scale(cluster_id, workers=3).run_id).status == "completed"
    assert (site.free(pool_id), len(site.client.clusters.get(cluster_id).servers)) == (0, 3)
    upgraded = site.client.clusters.upgrade(cluster_id, kubernetes_version="1.32")
    assert site.ended(upgraded.run_id).status == "completed"
    assert (site.client.clusters.get(cluster_id).kubernetes_version or "").startswith("v1.32")
    assert site.ended(site.client.clusters.delete(cluster_id).run_id).status == "completed"
    assert (site.free(pool_id), site.effects(name), site.left(name)) == (3, ONCE, [])


def test_one_that_cannot_be_built_is_undone_in_reverse_and_leaves_nothing(site: Site) -> None:
    name = site.name("bad")
    site.treats(name, fail="no capacity left")
    cluster_id, _, run_id = site.create(name=name, on_failure="compensate")
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("CLUSTER_BUILD_FAILED", "wait-ready"))
    assert undone(run) == ["apply-deployment", "allocate-resources", "validate"]
    assert (site.effects(name), site.client.clusters.get(cluster_id).state) == (ONCE, "error")
    site.vanishes(name)


def test_cancelled_while_it_is_built_it_leaves_nothing(site: Site) -> None:
    name = site.name("slow")
    site.treats(name, never=True)
    _, _, run_id = site.create(name=name)
    site.at(run_id, "wait-ready")
    site.client.runs.cancel(run_id)
    assert site.ended(run_id).status == "cancelled"
    assert site.effects(name) == ONCE


def test_held_and_mended_it_goes_on_from_where_it_failed(site: Site) -> None:
    name = site.name("held")
    site.treats(name, fail="no capacity left")
    cluster_id, _, run_id = site.create(name=name)
    assert site.settled(run_id).detail == "failed_held"
    with pytest.raises(Conflict):
        site.client.clusters.delete(cluster_id)
    site.treats(name)
    run = site.ended(site.client.runs.retry(run_id, from_step="wait-ready").id)
    assert (run.status, steps(run)["apply-deployment"]) == ("completed", "skipped")
    assert (site.effects(name), site.client.clusters.get(cluster_id).state) == (["create"], "ready")


def test_a_scale_that_fails_is_taken_back(site: Site) -> None:
    cluster_id, name = site.created()
    site.treats(name, fail="no capacity left")
    run = site.ended(site.client.clusters.scale(cluster_id, workers=5).run_id)
    assert (run.status, undone(run)) == ("failed", ["patch-config", "allocate-resources", "validate"])
    config = site.client.clusters.get(cluster_id).config or {}
    assert config["workersNumber"] == 2


def test_an_upgrade_that_is_not_offered_is_refused_at_once(site: Site) -> None:
    cluster_id, _ = site.created()
    assert site.client.clusters.get(cluster_id).available_upgrades == (NEXT,)
    with pytest.raises(InvalidState):
        site.client.clusters.upgrade(cluster_id, template=TEMPLATE.replace("-14", "-99"))
    run = site.ended(site.client.clusters.upgrade(cluster_id, template=NEXT).run_id)
    assert (run.status, site.client.clusters.get(cluster_id).template) == ("completed", NEXT)


def test_a_deletion_that_is_stuck_says_by_what_and_keeps_its_lock(site: Site) -> None:
    cluster_id, name = site.created()
    site.treats(name, stuck=True)
    run_id = site.client.clusters.delete(cluster_id).run_id
    site.at(run_id, "wait-deleted")
    until(lambda: "finalizer" in site.log(run_id), 30, "what holds it is told")
    with pytest.raises(Conflict):
        site.client.clusters.scale(cluster_id, workers=1)
    site.treats(name)
    assert site.ended(run_id).status == "completed"
    assert site.effects(name) == ONCE


@pytest.mark.parametrize(
    "trouble",
    [
        {"lose": 1.0, "failTimes": 2},
        {"throttle": 1.0, "failTimes": 4},
        {"drop": 1.0, "failTimes": 4},
    ],
    ids=lambda trouble: next(iter(trouble)),
)
def test_trouble_with_the_api_server_passes_and_makes_no_second_cluster(
    site: Site, trouble: dict[str, Any]
) -> None:
    cluster_id, name, run_id = site.create()
    site.suffers(**trouble)
    assert site.ended(run_id).status == "completed"
    assert site.ended(site.client.clusters.delete(cluster_id).run_id).status == "completed"
    assert site.effects(name) == ONCE


@pytest.mark.parametrize("step", ["apply-deployment", "wait-ready"])
def test_workers_that_are_killed_make_no_second_cluster(site: Site, step: str) -> None:
    site.suffers(slow=1.5, verbs=["patch"], resources=["clusterdeployments"])
    cluster_id, name, run_id = site.create()
    site.at(run_id, step)
    for process in site.stack.pool("worker-kube"):
        process.kill()
    site.suffers()
    assert site.ended(run_id).status == "completed"
    assert site.client.clusters.get(cluster_id).state == "ready"
    assert site.effects(name) == ["create"]


def test_what_somebody_else_deletes_ends_its_run(site: Site) -> None:
    name = site.name("lost")
    site.treats(name, never=True)
    _, _, run_id = site.create(name=name, on_failure="compensate")
    site.at(run_id, "wait-ready")
    site.erase(name)
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("RESOURCE_GONE", "wait-ready"))


def test_an_api_server_that_hangs_keeps_no_server_waiting(site: Site) -> None:
    site.suffers(dead=True)
    runs = [site.create()[2] for _ in range(12)]  # More than the processes that serve anything else.
    site.at(runs[0], "validate")
    pool_id = site.pool_of(1)
    assert site.free(pool_id) == 1
    # Of the two processes that wait for it, each gives up a run in ten seconds: the last one is yet to come.
    assert "step.retrying" not in site.log(runs[-1])
    site.suffers()
    for run_id in runs:
        site.client.runs.cancel(run_id)
    assert {site.ended(run_id).status for run_id in runs} == {"cancelled"}
