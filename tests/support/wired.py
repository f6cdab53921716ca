"""The engine in this process on the lab's API server: real drivers, a real wire, retries that do not wait."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from app.lab.kube import Behaviour, Faults
from app.lab.kube import Kube as Lab
from app.lab.kube.catalogue import CREDENTIAL, NAMESPACE
from app.providers.clusters.k0rdent import K0rdent
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.vms.kubevirt import KubeVirt
from app.record.inventory import servers
from tests.support import kube
from tests.support.managed import IMAGE, Scene
from tests.support.servers import until

TEMPLATE, REMOTE, REMOTE_NEXT = (
    "openstack-standalone-cp-1-0-14",
    "remote-cluster-1-0-12",
    "remote-cluster-1-0-15",
)
QUICK = Behaviour(delay_ms=0, delete_ms=0)
PATIENCE_S = 60.0  # So long after the last fault everything is as it should be.
PAUSE_S = 0.005  # Between two checks of what controllers have done.


@dataclass
class Wired(Scene):
    """A scene whose clusters and virtual machines are objects of the lab, and whose servers are in memory."""

    _: KW_ONLY
    lab: Lab

    @cached_property
    def wire(self) -> Kube:
        """The client that all steps share."""
        return Kube(cleaned(self.lab.kubeconfig()))

    def clusters(self, management_id: str) -> Any:
        """The clusters of the lab, whatever the management cluster."""
        return K0rdent(self.wire, NAMESPACE)

    def machines(self, management_id: str) -> Any:
        """The machines of the lab, whatever the management cluster."""
        return KubeVirt(self.wire, "default")

    def plant_cluster(self, **changes: Any) -> str:
        """A cluster as its request leaves it; what makes it is quick."""
        given = {"template": TEMPLATE, "credential": CREDENTIAL, **changes}
        return super().plant_cluster(**given)

    def plant_cluster_on_servers(self, count: int, of: int) -> str:
        """A cluster that is to be built on so many servers of a pool that has more."""
        pools = [{"poolId": self.plant_pool(of), "count": count, "image": IMAGE}]
        return self.plant_cluster(template=REMOTE, config={"controlPlaneNumber": 1}, node_pools=pools)

    def treats(self, resource_id: str, **behaviour: Any) -> None:
        """How controllers treat the object of a resource from now on: quickly, and well by default."""
        server, treated = self.lab.server(), Behaviour(**{"delay_ms": 0, "delete_ms": 0, **behaviour})
        for controller in (server.clusters, server.vms):
            controller.behave(treated, self.name_of(resource_id))

    def delete(self, resource_id: str) -> None:
        """A client deletes its object."""
        there = self.clusters("") if resource_id.startswith("cls") else self.machines("")
        there.delete(self.name_of(resource_id))

    def suffers(self, **faults: Any) -> None:
        """Break the API server; without faults it is mended."""
        self.lab.server().active_faults.current = Faults(**faults)

    def name_of(self, resource_id: str) -> str:
        """What the object of a cluster or a machine is called."""
        row = self.cluster(resource_id) or self.vm(resource_id)
        return str(row["name"])

    def object(self, plural: str, name: str) -> dict[str, Any]:
        """An object of a cluster as it is now; empty when there is none."""
        server = self.lab.server()
        record = server.store.get(server.kinds.named(plural), (NAMESPACE, name))
        return record.object() if record else {}

    def effects(self, resource_id: str) -> list[str]:
        """What really happened to the object of a resource."""
        plural = "clusterdeployments" if resource_id.startswith("cls") else "virtualmachines"
        return kube.effects(self.lab, self.name_of(resource_id), plural)

    def left(self, resource_id: str) -> list[str]:
        """What is there in its name."""
        return kube.left(self.lab, self.name_of(resource_id))

    def server(self, server_id: str) -> dict[str, Any]:
        """A server's row."""
        return self.db.read(lambda tx: servers.read_server(tx, server_id)) or {}

    def finish(self, run_id: str, most: int = 0) -> str:
        """Let a run and its children go on until nothing of them moves; the run's status."""
        until(lambda: self._rests(run_id), PATIENCE_S, f"{run_id} ends", PAUSE_S)
        return self.driver.status(run_id)

    def hangs(self, run_id: str, step: str) -> None:
        """Let a run go on until a step of it waits, for something or for its next attempt."""

        def there() -> bool:
            self.driver.drain()
            if self.driver.step(run_id, step)["status"] in ("waiting", "retry_wait"):
                return True
            assert not self._rests(run_id), f"{run_id} is {self.driver.status(run_id)}"
            return False

        until(there, PATIENCE_S, f"{step} of {run_id} waits", PAUSE_S)

    def _rests(self, run_id: str) -> bool:
        self.driver.drain()
        if self.driver.run(run_id)["completed_at"] is not None:
            return True
        moved = [self.driver.fire(each) for each in [*self.children_of(run_id), run_id]]
        self.driver.drain()
        return not any(moved) and not self.driver.waiting
