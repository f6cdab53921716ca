"""Management clusters, clusters and virtual machines as public objects; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.auth.secrets import hidden
from app.domain import clusters as cluster_states
from app.domain import vms as vm_states
from app.domain.clock import rfc3339

Row = Mapping[str, Any]
Object = dict[str, object]


def management_object(row: Row, watched: Sequence[Row], *, now: int) -> Object:
    """A management cluster and how it is watched, never how to get into it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "server": row["server"],
        "clusterNamespace": row["cluster_namespace"],
        "machineNamespace": row["machine_namespace"],
        "kubeconfigVersion": row["access_version"],
        "sources": [_source(one, now) for one in watched if one["management_id"] == row["id"]],
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }


def _source(row: Row, now: int) -> Object:
    """One kind of object that is watched there: how fresh the cache is, and what is in the way."""
    seen = row["seen_at"]
    return {
        "kind": row["kind"],
        "observedAt": rfc3339(seen),
        "observedAgeMs": None if seen is None else max(0, now - seen),
        "objects": row["objects"],
        "problem": row["problem"],
    }


def cluster_object(row: Row, servers: Sequence[str], *, now: int, fresh: Mapping[str, int]) -> Object:
    """A cluster: what was asked for, and what was last seen; ``fresh`` is until when sources vouch for it."""
    observed: Row = row["observed"] or {}
    built = row["uid"] is not None
    return {
        **_common(row, now, fresh),
        "template": row["template"],
        "credential": row["credential"],
        "config": hidden(row["config"]),
        "nodePools": row["node_pools"] or [],
        "servers": list(servers),
        "dryRun": bool(row["dry_run"]),
        "cleanupOnDeletion": bool(row["cleanup_on_deletion"]),
        "status": {
            "phase": row["state"],
            "ready": bool(observed.get("ready")),
            "conditions": observed.get("conditions") or [],
        },
        "kubernetesVersion": observed.get("kubernetesVersion"),
        "availableUpgrades": observed.get("availableUpgrades") or [],
        "kubeconfigRef": row["access"],
        "allowedActions": cluster_states.allowed_actions(row["state"], built=built),
    }


def vm_object(row: Row, *, now: int, fresh: Mapping[str, int]) -> Object:
    """A virtual machine: what was asked for, and what was last seen of it; see `cluster_object`."""
    observed: Row = row["observed"] or {}
    built = row["uid"] is not None
    return {
        **_common(row, now, fresh),
        "runStrategy": row["run_strategy"],
        **{name: value for name, value in (row["content"] or {}).items() if name != "instanceMetadata"},
        "lifecycle": {"status": observed.get("status"), "statusMessage": observed.get("problem") or None},
        "allowedActions": vm_states.allowed_actions(row["state"], built=built),
    }


def _common(row: Row, now: int, fresh: Mapping[str, int]) -> Object:
    seen = row["observed_at"]
    if seen is not None:  # A watch that has heard of nothing new since says that it is still so.
        seen = max(seen, fresh.get(row["management_id"], 0))
    return {
        "id": row["id"],
        "managementId": row["management_id"],
        "name": row["name"],
        "displayName": row["display_name"],
        "description": row["description"],
        "tags": row["tags"] or [],
        "state": row["state"],
        "slowSince": rfc3339(row["slow_since"]),
        "failureReasons": row["failure_reasons"] or [],
        "runId": row["run_id"],
        "observedAt": rfc3339(seen),
        "observedAgeMs": None if seen is None else max(0, now - seen),
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }
