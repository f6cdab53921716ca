"""`windlass cluster`: make Kubernetes clusters, scale, upgrade and delete them."""

from collections.abc import Callable
from typing import Any

import click

from app.cli import columns, inputs
from app.cli.context import Caller, Noun, pass_caller
from app.cli.triggers import options, show_plan, started, triggers, waits
from windlass import Accepted, Cluster


@click.group(cls=Noun)
def cluster() -> None:
    """Create, scale, upgrade and delete Kubernetes clusters."""


@cluster.command("list")
@click.option("--state", help="Only clusters in this state.")
@click.option("--management", "management_id", help="Only clusters of this management cluster.")
@click.option("--template", help="Only clusters of this template.")
@click.option("--tag", help="Only clusters with this tag.")
@click.option("-q", "--search", "q", help="Part of the name, display name or id.")
@pass_caller
def list_(caller: Caller, /, **filters: object) -> None:
    """List clusters as last observed."""
    caller.show([each.raw for each in caller.client.clusters.each(**filters)], columns.CLUSTERS)


@cluster.command()
@click.argument("cluster_id", metavar="CLUSTER")
@pass_caller
def get(caller: Caller, cluster_id: str) -> None:
    """Show a cluster and the actions that its state allows."""
    caller.resource = f"cluster {cluster_id}"
    caller.show(caller.client.clusters.get(cluster_id).raw, columns.CLUSTER)


@cluster.command()
@click.option("--template", required=True, help="Name of a ClusterTemplate.")
@click.option("--credential", required=True, help="Name of a Credential.")
@click.option(
    "-c",
    "--config",
    type=inputs.JsonObject(),
    default="{}",
    help="Parameters of the template as JSON, @FILE, or - for standard input.",
)
@click.option(
    "-s",
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="One parameter of the template; repeatable.",
)
@click.option("--name", help="Name in the management cluster.")
@click.option("--management", "management_id", help="Management cluster; optional if there is only one.")
@click.option("--display-name", help="Display name.")
@click.option("--description", help="Description.")
@click.option("--tag", "tags", multiple=True, help="Repeatable.")
@click.option(
    "--pool",
    "pools",
    multiple=True,
    metavar="POOL=COUNT",
    help="Build the cluster on servers of this pool; repeatable.",
)
@click.option("--image", help="URL of the image that these servers get.")
@click.option("--address", help="Address of a server, for example {displayName}.nodes.example.")
@click.option(
    "--validate-only", is_flag=True, help="Let the management cluster check the request; build nothing."
)
@triggers
@pass_caller
def create(
    caller: Caller, /, config: dict[str, object], settings: tuple[str, ...], dry_run: bool, **values: Any
) -> None:
    """Create a cluster from a template."""
    wait, timeout = values.pop("wait"), values.pop("timeout")
    values.pop("queue")  # There is nothing yet that a run could hold.
    values["dry_run"] = values.pop("validate_only") or None
    values["config"] = inputs.joined(config, inputs.members(settings, "--set"))
    values["tags"] = list(values["tags"]) or None
    values["node_pools"] = _pools(values.pop("pools"), values.pop("image"), values.pop("address"))
    if dry_run:
        show_plan(caller, caller.client.clusters.plan_create(**values))
        return
    _begun(caller, caller.client.clusters.create(**values), "Creating", wait, timeout)


@cluster.command()
@click.argument("cluster_id", metavar="CLUSTER")
@click.option("--workers", type=click.IntRange(0), help="Number of workers.")
@click.option("--control-planes", type=click.IntRange(1), help="Number of control plane nodes.")
@triggers
@pass_caller
def scale(
    caller: Caller, /, cluster_id: str, workers: int | None, control_planes: int | None, **more: object
) -> None:
    """Change the number of nodes of CLUSTER."""
    if workers is None and control_planes is None:
        raise click.UsageError("Give --workers, --control-planes, or both.")
    _act(caller, cluster_id, "scale", more, workers=workers, control_planes=control_planes)


@cluster.command()
@click.argument("cluster_id", metavar="CLUSTER")
@click.option("--template", help="Template to upgrade to; one of the available upgrades.")
@click.option(
    "--kubernetes",
    "kubernetes_version",
    metavar="VERSION",
    help="Kubernetes version to upgrade to, instead of --template.",
)
@triggers
@pass_caller
def upgrade(
    caller: Caller, /, cluster_id: str, template: str | None, kubernetes_version: str | None, **more: object
) -> None:
    """Upgrade CLUSTER to one of its available upgrades."""
    if bool(template) == bool(kubernetes_version):
        raise click.UsageError("Give either --template or --kubernetes.")
    _act(caller, cluster_id, "upgrade", more, template=template, kubernetes_version=kubernetes_version)


@cluster.command()
@click.argument("cluster_id", metavar="CLUSTER")
@click.option("--cleanup", is_flag=True, default=None, help="Remove orphaned Services and volumes too.")
@click.option("--dry-run", is_flag=True, help="Show the plan and start nothing.")
@waits
@pass_caller
def delete(
    caller: Caller, cluster_id: str, cleanup: bool | None, dry_run: bool, wait: bool, timeout: float | None
) -> None:
    """Delete CLUSTER and return its servers to their pools."""
    caller.resource = f"cluster {cluster_id}"
    if dry_run:
        show_plan(caller, caller.client.clusters.plan_delete(cluster_id))
        return
    caller.confirm(f"Delete {cluster_id}? Everything that runs there is lost.")
    accepted = caller.client.clusters.delete(cluster_id, cleanup_on_deletion=cleanup)
    _begun(caller, accepted, "Deleting", wait, timeout)


def _pools(texts: tuple[str, ...], image: str | None, address: str | None) -> list[dict[str, object]] | None:
    if bool(texts) != bool(image):
        raise click.UsageError("--pool and --image belong together.")
    same = {"image": {"url": image}, **({"address": address} if address else {})}
    found = inputs.pairs(texts, "--pool")
    return [{"poolId": pool, "count": count, **same} for pool, count in found.items()] or None


def _act(caller: Caller, cluster_id: str, action: str, more: dict[str, Any], **values: object) -> None:
    caller.resource = f"cluster {cluster_id}"
    clusters = caller.client.clusters
    if more["dry_run"]:
        show_plan(caller, clusters.plan(cluster_id, action, on_failure=more["on_failure"], **values))
        return
    start: Callable[..., Accepted[Cluster]] = clusters.scale if action == "scale" else clusters.upgrade
    accepted = start(cluster_id, **values, **options(more["on_failure"], more["queue"]))
    _begun(caller, accepted, action.capitalize(), more["wait"], more["timeout"])


def _begun(caller: Caller, accepted: Accepted[Cluster], what: str, wait: bool, timeout: float | None) -> None:
    if not wait:
        caller.show({**accepted.raw, "workflowId": accepted.run_id}, columns.ACCEPTED)
    started(caller, accepted.run_id, wait, timeout, f"{what} {accepted.resource.name}")
