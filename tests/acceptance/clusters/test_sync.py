"""sync.* with a real projector and real workers: what others do is seen, reported, and polled."""

import pytest

from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.vms.kubevirt import KubeVirt
from tests.acceptance.clusters.site import PATIENCE_S, Site, failure, steps
from tests.support.plain import http
from tests.support.servers import until
from windlass import Run

pytestmark = pytest.mark.postgres


def told(site: Site, resource_id: str) -> list[Run]:
    """The runs that report a resource."""
    runs = site.client.runs.each(type="sync.cluster-state")
    return [
        run for run in runs if resource_id in (site.client.runs.get(run.id).raw["input"].get("objects") or ())
    ]


def management(site: Site) -> str:
    """The management cluster of the site."""
    return next(iter(site.client.managements.each())).id


def test_a_machine_that_somebody_else_stops_is_shown_as_stopped(site: Site) -> None:
    vm_id, name = site.running()
    kube = Kube(cleaned(site.kube.kubeconfig()))
    KubeVirt(kube, "default").act(name, "stop")
    kube.close()
    until(lambda: site.client.vms.get(vm_id).state == "stopped", PATIENCE_S, "it is seen")
    runs = until(lambda: told(site, vm_id), PATIENCE_S, "it is told")
    ended = site.ended(runs[0].id)
    assert (ended.status, ended.triggered_by) == ("completed", "usr_projector")
    assert steps(ended) == {"diff": "completed", "upsert": "completed"}


def test_a_cluster_that_somebody_else_deletes_is_an_error(site: Site) -> None:
    cluster_id, name = site.created()
    site.erase(name)
    until(lambda: site.client.clusters.get(cluster_id).state == "error", PATIENCE_S, "it is seen")
    assert "by somebody else" in site.client.clusters.get(cluster_id).raw["failureReasons"][0]
    assert site.ended(site.client.clusters.delete(cluster_id).run_id).status == "completed"


def test_a_projector_that_is_killed_comes_back_and_misses_nothing(site: Site) -> None:
    vm_id, name = site.running()
    site.treats(name, asleep=True)
    site.stack.kill("projector")
    what = {"kind": "virtualmachines", "namespace": "default", "name": name}
    http.post(f"{site.kube.control_url}/kube/mgmt/erase", json=what).raise_for_status()
    until(lambda: site.client.vms.get(vm_id).state == "error", PATIENCE_S, "it is seen")


def test_what_does_not_change_is_seen_again_and_again(site: Site) -> None:
    vm_id, _ = site.running()
    before = site.client.vms.get(vm_id).observed_at
    until(lambda: site.client.vms.get(vm_id).observed_at != before, PATIENCE_S, "it is seen again")
    found = site.client.managements.get(management(site))
    assert {source.kind: source.problem for source in found.sources} == {"cluster": None, "vm": None}


def switched(site: Site, server_id: str) -> list[Run]:
    """The runs that report that a server was switched."""
    runs = [site.client.runs.get(run.id) for run in site.client.runs.each(type="sync.server-state")]
    return [run for run in runs if server_id in str(run.raw["steps"])]


def test_power_is_polled_and_a_change_ends_the_run(site: Site) -> None:
    pool_id = site.pool_of(1)
    (server,) = site.client.servers.each(pool_id=pool_id)
    machine = next(one for one in site.lab.machines if one.id == server.display_name)
    http.patch(f"{site.lab.control_url}/machines/{machine.id}", json={"power": "on"}).raise_for_status()
    site.client.runs.start("sync.server-state", {"everyMs": 1_000})
    until(lambda: site.client.servers.get(server.id).power == "on", PATIENCE_S, "it is seen")
    run = until(lambda: switched(site, server.id), PATIENCE_S, "it is told")[0]
    assert run.raw["steps"][0]["output"]["changed"][server.id] == {"power": "on"}


def test_what_nobody_knows_cannot_be_compared_and_is_retried_in_vain(site: Site) -> None:
    run = site.ended(site.client.runs.start("sync.cluster-state", {}, resource_id="mgt_" + "0" * 26).id)
    assert (run.status, failure(run)) == ("failed", ("STEP_FAILED", "diff"))
    again = site.client.runs.retry(run.id, from_step="diff")
    assert site.ended(again.id).status == "failed"


def test_a_run_by_hand_compares_everything(site: Site) -> None:
    run = site.client.runs.start("sync.cluster-state", {"kind": "vm"}, resource_id=management(site))
    assert site.ended(run.id).status == "completed"
