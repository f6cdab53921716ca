"""A cluster's deployment as steps see it and write it: what is wanted, and what is there."""

from collections.abc import Mapping
from typing import Any

from app.domain import clusters as states
from app.domain import ownership
from app.domain.errors import Permanent
from app.providers.clusters import Clusters, Deployment, Wish
from tasks.allocation import machines_for
from tasks.context import Context
from tasks.managed import CLUSTER, row_of
from tasks.objects import found, keep, own, present

Wanted = dict[str, Any]  # {template, config, nodePools}


class Unusable(Permanent):
    """The template or the credential cannot be used."""

    code = "VALIDATION_ERROR"


class DryRunForced(Permanent):
    """The management cluster turned the deployment into a dry run: it would never be built."""

    code = "DRY_RUN_FORCED"


def patch(ctx: Context, cluster_id: str, wanted: Wanted) -> None:
    """Change the deployment that is there; raises `Vanished` when there is none."""
    row = row_of(ctx, CLUSTER, cluster_id)
    apply(ctx, row, wanted, present(ctx, CLUSTER, row))


def restore(ctx: Context, cluster_id: str, before: Wanted) -> None:
    """Give the deployment back what it was, as far as there is one."""
    row = row_of(ctx, CLUSTER, cluster_id)
    there = found(ctx, CLUSTER, row)
    if not own(there, row):
        ctx.log("there is no deployment left that could be what it was", name=row["name"])
        return
    apply(ctx, row, before, there)


def apply(ctx: Context, row: Mapping[str, Any], wanted: Wanted, there: Deployment | None) -> None:
    """Have the deployment as it is wanted, and the cluster's row say the same."""
    config = states.on_machines(wanted["config"], machines_for(ctx, row["id"], wanted["nodePools"]))
    wish = wish_of(ctx, row, {**wanted, "config": config}, there.uid if there else None)
    # With the uid of what was seen: a deployment that was deleted and made anew in between is not ours to
    # change.
    made = ctx.clusters(row["management_id"]).apply(wish)
    keep(ctx, CLUSTER, row["id"], made)
    columns = {"template": wanted["template"], "config": wanted["config"], "node_pools": wanted["nodePools"]}
    ctx.db.write(lambda tx: CLUSTER.rows.change(tx, row["id"], columns))
    ctx.log("applied", name=made.name, template=made.template, generation=made.generation)
    check_dry_run(row, made)


def wish_of(ctx: Context, row: Mapping[str, Any], wanted: Wanted, uid: str | None) -> Wish:
    """All that we want of the deployment, by this run and step."""
    return Wish(
        name=row["name"],
        template=wanted["template"],
        credential=row["credential"],
        config=wanted["config"],
        dry_run=bool(row["dry_run"]),
        cleanup_on_deletion=bool(row["cleanup_on_deletion"]),
        labels=ownership.labels(row["id"]),
        annotations=ownership.annotations(ctx.run_id, ctx.step),
        uid=uid,
    )


def wanted_of(row: Mapping[str, object]) -> Wanted:
    """What a cluster's row says that it shall be."""
    return {"template": row["template"], "config": row["config"] or {}, "nodePools": row["node_pools"] or []}


def check_usable(clusters: Clusters, name: str) -> None:
    """Raise `Unusable` unless clusters can be made of a template."""
    template = clusters.template(name)
    if template is None or not template.valid:
        problem = "there is none" if template is None else template.problem or "it is not valid"
        raise Unusable(f"Template {name} cannot be used: {problem}")


def gives(clusters: Clusters, name: str, wanted: str | None) -> bool:
    """Whether a template gives this version of Kubernetes; ``1.32`` is any 1.32, with or without a v."""
    if wanted is None:
        return False
    template = clusters.template(name)
    has = (template.kubernetes_version or "").lstrip("v") if template else ""
    return has == wanted.lstrip("v") or has.startswith((f"{wanted.lstrip('v')}.", f"{wanted.lstrip('v')}+"))


def check_dry_run(row: Mapping[str, object], there: Deployment) -> None:
    """Raise `DryRunForced` when the deployment is a dry run that nobody asked for."""
    if there.dry_run and not row["dry_run"]:
        raise DryRunForced(f"ClusterDeployment {there.name} is a dry run, which nobody asked for")
