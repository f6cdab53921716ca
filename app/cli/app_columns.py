"""What tables and sheets show of apps."""

from app.cli.tables import Columns

APPS: Columns = (("APP", "appId"),)
APP: Columns = (
    ("App", "appId"),
    ("Created", "createdAt"),
    ("Quotas", "quotas"),
    ("Encrypted", "encrypted"),
    ("Bound to", "bindings"),
    ("Versions", "versions"),
)
APP_QUOTAS: Columns = (
    ("Open runs", "maxRuns"),
    ("Events of a run", "maxEventsPerRun"),
    ("Messages a minute", "maxQueuePerMinute"),
)
APP_HANDLERS: Columns = (("POD", "podId"), ("VERSION", "deploymentVersion"), ("URL", "workflow"))
APP_VERSIONS: Columns = (("VERSION", "version"), ("STATUS", "status"))
APP_EXPIRED: Columns = (("Cancelled runs", "cancelledRuns"), ("Dead messages", "deadLetteredMessages"))
APP_WOKEN: Columns = (("Ended sleeps", "stoppedCount"),)
APP_RUNS: Columns = (
    ("ID", "runId"),
    ("WORKFLOW", "workflowName"),
    ("STATUS", "status"),
    ("VERSION", "deploymentId"),
    ("CREATED", "createdAt"),
    ("ENDED", "completedAt"),
)
ALL_APP_RUNS: Columns = (("APP", "app"), *APP_RUNS)
APP_RUN: Columns = (
    ("Run", "runId"),
    ("Workflow", "workflowName"),
    ("Status", "status"),
    ("Version", "deploymentId"),
    ("Attributes", "attributes"),
    ("Created", "createdAt"),
    ("Started", "startedAt"),
    ("Ended", "completedAt"),
    ("Input", "input"),
    ("Output", "output"),
    ("Error", "error"),
)
APP_EVENTS: Columns = (
    ("EVENT", "eventId"),
    ("AT", "createdAt"),
    ("TYPE", "eventType"),
    ("ABOUT", "correlationId"),
)
APP_STEPS: Columns = (
    ("STEP", "stepName"),
    ("STATUS", "status"),
    ("ATTEMPT", "attempt"),
    ("STARTED", "startedAt"),
    ("ENDED", "completedAt"),
)
APP_MESSAGES: Columns = (
    ("MESSAGE", "messageId"),
    ("QUEUE", "queueName"),
    ("RUN", "runId"),
    ("VERSION", "deploymentVersion"),
    ("ATTEMPTS", "attempts"),
    ("WHY", "lastFailure.message"),
    ("DUE", "dueAt"),
)
APP_DEAD_LETTERS: Columns = (
    ("MESSAGE", "messageId"),
    ("QUEUE", "queueName"),
    ("RUN", "runId"),
    ("VERSION", "deploymentVersion"),
    ("ATTEMPTS", "attempts"),
    ("WHY", "lastFailure.message"),
    ("DEAD", "deadAt"),
)
