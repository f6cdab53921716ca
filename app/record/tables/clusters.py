"""Management clusters, and what they make: clusters and virtual machines; the servers taken from pools.

``observed`` is what was last seen of an object in its management cluster, ``observed_at`` when, and
``resource_version`` which of its versions it was: the cache that lists answer from.
"""

from typing import Any

from sqlalchemy import Column, Index

from app.record.tables.columns import flag, json, moment, number, partial, table, words

management = table(
    "management",
    words("id", null=False),
    words("name", null=False),
    words("description"),
    words("server", null=False),  # URL of its API server.
    words("cluster_namespace", null=False),
    words("machine_namespace", null=False),
    words("access"),  # Sealed: what a kubeconfig gives (app.providers.kubeconfig); only workers can open it.
    number("access_version"),
    number("version", 1),
    moment("created_at"),
    moment("updated_at"),
    Index("uq_management_name", "tenant_id", "name", unique=True),
    key=("id",),
)


def _seen() -> tuple[Column[Any], ...]:
    """Columns of whatever has an object in a management cluster."""
    return (
        words("id", null=False),
        words("management_id", null=False),
        words("name", null=False),  # Of the object.
        words("uid"),  # Of the object; null while there is none.
        words("resource_version"),
        json("observed"),
        moment("observed_at"),
        words("display_name"),
        words("description"),
        json("tags"),
        words("state", null=False),
        words("state_before"),  # What a cancelled run gives back.
        moment("slow_since"),  # When what is under way became slower than expected.
        json("failure_reasons"),
        words("run_id"),  # The run that last changed the state.
        number("version", 1),
        moment("created_at"),
        moment("updated_at"),
    )


cluster = table(
    "cluster",
    *_seen(),
    words("template", null=False),
    words("credential", null=False),  # Name of a Credential of the management cluster.
    json("config"),
    json("node_pools"),  # Servers it is built on: [{poolId, count, image, address}].
    flag("dry_run"),
    flag("cleanup_on_deletion"),
    json("access"),  # Where its kubeconfig lies: {namespace, secret, key}.
    partial("uq_cluster_name", "tenant_id", "management_id", "name", where="state <> 'deleted'", unique=True),
    Index("ix_cluster_newest", "tenant_id", "created_at", "id"),
    key=("id",),
)

vm = table(
    "vm",
    *_seen(),
    words("run_strategy", null=False),
    json("content"),  # hostname, type, disks, nics, gpus and so on, as the API spells them.
    partial("uq_vm_name", "tenant_id", "management_id", "name", where="state <> 'deleted'", unique=True),
    Index("ix_vm_newest", "tenant_id", "created_at", "id"),
    key=("id",),
)

allocation = table(  # A server that was taken from a pool, until it is given back.
    "allocation",
    words("id", null=False),
    words("owner_id", null=False),  # A cluster, or the instance of a batch.
    words("server_id", null=False),
    words("pool_id", null=False),
    words("run_id", null=False),  # The run that took it.
    json("image"),
    words("address"),  # What a cluster calls it.
    words("provision_run"),  # The child run that installs it.
    words("release_run"),  # The child run that gives it back.
    moment("created_at"),
    moment("released_at"),
    Index("ix_allocation_owner", "tenant_id", "owner_id"),
    partial("uq_allocation_server", "tenant_id", "server_id", where="released_at IS NULL", unique=True),
    key=("id",),
)
