"""The nodes of simulated clusters: Machines of the Cluster API, as k0rdent's charts make them."""

from collections.abc import Mapping
from typing import Any

from app.lab.kube.controller import Controller, owner
from app.lab.kube.kinds import Kind
from app.lab.kube.store import Object

CLUSTER = "cluster.x-k8s.io/cluster-name"
CONTROL_PLANE = "cluster.x-k8s.io/control-plane"


def wanted(values: Mapping[str, Any]) -> dict[str, int]:
    """How many nodes the values of a chart ask for, by role."""
    workers = values.get("workersNumber", 0)
    if isinstance(values.get("machines"), list):
        workers = len(values["machines"])
    pools = values.get("machinePools")
    if isinstance(pools, Mapping):
        workers = sum(int(pool.get("count", 0)) for pool in pools.values())
    return {"cp": values.get("controlPlaneNumber", 0), "md": workers}


def problem(values: Mapping[str, object]) -> str:
    """What the schema of a chart has against its values, empty when nothing."""
    for name, least in (("controlPlaneNumber", 1), ("workersNumber", 0)):
        value = values.get(name, least)
        if type(value) is not int or value < least:
            return f"- {name}: must be an integer greater than or equal to {least}"
    return ""


def settle(
    controller: Controller, kind: Kind, cluster: Object, values: Mapping[str, object], version: str
) -> None:
    """Make and delete Machines until there are as many as wanted, all of this version and running."""
    machines = controller.kind("machines")
    namespace, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
    names = {f"{name}-{role}-{n}": role for role, count in wanted(values).items() for n in range(count)}
    for each in (one for one in there(controller, cluster) if one not in names):
        controller.delete(machines, (namespace, each))
    for each, role in names.items():
        labels = {CLUSTER: name, **({CONTROL_PLANE: ""} if role == "cp" else {})}
        metadata = {"name": each, "labels": labels, "ownerReferences": [owner(kind, cluster)]}
        found = controller.find(machines, (namespace, each))
        if found is None:
            spec = {"clusterName": name, "version": version}
            found = controller.create(machines, namespace, {"metadata": metadata, "spec": spec})
        elif found["spec"]["version"] != version:
            found["spec"]["version"] = version
            found = controller.change(machines, found)
        controller.set_status(machines, found, {"phase": "Running", "nodeRef": {"name": each}})


def there(controller: Controller, cluster: Object) -> list[str]:
    """The names of a cluster's Machines."""
    namespace, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
    records = controller.objects.store.records(controller.kind("machines"), namespace)
    return [record.key[1] for record in records if record.labels.get(CLUSTER) == name]


def remove(controller: Controller, cluster: Object) -> None:
    """Delete all Machines of a cluster."""
    for name in there(controller, cluster):
        controller.delete(controller.kind("machines"), (cluster["metadata"]["namespace"], name))
