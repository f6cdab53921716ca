"""What each member of an input is, for forms and their readers: description and example, by its dotted name.

A name with its type (``vm.power.force``) comes before one without. What a schema says itself counts.
"""

TOLD: dict[str, tuple[str, object]] = {
    "action": ("What is to be done.", None),
    "bmcAddress": ("Where the management controller answers: a host or address, and a port.", None),
    "bmcCredential": ("What the controller is logged in to with; sealed at once, and never shown.", None),
    "bmcCredential.password": ("Its password.", None),
    "bmcCredential.username": ("The account on the controller.", None),
    "bootMac": ("The address of the network interface that the machine boots from.", "52:54:00:12:34:56"),
    "cleanupOnDeletion": ("Whether what the cluster made in its cloud is deleted with it.", True),
    "cluster.create.template": ("The ClusterTemplate that it is built from.", "aws-standalone-cp-1-0-16"),
    "cluster.upgrade.template": (
        "The template to go to; one of availableUpgrades.",
        "aws-standalone-cp-1-0-17",
    ),
    "config": ("The values of the template, as k0rdent takes them.", {"workersNumber": 3}),
    "controlPlanes": ("How many control plane nodes there shall be.", 3),
    "counts": ("How many objects changed how.", {"changed": 2}),
    "cpus": ("How many virtual processors it has; not beside a type.", 2),
    "credential": ("The Credential object of the management cluster that it is built with.", "aws"),
    "description": ("A remark for people.", "Web servers of the shop"),
    "disks": ("Its disks, in their order.", None),
    "disks.boot": ("Whether it boots from this disk.", True),
    "disks.interface": ("The bus that the disk is on.", "virtio"),
    "disks.mode": ("Whether it may be written to.", "rw"),
    "disks.sizeGb": ("Its size in gibibytes; needed where a disk is made.", 20),
    "disks.source": (
        "What is on it: docker://image, pvc://claim, or the URL of an image.",
        "docker://quay.io/containerdisks/debian:12",
    ),
    "disks.type": ("What the machine takes it for.", "disk"),
    "displayName": ("What people call it.", "rack-7-slot-12"),
    "enabled": ("Whether maintenance begins or ends; for maintenance alone.", True),
    "everyMs": ("How old the last look at a server may be, in milliseconds.", 300_000),
    "gpus": ("Graphics processors that are handed to it.", None),
    "gpus.count": ("How many of them.", 1),
    "gpus.type": ("Their kind, as the management cluster names it.", "nvidia.com/GH100_H100_PCIE"),
    "gracePeriodSeconds": ("How long the system gets to shut down; for stop.", 30),
    "hostname": ("What it calls itself.", "web-1"),
    "image": ("What is installed.", None),
    "image.checksum": ("Its checksum, or a URL of a file that has it.", "9b74c9897bac770ffc029102a200c5de"),
    "image.checksumType": ("Which kind of checksum that is.", "sha256"),
    "image.format": ("The format of the image.", "qcow2"),
    "image.url": ("Where the image is.", "https://images.example/debian-12.qcow2"),
    "instanceMetadata": ("What cloud-init in the machine is told.", None),
    "instanceMetadata.key": ("Which of its documents this is.", "user-data"),
    "instanceMetadata.value": ("The document.", "#cloud-config\nhostname: web-1\n"),
    "kind": ("Which kind of object was looked at.", "cluster"),
    "kubernetesVersion": ("The version to go to; in place of a template.", "1.34.2"),
    "labels": ("Labels of the object in the management cluster.", {"team": "shop"}),
    "memoryMb": ("Its memory in mebibytes; not beside a type.", 4096),
    "mode": ("Soft asks the system to shut down; hard cuts the power.", "soft"),
    "name": ("The name of the object; made from its id unless given. Cannot be changed.", "web-1"),
    "networkData": ("Network configuration for cloud-init.", "version: 2\n"),
    "nics.network": ("The network that it is on.", "pod"),
    "nics": ("Its network interfaces; one on the network of the pod unless given.", None),
    "nodePools": ("Servers of pools that it is built on, for templates that need machines.", None),
    "nodePools.user": ("Who logs in by SSH.", "root"),
    "nodePools.count": ("How many servers of this pool.", 3),
    "nodePools.image": ("What is installed on them.", None),
    "objects": ("What became of each object, by its id.", None),
    "persona": ("What the machine is meant for.", "compute"),
    "protocol": ("What the controller speaks.", "redfish"),
    "reason": ("Why; shown with the machine.", "fan is broken"),
    "runStrategy": ("When KubeVirt starts it by itself.", "Manual"),
    "server.decommission.force": ("Whether it goes although its controller does not answer.", False),
    "since": ("When the changes began.", "2026-01-13T12:00:00.000Z"),
    "systemId": ("Which system of a Redfish controller it is.", "437XR1138R2"),
    "tags": ("Words to find it by.", ["rack-7"]),
    "until": ("When the last of them was seen.", "2026-01-13T12:05:00.000Z"),
    "userData": ("What cloud-init is told.", "#cloud-config\nhostname: db-1\n"),
    "vm.create.type": ("An instance type, which says how large it is.", "u1.medium"),
    "vm.delete.force": ("Whether its system is not asked to shut down first.", False),
    "vm.power.force": ("Whether its system is not asked; for stop and restart.", False),
    "workers": ("How many worker nodes there shall be.", 5),
}


def told(type_name: str, path: str) -> dict[str, object]:
    """Description and examples of a member, as JSON Schema has them; nothing for what is not known."""
    # What servers of a pool are given is what servers are given.
    names = (f"{type_name}.{path}", path, path.removeprefix("nodePools."))
    description, example = next((TOLD[name] for name in names if name in TOLD), (None, None))
    if description is None:
        return {}
    return {"description": description, **({} if example is None else {"examples": [example]})}
