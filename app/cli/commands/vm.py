"""`windlass vm`: make virtual machines, switch and delete them."""

from typing import Any

import click

from app.cli import columns, inputs
from app.cli.context import Caller, Noun, pass_caller
from app.cli.triggers import options, show_plan, started, triggers, waits
from app.domain.vms import RUN_STRATEGIES
from windlass import Accepted, Vm


@click.group(cls=Noun)
def vm() -> None:
    """Create, switch and delete virtual machines."""


@vm.command("list")
@click.option("--state", help="Only machines in this state.")
@click.option("--management", "management_id", help="Only machines of this management cluster.")
@click.option("--tag", help="Only machines with this tag.")
@click.option("-q", "--search", "q", help="Part of the name, display name or id.")
@pass_caller
def list_(caller: Caller, /, **filters: object) -> None:
    """List machines as last observed."""
    caller.show([each.raw for each in caller.client.vms.each(**filters)], columns.VMS)


@vm.command()
@click.argument("vm_id", metavar="VM")
@pass_caller
def get(caller: Caller, vm_id: str) -> None:
    """Show a machine and the actions that its state allows."""
    caller.resource = f"machine {vm_id}"
    caller.show(caller.client.vms.get(vm_id).raw, columns.VM)


@vm.command()
@click.option("--type", "type_", help="Instance type of the management cluster.")
@click.option("--cpus", type=click.IntRange(1), help="Number of vCPUs (only without --type).")
@click.option(
    "--memory",
    "memory_mb",
    type=click.IntRange(64),
    metavar="MIB",
    help="Memory in MiB (only without --type).",
)
@click.option("--image", help="Image to boot from: docker://IMAGE, pvc://CLAIM or a URL.")
@click.option("--disk", "size_gb", type=click.IntRange(1), metavar="GB", help="Size of the boot disk in GiB.")
@click.option(
    "--network", "networks", multiple=True, help="Network: pod, or the name of a network; repeatable."
)
@click.option("--user-data", help="User data for cloud-init: text, @FILE, or - for standard input.")
@click.option("--run-strategy", type=click.Choice(RUN_STRATEGIES), help="Manual unless given.")
@click.option("--hostname", help="Host name of the guest.")
@click.option("--name", help="Name in the management cluster.")
@click.option("--management", "management_id", help="Management cluster; optional if there is only one.")
@click.option("--display-name", help="Display name.")
@click.option("--tag", "tags", multiple=True, help="Repeatable.")
@triggers
@pass_caller
def create(caller: Caller, /, dry_run: bool, wait: bool, timeout: float | None, **values: Any) -> None:
    """Create a machine and start it."""
    values.pop("queue")  # There is nothing yet that a run could hold.
    values["tags"] = list(values["tags"]) or None
    values["disks"] = _disks(values.pop("image"), values.pop("size_gb"))
    values["nics"] = [{"network": each} for each in values.pop("networks")] or None
    told = values.pop("user_data")
    values["instance_metadata"] = [{"key": "user-data", "value": inputs.read(told)}] if told else None
    if dry_run:
        show_plan(caller, caller.client.vms.plan_create(**values))
        return
    _begun(caller, caller.client.vms.create(**values), "Creating", wait, timeout)


def _switch(action: str, help: str, *, gently: bool = False) -> None:
    """An action on a machine; ``gently``: its system may be asked to go first."""

    @vm.command(action, help=help)
    @click.argument("vm_id", metavar="VM")
    @triggers
    @pass_caller
    def act(caller: Caller, /, vm_id: str, force: bool | None = None, **more: Any) -> None:
        caller.resource = f"machine {vm_id}"
        if more["dry_run"]:
            plan = caller.client.vms.plan(vm_id, action, force=force, on_failure=more["on_failure"])
            show_plan(caller, plan)
            return
        run = options(more["on_failure"], more["queue"])
        accepted = caller.client.vms.act(vm_id, action, force=force, **run)
        _begun(caller, accepted, action.capitalize(), more["wait"], more["timeout"])

    if gently:
        act.params.append(
            click.Option(
                ["--force"], is_flag=True, default=None, help="Power off without a shutdown of the guest."
            )
        )


_switch("start", "Start VM.")
_switch("stop", "Stop VM.", gently=True)
_switch("restart", "Restart VM.", gently=True)
_switch("pause", "Pause VM.")
_switch("unpause", "Unpause VM.")


@vm.command()
@click.argument("vm_id", metavar="VM")
@click.option("--force", is_flag=True, default=None, help="Delete without a shutdown of the guest.")
@click.option("--dry-run", is_flag=True, help="Show the plan and start nothing.")
@waits
@pass_caller
def delete(
    caller: Caller, vm_id: str, force: bool | None, dry_run: bool, wait: bool, timeout: float | None
) -> None:
    """Stop and delete VM."""
    caller.resource = f"machine {vm_id}"
    if dry_run:
        show_plan(caller, caller.client.vms.plan_delete(vm_id))
        return
    caller.confirm(f"Delete {vm_id}? What is on its disks is lost.")
    _begun(caller, caller.client.vms.delete(vm_id, force=force), "Deleting", wait, timeout)


def _disks(image: str | None, size_gb: int | None) -> list[dict[str, object]] | None:
    if image is None and size_gb is None:
        return None
    said = {"source": image, "sizeGb": size_gb, "boot": True if image else None}
    return [{name: value for name, value in said.items() if value is not None}]


def _begun(caller: Caller, accepted: Accepted[Vm], what: str, wait: bool, timeout: float | None) -> None:
    if not wait:
        caller.show({**accepted.raw, "workflowId": accepted.run_id}, columns.ACCEPTED)
    started(caller, accepted.run_id, wait, timeout, f"{what} {accepted.resource.name}")
