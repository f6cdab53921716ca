"""From disks, nics and gpus of the API to a KubeVirt VirtualMachine (contracts/runs.rst#virtual-machines)."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from app.domain.vms import BUSES

Part = dict[str, Any]
Content = Mapping[str, Any]
CLOUD_INIT = {"user-data": "userData", "network-data": "networkData"}  # Keys of instanceMetadata.
POD_NETWORK = "pod"


def spec_of(name: str, content: Content, run_strategy: str) -> Part:
    """The ``spec`` of a machine of this name."""
    orders = count(1)
    disks = [_disk(name, place, disk, orders) for place, disk in enumerate(content.get("disks") or ())]
    nics = [_nic(place, nic) for place, nic in enumerate(content.get("nics") or ({},))]
    seed = _cloud_init(content.get("instanceMetadata") or ())
    devices: Part = {
        "disks": [device for device, _, _ in disks] + ([_SEED_DISK] if seed else []),
        "interfaces": [interface for interface, _ in nics],
        "gpus": _gpus(content.get("gpus") or ()),
    }
    inner: Part = {
        "domain": {"devices": {part: what for part, what in devices.items() if what}, **_size(content)},
        "networks": [network for _, network in nics],
        "volumes": [volume for _, volume, _ in disks] + ([seed] if seed else []),
    }
    if content.get("hostname"):
        inner["hostname"] = content["hostname"]
    made: Part = {
        "runStrategy": run_strategy,
        "template": {"metadata": {"labels": dict(content.get("labels") or {})}, "spec": inner},
        "dataVolumeTemplates": [made for _, _, made in disks if made],
    }
    if content.get("type"):
        kind = str(content["type"]).rstrip("/").rsplit("/", 1)[-1]  # A name, or a URI that ends in one.
        made["instancetype"] = {"kind": "VirtualMachineClusterInstancetype", "name": kind}
    return made


def _size(content: Content) -> Part:
    size: Part = {}
    if content.get("cpus"):
        size["cpu"] = {"cores": content["cpus"]}
    if content.get("memoryMb"):
        size["memory"] = {"guest": f"{content['memoryMb']}Mi"}
    return size


def _disk(machine: str, place: int, disk: Content, orders: Iterator[int]) -> tuple[Part, Part, Part | None]:
    """The device, its volume, and the template of a volume that is to be made first.

    What is to be booted from is tried in the order of the list.
    """
    name, type_ = f"disk-{place}", str(disk.get("type") or "disk")
    target: Part = {"bus": disk.get("interface") or BUSES[type_]}
    if disk.get("mode") == "ro":
        target["readonly"] = True
    device: Part = {"name": name, type_: target}
    if disk.get("boot"):
        device["bootOrder"] = next(orders)
    source = str(disk.get("source") or "")
    scheme, _, rest = source.partition("://")
    if scheme == "docker":
        return device, {"name": name, "containerDisk": {"image": rest}}, None
    if scheme == "pvc":
        return device, {"name": name, "persistentVolumeClaim": {"claimName": rest}}, None
    volume = f"{machine}-{name}"
    made = _data_volume(volume, source, int(disk["sizeGb"]))
    return device, {"name": name, "dataVolume": {"name": volume}}, made


def _data_volume(name: str, source: str, size_gb: int) -> Part:
    storage = {"resources": {"requests": {"storage": f"{size_gb}Gi"}}}
    origin: Part = {"http": {"url": source}} if source else {"blank": {}}
    return {"metadata": {"name": name}, "spec": {"source": origin, "storage": storage}}


def _nic(place: int, nic: Content) -> tuple[Part, Part]:
    name, network = f"nic-{place}", nic.get("network") or POD_NETWORK
    if network == POD_NETWORK:
        return {"name": name, "masquerade": {}}, {"name": name, "pod": {}}
    return {"name": name, "bridge": {}}, {"name": name, "multus": {"networkName": network}}


def _gpus(gpus: Any) -> list[Part]:
    kinds = [gpu["type"] for gpu in gpus for _ in range(int(gpu.get("count") or 1))]
    return [{"name": f"gpu-{place}", "deviceName": kind} for place, kind in enumerate(kinds)]


_SEED_DISK: Part = {"name": "cloud-init", "disk": {"bus": "virtio"}}


def _cloud_init(metadata: Any) -> Part | None:
    told = {CLOUD_INIT[one["key"]]: one["value"] for one in metadata if one["key"] in CLOUD_INIT}
    return {"name": "cloud-init", "cloudInitNoCloud": told} if told else None
