"""Management clusters, clusters and machines as requests and the engine would have left them."""

from typing import Any

import yaml
from sqlalchemy import insert

from app.record import tables
from app.services.context import AppContext
from tests.contract.plant import T0, UNKNOWN

MANAGEMENT, CLUSTER, VM = f"mgt_{UNKNOWN}", f"cls_{UNKNOWN}", f"vm_{UNKNOWN}"
TOKEN = "canary-Xq7-token"
WANTED: dict[str, Any] = {
    "template": "aws-standalone-cp-1-0-16",
    "credential": "aws",
    "config": {"workersNumber": 2},
}
MACHINE: dict[str, Any] = {"cpus": 1, "memoryMb": 512}
KUBECONFIG = yaml.safe_dump(
    {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }
)


def plant_management(world: AppContext, management_id: str = MANAGEMENT, **changes: Any) -> str:
    """A management cluster."""
    given = {
        "id": management_id,
        "name": management_id,
        "server": "https://10.0.0.1:6443",
        "cluster_namespace": "kcm-system",
        "machine_namespace": "default",
        "access": "v1.key.sealed",
        "access_version": 1,
        "version": 1,
        "created_at": T0,
        "updated_at": T0,
    }
    return _planted(world, tables.management, {**given, **changes})


def plant_cluster(world: AppContext, cluster_id: str = CLUSTER, **changes: Any) -> str:
    """A cluster that is ready."""
    given = {
        **_seen(cluster_id),
        "state": "ready",
        "template": WANTED["template"],
        "credential": "aws",
        "config": WANTED["config"],
        "observed": {"ready": True, "availableUpgrades": ["aws-standalone-cp-1-0-17"], "conditions": []},
    }
    return _planted(world, tables.cluster, {**given, **changes})


def plant_vm(world: AppContext, vm_id: str = VM, **changes: Any) -> str:
    """A machine that runs."""
    given = {
        **_seen(vm_id),
        "state": "running",
        "run_strategy": "Manual",
        "content": MACHINE,
        "observed": {"status": "Running", "ready": True},
    }
    return _planted(world, tables.vm, {**given, **changes})


def _seen(id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "management_id": MANAGEMENT,
        "name": id_.replace("_", "-"),
        "uid": "11111111-1111",
        "resource_version": "7",
        "observed_at": T0,
        "version": 1,
        "created_at": T0,
        "updated_at": T0,
    }


def _planted(world: AppContext, table: Any, row: dict[str, Any]) -> str:
    world.db.write(lambda tx: tx.execute(insert(table), {"tenant_id": tx.tenant, **row}))
    return str(row["id"])
