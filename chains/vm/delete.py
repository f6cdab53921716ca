"""vm.delete: a virtual machine ends."""

from collections.abc import Mapping

from marshmallow import Schema, fields

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import vm


class Delete(Schema):
    """Input of vm.delete."""

    force = fields.Bool(load_default=False)


@workflow(
    "vm.delete",
    scope="servers:write",
    resource="vm",
    expects=Delete,
    eta="1m",
    on_failure="hold",  # What is not gone yet keeps its lock until somebody has looked.
    hold="24h",
    example={"vm_id": "vm"},
)
def delete(_given: Mapping[str, object]) -> Plan:
    """Stop a virtual machine and delete it."""
    return vm.validate(action="delete") | vm.stop() | vm.delete_vm() | vm.wait_deleted() | vm.forget()
