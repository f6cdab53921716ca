"""The tables. Times are integers: milliseconds since 1970 in UTC, from the database's clock.

Every table starts its key with ``tenant_id``; every index names the question it serves and is partial by
the statuses that the question asks for.
"""

from app.record.tables.apps import (
    app_binding,
    app_chunk,
    app_counter,
    app_event,
    app_handler,
    app_hook,
    app_message,
    app_run,
    app_step,
    app_stream,
    app_version,
    app_wait,
    application,
)
from app.record.tables.clusters import allocation, cluster, management, vm
from app.record.tables.columns import metadata
from app.record.tables.runs import (
    ENDED,
    LATE,
    LATE_MS,
    OPEN,
    definition,
    event,
    hook,
    intent,
    lock,
    lock_fence,
    lock_waiter,
    run,
    run_tag,
    signal,
    step,
    timer,
    totals,
    type_state,
)
from app.record.tables.schedules import occurrence, schedule
from app.record.tables.servers import bmc_gate, machine_claim, pool, server
from app.record.tables.service import api_key, api_request, audit, beat, meta, session
from app.record.tables.sources import source
from app.record.tables.webhooks import delivery, delivery_attempt, subscription, webhook

__all__ = [
    "ENDED",
    "LATE",
    "LATE_MS",
    "OPEN",
    "allocation",
    "api_key",
    "api_request",
    "app_binding",
    "app_chunk",
    "app_counter",
    "app_event",
    "app_handler",
    "app_hook",
    "app_message",
    "app_run",
    "app_step",
    "app_stream",
    "app_version",
    "app_wait",
    "application",
    "audit",
    "beat",
    "bmc_gate",
    "cluster",
    "definition",
    "delivery",
    "delivery_attempt",
    "event",
    "hook",
    "intent",
    "lock",
    "lock_fence",
    "lock_waiter",
    "machine_claim",
    "management",
    "meta",
    "metadata",
    "occurrence",
    "pool",
    "run",
    "run_tag",
    "schedule",
    "server",
    "session",
    "signal",
    "source",
    "step",
    "subscription",
    "timer",
    "totals",
    "type_state",
    "vm",
    "webhook",
]
