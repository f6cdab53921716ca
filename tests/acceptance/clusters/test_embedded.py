"""Clusters and machines on SQLite and the embedded Valkey."""

import pytest

from tests.acceptance.clusters.site import IMAGE, REMOTE, Site

pytestmark = [pytest.mark.sqlite, pytest.mark.nightly]  # By day the demo does the same on the same stack.
BACKEND = "on_sqlite"


def test_a_cluster_on_a_server_comes_and_goes(site: Site) -> None:
    pool_id = site.pool_of(1)
    pools = [{"poolId": pool_id, "count": 1, "image": IMAGE}]
    cluster_id, name = site.created(template=REMOTE, config={"controlPlaneNumber": 1}, node_pools=pools)
    assert site.ended(site.client.clusters.delete(cluster_id).run_id).status == "completed"
    assert (site.free(pool_id), site.left(name)) == (1, [])


def test_a_machine_comes_and_goes(site: Site) -> None:
    vm_id, name = site.running()
    assert site.ended(site.client.vms.delete(vm_id).run_id).status == "completed"
    assert site.left(name) == []
