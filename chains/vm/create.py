"""vm.create: a virtual machine that runs."""

from collections.abc import Mapping

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import vm


@workflow("vm.create", scope="servers:write", resource="vm", eta="2m", example={"vm_id": "vm"})
def create(_given: Mapping[str, object]) -> Plan:
    """Make a virtual machine and start it."""
    return (
        vm.validate(action="create")
        | vm.create_record()
        | vm.create_vm()
        | vm.start_vm()
        | vm.wait_running()
        | vm.settle()
    )
