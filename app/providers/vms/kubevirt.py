"""Virtual machines by KubeVirt: VirtualMachine, its instance, and the subresources that switch it."""

from collections.abc import Mapping
from typing import Any

from app.domain.errors import KubeConflict, KubeUnreachable
from app.domain.ownership import RESOURCE
from app.providers.kube import Kube, Object
from app.providers.vms.manifest import spec_of
from app.providers.vms.values import Machine, MachineWish

GROUP, VERSION = "kubevirt.io", "v1"
OF_INSTANCE = frozenset({"pause", "unpause"})  # Subresources of the instance; the others are the machine's.
NOT_NOW = (409, 500)  # It is so already; or an order is under way ("unable to complete request").
GRACE = {"stop": "gracePeriod", "restart": "gracePeriodSeconds"}


class KubeVirt:
    """See `app.providers.vms.Machines`."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace

    def find(self, name: str) -> Machine | None:
        found = self._kube.get(self._path("virtualmachines", name))
        return None if found is None else seen(found)

    def instance(self, name: str) -> str | None:
        found = self._kube.get(self._path("virtualmachineinstances", name))
        return None if found is None else str(found["metadata"]["uid"])

    def apply(self, wish: MachineWish) -> Machine:
        return seen(self._kube.apply(self._path("virtualmachines", wish.name), self._content(wish)))

    def act(self, name: str, action: str, grace_s: int | None = None) -> None:
        plural = "virtualmachineinstances" if action in OF_INSTANCE else "virtualmachines"
        told = {GRACE[action]: grace_s} if grace_s is not None and action in GRACE else {}
        try:
            self._kube.put(f"{self._path(plural, name, 'subresources.' + GROUP)}/{action}", told)
        except (KubeConflict, KubeUnreachable) as error:
            there = self.find(name) if error.details.get("status") in NOT_NOW else None
            if there is None or not there.already(action):
                raise

    def delete(self, name: str, uid: str | None = None) -> bool:
        return self._kube.delete(self._path("virtualmachines", name), uid)

    def _content(self, wish: MachineWish) -> Object:
        metadata = {"name": wish.name, "namespace": self._namespace}
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "VirtualMachine",
            "metadata": {**metadata, "labels": dict(wish.labels), "annotations": dict(wish.annotations)},
            "spec": spec_of(wish.name, wish.content, wish.run_strategy),
        }

    def _path(self, plural: str, name: str, group: str = GROUP) -> str:
        return f"/apis/{group}/{VERSION}/namespaces/{self._namespace}/{plural}/{name}"


def collection(namespace: str) -> str:
    """The path of all machines, for lists and watches."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/virtualmachines"


def seen(content: Mapping[str, Any]) -> Machine:
    """A VirtualMachine as an API server sends it."""
    metadata, spec = content["metadata"], content.get("spec") or {}
    status = content.get("status") or {}
    return Machine(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owner=(metadata.get("labels") or {}).get(RESOURCE),
        run_strategy=str(spec.get("runStrategy") or ("Always" if spec.get("running") else "Halted")),
        status=str(status.get("printableStatus") or ""),
        ready=bool(status.get("ready")),
        deleting=bool(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        problem=_problem(status.get("conditions") or ()),
        ordered=tuple(str(one.get("action")) for one in status.get("stateChangeRequests") or ()),
    )


def _problem(conditions: Any) -> str:
    """What failing conditions say, in the words of KubeVirt."""
    told = [one for one in conditions if one.get("type") in ("Failure", "DataVolumesReady", "PodScheduled")]
    bad = [one for one in told if (one.get("status") == "True") is (one["type"] == "Failure")]
    return "; ".join(str(one.get("message") or one.get("reason")) for one in bad)
