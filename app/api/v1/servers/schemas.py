"""Queries, bodies and answers about servers (contracts/runs.rst#servers-pools-and-hooks)."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.http.paging import PageQuery
from app.api.http.references import Reference
from app.api.http.schemas import TAG, Body, Flag, Shape, address, instant, one_of, tags, whole, word
from app.api.v1.runs.schemas import StartQuery
from app.domain.servers import STATES
from app.domain.states import ORDERED_ON_FAILURE

MAC = validate.Regexp(re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\Z"), error="Not a MAC address.")
FINGERPRINT = validate.Regexp(
    re.compile(r"[0-9a-fA-F]{64}\Z"), error="Not a SHA-256 fingerprint of 64 hex digits."
)
ACTIONS = ("inspect", "provision", "powerOn", "powerOff", "reboot", "deprovision", "maintenance")


class ServerQuery(PageQuery):
    """What narrows the list of servers."""

    state = one_of(*STATES)
    pool_id = Reference("pool")
    tag = fields.List(fields.String(validate=TAG), metadata={"description": "May be given several times."})
    health = word(32, metadata={"example": "healthy"})
    q = word(128, metadata={"description": "Part of the name, serial number or address."})


class Credential(Body):
    """What the service logs in to the BMC with; it is sealed at once and never shown."""

    username = word(64, shortest=0, required=True, metadata={"example": "operator"})
    password = word(128, shortest=0, required=True, metadata={"example": "correct-horse-battery"})


class Certificate(Body):
    """The certificate that a Redfish controller is to be known by from now on."""

    fingerprint = fields.String(
        required=True,
        allow_none=True,
        validate=FINGERPRINT,
        metadata={
            "description": "Its SHA-256, 64 hex digits; null takes the one that it shows at the next contact."
        },
    )


class Image(Body):
    """What is installed."""

    url = address(required=True)
    checksum = word(512)
    checksum_type = one_of("md5", "sha256", "sha512", "auto")
    format = one_of("raw", "qcow2", "vdi", "vmdk", "live-iso")


class RunOptions(Body):
    """What any trigger may say about its run."""

    on_failure = one_of(*ORDERED_ON_FAILURE)
    idempotency_key = word(255)
    callback_url = address()


class RegisterBody(RunOptions):
    """A machine to take into the inventory."""

    protocol = one_of("ipmi", "redfish", load_default="ipmi")
    bmc_address = word(255, required=True, metadata={"example": "10.0.7.12:443"})
    bmc_credential = fields.Nested(Credential, required=True)
    display_name = word(128)
    description = word(1000, shortest=0)
    tags = tags()
    persona = word(63)
    system_id = word(128, metadata={"description": "Which of several systems of a Redfish controller it is."})
    boot_mac = fields.String(validate=MAC)
    pool_id = Reference("pool")


class ServerChange(Body):
    """What changes of a server."""

    display_name = word(128, allow_none=True)
    description = word(1000, shortest=0, allow_none=True)
    tags = tags()
    persona = word(63, allow_none=True)
    system_id = word(128, allow_none=True)
    pool_id = Reference("pool", allow_none=True)


class ServerActionBody(RunOptions):
    """What a server shall do, and the values of that action alone."""

    action = one_of(*ACTIONS, required=True)
    image = fields.Nested(Image)
    user_data = word(65_536, shortest=0)
    network_data = word(65_536, shortest=0)
    mode = one_of("soft", "hard")
    force = Flag()
    enabled = Flag()
    reason = word(500)
    tags = tags()

    @validates_schema
    def fits_the_action(self, data: dict[str, Any], **_: object) -> None:
        """Each action takes its own values."""
        action = data.get("action", "")
        takes = TAKES.get(action, frozenset())
        strange = [name for name in data if name in VALUES - takes]
        if strange:
            raise ValidationError(
                {self.fields[name].data_key: [f"{action} does not take it."] for name in strange}
            )
        missing = NEEDS.get(action)
        if missing is not None and missing not in data:
            raise ValidationError(f"{action} needs it.", str(self.fields[missing].data_key))


VALUES = frozenset({"image", "user_data", "network_data", "mode", "force", "enabled", "reason"})
TAKES = {
    "provision": frozenset({"image", "user_data", "network_data"}),
    "powerOff": frozenset({"mode", "force"}),
    "reboot": frozenset({"mode", "force"}),
    "maintenance": frozenset({"enabled", "reason"}),
}
NEEDS = {"provision": "image", "maintenance": "enabled"}


class FromPoolBody(RunOptions):
    """How many machines of a pool are installed with what."""

    pool_id = Reference("pool", required=True)
    count = whole(1, 100, load_default=1)
    image = fields.Nested(Image, required=True)
    user_data = word(65_536, shortest=0)
    network_data = word(65_536, shortest=0)
    tags = tags()


class DecommissionQuery(StartQuery):
    """How a server is retired."""

    force = Flag(load_default=False, metadata={"description": "Also when the machine does not answer."})


class Health(Shape):
    """How the machine is."""

    status = fields.String(required=True)
    last_check_time = instant(allow_none=True)
    failure_reasons = fields.List(fields.String())


class ServerShape(Shape):
    """A server, never its credential."""

    id = fields.String(required=True)
    display_name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    persona = fields.String(allow_none=True)
    pool_id = fields.String(allow_none=True)
    protocol = fields.String(required=True)
    bmc_address = fields.String(required=True)
    system_id = fields.String(allow_none=True)
    certificate = fields.String(
        allow_none=True,
        metadata={"description": "SHA-256 of the certificate that its controller is known by."},
    )
    boot_mac = fields.String(allow_none=True)
    serial = fields.String(allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    maintenance = fields.Boolean(required=True)
    maintenance_reason = fields.String(allow_none=True)
    power = fields.String(allow_none=True)
    health_status = fields.Nested(Health, required=True)
    observed_at = instant(allow_none=True)
    observed_age_ms = fields.Integer(allow_none=True)
    hardware = fields.Dict(allow_none=True)
    image = fields.Dict(allow_none=True)
    credential_version = fields.Integer()
    reserved_by = fields.String(allow_none=True)
    run_id = fields.String(allow_none=True)
    allowed_actions = fields.List(fields.String(), required=True)
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)


class ItemError(Shape):
    """Why one item was refused."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Raw()


class ItemResult(Shape):
    """What became of one item of a batch."""

    index = fields.Integer(required=True)
    status = fields.Integer(
        required=True, metadata={"description": "The status that the item alone would have got."}
    )
    data = fields.Nested(ServerShape)
    workflow_id = fields.String()
    error = fields.Nested(ItemError)


class FromPoolItem(Shape):
    """One machine that was taken, and the run that installs it."""

    server = fields.Nested(ServerShape, required=True)
    workflow_id = fields.String(required=True)
    estimated_duration = fields.Integer(required=True)


class FromPoolAnswer(Shape):
    """Every machine that was taken."""

    results = fields.List(fields.Nested(FromPoolItem), required=True)
