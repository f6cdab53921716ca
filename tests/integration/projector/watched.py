"""Machines that are recorded and stand in the lab, and projectors that watch them, in threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from app.config import Settings
from app.domain.ids import new_id
from app.domain.ownership import RESOURCE, labels, object_name
from app.engine.reconciler.reconciler import Stop
from app.lab.kube import Behaviour, Faults
from app.lab.kube import Kube as Lab
from app.projector.projector import Projector
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.reflector import Pace
from app.providers.vms import MachineWish
from app.providers.vms.kubevirt import KubeVirt, collection, seen
from app.record.inventory import managements, sources
from app.record.inventory.managed import vms
from app.record.session import Database
from app.record.tables import run, vm
from tests.support.driver import Driver
from tests.support.plain import http
from tests.support.servers import until

QUICK = Pace(watch_s=1, silence_s=1.0, list_s=600.0)
SETTINGS = Settings(lease_ms=1_500, heartbeat_ms=200, power_poll_s=0)
NAMESPACE = "default"
CONVERGED_S = 180.0  # So long after the last fault the cache says what is there.
Row = dict[str, Any]


@dataclass
class Watched:
    """One management cluster: its row, its objects, and who watches it."""

    db: Database
    lab: Lab
    driver: Driver
    management_id: str = field(default_factory=lambda: new_id("mgt"))
    reached: int = 0  # How often somebody opened the way in.

    def __post_init__(self) -> None:
        row = {"id": self.management_id, "name": "fra", "server": self.lab.server().url, "access": "sealed"}
        row |= {"cluster_namespace": "kcm-system", "machine_namespace": NAMESPACE}
        self.db.write(lambda tx: managements.insert_management(tx, row))
        self.lab.server().vms.behave(Behaviour(asleep=True))  # Nobody but the test changes a machine.

    def reach(self, management_id: str) -> tuple[Row, Kube]:
        """The way in, as it is now."""
        self.reached += 1
        row = self.db.read(lambda tx: managements.read_management(tx, management_id))
        assert row is not None
        return row, Kube(cleaned(self.lab.kubeconfig()))

    def kube(self, management_id: str) -> tuple[Row, Kube]:
        """What steps are given."""
        return self.reach(management_id)

    def plant(self, count: int = 1, state: str = "stopped", recorded: bool = True) -> list[str]:
        """Machines that are there, and recorded as steps leave them."""
        return [self._plant(state, recorded) for _ in range(count)]

    def _plant(self, state: str, recorded: bool) -> str:
        vm_id = new_id("vm")
        row: Row = {"id": vm_id, "management_id": self.management_id, "name": object_name(vm_id)}
        row |= {"state": state, "run_strategy": "Manual", "content": {}}
        if recorded:
            self.db.write(lambda tx: vms.insert(tx, row))
        _, kube = self.reach(self.management_id)
        wish = MachineWish(name=row["name"], content={}, labels=labels(vm_id))
        KubeVirt(kube, NAMESPACE).apply(wish)
        kube.close()
        return vm_id

    def show(self, vm_id: str, word: str) -> None:
        """Let KubeVirt say something else of a machine, whatever is wrong with the API server."""
        server = self.lab.server()
        content = self.object(vm_id)
        status = {"printableStatus": word, "ready": word == "Running"}
        server.vms.set_status(server.kinds.named("virtualmachines"), content, status)

    def erase(self, vm_id: str, *, recreate: bool = False) -> None:
        """Take a machine's object away behind our back, and put another one of its name in its place."""
        body = {"kind": "virtualmachines", "namespace": NAMESPACE, "name": object_name(vm_id)}
        self.control("erase", **body, recreate=recreate)

    def label(self, vm_id: str, value: str | None) -> None:
        """Take the label of a machine's object away, or give it back."""
        _, kube = self.reach(self.management_id)
        change = {"metadata": {"labels": {RESOURCE: value}}}
        kube.call("PATCH", api_path(vm_id), change, type_="application/merge-patch+json")
        kube.close()

    def control(self, action: str, **body: Any) -> None:
        """Call the control API of the lab's cluster."""
        url = f"{self.lab.control_url}/kube/mgmt/{action}"
        http.post(url, json=body).raise_for_status()

    def suffers(self, **faults: Any) -> None:
        """Break the API server; without faults it is mended."""
        self.lab.server().active_faults.current = Faults(**faults)

    def object(self, vm_id: str) -> Row:
        """A machine's object as it is; empty when there is none."""
        server = self.lab.server()
        record = server.store.get(server.kinds.named("virtualmachines"), (NAMESPACE, object_name(vm_id)))
        return record.object() if record else {}

    def row(self, vm_id: str) -> Row:
        """A machine's row."""
        return self.db.read(lambda tx: vms.read(tx, vm_id)) or {}

    def shown(self, vm_id: str) -> str | None:
        """What the cache says of a machine."""
        return (self.row(vm_id)["observed"] or {}).get("status")

    def agrees(self) -> bool:
        """Whether the cache says of every machine what is there, no more and no less."""
        rows = self.db.read(lambda tx: tx.rows(select(vm).where(vm.c.tenant_id == tx.tenant)))
        there = {row["id"]: self.object(row["id"]) for row in rows}
        return all(
            (row["uid"], row["observed"])
            == ((seen(one).uid, seen(one).facts()) if (one := there[row["id"]]) else (None, None))
            for row in rows
        )

    def converges(self) -> None:
        """Wait until the cache says what is there."""
        until(self.agrees, CONVERGED_S, "the cache says what is there")

    def source(self, kind: str = "vm") -> Row:
        """The row of one source."""
        return next(row for row in self.db.read(sources.all_sources) if row["kind"] == kind)

    def listed(self, kind: str = "vm") -> bool:
        """Whether a source was listed once."""
        return any(row["kind"] == kind and row["listed_at"] for row in self.db.read(sources.all_sources))

    def told(self) -> list[Row]:
        """The runs that told of changes, oldest first."""
        mine = select(run).where(run.c.tenant_id == self.db.tenant).order_by(run.c.created_at, run.c.id)
        return self.db.read(lambda tx: tx.rows(mine))

    def projector(self, name: str = "driver:1/projector", pace: Pace = QUICK) -> Projector:
        """A projector that nobody runs yet."""
        return Projector(
            settings=SETTINGS,
            db=self.db,
            publish=self.driver.publish,
            reach=self.reach,
            instance=name,
            pace=pace,
        )

    @contextmanager
    def watching(self, name: str = "driver:1/projector", pace: Pace = QUICK) -> Iterator[Projector]:
        """A projector at work; everything has been listed once."""
        stopped, projector = Stop(), self.projector(name, pace)
        worker = threading.Thread(target=projector.run_forever, args=(stopped,))
        worker.start()
        try:
            until(self.listed, CONVERGED_S, "everything is listed")
            yield projector
        finally:
            stopped.set()
            worker.join()


def api_path(vm_id: str) -> str:
    """The path of a machine's object."""
    return f"{collection(NAMESPACE)}/{object_name(vm_id)}"
