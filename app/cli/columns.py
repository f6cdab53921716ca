"""Which members of each thing are shown as a table: title, path, and the rank by which it may be left out."""

from app.cli.tables import Columns

RUNS: Columns = (
    ("ID", "id"),
    ("TYPE", "type"),
    ("STATUS", "detail|status"),
    ("RESOURCE", "resourceName|resourceId", 1),
    ("BY", "triggeredBy", 7),
    ("STARTED", "startedAt", 3),
    ("TOOK", "durationMs", 4),
    ("ERROR", "error.code", 2),
)
WAITING: Columns = (
    ("ID", "id"),
    ("TYPE", "type"),
    ("DETAIL", "detail"),
    ("RESOURCE", "resourceName|resourceId", 1),
    ("OPERATOR", "needsOperator", 5),
    ("WHY", "waitingOn.text"),
)
RUN: Columns = (
    ("Run", "id"),
    ("Type", "type"),
    ("Status", "detail|status"),
    ("Progress", "progress"),
    ("Waits", "waitingOn.text"),
    ("Held by", "waitingOn.holder"),
    ("Needs operator", "needsOperator"),
    ("Resource", "resourceName"),
    ("Resource id", "resourceId"),
    ("Started by", "triggeredBy"),
    ("On failure", "onFailure"),
    ("Created", "createdAt"),
    ("Started", "startedAt"),
    ("Completed", "completedAt"),
    ("Expected", "estimatedCompletionAt"),
    ("Overdue", "overdue"),
    ("Took", "durationMs"),
    ("Input", "input"),
    ("Output", "output"),
    ("Error", "error.message"),
    ("Error code", "error.code"),
    ("Error step", "error.step"),
    ("Retry of", "retryOf"),
    ("Retried by", "retriedBy"),
    ("From step", "fromStep"),
    ("Tags", "tags"),
    ("Allowed now", "allowedActions"),
)
BEGUN: Columns = (
    ("Run", "id"),
    ("Type", "type"),
    ("Status", "detail|status"),
    ("Resource", "resourceName"),
    ("Resource id", "resourceId"),
    ("Retry of", "retryOf"),
    ("From step", "fromStep"),
)
ACCEPTED: Columns = (
    ("Run", "workflowId"),
    ("Resource", "id"),
    ("Name", "displayName|name"),
    ("State", "state"),
)
STEPS: Columns = (
    ("STEP", "name"),
    ("KIND", "kind", 6),
    ("STATUS", "detail|status"),
    ("ATTEMPT", "attempt", 4),
    ("STARTED", "startedAt", 5),
    ("TOOK", "durationMs", 2),
    ("UNDONE", "compensatedAt", 3),
    ("MESSAGE", "error.message|progress", 1),
)
PLANNED: Columns = (
    ("STEP", "key"),
    ("WHAT", "name", 1),
    ("KIND", "kind", 5),
    ("QUEUE", "queue", 6),
    ("TARGET", "target", 7),
    ("TIMEOUT", "timeoutMs", 4),
    ("CAN BE UNDONE", "undo", 2),
    ("AT MOST ONCE", "atMostOnce", 3),
)
PLAN: Columns = (
    ("Type", "type"),
    ("Resource", "resource"),
    ("On failure", "onFailure"),
    ("Expected", "estimatedDurationMs"),
    ("Locks", "locks"),
    ("Held now", "holders"),
    ("Retry of", "retryOf"),
    ("From step", "fromStep"),
    ("Kept", "kept"),
    ("Runs again", "runsAgain"),
    ("Was undone", "wasUndone"),
    ("Repeats effect", "repeatsEffect"),
    ("Would undo", "compensation"),
)
EVENTS: Columns = (
    ("SEQ", "seq"),
    ("AT", "at"),
    ("EVENT", "type"),
    ("STEP", "step"),
    ("ATTEMPT", "attempt", 4),
    ("WHAT", "told", 1),
)
SERVERS: Columns = (
    ("ID", "id"),
    ("NAME", "displayName"),
    ("STATE", "state"),
    ("POWER", "power", 1),
    ("PROTOCOL", "protocol", 6),
    ("BMC", "bmcAddress", 5),
    ("POOL", "poolId", 4),
    ("MAINTENANCE", "maintenance", 3),
    ("HEALTH", "healthStatus.status", 2),
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
    ("SERVER", "data.id", 3),
    ("RUN", "workflowId", 2),
    ("STATUS", "status"),
    ("ERROR", "error.message"),
)
TAKEN: Columns = (
    ("SERVER", "server.id"),
    ("NAME", "server.displayName", 1),
    ("STATE", "server.state", 2),
    ("RUN", "workflowId"),
)
POOLS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("TOTAL", "capacity.total"),
    ("FREE", "capacity.free"),
    ("LABELS", "labels", 3),
)
ACCOUNTS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("PROVIDER", "provider"),
    ("REGION", "region", 2),
    ("ENDPOINT", "endpoint", 1),
    ("AT ONCE", "callsAtOnce", 3),
    ("A SECOND", "callsASecond", 3),
)
ACCOUNT_CHECK: Columns = (
    ("OK", "ok"),
    ("NAME", "name"),
    ("CLOCK SKEW MS", "clockSkewMs"),
    ("ZONES", "zones", 2),
    ("ERROR", "error", 1),
)
MANAGEMENTS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("SERVER", "server", 1),
    ("CLUSTERS IN", "clusterNamespace", 3),
    ("MACHINES IN", "machineNamespace", 4),
)
CLUSTERS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("STATE", "state"),
    ("TEMPLATE", "template", 3),
    ("KUBERNETES", "kubernetesVersion", 2),
    ("SLOW SINCE", "slowSince", 4),
    ("SEEN AGO", "observedAgeMs", 5),
)
CLUSTER: Columns = (
    ("Cluster", "id"),
    ("Name", "name"),
    ("Display name", "displayName"),
    ("Description", "description"),
    ("State", "state"),
    ("Allowed now", "allowedActions"),
    ("Slow since", "slowSince"),
    ("Failures", "failureReasons"),
    ("Template", "template"),
    ("Credential", "credential"),
    ("Configuration", "config"),
    ("Node pools", "nodePools"),
    ("Servers", "servers"),
    ("Kubernetes", "kubernetesVersion"),
    ("Upgrades", "availableUpgrades"),
    ("Conditions", "status.conditions"),
    ("Kubeconfig in", "kubeconfigRef"),
    ("Management", "managementId"),
    ("Tags", "tags"),
    ("Seen", "observedAt"),
    ("Last run", "runId"),
    ("Created", "createdAt"),
    ("Updated", "updatedAt"),
)
VMS: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("STATE", "state"),
    ("STATUS", "lifecycle.status", 1),
    ("SLOW SINCE", "slowSince", 3),
    ("SEEN AGO", "observedAgeMs", 4),
)
VM: Columns = (
    ("Machine", "id"),
    ("Name", "name"),
    ("Display name", "displayName"),
    ("Description", "description"),
    ("State", "state"),
    ("Allowed now", "allowedActions"),
    ("Status", "lifecycle.status"),
    ("Problem", "lifecycle.statusMessage"),
    ("Slow since", "slowSince"),
    ("Failures", "failureReasons"),
    ("Run strategy", "runStrategy"),
    ("Type", "type"),
    ("CPUs", "cpus"),
    ("Memory (MiB)", "memoryMb"),
    ("Disks", "disks"),
    ("Networks", "nics"),
    ("GPUs", "gpus"),
    ("Management", "managementId"),
    ("Tags", "tags"),
    ("Seen", "observedAt"),
    ("Last run", "runId"),
    ("Created", "createdAt"),
    ("Updated", "updatedAt"),
)
DEFINITIONS: Columns = (
    ("WORKFLOW", "workflowName"),
    ("VERSION", "deploymentId"),
    ("SERVED", "served"),
    ("MOST EVENTS", "maxEvents", 6),
    ("ANNOUNCED", "updatedAt", 5),
    ("DESCRIPTION", "description", 3),
)
CODE_RUNS: Columns = (
    ("RUN ID", "runId"),
    ("WORKFLOW", "workflowName"),
    ("VERSION", "deploymentId", 6),
    ("STATUS", "status"),
    ("WAITS FOR", "waitingOn.kind", 2),
    ("AT", "waitingOn.step", 3),
    ("CREATED", "createdAt", 4),
    ("COMPLETED", "completedAt", 5),
    ("ERROR", "error.message", 1),
)
CODE_RUN: Columns = (
    ("Run", "runId"),
    ("Workflow", "workflowName"),
    ("Version", "deploymentId"),
    ("Status", "status"),
    ("Detail", "detail"),
    ("Waits for", "waitingOn.text"),
    ("Input", "input"),
    ("By name", "kwargs"),
    ("Output", "output"),
    ("Error", "error.message"),
    ("Error code", "error.code"),
    ("Parent", "parentRunId"),
    ("Key", "idempotencyKey"),
    ("Context", "executionContext"),
    ("Most events", "maxEvents"),
    ("Timeout (ms)", "executionTimeout"),
    ("Created", "createdAt"),
    ("Started", "startedAt"),
    ("Completed", "completedAt"),
)
CODE_EVENTS: Columns = (
    ("SEQ", "seq"),
    ("AT", "createdAt"),
    ("EVENT", "eventType"),
    ("ABOUT", "correlationId", 2),
    ("PAYLOAD", "payload", 1),
)
CODE_EVENT: Columns = (
    ("Event", "eventId"),
    ("Type", "eventType"),
    ("About", "correlationId"),
    ("Payload", "payload"),
    ("At", "createdAt"),
)
HOOK: Columns = (
    ("Hook", "hookId"),
    ("Run", "runId"),
    ("Token", "token"),
    ("Signal", "name"),
    ("Action", "action"),
    ("About", "metadata"),
)
WEBHOOKS: Columns = (
    ("ID", "id"),
    ("URL", "url"),
    ("EVENTS", "events", 2),
    ("ACTIVE", "active", 1),
    ("DISABLED", "disabledReason", 3),
)
WEBHOOK: Columns = (
    ("Webhook", "id"),
    ("URL", "url"),
    ("Description", "description"),
    ("Events", "events"),
    ("Active", "active"),
    ("Disabled", "disabledReason"),
    ("Secret", "secret"),
    ("Old secret until", "oldSecretUntil"),
    ("Created", "createdAt"),
    ("Updated", "updatedAt"),
)
DELIVERIES: Columns = (
    ("ID", "id"),
    ("EVENT", "event"),
    ("STATUS", "status"),
    ("ATTEMPT", "attempt", 3),
    ("NEXT", "nextAt", 4),
    ("DELIVERED", "deliveredAt", 5),
    ("RUN", "runId", 2),
)
SCHEDULES: Columns = (
    ("ID", "id"),
    ("NAME", "name"),
    ("TYPE", "type", 1),
    ("CRON", "cron", 4),
    ("EVERY", "everyMs", 5),
    ("ZONE", "timezone", 9),
    ("PAUSED", "paused", 2),
    ("NEXT DUE", "nextDueAt", 2),
    ("LAST", "last.outcome", 3),
    ("STARTED", "started", 7),
    ("MISSED", "missed", 6),
)
SCHEDULE: Columns = (
    ("Schedule", "id"),
    ("Name", "name"),
    ("Type", "type"),
    ("Version", "workflowVersion"),
    ("Resource", "resourceId"),
    ("Input", "input"),
    ("Tags", "tags"),
    ("On failure", "onFailure"),
    ("Cron", "cron"),
    ("Time zone", "timezone"),
    ("Every", "everyMs"),
    ("Overlap", "overlap"),
    ("Catch-up", "catchUp"),
    ("At most", "catchUpLimit"),
    ("Paused", "paused"),
    ("Reason", "pausedReason"),
    ("Next due", "nextDueTimes"),
    ("Last due", "last.dueAt"),
    ("Last result", "last.outcome"),
    ("Because", "last.reason"),
    ("Last run", "last.runId"),
    ("Its status", "last.runStatus"),
    ("Started", "started"),
    ("Missed", "missed"),
    ("Its runs' actor", "triggeredBy"),
    ("Created by", "createdBy"),
    ("Created", "createdAt"),
    ("Updated", "updatedAt"),
)
OCCURRENCES: Columns = (
    ("DUE", "dueAt"),
    ("OUTCOME", "outcome"),
    ("RUN", "runId", 1),
    ("TIMES", "times", 4),
    ("ASKED BY", "actor", 5),
    ("BECAUSE", "reason", 2),
)
TYPES: Columns = (
    ("TYPE", "type"),
    ("RESOURCE", "resource", 3),
    ("ON FAILURE", "onFailure", 5),
    ("EXPECTED", "expectedDurationMs", 4),
    ("PAUSED", "paused", 1),
    ("DESCRIPTION", "description", 2),
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
)
INPUT: Columns = (
    ("MEMBER", "name"),
    ("TYPE", "type"),
    ("REQUIRED", "required", 2),
    ("ALLOWED", "allowed", 3),
    ("WHAT", "description", 1),
)
STATS: Columns = (
    ("TYPE", "type"),
    ("RUNS", "summary.total"),
    ("COMPLETED", "summary.completed", 2),
    ("FAILED", "summary.failed", 1),
    ("CANCELLED", "summary.cancelled", 3),
    ("SUCCESS", "summary.successRate", 1),
    ("MEDIAN", "timing.p50Ms", 2),
    ("90 %", "timing.p90Ms", 3),
    ("99 %", "timing.p99Ms", 4),
)
STATS_OF_TYPE: Columns = (
    ("Type", "type"),
    ("From", "period.from"),
    ("To", "period.to"),
    ("Runs", "summary.total"),
    ("Completed", "summary.completed"),
    ("Failed", "summary.failed"),
    ("Cancelled", "summary.cancelled"),
    ("Success", "summary.successRate"),
    ("Median", "timing.p50Ms"),
    ("90 %", "timing.p90Ms"),
    ("99 %", "timing.p99Ms"),
    ("Mean", "timing.avgMs"),
)
REASONS: Columns = (("FAILED BY", "code"), ("RUNS", "count"))
REASONS_BY_STEP: Columns = (("AT STEP", "step"), ("BY", "code"), ("RUNS", "count"))
REASONS_BY_RESOURCE: Columns = (("ON", "resourceId"), ("BY", "code"), ("RUNS", "count"))
STEP_TIMES: Columns = (("STEP", "step"), ("RUNS", "runs"), ("MEDIAN", "p50Ms"), ("90 %", "p90Ms"))
BUCKETS: Columns = (
    ("FROM", "from"),
    ("RUNS", "summary.total"),
    ("COMPLETED", "summary.completed"),
    ("FAILED", "summary.failed"),
    ("MEDIAN", "timing.p50Ms", 1),
)
LOCKS: Columns = (
    ("RESOURCE", "resource"),
    ("HELD BY", "runId"),
    ("TYPE", "type", 4),
    ("DETAIL", "detail", 3),
    ("STEP", "step", 2),
    ("SINCE", "grantedAt", 6),
    ("AGE", "ageMs", 1),
    ("WAITING", "waiters.runId", 1),
)
WORKERS: Columns = (
    ("NAME", "name"),
    ("KIND", "kind", 2),
    ("QUEUES", "queues", 1),
    ("PROCESSES", "processes", 5),
    ("RELEASE", "release", 6),
    ("SINCE", "startedAt", 4),
    ("LAST SEEN", "lastSeenAt"),
)
QUEUES: Columns = (("QUEUE", "queue"), ("KEY", "key", 5), ("LENGTH", "length"))
KEYS: Columns = (
    ("ID", "id", 3),
    ("NAME", "name"),
    ("STATE", "state"),
    ("PREFIX", "prefix", 4),
    ("SCOPES", "scopes", 1),
    ("CREATED", "createdAt", 6),
    ("EXPIRES", "expiresAt", 3),
    ("USED", "usedAt", 5),
    ("REVOKED", "revokedAt", 2),
)
BULK: Columns = (
    ("Action", "action"),
    ("Match", "matched"),
    ("Considered", "considered"),
    ("Possible", "possible"),
)
BULK_REFUSED: Columns = (("REFUSED", "id"), ("BECAUSE", "reason"))
BULK_RESULTS: Columns = (
    ("RUN", "id"),
    ("FOLLOW", "workflowId", 2),
    ("DETAIL", "detail", 3),
    ("ERROR", "error.message", 1),
)
NOTES: Columns = (("AT", "at"), ("BY", "actor"), ("ACTION", "action"), ("TEXT", "text"))
CANCEL_PLAN: Columns = (
    ("Run", "runId"),
    ("Type", "type"),
    ("Mode", "mode"),
    ("Ends first", "finishes"),
    ("Is killed", "killed"),
    ("Is undone", "undone"),
    ("Stays", "stays"),
    ("Never starts", "neverStarts"),
    ("Releases", "locks"),
)
HITS: Columns = (("KIND", "kind"), ("ID", "id"), ("NAME", "name"), ("STATE", "state", 1))
ABOUT: Columns = (
    ("Release", "release"),
    ("Python", "python"),
    ("Region", "region"),
    ("URL", "url"),
    ("Time", "time"),
    ("Database", "database.kind"),
    ("Schema", "database.revision"),
    ("Bytes", "database.bytes"),
    ("Keeps runs for days", "retentionDays"),
    ("Keeps the audit for days", "auditDays"),
)
AUDIT: Columns = (
    ("AT", "at"),
    ("ACTOR", "actor"),
    ("ACTION", "action"),
    ("ON", "resourceId", 1),
    ("REASON", "reason", 2),
    ("BEFORE", "before", 4),
    ("AFTER", "after", 3),
    ("DOOR", "door", 5),
    ("REQUEST", "requestId", 6),
)
NEW_KEY: Columns = (
    ("Key", "name"),
    ("Id", "id"),
    ("Scopes", "scopes"),
    ("Expires", "expiresAt"),
    ("Token", "token"),
    ("Callback secret", "callbackSecret"),
)
FINDINGS: Columns = (("INVARIANT", "invariant"), ("RUN", "run", 1), ("WHAT", "what"), ("TO DO", "todo"))
SETTINGS: Columns = (("VARIABLE", "variable"), ("VALUE", "value"))
