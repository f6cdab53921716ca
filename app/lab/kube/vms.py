"""The controller of VirtualMachines: run strategies, instances, disks and deletions, as in KubeVirt."""

from typing import Any, ClassVar

from app.lab.kube.behaviour import Behaviour
from app.lab.kube.conditions import is_true, set_condition
from app.lab.kube.controller import Controller, owner, status_of
from app.lab.kube.kinds import Kind
from app.lab.kube.stages import Stages
from app.lab.kube.store import Event, Key, Object

FINALIZER = "kubevirt.io/virtualMachineControllerFinalize"
INSTANCE_FINALIZER = "foregroundDeleteVirtualMachine"
FINAL = ("Succeeded", "Failed")
# What an instance goes through, one delay apart.
_PHASES = ("Scheduling", "Scheduled", "Running")


class Machines(Controller):
    """See the module."""

    name: ClassVar[str] = "virt-controller"
    plural: ClassVar[str] = "virtualmachines"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._stages = Stages()
        self._ran_once: set[str] = set()  # The uids of machines with the strategy Once that were started.

    def concerns(self, kind: Kind, event: Event) -> Key | None:
        return event.record.key if kind.plural in (self.plural, "virtualmachineinstances") else None

    def reconcile(self, key: Key) -> float | None:
        kind, behaviour = self.kind(self.plural), self.behaviours.of(key[1])
        content, instance = self.find(kind, key), self.instance(key)
        if behaviour.asleep:
            return None
        looks = [self._age(instance, behaviour)] if instance else []
        if content is not None:
            looks.append(self._serve(kind, content, self.instance(key), behaviour))
        return min((seconds for seconds in looks if seconds is not None), default=None)

    def instance(self, key: Key) -> Object | None:
        """The instance of a machine, None when there is none."""
        return self.find(self.kind("virtualmachineinstances"), key)

    def _serve(self, kind: Kind, vm: Object, vmi: Object | None, behaviour: Behaviour) -> float | None:
        if vm["metadata"].get("deletionTimestamp"):
            return self._delete(kind, vm, vmi, behaviour)
        if FINALIZER not in vm["metadata"].get("finalizers", ()):
            vm["metadata"]["finalizers"] = [*vm["metadata"].get("finalizers", ()), FINALIZER]
            self.change(kind, vm)
            return None  # The change wakes us again.
        waits = self._fill_disks(kind, vm, behaviour)
        requests: list[Object] = vm.get("status", {}).get("stateChangeRequests", [])
        if behaviour.lies:
            requests = []
        elif waits is None:
            requests = self._power(kind, vm, vmi, requests)
        self._report(kind, vm, requests, provisioning=waits is not None, behaviour=behaviour)
        return waits

    def _power(self, kind: Kind, vm: Object, vmi: Object | None, requests: list[Object]) -> list[Object]:
        """Start or stop it as strategy and requests want it; the requests that are left."""
        if requests and requests[0]["action"] == "Stop":
            if vmi and vmi["metadata"]["uid"] == requests[0].get("uid"):
                self._stop(vm)
                return requests
            return requests[1:]
        final = vmi is not None and vmi.get("status", {}).get("phase") in FINAL
        if requests and vmi is None:
            self._start(kind, vm)
            return requests[1:]
        if final and strategy(vm) in ("Always", "RerunOnFailure") and self._wanted(vm, vmi):
            self._stop(vm)  # Another one follows when it is gone.
        elif vmi is None and self._wanted(vm, vmi):
            self._start(kind, vm)
        elif vmi is not None and strategy(vm) == "Halted":
            self._stop(vm)
        return [] if vmi is not None else requests

    def _wanted(self, vm: Object, vmi: Object | None) -> bool:
        """Whether the strategy alone wants it to run."""
        how, uid = strategy(vm), vm["metadata"]["uid"]
        if how == "RerunOnFailure":
            return vmi is None or vmi["status"]["phase"] == "Failed"
        return how == "Always" or (how == "Once" and uid not in self._ran_once)

    def _start(self, kind: Kind, vm: Object) -> None:
        metadata, template = vm["metadata"], vm["spec"]["template"]
        self._ran_once.add(metadata["uid"])
        labels = (template.get("metadata") or {}).get("labels", {})
        instance = {
            "metadata": {
                "name": metadata["name"],
                "labels": labels | {"kubevirt.io/vm": metadata["name"]},
                "ownerReferences": [owner(kind, vm)],
                "finalizers": [INSTANCE_FINALIZER],
            },
            "spec": template["spec"],
        }
        self.create(self.kind("virtualmachineinstances"), metadata["namespace"], instance)

    def _stop(self, vm: Object) -> None:
        key = vm["metadata"]["namespace"], vm["metadata"]["name"]
        instance = self.instance(key)
        if instance and not instance["metadata"].get("deletionTimestamp"):
            self.delete(self.kind("virtualmachineinstances"), key)

    def _age(self, vmi: Object, behaviour: Behaviour) -> float | None:
        """Bring an instance a phase further, or to its end."""
        kind, stage = self.kind("virtualmachineinstances"), self._stages.of(vmi)
        if stage.left:
            return stage.left
        if vmi["metadata"].get("deletionTimestamp"):
            if behaviour.stuck:
                return None
            if stage.number == 0:
                return stage.follow(behaviour.delete_delay)
            self._stages.forget(vmi["metadata"]["uid"])
            self.release(kind, vmi, INSTANCE_FINALIZER)
            return None
        status = status_of(vmi)
        held = stage.number >= 1 and (behaviour.never or behaviour.fail)
        if held or status.get("phase") in (_PHASES[-1], *FINAL):
            return None
        status |= {"phase": _PHASES[stage.number]}
        if status["phase"] == "Running":
            status |= {"nodeName": "lab-node", "interfaces": [{"ipAddress": "192.0.2.10"}]}
            set_condition(status.setdefault("conditions", []), "Ready", "True", "Ready")
        self.set_status(kind, vmi, status)
        return stage.follow(behaviour.delay)

    def _delete(self, kind: Kind, vm: Object, vmi: Object | None, behaviour: Behaviour) -> float | None:
        if FINALIZER not in vm["metadata"].get("finalizers", ()):
            return None
        self._report(kind, vm, [], provisioning=False, behaviour=behaviour)
        if vmi:
            self._stop(vm)
            return None
        stage = self._stages.of(vm)
        if behaviour.stuck:
            return None
        if stage.number == 0:
            return stage.follow(behaviour.delete_delay)
        if stage.left:
            return stage.left
        self._stages.forget(vm["metadata"]["uid"])
        self.release(
            kind, self.objects.get(kind, (vm["metadata"]["namespace"], vm["metadata"]["name"])), FINALIZER
        )
        return None

    def _fill_disks(self, kind: Kind, vm: Object, behaviour: Behaviour) -> float | None:
        """Make and fill the machine's own disks; seconds to wait for them, None when all are there."""
        volumes, namespace = self.kind("datavolumes"), vm["metadata"]["namespace"]
        waits: list[float] = []
        for template in vm["spec"].get("dataVolumeTemplates", ()):
            found = self.find(volumes, (namespace, template["metadata"]["name"]))
            if found is None:
                metadata = {**template["metadata"], "ownerReferences": [owner(kind, vm)]}
                found = self.create(
                    volumes, namespace, {"metadata": metadata, "spec": template.get("spec", {})}
                )
                found = self.set_status(volumes, found, {"phase": "ImportInProgress", "progress": "0%"})
                self._stages.of(found).follow(behaviour.delay)
            if found["status"]["phase"] == "Succeeded":
                continue
            stage = self._stages.of(found)
            if stage.left:
                waits.append(stage.left)
            else:
                self._stages.forget(found["metadata"]["uid"])
                self.set_status(volumes, found, {"phase": "Succeeded", "progress": "100%"})
        return min(waits, default=None)

    def _report(
        self, kind: Kind, vm: Object, requests: list[Object], *, provisioning: bool, behaviour: Behaviour
    ) -> None:
        """Write the status as it is after all that was done."""
        vmi, status = self.instance((vm["metadata"]["namespace"], vm["metadata"]["name"])), status_of(vm)
        phase = vmi.get("status", {}).get("phase", "Pending") if vmi else ""
        running = phase == "Running"
        status |= {
            "printableStatus": printable(vm, vmi, requests, provisioning, behaviour),
            "created": vmi is not None,
            "ready": running,
            "runStrategy": strategy(vm),
            "observedGeneration": vm["metadata"]["generation"],
            "desiredGeneration": vm["metadata"]["generation"],
        }
        status.pop("stateChangeRequests", None)
        status |= {"stateChangeRequests": requests} if requests else {}
        conditions = status.setdefault("conditions", [])
        why = (
            ("True", "Ready") if running else ("False", "VMINotExists" if vmi is None else "GuestNotRunning")
        )
        set_condition(conditions, "Ready", *why)
        self.set_status(kind, vm, status)


def strategy(vm: Object) -> str:
    """The run strategy, also when it is said in the old way."""
    spec = vm["spec"]
    return str(spec.get("runStrategy") or ("Always" if spec.get("running") else "Halted"))


def printable(
    vm: Object, vmi: Object | None, requests: list[Object], provisioning: bool, behaviour: Behaviour
) -> str:
    """The status in one word."""
    if vm["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if provisioning:
        return behaviour.fail or "Provisioning"
    if vmi is None:
        return "Starting" if requests and requests[0]["action"] == "Start" else "Stopped"
    phase = vmi.get("status", {}).get("phase", "Pending")
    if vmi["metadata"].get("deletionTimestamp"):
        return "Stopping"
    if phase in FINAL:
        return "Stopped"
    if phase == "Running":
        return "Paused" if is_true(vmi["status"].get("conditions", []), "Paused") else "Running"
    return behaviour.fail or "Starting"
