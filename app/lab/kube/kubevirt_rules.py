"""What KubeVirt's admission refuses of a VirtualMachine: all that is wrong, in one answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.lab.kube.errors import Refused
from app.lab.kube.store import Object

_MACHINES = "virtualmachine-validator.kubevirt.io"
_BUSES = ("virtio", "sata", "scsi", "usb")
_TARGETS = ("disk", "cdrom", "lun")
_CLOUD_INIT_BYTES = 2_048
Problem = tuple[str, str]  # The field, and what is wrong with it.


def judge(machine: Object) -> None:
    """Raise `Refused` (422) with every cause."""
    problems = [*_running(machine["spec"]), *_instance(machine["spec"]["template"].get("spec", {}))]
    if problems:
        causes = [{"reason": "FieldValueInvalid", "message": why, "field": field} for field, why in problems]
        told = problems[0][1] if len(problems) == 1 else "; ".join(why for _, why in problems)
        message = f'admission webhook "{_MACHINES}" denied the request: {told}'
        raise Refused(422, "Invalid", message, details={"causes": causes})


def _running(spec: Mapping[str, object]) -> Iterator[Problem]:
    """One way to say whether it shall run."""
    if "running" in spec and "runStrategy" in spec:
        yield "spec.running", "Running and RunStrategy are mutually exclusive"
    elif "running" not in spec and "runStrategy" not in spec:
        yield "spec.running", "One of them must be specified"


def _instance(inside: Mapping[str, Any]) -> Iterator[Problem]:
    devices = inside.get("domain", {}).get("devices", {})
    volumes = {volume.get("name"): volume for volume in inside.get("volumes", ())}
    orders: set[int] = set()
    for place, disk in enumerate(devices.get("disks", ())):
        field = f"spec.template.spec.domain.devices.disks[{place}]"
        yield from _target(field, disk, volumes)
        yield from _order(field, disk, orders)
    for place, interface in enumerate(devices.get("interfaces", ())):
        yield from _order(f"spec.template.spec.domain.devices.interfaces[{place}]", interface, orders)
    yield from _networks(inside.get("networks", ()))
    for place, volume in enumerate(inside.get("volumes", ())):
        yield from _cloud_init(f"spec.template.spec.volumes[{place}]", volume)


def _target(field: str, disk: Mapping[str, Any], volumes: Mapping[str, Any]) -> Iterator[Problem]:
    """A volume for each disk, one target, and a bus that the target can be on."""
    volume = volumes.get(str(disk.get("name")))
    if volume is None:
        yield f"{field}.name", f"{field}.Name '{disk.get('name')}' not found."
    targets = [one for one in _TARGETS if one in disk]
    if len(targets) > 1:
        yield field, f"{field} can only have a single target type defined"
    if "lun" in disk and volume is not None and "persistentVolumeClaim" not in volume:
        yield f"{field}.lun", f"{field}.lun can only be mapped to a PersistentVolumeClaim volume."
    for target in targets:
        bus = (disk[target] or {}).get("bus")
        if bus not in (None, *_BUSES):
            known = f"must be one of: [{' '.join(_BUSES)}]"
            yield (
                f"{field}.{target}.bus",
                f"{field} is set with an unrecognized bus {bus}, {known}",
            )
        if target == "cdrom" and bus == "virtio":
            yield f"{field}.cdrom.bus", f"Bus type {bus} is invalid for CD-ROM device"
        if target == "disk" and bus == "sata" and disk["disk"].get("readonly"):
            yield f"{field}.disk.bus", f"{bus} hard-disks do not support read-only."


def _order(field: str, device: Mapping[str, Any], orders: set[int]) -> Iterator[Problem]:
    order = device.get("bootOrder")
    if order is None:
        return
    if order < 1:
        yield f"{field}.bootOrder", f"{field} must have a boot order > 0, if supplied"
    elif order in orders:
        yield f"{field}.bootOrder", f"Boot order for {field}.bootOrder already set for a different device."
    orders.add(order)


def _networks(networks: Sequence[Mapping[str, object]]) -> Iterator[Problem]:
    if sum("pod" in network for network in networks) > 1:
        where = "spec.template.spec.interfaces"
        yield where, f"more than one interface is connected to a pod network in {where}"


def _cloud_init(field: str, volume: Mapping[str, Any]) -> Iterator[Problem]:
    for source in ("cloudInitNoCloud", "cloudInitConfigDrive"):
        told = volume.get(source) or {}
        for name in ("userData", "networkData"):
            if len(str(told.get(name) or "").encode()) > _CLOUD_INIT_BYTES:
                yield (
                    f"{field}.{source}",
                    (
                        f"{field}.{source} {name.lower()} exceeds {_CLOUD_INIT_BYTES} byte limit."
                        f" Should use {name[0].upper()}{name[1:]}SecretRef for larger data."
                    ),
                )
