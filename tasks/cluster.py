"""Steps on Kubernetes clusters: each is a wish for a deployment, and its undo stands under it.

What a step wants is a value of the run, ``wanted``: ``{template, config, nodePools}``. It is written into the
cluster's row together with the deployment, so that a run that was undone leaves both as they were.
"""

from app.domain import clusters as states
from app.domain.errors import ClusterBuildFailed
from app.domain.policy import backoff
from tasks import deployment
from tasks.context import Context
from tasks.deployment import Unusable, Wanted
from tasks.managed import CLUSTER, PATIENT, POLLS, UNTIL_GONE, WAITS, begin, reach, row_of, since_now, wait_on
from tasks.managed import mark_error as mark
from tasks.objects import check_free, found, gone, keep, own, present, remove
from tasks.step import Again, operation, step

SELF_BROUGHT = "adopted-cluster"  # The template whose clusters bring their own kubeconfig.


@step(queue="kube", retry=PATIENT, timeout="60s", gives="was", effect=False)
def validate(ctx: Context, cluster_id: str, action: str) -> dict[str, object]:
    """Check that the action is still allowed, and what a new cluster is made of; show that it has begun."""
    row = begin(ctx, CLUSTER, cluster_id, action)
    if action == "create":
        clusters = ctx.clusters(row["management_id"])
        deployment.check_usable(clusters, row["template"])
        ready = clusters.credential_ready(row["credential"])
        if not ready:
            problem = "there is no" if ready is None else "nothing can be made yet with the"
            raise Unusable(f"{problem} credential {row['credential']}")
    return {"was": row["was"]}


@validate.undo
def mark_error(ctx: Context, cluster_id: str, was: str | None = None) -> None:
    """After a failure the cluster says `error` and names the run; after a cancel it is what it was."""
    mark(ctx, CLUSTER, cluster_id, was)


@step(gives="wanted", effect=False)
def create_record(ctx: Context, cluster_id: str) -> dict[str, object]:
    """Say what the cluster shall be; its row is there since the request was accepted."""
    return {"wanted": deployment.wanted_of(row_of(ctx, CLUSTER, cluster_id))}


@step(queue="kube", retry=PATIENT, timeout="60s", gives=("wanted", "before"), effect=False)
def check_scale(
    ctx: Context, cluster_id: str, workers: int | None = None, controlPlanes: int | None = None
) -> dict[str, object]:
    """Find out what the other numbers of nodes mean for the cluster's configuration and for its servers."""
    row = row_of(ctx, CLUSTER, cluster_id)
    before = deployment.wanted_of(row)
    pools = before["nodePools"]
    if pools and workers is not None:
        pools, workers = states.resized(pools, workers), None
    template = ctx.clusters(row["management_id"]).template(row["template"])
    config = states.scaled(
        before["config"],
        row["template"],
        workers=workers,
        control_planes=controlPlanes,
        defaults=template.parameters if template else None,
    )
    return {"wanted": {**before, "config": config, "nodePools": pools}, "before": before}


@step(queue="kube", retry=PATIENT, timeout="60s", gives=("wanted", "before"), effect=False)
def check_upgrade_path(
    ctx: Context, cluster_id: str, template: str | None = None, kubernetesVersion: str | None = None
) -> dict[str, object]:
    """Upgrade only to what the management cluster offers for this cluster, now."""
    row = row_of(ctx, CLUSTER, cluster_id)
    clusters = ctx.clusters(row["management_id"])
    there = present(ctx, CLUSTER, row)
    if template == row["template"]:
        return {"wanted": deployment.wanted_of(row), "before": deployment.wanted_of(row)}
    offered = there.available_upgrades
    fits = [
        name for name in offered if name == template or deployment.gives(clusters, name, kubernetesVersion)
    ]
    if not fits:
        asked = template or f"Kubernetes {kubernetesVersion}"
        raise Unusable(
            f"There is no way from {row['template']} to {asked}, but to {', '.join(offered) or 'nothing'}",
            availableUpgrades=list(offered),
            nothing_happened=True,
        )
    deployment.check_usable(clusters, fits[0])
    return {"wanted": {**deployment.wanted_of(row), "template": fits[0]}, "before": deployment.wanted_of(row)}


@step(queue="kube", retry=backoff("1s", cap="15s", limit=0, deadline="15m"), timeout="60s")
def apply_deployment(ctx: Context, cluster_id: str, wanted: Wanted) -> None:
    """Have the deployment; a repeated step finds its own, and nobody else's is touched."""
    row = row_of(ctx, CLUSTER, cluster_id)
    there = found(ctx, CLUSTER, row)
    check_free(CLUSTER, there, row)
    deployment.apply(ctx, row, wanted, there)


@apply_deployment.undo(retry=UNTIL_GONE)
def remove_deployment(ctx: Context, cluster_id: str) -> None:
    """Nothing is left of the deployment."""
    remove(ctx, CLUSTER, cluster_id)


@step(queue="kube", retry=PATIENT, timeout="60s")
def patch_config(ctx: Context, cluster_id: str, wanted: Wanted) -> None:
    """Give the deployment its other numbers of nodes."""
    deployment.patch(ctx, cluster_id, wanted)


@patch_config.undo(retry=UNTIL_GONE)
def restore_config(ctx: Context, cluster_id: str, before: Wanted) -> None:
    """The deployment is what it was, on the servers that it had."""
    deployment.restore(ctx, cluster_id, before)


@step(queue="kube", retry=PATIENT, timeout="60s")
def patch_template(ctx: Context, cluster_id: str, wanted: Wanted) -> None:
    """Give the deployment its other template."""
    deployment.patch(ctx, cluster_id, wanted)


@patch_template.undo(retry=UNTIL_GONE)
def restore_template(ctx: Context, cluster_id: str, before: Wanted) -> None:
    """The deployment is made of what it was made of before; where there is no way back, that is an error."""
    row = row_of(ctx, CLUSTER, cluster_id)
    there = found(ctx, CLUSTER, row)
    back = before["template"]
    if there is not None and back not in (there.template, *there.available_upgrades):
        ctx.log("there is no way back; the cluster stays what it became", template=there.template)
        ctx.db.write(lambda tx: CLUSTER.rows.change(tx, cluster_id, {"state_before": "error"}))
        return
    deployment.restore(ctx, cluster_id, before)


@operation(queue="kube", gives="reached", timeout="60m", every=POLLS, retry=WAITS)
def wait_ready(ctx: Context, cluster_id: str) -> dict[str, object]:
    """Wait until the deployment is what was wished for, as its controllers say of this very wish."""
    return since_now(ctx)


@wait_ready.poll
def is_ready(
    ctx: Context, cluster_id: str, ref: dict[str, object], slow_after: str = "15m"
) -> Again | dict[str, object]:
    """Ready, on the way and why, slow, or beyond hope."""
    row = row_of(ctx, CLUSTER, cluster_id)
    clusters = ctx.clusters(row["management_id"])
    there = present(ctx, CLUSTER, row)
    deployment.check_dry_run(row, there)
    if there.hopeless is not None:
        raise ClusterBuildFailed(f"The deployment cannot be built: {there.hopeless.told}")
    if row["dry_run"] and there.checked:
        return {"reached": "validated"}
    waits_for = there.told
    if not row["dry_run"] and there.ready:
        access = clusters.access(row["name"])
        if access is not None or row["template"].startswith(SELF_BROUGHT):
            ctx.db.write(lambda tx: CLUSTER.rows.change(tx, cluster_id, {"access": access}))
            return {"reached": "ready"}
        waits_for = "it is said to be ready, but there is no kubeconfig yet"
    return wait_on(ctx, CLUSTER, cluster_id, ref, slow_after, waits_for)


@step
def settle(ctx: Context, cluster_id: str, reached: str) -> None:
    """Show the state that the cluster has reached."""
    reach(ctx, CLUSTER, cluster_id, reached)


@step(queue="kube", retry=PATIENT, timeout="60s")
def delete_deployment(ctx: Context, cluster_id: str, cleanupOnDeletion: bool | None = None) -> None:
    """Ask for the end of the deployment; there may be none, or one that is not ours."""
    row = row_of(ctx, CLUSTER, cluster_id)
    clusters = ctx.clusters(row["management_id"])
    there = found(ctx, CLUSTER, row)
    if not own(there, row):
        ctx.log("there is no deployment of this cluster", name=row["name"])
        return
    if (
        cleanupOnDeletion is not None
        and not there.deleting
        and cleanupOnDeletion != row["cleanup_on_deletion"]
    ):
        row = {**row, "cleanup_on_deletion": cleanupOnDeletion}
        wanted = {"template": there.template, "config": dict(there.config)}
        there = clusters.apply(deployment.wish_of(ctx, row, wanted, there.uid))
    clusters.delete(there.name, there.uid)
    keep(ctx, CLUSTER, cluster_id, found(ctx, CLUSTER, row))


@operation(queue="kube", timeout="2h", usual="5m", every=POLLS, retry=WAITS)
def wait_deleted(ctx: Context, cluster_id: str) -> dict[str, object]:
    """Wait until the deployment is truly gone, with everything that its finalizers guard."""
    return since_now(ctx)


@wait_deleted.poll
def is_deleted(
    ctx: Context, cluster_id: str, ref: dict[str, object], slow_after: str = "15m"
) -> Again | dict[str, object]:
    """Gone, or what holds it."""
    return gone(ctx, CLUSTER, cluster_id, ref, slow_after)


@step
def forget(ctx: Context, cluster_id: str) -> None:
    """The cluster leaves the inventory; its name is free."""
    reach(ctx, CLUSTER, cluster_id, "deleted", access=None)
