"""Tables of what operating the service shows; see `app.cli.columns`."""

from app.cli.tables import Columns

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
