"""Machines as KubeVirt wants them."""

from typing import Any

import pytest

from app.providers.vms.manifest import spec_of


def inner(content: dict[str, Any]) -> dict[str, Any]:
    """The part of the spec that describes the instance."""
    found: dict[str, Any] = spec_of("web-1", content, "Manual")["template"]["spec"]
    return found


def test_a_size_is_processors_and_memory_or_a_type() -> None:
    assert inner({"cpus": 2, "memoryMb": 512})["domain"] == {
        "devices": {"interfaces": [{"name": "nic-0", "masquerade": {}}]},
        "cpu": {"cores": 2},
        "memory": {"guest": "512Mi"},
    }
    kind = {"kind": "VirtualMachineClusterInstancetype", "name": "u1.small"}
    assert spec_of("web-1", {"type": "https://x/types/u1.small"}, "Always")["instancetype"] == kind


@pytest.mark.parametrize(
    ("disk", "volume", "made"),
    [
        ({"source": "docker://q/debian:12"}, {"containerDisk": {"image": "q/debian:12"}}, None),
        ({"source": "pvc://data"}, {"persistentVolumeClaim": {"claimName": "data"}}, None),
        (
            {"source": "http://i/d.raw", "sizeGb": 5},
            {"dataVolume": {"name": "web-1-disk-0"}},
            {"http": {"url": "http://i/d.raw"}},
        ),
        ({"sizeGb": 5}, {"dataVolume": {"name": "web-1-disk-0"}}, {"blank": {}}),
    ],
)
def test_a_source_of_a_disk_is_a_volume(
    disk: dict[str, Any], volume: dict[str, Any], made: dict[str, Any] | None
) -> None:
    spec = spec_of("web-1", {"disks": [disk]}, "Manual")
    assert spec["template"]["spec"]["volumes"] == [{"name": "disk-0", **volume}]
    assert [one["spec"]["source"] for one in spec["dataVolumeTemplates"]] == ([made] if made else [])


def test_a_disk_sits_on_its_bus_and_the_one_to_boot_from_comes_first() -> None:
    disks: list[dict[str, Any]] = [
        {"source": "pvc://a", "boot": True},
        {"source": "pvc://b", "type": "cdrom", "interface": "sata"},
    ]
    disks[1]["mode"] = "ro"
    assert inner({"disks": disks})["domain"]["devices"]["disks"] == [
        {"name": "disk-0", "disk": {"bus": "virtio"}, "bootOrder": 1},
        {"name": "disk-1", "cdrom": {"bus": "sata", "readonly": True}},
    ]


def test_a_cdrom_is_on_sata_and_what_is_booted_from_is_tried_in_order() -> None:
    iso = {"source": "pvc://iso", "type": "cdrom", "boot": True}
    disks = [{"sizeGb": 60}, {**iso, "interface": "scsi"}, iso, {"sizeGb": 1, "boot": True}]
    assert inner({"disks": disks})["domain"]["devices"]["disks"] == [
        {"name": "disk-0", "disk": {"bus": "virtio"}},
        {"name": "disk-1", "cdrom": {"bus": "scsi"}, "bootOrder": 1},
        {"name": "disk-2", "cdrom": {"bus": "sata"}, "bootOrder": 2},
        {"name": "disk-3", "disk": {"bus": "virtio"}, "bootOrder": 3},
    ]


def test_networks_are_the_pod_s_or_others() -> None:
    spec = inner({"nics": [{}, {"network": "storage"}]})
    assert spec["networks"] == [
        {"name": "nic-0", "pod": {}},
        {"name": "nic-1", "multus": {"networkName": "storage"}},
    ]
    assert "bridge" in spec["domain"]["devices"]["interfaces"][1]


def test_graphics_processors_are_counted_out() -> None:
    gpus = inner({"gpus": [{"type": "a", "count": 2}, {"type": "b"}]})["domain"]["devices"]["gpus"]
    assert [(one["name"], one["deviceName"]) for one in gpus] == [
        ("gpu-0", "a"),
        ("gpu-1", "a"),
        ("gpu-2", "b"),
    ]


def test_cloud_init_is_told_on_a_disk_of_its_own() -> None:
    spec = inner({"instanceMetadata": [{"key": "user-data", "value": "#cloud-config"}], "hostname": "web"})
    assert spec["volumes"] == [{"name": "cloud-init", "cloudInitNoCloud": {"userData": "#cloud-config"}}]
    assert spec["domain"]["devices"]["disks"] == [{"name": "cloud-init", "disk": {"bus": "virtio"}}]
    assert spec["hostname"] == "web"


def test_labels_are_the_instance_s() -> None:
    spec = spec_of("web-1", {"labels": {"app": "web"}}, "Halted")
    assert (spec["runStrategy"], spec["template"]["metadata"]["labels"]) == ("Halted", {"app": "web"})
