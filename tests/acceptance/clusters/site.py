"""A site with a management cluster: the running service, servers in a pool, and an API server to break."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any

from app.lab import Lab, Machine
from app.lab.kube import Kube
from tests.support.kube import effects, left
from tests.support.plain import http
from tests.support.servers import until
from tests.support.stack import Stack
from windlass import Client, Run

USER, PASSWORD = "bmc-canary", "Kanarienvogel-4711"
IMAGE = {"url": "http://images.example/debian-12.qcow2"}
TEMPLATE, NEXT = "openstack-standalone-cp-1-0-14", "openstack-standalone-cp-1-0-16"
REMOTE, CREDENTIAL = "remote-cluster-1-0-12", "lab-credential"
CONFIG = {"workersNumber": 2, "controlPlaneNumber": 1}
PATIENCE_S = 300.0  # So long after the last fault everything has ended.
_NUMBERS = count(1)


@dataclass(frozen=True, kw_only=True)
class Site:
    """What tests work with; each makes clusters and machines of its own, by names of its own."""

    stack: Stack
    client: Client
    lab: Lab
    kube: Kube
    unused: Iterator[Machine]

    def name(self, stem: str) -> str:
        """A name that is not in use."""
        return f"{stem}-{next(_NUMBERS)}"

    def treats(self, name: str, **behaviour: Any) -> None:
        """How controllers treat the objects of this name from their next check on."""
        same = {"special": {kind: {name: behaviour} for kind in ("clusters", "vms")}}
        http.patch(f"{self.kube.control_url}/kube/mgmt", json=same).raise_for_status()

    def suffers(self, **faults: Any) -> None:
        """Break the API server."""
        http.patch(f"{self.kube.control_url}/kube/mgmt", json={"faults": faults}).raise_for_status()

    def erase(self, name: str) -> None:
        """Remove a cluster's object behind the service's back."""
        what = {"kind": "clusterdeployments", "namespace": "kcm-system", "name": name}
        http.post(f"{self.kube.control_url}/kube/mgmt/erase", json=what).raise_for_status()

    def pool_of(self, size: int) -> str:
        """A pool with so many available servers."""
        pool = self.client.pools.create(self.name("pool"))
        runs = [self._register(pool.id) for _ in range(size)]
        for run in runs:
            assert self.ended(run.run_id).status == "completed"
        inspected = [self.client.servers.inspect(run.resource.id).run_id for run in runs]
        assert {self.ended(run_id).status for run_id in inspected} == {"completed"}
        return pool.id

    def _register(self, pool_id: str) -> Any:
        machine = next(self.unused)
        return self.client.servers.register(
            protocol="redfish",
            bmc_address=f"127.0.0.1:{machine.redfish_port}",
            username=USER,
            password=PASSWORD,
            pool_id=pool_id,
            display_name=machine.id,
        )

    def create(self, **values: Any) -> tuple[str, str, str]:
        """Ask for a cluster: its id, its name, its run."""
        wanted = {"name": self.name("c"), "template": TEMPLATE, "credential": CREDENTIAL, "config": CONFIG}
        accepted = self.client.clusters.create(**{**wanted, **values})
        return accepted.resource.id, accepted.resource.name, accepted.run_id

    def created(self, **values: Any) -> tuple[str, str]:
        """A cluster that is ready: its id and name."""
        cluster_id, name, run_id = self.create(**values)
        assert self.ended(run_id).status == "completed"
        return cluster_id, name

    def machine(self, **values: Any) -> tuple[str, str, str]:
        """Ask for a virtual machine: its id, its name, its run."""
        wanted = {"name": self.name("m"), "cpus": 1, "memory_mb": 512}
        accepted = self.client.vms.create(**{**wanted, **values})
        return accepted.resource.id, accepted.resource.name, accepted.run_id

    def running(self) -> tuple[str, str]:
        """A machine that runs: its id and name."""
        vm_id, name, run_id = self.machine()
        assert self.ended(run_id).status == "completed"
        return vm_id, name

    def ended(self, run_id: str) -> Run:
        """The run once it has ended."""
        return self.client.runs.wait(run_id, timeout_s=PATIENCE_S)

    def settled(self, run_id: str) -> Run:
        """The run once it has ended or waits for an operator."""
        return self.client.runs.wait(run_id, timeout_s=PATIENCE_S, until=attrgetter("settled"))

    def at(self, run_id: str, step: str) -> Run:
        """The run once this step runs or waits."""

        def there(run: Run) -> bool:
            return run.ended or steps(run).get(step) == "running"

        run = self.client.runs.wait(run_id, timeout_s=PATIENCE_S, every_s=0.05, until=there)
        assert not run.ended, f"{run_id} is {run.status}"
        return run

    def log(self, run_id: str) -> str:
        """All that the run's log holds."""
        return str([event.raw for event in self.client.runs.events(run_id)])

    def free(self, pool_id: str) -> int:
        """How many servers of a pool are free."""
        capacity = self.client.pools.get(pool_id).capacity
        return capacity.free if capacity else 0

    def effects(self, name: str, plural: str = "clusterdeployments") -> list[str]:
        """What really happened to the objects of this name, in order: create, delete, gone."""
        return effects(self.kube, name, plural)

    def left(self, name: str) -> list[str]:
        """The objects of any kind whose name begins so."""
        return left(self.kube, name)

    def vanishes(self, name: str) -> None:
        """Wait until nothing of this name is left, whatever removes it."""
        until(
            lambda: not self.left(name),
            PATIENCE_S,
            lambda: f"nothing of {name} is left, but {self.left(name)}",
        )


def steps(run: Run) -> dict[str, str]:
    """The steps of a run in order, each with its status."""
    return {step.name: step.status for step in run.steps}


def undone(run: Run) -> list[str]:
    """The steps that were undone, in the order in which it was done."""
    return [str(step.undoes) for step in run.compensation if step.status == "completed"]


def failure(run: Run) -> tuple[str, str | None]:
    """The code of the run's error and the step that it names."""
    assert run.error is not None
    return run.error.code, run.error.step
