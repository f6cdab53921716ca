"""vm.power: start, stop, restart, pause and go on."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.domain.plan import Plan
from app.domain.vms import POWER, REACHED
from chains.catalogue import workflow
from tasks import vm


class Power(Schema):
    """Input of vm.power."""

    action = fields.Str(required=True, validate=validate.OneOf(POWER))
    gracePeriodSeconds = fields.Int(strict=True, validate=validate.Range(0, 3_600))
    force = fields.Bool()

    @validates_schema
    def fits(self, given: dict[str, object], **_kw: object) -> None:
        """Only what lets a system go takes time; KubeVirt restarts at once or in its own time."""
        action, grace = given.get("action"), given.get("gracePeriodSeconds")
        if grace is not None and action != "stop" and not (action == "restart" and grace == 0):
            raise ValidationError(f"{action} does not take it", "gracePeriodSeconds")
        if given.get("force") and action not in ("stop", "restart"):
            raise ValidationError(f"{action} does not take it", "force")


@workflow(
    "vm.power",
    scope="servers:write",
    resource="vm",
    expects=Power,
    eta="1m",
    example={"vm_id": "vm", "action": "restart"},
    title=lambda given: str(given.get("action", "power")),
)
def power(given: Mapping[str, Any]) -> Plan:
    """Start, stop, restart, pause or unpause a virtual machine."""
    action = given["action"]
    return (
        vm.validate(action=action)
        | vm.call_subresource(action=action)
        | vm.wait_state(state=REACHED[action])
        | vm.settle()
    )
