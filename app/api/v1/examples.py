"""One example of each public object, for the OpenAPI document."""

from typing import Any

RUN_ID = "run_01kc9v5q8w3f7x2m4n6p8r0t1v"
SERVER_ID = "srv_01kc9v5q8w3f7x2m4n6p8r0t1v"
POOL_ID = "pool_01kc9v5q8w3f7x2m4n6p8r0t1v"
CLUSTER_ID = "cls_01kc9v5q8w3f7x2m4n6p8r0t1v"
VM_ID = "vm_01kc9v5q8w3f7x2m4n6p8r0t1v"
MANAGEMENT_ID = "mgt_01kc9v5q8w3f7x2m4n6p8r0t1v"
WEBHOOK_ID = "whk_01kc9v5q8w3f7x2m4n6p8r0t1v"
SCHEDULE_ID = "sch_01kc9v5q8w3f7x2m4n6p8r0t1v"
DELIVERY_ID = "dlv_01kc9v5q8w3f7x2m4n6p8r0t1v"
KEY_ID = "key_01kc9v5q8w3f7x2m4n6p8r0t1v"
AT = "2026-01-13T12:00:00.000Z"
LATER = "2026-01-13T12:05:00.000Z"

RUN: dict[str, Any] = {
    "id": RUN_ID,
    "type": "server.provision",
    "kind": "declared",
    "status": "running",
    "detail": "running",
    "resourceType": "server",
    "resourceId": SERVER_ID,
    "resourceName": "rack-7-slot-12",
    "title": "provision",
    "version": None,
    "triggeredBy": "usr_operator",
    "createdAt": AT,
    "startedAt": AT,
    "completedAt": None,
    "durationMs": None,
    "usualMs": 1500000,
    "progress": 45,
    "attempt": 1,
    "attempts": 3,
    "error": None,
    "steps": [
        {"name": "validate", "status": "completed", "durationMs": 45},
        {"name": "boot-from", "status": "running"},
        {"name": "install", "status": "pending"},
    ],
    "waitingOn": None,
    "needsOperator": False,
    "retryOf": None,
    "parentRunId": None,
    "acknowledgedAt": None,
    "acknowledgedBy": None,
    "tags": ["rack-7"],
}
STEPS = [
    {
        "name": "validate",
        "status": "completed",
        "detail": "completed",
        "startedAt": AT,
        "completedAt": AT,
        "attempt": 1,
    },
    {"name": "boot-from", "status": "running", "detail": "running", "startedAt": AT, "attempt": 1},
    {"name": "install", "status": "pending", "detail": "pending"},
]
RUN_DETAIL: dict[str, Any] = {
    **RUN,
    "estimatedCompletionAt": LATER,
    "overdue": False,
    "steps": STEPS,
    "compensation": [],
    "onFailure": "hold",
    "input": {"serverId": SERVER_ID, "image": {"url": "https://images.example/debian-12.qcow2"}},
    "output": None,
    "retriedBy": [],
    "fromStep": None,
    "cancelRequestedAt": None,
    "allowedActions": ["cancel", "pause"],
    "refusedActions": {"retry": "Only a failed, cancelled or held run can be retried; it is running."},
}
EVENT = {
    "seq": 3,
    "type": "step.completed",
    "step": "validate",
    "phase": "forward",
    "attempt": 1,
    "actor": None,
    "at": AT,
    "payload": {},
}
PLAN = {
    "type": "server.provision",
    "resource": f"server/{SERVER_ID}",
    "onFailure": "hold",
    "steps": [
        {
            "name": "validate",
            "key": "validate",
            "kind": "task",
            "queue": "default",
            "target": "validate",
            "timeoutMs": 60000,
            "retry": {"limit": 3, "waitsMs": [1000, 2000], "jitter": True, "deadlineMs": None},
            "undo": False,
            "atMostOnce": False,
        }
    ],
    "locks": [f"server/{SERVER_ID}"],
    "holders": {},
    "estimatedDurationMs": 1500000,
    "compensation": [],
}
RETRY_PLAN = {
    **PLAN,
    "retryOf": RUN_ID,
    "fromStep": "boot-from",
    "kept": ["validate", "reserve"],
    "runsAgain": ["boot-from", "power", "install"],
    "wasUndone": [],
    "repeatsEffect": ["boot-from"],
}
STATE = {
    "asOf": 3,
    "status": "running",
    "steps": [{"key": "validate", "name": "validate", "status": "completed"}],
}
TYPE = {
    "type": "server.provision",
    "resource": "server",
    "description": "Install an operating system on a registered machine.",
    "inputSchema": {"type": "object", "properties": {"image": {"type": "object"}}},
    "steps": [{"name": "validate", "queue": "default"}],
    "onFailure": "hold",
    "holdMs": 900000,
    "expectedDurationMs": 1500000,
    "paused": False,
    "reason": None,
}
LOCK = {
    "resource": f"server/{SERVER_ID}",
    "runId": RUN_ID,
    "step": "boot-from",
    "fence": 4,
    "grantedAt": AT,
    "ageMs": 61000,
    "waiters": [],
}
WORKER = {
    "name": "default@host-1",
    "kind": "worker",
    "queues": ["default"],
    "processes": 8,
    "release": "0.1.0",
    "startedAt": AT,
    "lastSeenAt": AT,
    "silentMs": 1200,
    "canDrain": True,
    "drained": False,
    "drainedBy": None,
}
VIEW = {
    "id": "viw_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "name": "failed",
    "query": "status=failed",
    "createdAt": AT,
}
QUEUE = {"queue": "default", "length": 1, "workers": 2, "processes": 16, "expected": True}
METRICS = {
    "type": "server.provision",
    "period": {"from": "2026-01-01T00:00:00.000Z", "to": AT},
    "summary": {"total": 156, "completed": 142, "failed": 12, "cancelled": 2, "successRate": 0.91},
    "timing": {"p50Ms": 145000, "p90Ms": 312000, "p99Ms": 545000, "avgMs": 178000},
    "failureReasons": [{"code": "BMC_CONNECTION_FAILED", "count": 12}],
}
POOL = {
    "id": POOL_ID,
    "name": "gpu-h100",
    "labels": {"site": "fra"},
    "capacity": {"total": 8, "free": 3},
    "createdAt": AT,
    "updatedAt": AT,
}
SERVER = {
    "id": SERVER_ID,
    "displayName": "rack 7, slot 12",
    "description": None,
    "tags": ["rack-7"],
    "persona": None,
    "poolId": POOL_ID,
    "protocol": "redfish",
    "bmcAddress": "10.0.7.12:443",
    "systemId": None,
    "certificate": "9f" * 32,
    "bootMac": "52:54:00:12:34:56",
    "serial": "C0FFEE12",
    "state": "available",
    "maintenance": False,
    "maintenanceReason": None,
    "power": "off",
    "healthStatus": {"status": "healthy", "lastCheckTime": AT, "failureReasons": []},
    "observedAt": AT,
    "observedAgeMs": 412,
    "hardware": {"cpu": {"count": 2}},
    "image": None,
    "credentialVersion": 1,
    "reservedBy": None,
    "runId": RUN_ID,
    "allowedActions": ["inspect", "provision", "powerOn", "maintenance"],
    "createdAt": AT,
    "updatedAt": AT,
}
MANAGEMENT = {
    "id": MANAGEMENT_ID,
    "name": "fra",
    "description": None,
    "server": "https://10.0.0.1:6443",
    "clusterNamespace": "kcm-system",
    "machineNamespace": "default",
    "kubeconfigVersion": 1,
    "sources": [{"kind": "vm", "observedAt": AT, "observedAgeMs": 412, "objects": 12, "problem": None}],
    "createdAt": AT,
    "updatedAt": AT,
}
_MANAGED = {
    "managementId": MANAGEMENT_ID,
    "displayName": None,
    "description": None,
    "tags": ["team-a"],
    "slowSince": None,
    "failureReasons": [],
    "runId": RUN_ID,
    "observedAt": AT,
    "observedAgeMs": 412,
    "createdAt": AT,
    "updatedAt": AT,
}
CLUSTER = {
    "id": CLUSTER_ID,
    "name": "prod-1",
    **_MANAGED,
    "state": "ready",
    "template": "aws-standalone-cp-1-0-16",
    "credential": "aws",
    "config": {"controlPlaneNumber": 3, "workersNumber": 5},
    "nodePools": [],
    "servers": [],
    "dryRun": False,
    "cleanupOnDeletion": False,
    "status": {"phase": "ready", "ready": True, "conditions": []},
    "kubernetesVersion": "v1.32.4",
    "availableUpgrades": ["aws-standalone-cp-1-0-17"],
    "kubeconfigRef": {"namespace": "kcm-system", "secret": "prod-1-kubeconfig", "key": "value"},
    "allowedActions": ["delete", "scale", "upgrade"],
}
VM = {
    "id": VM_ID,
    "name": "web-1",
    **_MANAGED,
    "state": "running",
    "runStrategy": "Manual",
    "cpus": 2,
    "memoryMb": 4096,
    "disks": [{"source": "docker://quay.io/containerdisks/debian:12", "boot": True}],
    "lifecycle": {"status": "Running", "statusMessage": None},
    "allowedActions": ["delete", "pause", "restart", "stop"],
}
HOOKED = {"runId": RUN_ID, "step": "install", "acceptedAt": AT}
WEBHOOK = {
    "id": WEBHOOK_ID,
    "url": "https://receiver.example/windlass",
    "description": "pager",
    "events": ["run.*"],
    "active": True,
    "disabledReason": None,
    "runId": None,
    "oldSecretUntil": None,
    "createdAt": AT,
    "updatedAt": AT,
}
WEBHOOK_ONCE = {**WEBHOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
DELIVERY = {
    "id": DELIVERY_ID,
    "webhookId": WEBHOOK_ID,
    "runId": RUN_ID,
    "seq": 9,
    "event": "run.completed",
    "status": "delivered",
    "attempt": 1,
    "nextAt": None,
    "createdAt": AT,
    "deliveredAt": AT,
    "attempts": [{"attempt": 1, "at": AT, "status": 204, "latencyMs": 31, "answer": "", "error": None}],
}
SCHEDULE: dict[str, object] = {
    "id": SCHEDULE_ID,
    "name": "inspect rack 7",
    "type": "server.inspect",
    "workflowVersion": None,
    "resourceId": SERVER_ID,
    "input": {},
    "onFailure": None,
    "tags": [],
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "everyMs": None,
    "overlap": "skip",
    "catchUp": "latest",
    "catchUpLimit": 10,
    "paused": False,
    "pausedReason": None,
    "nextDueAt": "2026-01-14T01:30:00.000Z",
    "nextDueTimes": ["2026-01-14T01:30:00.000Z"],
    "last": {
        "dueAt": "2026-01-13T01:30:00.000Z",
        "outcome": "started",
        "reason": None,
        "runId": RUN_ID,
        "runStatus": "completed",
    },
    "started": 12,
    "missed": 1,
    "triggeredBy": f"schedule/{SCHEDULE_ID}",
    "createdBy": "usr_operator",
    "createdAt": AT,
    "updatedAt": AT,
}
OCCURRENCE = {
    "id": "occ_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "dueAt": "2026-01-13T01:30:00.000Z",
    "outcome": "started",
    "reason": None,
    "runId": RUN_ID,
    "times": 1,
    "manual": False,
    "actor": None,
    "notedAt": "2026-01-13T01:30:00.118Z",
}
HEALTH = {
    "status": "ok",
    "parts": {
        "database": {"ok": True, "ms": 1},
        "redis": {"ok": True, "ms": 1},
        "reconciler": {"ok": True, "ageMs": 400},
        "projector": {"ok": True, "sources": 2, "stale": 0, "ageMs": 1_200},
        "workers": {"ok": True, "workers": 4},
    },
}

AUDIT: dict[str, object] = {
    "id": "aud_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "at": AT,
    "actor": "usr_operator",
    "keyId": KEY_ID,
    "door": "api",
    "action": "type.pause",
    "resourceType": "type",
    "resourceId": "server.provision",
    "reason": "the image server is down",
    "before": {"paused": False},
    "after": {"paused": True},
    "requestId": "req_local-1766196422377-0f705e3ef475",
}

CANCEL_PLAN: dict[str, object] = {
    "runId": RUN_ID,
    "type": "server.provision",
    "mode": "graceful",
    "finishes": ["boot-from"],
    "killed": [],
    "undone": ["boot-from", "reserve"],
    "stays": [],
    "neverStarts": ["install", "confirm"],
    "locks": [f"server/{SERVER_ID}"],
}
BULK: dict[str, object] = {
    "action": "cancel",
    "dryRun": False,
    "matched": 2,
    "considered": 2,
    "possible": 1,
    "refused": [{"id": "run_01kc9v5q8w3f7x2m4n6p8r0t1w", "reason": "It has ended: it is completed."}],
    "results": [{"id": RUN_ID, "status": 202, "workflowId": RUN_ID, "detail": "cancelling"}],
}
NOTE: dict[str, object] = {
    "seq": 14,
    "at": LATER,
    "actor": "usr_operator",
    "action": "note",
    "text": "controller replaced, ticket 4711",
}
EXPORT: dict[str, object] = {
    "format": "windlass.run/1",
    "exportedAt": LATER,
    "run": RUN_DETAIL,
    "events": [EVENT],
    "truncated": False,
}


HOOK_OF_RUN: dict[str, object] = {
    "id": "hook_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "step": "approve",
    "name": "approval",
    "action": "approve",
    "metadata": None,
    "status": "open",
    "createdAt": AT,
    "expiresAt": LATER,
    "executedAt": None,
}
SIGNAL: dict[str, object] = {
    "id": "sig_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "seq": 5,
    "name": "approval",
    "payload": {"approved": True},
    "sender": "usr_operator",
    "receivedAt": AT,
    "consumedBy": None,
}
