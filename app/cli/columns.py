"""Which members of each thing are shown as a table: (title, path)."""

from app.cli.output import Columns

RUNS: Columns = (
    ("ID", "id"),
    ("TYPE", "type"),
    ("STATUS", "status"),
    ("DETAIL", "detail"),
    ("RESOURCE", "resourceId"),
    ("BY", "triggeredBy"),
    ("STARTED", "startedAt"),
    ("TOOK", "durationMs"),
    ("ERROR", "error.code"),
)
WAITING: Columns = (
    ("ID", "id"),
    ("TYPE", "type"),
    ("DETAIL", "detail"),
    ("RESOURCE", "resourceId"),
    ("WAITS FOR", "waitingOn.kind"),
    ("STEP", "waitingOn.step"),
    ("UNTIL", "waitingOn.until"),
    ("OPERATOR", "needsOperator"),
)
RUN: Columns = (
    ("Run", "id"),
    ("Type", "type"),
    ("Status", "status"),
    ("Detail", "detail"),
    ("Progress", "progress"),
    ("Waits for", "waitingOn"),
    ("Needs operator", "needsOperator"),
    ("Resource", "resourceId"),
    ("Started by", "triggeredBy"),
    ("On failure", "onFailure"),
    ("Created", "createdAt"),
    ("Started", "startedAt"),
    ("Completed", "completedAt"),
    ("Expected", "estimatedCompletionAt"),
    ("Took", "durationMs"),
    ("Error", "error.message"),
    ("Error code", "error.code"),
    ("Error step", "error.step"),
    ("Retry of", "retryOf"),
    ("Retried by", "retriedBy"),
    ("From step", "fromStep"),
    ("Tags", "tags"),
    ("Allowed now", "allowedActions"),
)
STEPS: Columns = (
    ("STEP", "name"),
    ("STATUS", "status"),
    ("ATTEMPT", "attempt"),
    ("STARTED", "startedAt"),
    ("TOOK", "durationMs"),
    ("UNDONE", "compensatedAt"),
    ("ERROR", "error.message"),
)
PLANNED: Columns = (
    ("STEP", "key"),
    ("WHAT", "name"),
    ("KIND", "kind"),
    ("QUEUE", "queue"),
    ("TARGET", "target"),
    ("TIMEOUT", "timeoutMs"),
    ("CAN BE UNDONE", "undo"),
    ("AT MOST ONCE", "atMostOnce"),
)
PLAN: Columns = (
    ("Type", "type"),
    ("Resource", "resourceId"),
    ("On failure", "onFailure"),
    ("Expected", "estimatedDurationMs"),
    ("Locks", "locks"),
    ("Would undo", "compensation"),
)
EVENTS: Columns = (
    ("SEQ", "seq"),
    ("AT", "at"),
    ("EVENT", "type"),
    ("STEP", "step"),
    ("ATTEMPT", "attempt"),
    ("BY", "actor"),
    ("PAYLOAD", "payload"),
)
SERVERS: Columns = (
    ("ID", "id"),
    ("NAME", "displayName"),
    ("STATE", "state"),
    ("POWER", "power"),
    ("PROTOCOL", "protocol"),
    ("BMC", "bmcAddress"),
    ("POOL", "poolId"),
    ("MAINTENANCE", "maintenance"),
    ("HEALTH", "healthStatus.status"),
)
SERVER: Columns = (
    ("Server", "id"),
    ("Name", "displayName"),
    ("Description", "description"),
    ("State", "state"),
    ("Allowed now", "allowedActions"),
    ("Maintenance", "maintenance"),
    ("Power", "power"),
    ("Health", "healthStatus.status"),
    ("Protocol", "protocol"),
    ("BMC", "bmcAddress"),
    ("Boot MAC", "bootMac"),
    ("Serial", "serial"),
    ("Pool", "poolId"),
    ("Persona", "persona"),
    ("Tags", "tags"),
    ("Image", "image.url"),
    ("Hardware", "hardware"),
    ("Last run", "runId"),
    ("Created", "createdAt"),
    ("Updated", "updatedAt"),
)
RESULTS: Columns = (
    ("ITEM", "index"),
    ("SERVER", "data.id"),
    ("RUN", "workflowId"),
    ("STATUS", "status"),
    ("ERROR", "error.message"),
)
TAKEN: Columns = (
    ("SERVER", "server.id"),
    ("NAME", "server.displayName"),
    ("STATE", "server.state"),
    ("RUN", "workflowId"),
)
POOLS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("TOTAL", "capacity.total"),
    ("FREE", "capacity.free"),
    ("LABELS", "labels"),
)
WEBHOOKS: Columns = (
    ("ID", "id"),
    ("URL", "url"),
    ("EVENTS", "events"),
    ("ACTIVE", "active"),
    ("DISABLED", "disabledReason"),
    ("SECRET", "secret"),
)
DELIVERIES: Columns = (
    ("ID", "id"),
    ("EVENT", "event"),
    ("STATUS", "status"),
    ("ATTEMPT", "attempt"),
    ("NEXT", "nextAt"),
    ("DELIVERED", "deliveredAt"),
    ("RUN", "runId"),
)
TYPES: Columns = (
    ("TYPE", "type"),
    ("RESOURCE", "resource"),
    ("ON FAILURE", "onFailure"),
    ("EXPECTED", "expectedDurationMs"),
    ("PAUSED", "paused"),
    ("DESCRIPTION", "description"),
)
TYPE: Columns = (
    ("Type", "type"),
    ("Description", "description"),
    ("Resource", "resource"),
    ("On failure", "onFailure"),
    ("Held for", "holdMs"),
    ("Expected", "expectedDurationMs"),
    ("Paused", "paused"),
    ("Reason", "reason"),
    ("Input", "inputSchema.properties"),
)
LOCKS: Columns = (
    ("RESOURCE", "resource"),
    ("HELD BY", "runId"),
    ("TYPE", "type"),
    ("DETAIL", "detail"),
    ("STEP", "step"),
    ("SINCE", "grantedAt"),
    ("AGE", "ageMs"),
    ("WAITING", "waiters"),
)
QUEUES: Columns = (("QUEUE", "queue"), ("KEY", "key"), ("LENGTH", "length"))
KEYS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("PREFIX", "prefix"),
    ("SCOPES", "scopes"),
    ("CREATED", "createdAt"),
    ("EXPIRES", "expiresAt"),
    ("USED", "usedAt"),
    ("REVOKED", "revokedAt"),
    ("TOKEN", "token"),
    ("CALLBACK SECRET", "callbackSecret"),
)
FINDINGS: Columns = (("INVARIANT", "invariant"), ("RUN", "run"), ("WHAT", "what"), ("TO DO", "todo"))
SETTINGS: Columns = (("VARIABLE", "variable"), ("VALUE", "value"))
