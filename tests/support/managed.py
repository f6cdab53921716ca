"""A management cluster, servers and pools in memory, and the engine that works on them, hint by hint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from sqlalchemy import select

from app.domain.ids import new_id
from app.domain.ownership import object_name
from app.domain.rows.runs import StepRow
from app.providers.bmc.memory import Machine
from app.providers.boot import Order
from app.providers.clusters import Template
from app.providers.clusters.memory import MemoryClusters, Site
from app.providers.vms.memory import MemoryMachines, Room
from app.record.inventory import allocations, servers
from app.record.inventory.managed import clusters, vms
from app.record.runs import runs
from app.record.session import Database
from app.record.tables import run
from app.services.children import ChildRuns
from tests.support.driver import Driver

AWS, AWS_NEXT, REMOTE = "aws-standalone-cp-1", "aws-standalone-cp-2", "remote-cluster-1"
IMAGE = {"url": "http://images.example/debian.qcow2"}


@dataclass
class Boot:
    """A boot service in which an installation is done at once, unless its machine is in `broken`."""

    broken: set[str] = field(default_factory=set)
    orders: list[str] = field(default_factory=list)

    def order(self, bmc_address: str, image: Mapping[str, Any], hook_url: str) -> None:
        """Note the order."""
        self.orders.append(bmc_address)

    def wipe(self, bmc_address: str, hook_url: str) -> None:
        """Note the order."""
        self.orders.append(f"wipe {bmc_address}")

    def ordered(self, bmc_address: str) -> Order:
        """The installation or the wipe is done."""
        done = bmc_address not in self.broken
        return Order(installed=done, wiped=done)

    def withdraw(self, bmc_address: str) -> None:
        """Nothing is to be installed."""


def site() -> Site:
    """What management clusters offer: three templates, one way to upgrade, one credential."""
    templates = {
        name: Template(name=name, valid=True, kubernetes_version=version)
        for name, version in ((AWS, "v1.31.8"), (AWS_NEXT, "v1.32.4"), (REMOTE, "v1.32.4"))
    }
    return Site(templates=templates, credentials={"aws": True}, upgrades={AWS: (AWS_NEXT,)})


@dataclass
class Scene:
    """Everything that a test of clusters or machines works with; it is also what steps are given."""

    db: Database
    driver: Driver
    site: Site = field(default_factory=site)
    room: Room = field(default_factory=Room)
    boot: Boot = field(default_factory=Boot)
    bmcs: dict[str, Machine] = field(default_factory=dict)

    @property
    def children(self) -> ChildRuns:
        """Child runs, driven by the same driver."""
        return ChildRuns(self.db, self.driver.publish)

    def clusters(self, management_id: str) -> MemoryClusters:
        """The clusters in memory, whatever the management cluster."""
        return self.site.clusters()

    def machines(self, management_id: str) -> MemoryMachines:
        """The machines in memory, whatever the management cluster."""
        return self.room.machines()

    def bmc(self, server_id: str, holder: str) -> Any:
        """The controller of a server."""
        return self.bmcs[server_id].bmc()

    def open_hook(self, run_id: str, step: str) -> str:
        """No hooks are called here."""
        return "http://hook.example"

    def plant_pool(self, count: int, name: str = "rack") -> str:
        """A pool with so many available servers, which are taken in the order of `bmcs`."""
        pool_id = self.db.write(lambda tx: servers.insert_pool(tx, name, {}))
        for place, server_id in enumerate(sorted(new_id("srv") for _ in range(count))):
            row = {"id": server_id, "display_name": f"{name}-{place}", "pool_id": pool_id, "protocol": "ipmi"}
            row |= {"bmc_address": f"{server_id}:623", "state": "available", "health": "healthy"}
            self.bmcs[server_id] = Machine()
            self.db.write(lambda tx, row=row: servers.insert_server(tx, row))  # type: ignore[misc]
        return pool_id

    def plant_cluster(self, **changes: Any) -> str:
        """A cluster as its request leaves it."""
        cluster_id = new_id("cls")
        row: dict[str, Any] = {
            "id": cluster_id,
            "management_id": "mgt_memory",
            "name": object_name(cluster_id),
            "state": "creating",
            "template": AWS,
            "credential": "aws",
            "config": {"workersNumber": 2, "controlPlaneNumber": 1},
            **changes,
        }
        self.db.write(lambda tx: clusters.insert(tx, row))
        return cluster_id

    def plant_vm(self, **changes: Any) -> str:
        """A machine as its request leaves it."""
        vm_id = new_id("vm")
        row: dict[str, Any] = {
            "id": vm_id,
            "management_id": "mgt_memory",
            "name": object_name(vm_id),
            "state": "creating",
            "run_strategy": "Manual",
            "content": {"cpus": 1, "memoryMb": 512},
            **changes,
        }
        self.db.write(lambda tx: vms.insert(tx, row))
        return vm_id

    def start(
        self, type_: str, resource_id: str, given: Mapping[str, Any] | None = None, **order: Any
    ) -> str:
        """Accept a run that undoes what it did when it fails, unless the test wants it held."""
        return self.driver.start(
            type_, given, resource_id=resource_id, **{"on_failure": "compensate", **order}
        )

    def ran(self, type_: str, resource_id: str, given: Mapping[str, Any] | None = None, **order: Any) -> str:
        """Run it to its end, or to where it is held; its id."""
        run_id = self.start(type_, resource_id, given, **order)
        self.finish(run_id)
        return run_id

    def finish(self, run_id: str, most: int = 60) -> str:
        """Let a run and its children go on until nothing of them moves; the run's status."""
        for _ in range(most):
            self.driver.drain()
            if self.driver.run(run_id)["completed_at"] is not None:
                break
            moved = [self.driver.fire(each) for each in [*self.children_of(run_id), run_id]]
            if not any(moved) and not self.driver.waiting:
                break
        self.driver.drain()
        return self.driver.status(run_id)

    def reach(self, run_id: str, step: str, most: int = 60) -> None:
        """Let a run go on until a step waits."""
        for _ in range(most):
            self.driver.drain()
            if self.driver.step(run_id, step)["status"] == "waiting":
                return
            for each in [*self.children_of(run_id), run_id]:
                self.driver.fire(each)
        raise AssertionError(f"{step} does not wait")

    def children_of(self, run_id: str) -> list[str]:
        """The runs that a run started, oldest first."""
        where = (run.c.tenant_id == self.db.tenant, run.c.parent_run_id == run_id)
        return [row["id"] for row in self.db.read(lambda tx: tx.rows(select(run.c.id).where(*where)))]

    def forget_runs(self) -> None:
        """Delete every run that has ended, as happens when it is old."""
        for run_id in self.db.read(lambda tx: runs.ended_before(tx, tx.now + 1, 1_000)):
            self.db.write(partial(runs.delete_run, run_id=run_id))

    def error(self, run_id: str) -> tuple[str | None, str | None]:
        """Code and step of a run's failure."""
        row = self.driver.run(run_id)
        return row["error_code"], row["error_step"]

    def undone(self, run_id: str) -> list[str]:
        """The steps that were undone, in that order."""
        rows = sorted(self.driver.steps(run_id, "comp").values(), key=lambda row: int(row["ordinal"]))
        return [row["undoes"] for row in rows if row["status"] == "completed"]

    def change_step(self, run_id: str, step: str, **changes: Any) -> None:
        """Change a step's row behind the engine's back."""
        self.db.write(lambda tx: runs.change_step(tx, run_id, "forward", step, cast("StepRow", changes)))

    def change_cluster(self, cluster_id: str, **changes: Any) -> None:
        """Change a cluster's row behind the service's back."""
        self.db.write(lambda tx: clusters.change(tx, cluster_id, changes))

    def cluster(self, cluster_id: str) -> dict[str, Any]:
        """A cluster's row."""
        return self.db.read(lambda tx: clusters.read(tx, cluster_id)) or {}

    def vm(self, vm_id: str) -> dict[str, Any]:
        """A machine's row."""
        return self.db.read(lambda tx: vms.read(tx, vm_id)) or {}

    def servers(self) -> list[tuple[str, bool]]:
        """State of each server, and whether a run or cluster has it; sorted."""
        rows = self.db.read(lambda tx: [servers.read_server(tx, one) or {} for one in self.bmcs])
        return sorted((row["state"], row["reserved_by"] is not None) for row in rows)

    def allocated(self, cluster_id: str) -> int:
        """How many servers a cluster has."""
        return len(self.db.read(lambda tx: allocations.held_by(tx, cluster_id)))
