"""`windlass management`: the Kubernetes clusters that make other clusters and run virtual machines."""

from pathlib import Path

import click

from app.cli import columns, output
from app.cli.context import Caller, Noun, pass_caller

kubeconfig = click.option(
    "--kubeconfig",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Kubeconfig file. Its current context is used and must contain its token and certificates.",
)
namespaces = (
    click.option("--cluster-namespace", help="Namespace of its ClusterDeployments."),
    click.option("--machine-namespace", help="Namespace of its VirtualMachines."),
)


@click.group(cls=Noun)
def management() -> None:
    """Manage the Kubernetes clusters that host clusters and virtual machines."""


@management.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List management clusters."""
    caller.show([each.raw for each in caller.client.managements.each()], columns.MANAGEMENTS)


@management.command()
@click.argument("management_id", metavar="MANAGEMENT")
@pass_caller
def get(caller: Caller, management_id: str) -> None:
    """Show a management cluster."""
    caller.resource = f"management cluster {management_id}"
    caller.show(caller.client.managements.get(management_id).raw, columns.MANAGEMENTS)


@management.command()
@click.argument("name")
@kubeconfig
@namespaces[0]
@namespaces[1]
@click.option("--description", help="Description.")
@pass_caller
def add(caller: Caller, /, name: str, file: Path, **values: object) -> None:
    """Add a management cluster; its kubeconfig is sealed."""
    made = caller.client.managements.add(name, file.read_text(), **values)
    caller.show(made.raw, columns.MANAGEMENTS)
    caller.hint(f"windlass cluster create --management {made.id} …")


@management.command("set-kubeconfig")
@click.argument("management_id", metavar="MANAGEMENT")
@kubeconfig
@click.option(
    "--force", is_flag=True, help="Replace it even if known clusters and machines are not found there."
)
@pass_caller
def set_kubeconfig(caller: Caller, management_id: str, file: Path, force: bool) -> None:
    """Replace the kubeconfig."""
    caller.resource = f"management cluster {management_id}"
    caller.client.managements.set_kubeconfig(management_id, file.read_text(), force=force)
    output.say(f"The kubeconfig of {management_id} was replaced.")


@management.command()
@click.argument("management_id", metavar="MANAGEMENT")
@pass_caller
def forget(caller: Caller, management_id: str) -> None:
    """Remove a management cluster that has neither clusters nor machines."""
    caller.resource = f"management cluster {management_id}"
    caller.confirm(f"Forget {management_id}?")
    caller.client.managements.forget(management_id)
    output.say(f"{management_id} was forgotten.")
