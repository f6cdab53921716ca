"""server.lifecycle: power, release and maintenance of a machine."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import server


class Lifecycle(Schema):
    """Input of server.lifecycle."""

    action = fields.Str(
        required=True,
        validate=validate.OneOf(["powerOn", "powerOff", "reboot", "deprovision", "maintenance"]),
    )
    mode = fields.Str(validate=validate.OneOf(["soft", "hard"]))
    enabled = fields.Bool()
    reason = fields.Str(validate=validate.Length(max=500))

    @validates_schema
    def fits(self, given: dict[str, object], **_kw: object) -> None:
        """`enabled` belongs to maintenance and is required there."""
        if given.get("action") == "maintenance" and "enabled" not in given:
            raise ValidationError("maintenance needs enabled: true or false", "enabled")


def _power_on(_given: Mapping[str, object]) -> Plan:
    return server.switch_power(state="on") | server.settle()


def _power_off(given: Mapping[str, object]) -> Plan:
    return server.switch_power(state="off", mode=given.get("mode", "soft")) | server.settle()


def _reboot(given: Mapping[str, object]) -> Plan:
    if given.get("mode", "soft") == "hard":
        return server.hard_reset() | server.settle()
    return server.switch_power(state="off", mode="soft") | server.switch_power(state="on") | server.settle()


def _deprovision(_given: Mapping[str, object]) -> Plan:
    return (
        # The machine is offered again only after the eraser has said that the disks are empty: `wipe` fails
        # if it does not.
        server.boot_from(device="network")
        | server.switch_power(state="off")
        | server.order_wipe()
        | server.switch_power(state="on")
        | server.wipe()
        | server.switch_power(state="off")
        | server.boot_from(device="default")
        | server.free()
        | server.settle(state="available")
    )


def _maintenance(given: Mapping[str, object]) -> Plan:
    return server.set_maintenance(
        enabled=bool(given.get("enabled", True)), reason=given.get("reason")
    ) | server.settle(proven=False)


PLANS: dict[str, Callable[[Mapping[str, object]], Plan]] = {
    "powerOn": _power_on,
    "powerOff": _power_off,
    "reboot": _reboot,
    "deprovision": _deprovision,
    "maintenance": _maintenance,
}


TITLES = {"powerOn": "power on", "powerOff": "power off"}


def _title(given: Mapping[str, object]) -> str:
    action = str(given.get("action", "lifecycle"))
    if action == "maintenance":
        return "maintenance on" if given.get("enabled", True) else "maintenance off"
    if action == "reboot" and given.get("mode") == "hard":
        return "hard reset"
    return TITLES.get(action, action)


@workflow(
    "server.lifecycle",
    scope="servers:write",
    resource="server",
    expects=Lifecycle,
    eta="1m",
    example={"server_id": "srv", "action": "reboot"},
    title=_title,
)
def lifecycle(given: Mapping[str, Any]) -> Plan:
    """Turn a machine on or off, reboot it, give it back, or take it out of service."""
    return server.validate(action=given["action"]) | PLANS[given["action"]](given)
