"""Queries, bodies and answers about virtual machines (contracts/runs.rst#virtual-machines)."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.http.schemas import Body, Flag, Shape, one_of, tags, whole, word
from app.api.v1.clusters.schemas import NAMED, ManagedBody, ManagedQuery, ManagedShape
from app.api.v1.pools.schemas import named_values
from app.api.v1.runs.schemas import StartQuery
from app.api.v1.servers.schemas import RunOptions
from app.domain.vms import CLOUD_INIT_BYTES, POWER, RUN_STRATEGIES, STATES

SOURCE = validate.Regexp(
    re.compile(r"(docker|pvc|https?)://[^\s]{1,2000}\Z"),
    error="Not docker://image, pvc://claim, or the http or https URL of an image.",
)
POD = "pod"
FROM_THERE = ("docker://", "pvc://")  # Sources whose size is their own.


class VmQuery(ManagedQuery):
    """What narrows the list of machines."""

    state = one_of(*STATES)


class Disk(Body):
    """A disk of a machine; without a source it is empty."""

    size_gb = whole(1, 65_536)
    interface = one_of("virtio", "sata", "scsi")
    source = fields.String(validate=SOURCE)
    boot = Flag()
    type = one_of("disk", "cdrom", "lun")
    mode = one_of("rw", "ro")

    @validates_schema
    def has_a_size(self, data: dict[str, Any], **_: object) -> None:
        """What is to be filled needs a size."""
        if "size_gb" not in data and not data.get("source", "").startswith(FROM_THERE):
            raise ValidationError("A disk that is to be made needs it.", "sizeGb")

    @validates_schema
    def is_possible(self, data: dict[str, Any], **_: object) -> None:
        """KubeVirt's own rules; what breaks one would be refused once the run is under way."""
        type_, bus = data.get("type", "disk"), data.get("interface")
        if type_ == "cdrom" and bus == "virtio":
            raise ValidationError("A cdrom cannot be on virtio; sata and scsi are allowed.", "interface")
        if type_ == "disk" and bus == "sata" and data.get("mode") == "ro":
            raise ValidationError("A disk on sata cannot be read-only; on virtio and scsi it can.", "mode")
        if type_ == "lun" and not data.get("source", "").startswith("pvc://"):
            raise ValidationError("A lun needs a claim that is there, pvc://claim.", "source")


class Nic(Body):
    """A network interface of a machine."""

    network = word(253, metadata={"description": "pod, or the name of a NetworkAttachmentDefinition."})


class Gpu(Body):
    """Graphics processors of one kind."""

    type = word(253, required=True, metadata={"example": "nvidia.com/GH100_H100_PCIE"})
    count = whole(1, 16, load_default=1)


class Metadatum(Body):
    """What cloud-init in the machine is told."""

    key = one_of("user-data", "network-data", required=True)
    value = word(65_536, shortest=0, required=True)

    @validates_schema
    def fits(self, data: dict[str, Any], **_: object) -> None:
        """KubeVirt counts bytes."""
        size = len(data["value"].encode(errors="replace"))
        if size > CLOUD_INIT_BYTES:
            raise ValidationError(
                f"Has {size} bytes; {CLOUD_INIT_BYTES} are allowed: let the machine fetch the rest.",
                "value",
            )


class VmBody(ManagedBody):
    """A machine to make."""

    run_strategy = one_of(*RUN_STRATEGIES, load_default="Manual")
    type = word(253, metadata={"description": "An instance type of the management cluster, or its URI."})
    cpus = whole(1, 512)
    memory_mb = whole(64, 16_777_216)
    hostname = fields.String(validate=NAMED)
    disks = fields.List(fields.Nested(Disk), validate=validate.Length(max=32))
    nics = fields.List(fields.Nested(Nic), validate=validate.Length(max=16))
    gpus = fields.List(fields.Nested(Gpu), validate=validate.Length(max=16))
    labels = named_values()
    instance_metadata = fields.List(fields.Nested(Metadatum), validate=validate.Length(max=2))

    @validates_schema
    def has_a_size(self, data: Mapping[str, object], **_: object) -> None:
        """Either a type says how large it is, or the memory does."""
        if not data.keys() & {"type", "memory_mb"}:
            raise ValidationError("Give a type, or how much memory it has.", "memoryMb")
        if "type" in data and data.keys() & {"cpus", "memory_mb"}:
            raise ValidationError("The type says how large it is.", "type")

    @validates_schema
    def is_possible(self, data: dict[str, Any], **_: object) -> None:
        """One interface in the network of the pod, and each thing is told once."""
        on_pod = [place for place, nic in enumerate(data.get("nics", [])) if nic.get("network", POD) == POD]
        if len(on_pod) > 1:
            raise ValidationError(
                {"nics": {on_pod[1]: {"network": ["Only one can be on the pod's network."]}}}
            )
        told = [one["key"] for one in data.get("instance_metadata", [])]
        if len(told) > len(set(told)):
            raise ValidationError("A key is given twice.", "instanceMetadata")


CONTENT = ("type", "cpus", "memory_mb", "hostname", "disks", "nics", "gpus", "labels", "instance_metadata")


class VmActionBody(RunOptions):
    """What a machine shall do."""

    action = one_of(*POWER, required=True)
    grace_period_seconds = whole(0, 3_600)
    force = Flag()
    tags = tags()

    @validates_schema
    def fits_the_action(self, data: Mapping[str, object], **_: object) -> None:
        """Only what lets the system go takes time; KubeVirt restarts at once or in its own time."""
        action, grace = data.get("action"), data.get("grace_period_seconds")
        if grace is not None and action != "stop" and not (action == "restart" and grace == 0):
            raise ValidationError(f"{action} does not take it.", "gracePeriodSeconds")
        if data.get("force") and action not in ("stop", "restart"):
            raise ValidationError(f"{action} does not take it.", "force")


class VmDeleteQuery(StartQuery):
    """How a machine is deleted."""

    force = Flag(load_default=False, metadata={"description": "Without asking its system to go."})


class Lifecycle(Shape):
    """What KubeVirt says of a machine."""

    status = fields.String(allow_none=True)
    status_message = fields.String(allow_none=True)


class VmShape(ManagedShape):
    """A virtual machine."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))
    run_strategy = fields.String(required=True)
    lifecycle = fields.Nested(Lifecycle, required=True)
    type = fields.String()
    cpus = fields.Integer()
    memory_mb = fields.Integer()
    hostname = fields.String()
    disks = fields.List(fields.Dict())
    nics = fields.List(fields.Dict())
    gpus = fields.List(fields.Dict())
    labels = fields.Dict(keys=fields.String(), values=fields.String())
