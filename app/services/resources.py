"""Servers, pools, locks and webhooks as the public objects of contracts/runs.rst; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.auth.secrets import hidden
from app.domain.clock import rfc3339
from app.domain.servers import Situation, allowed_actions
from app.services import spelling

Row = Mapping[str, Any]
Object = dict[str, Any]


def server_object(row: Row, *, now: int) -> Object:
    """A server, never its credential."""
    seen = row["last_check_at"]
    return {
        "id": row["id"],
        "displayName": row["display_name"],
        "description": row["description"],
        "tags": row["tags"] or [],
        "persona": row["persona"],
        "poolId": row["pool_id"],
        "protocol": row["protocol"],
        "bmcAddress": row["bmc_address"],
        "systemId": row["bmc_system"],
        "certificate": row["bmc_fingerprint"],
        "bootMac": row["boot_mac"],
        "serial": row["serial"],
        "state": row["state"],
        "maintenance": bool(row["maintenance"]),
        "maintenanceReason": row["maintenance_reason"],
        "power": row["power"],
        "healthStatus": {
            "status": row["health"],
            "lastCheckTime": rfc3339(row["last_check_at"]),
            "failureReasons": row["failure_reasons"] or [],
        },
        "observedAt": rfc3339(seen),
        "observedAgeMs": None if seen is None else max(0, now - seen),
        "hardware": spelling.hardware(row["hardware"]),
        "image": hidden(row["image"]),
        "credentialVersion": row["credential_version"],
        "reservedBy": row["reserved_by"],
        "runId": row["run_id"],
        "allowedActions": allowed_actions(row["state"], Situation.of(row)),
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }


def pool_object(row: Row, counts: Mapping[str, int]) -> Object:
    """A pool with how many machines it has and how many are free."""
    return {
        "id": row["id"],
        "name": row["name"],
        "labels": row["labels"] or {},
        "capacity": {"total": counts["total"], "free": counts["free"]},
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }


def lock_object(
    row: Row, holder: Row | None, step: str | None, waiters: Sequence[Row], *, now: int
) -> Object:
    """A lock: the run that holds it, at which step and for how long, and who waits."""
    return {
        "resource": row["resource"],
        "runId": row["run_id"],
        "type": holder["type"] if holder else None,
        "detail": holder["status"] if holder else None,
        "step": step,
        "fence": row["fence"],
        "grantedAt": rfc3339(row["granted_at"]),
        "ageMs": max(0, now - row["granted_at"]),
        "waiters": [{"runId": waiter["run_id"], "since": rfc3339(waiter["since"])} for waiter in waiters],
    }


def webhook_object(row: Row, secret: str | None = None) -> Object:
    """An endpoint; its secret is shown only by the answer that made it."""
    shown = {
        "id": row["id"],
        "url": row["url"],
        "description": row["description"],
        "events": row["events"] or [],
        "active": bool(row["active"]),
        "disabledReason": row["disabled_reason"],
        "runId": row["run_id"],
        "oldSecretUntil": rfc3339(row["old_until"]),
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }
    return shown if secret is None else {**shown, "secret": secret}


def delivery_object(row: Row, attempts: Sequence[Row] = ()) -> Object:
    """A delivery with every attempt that was made."""
    return {
        "id": row["id"],
        "webhookId": row["webhook_id"],
        "runId": row["run_id"],
        "seq": row["seq"],
        "event": row["event"],
        "status": row["status"],
        "attempt": row["attempt"],
        "nextAt": rfc3339(row["next_at"]),
        "createdAt": rfc3339(row["created_at"]),
        "deliveredAt": rfc3339(row["delivered_at"]),
        "attempts": [_attempt_object(attempt) for attempt in attempts],
    }


def _attempt_object(row: Row) -> Object:
    return {
        "attempt": row["attempt"],
        "at": rfc3339(row["at"]),
        "status": row["status"],
        "latencyMs": row["latency_ms"],
        "answer": row["answer"],
        "error": row["error"],
    }
