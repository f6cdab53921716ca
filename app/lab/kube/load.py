"""Many objects at once, and many events a second: what a projector must keep up with."""

import asyncio
import random
import time
import uuid

from app.domain import ownership
from app.lab.kube import catalogue
from app.lab.kube.conditions import set_condition
from app.lab.kube.kinds import Kind
from app.lab.kube.server import ApiServer
from app.lab.kube.store import Key, Object
from app.lab.kube.writes import Write

_TICK = 0.05  # Seconds between bursts of events.


class Load:
    """Fills one management cluster and keeps it busy; its objects need no controller."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None

    def fill(self, clusters: int, vms: int, *, owned: bool = False) -> None:
        """So many ready clusters and running machines, beside what is there.

        Owned ones stand for the resources ``cls_000…0``, ``vm_000…0`` and so on of Windlass.
        """
        prefixes = ("cls", "vm") if owned else ("", "")
        cluster, machine = _cluster("load-00000"), _machine("load-00000")
        self._make("clusterdeployments", catalogue.NAMESPACE, cluster, clusters, prefixes[0])
        self._make("virtualmachines", "default", machine, vms, prefixes[1])

    def churn(self, rate: float, seconds: float, *, telling: bool = False) -> None:
        """So many changes of status a second, here and there; zero ends an earlier one.

        They are heartbeats, unless they are telling: then each says something else of its object.
        """
        if self._task:
            self._task.cancel()
        churn = self._churn(rate, seconds, telling) if rate else None
        self._task = asyncio.get_running_loop().create_task(churn) if churn else None

    async def _churn(self, rate: float, seconds: float, telling: bool) -> None:
        chance = random.Random(0)  # repeatable by design, no secret hangs on it
        kinds = [self._server.kinds.named(plural) for plural in ("virtualmachines", "clusterdeployments")]
        store = self._server.store
        there = [(kind, record.key) for kind in kinds for record in store.records(kind)]
        began, done = time.monotonic(), 0
        while there and (passed := time.monotonic() - began) < seconds:
            for _ in range(int(passed * rate) - done):
                done += 1
                self._touch(*chance.choice(there), done, telling)
            await asyncio.sleep(_TICK)

    def _touch(self, kind: Kind, key: Key, number: int, telling: bool) -> None:
        """Change a status; what was deleted meanwhile is left out."""
        record = self._server.store.get(kind, key)
        if record is None:
            return
        content = record.object()
        status = content.get("status", {}) | {"heartbeat": number, "heartbeatMs": int(time.time() * 1000)}
        if telling:
            set_condition(status["conditions"], "Failure", "True", "Busy", f"change {number}")
        write = Write(user="system:load", manager="load", subresource="status", validation="Ignore")
        self._server.objects.replace(kind, key, content | {"status": status}, write)

    def _make(self, plural: str, namespace: str, content: Object, count: int, prefix: str) -> None:
        """The first is written as any other, the rest are copies of it."""
        if not count:
            return
        status, kind = content.pop("status"), self._server.kinds.named(plural)
        write = Write(user="system:load", manager="load", validation="Ignore")
        first = self._server.objects.create(kind, namespace, content, write) | {"status": status}
        for number in range(count):
            first["metadata"]["name"] = name = f"load-{number:05}"
            if prefix:
                first["metadata"]["labels"] = ownership.labels(f"{prefix}_{number:026}")
            first["metadata"]["uid"] = str(uuid.uuid4()) if number else first["metadata"]["uid"]
            self._server.store.put(kind, (namespace, name), first)


def _cluster(name: str) -> Object:
    conditions: list[Object] = []
    for type_ in (
        "TemplateReady",
        "CredentialReady",
        "HelmChartReady",
        "HelmReleaseReady",
        "CAPIClusterSummary",
        "Ready",
    ):
        set_condition(conditions, type_, "True", "Succeeded", "", 1)
    return {
        "metadata": {"name": name, "finalizers": ["k0rdent.mirantis.com/cluster-deployment"]},
        "spec": {
            "template": catalogue.TEMPLATES[0][0],
            "credential": catalogue.CREDENTIAL,
            "config": dict(catalogue.TEMPLATES[0][3]),
        },
        "status": {
            "conditions": conditions,
            "observedGeneration": 1,
            "k8sVersion": catalogue.TEMPLATES[0][1],
            "availableUpgrades": catalogue.UPGRADES[catalogue.TEMPLATES[0][0]],
        },
    }


def _machine(name: str) -> Object:
    conditions: list[Object] = []
    set_condition(conditions, "Ready", "False", "VMINotExists")
    devices = {
        "disks": [{"name": "root", "disk": {"bus": "virtio"}}],
        "interfaces": [{"name": "default", "masquerade": {}}],
    }
    inside = {
        "domain": {"cpu": {"cores": 2}, "memory": {"guest": "4Gi"}, "devices": devices},
        "networks": [{"name": "default", "pod": {}}],
        "volumes": [{"name": "root", "containerDisk": {"image": "quay.io/containerdisks/debian:12"}}],
    }
    return {
        "metadata": {"name": name, "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"]},
        "spec": {
            "runStrategy": "Manual",
            "template": {"metadata": {"labels": {"kubevirt.io/vm": name}}, "spec": inside},
        },
        "status": {
            "printableStatus": "Stopped",
            "created": False,
            "ready": False,
            "runStrategy": "Manual",
            "observedGeneration": 1,
            "desiredGeneration": 1,
            "conditions": conditions,
        },
    }
