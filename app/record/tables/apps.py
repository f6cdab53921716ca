"""Apps: what the service keeps for applications of the Workflow DevKit, which execute their runs themselves.

An application belongs to a tenant; ``app`` is its public id and stands in the key of every row. JSON is
TEXT as it was sent: JSONB would reorder keys, rewrite numbers and refuse U+0000.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Sequence, text

from app.record.tables.columns import flag, metadata, moment, number, partial, table, words

HOT = {"postgresql_with": {"fillfactor": "70"}}  # Room for updates in place (HOT).
# Of these a run has one for each correlation id, whoever writes it and how often.
ONCE = (
    "event_type IN ('step_created','hook_created','hook_conflict','wait_created','wait_completed','attr_set')"
    " AND correlation_id IS NOT NULL"
)


# Numbers that count through all runs and messages: sequences on PostgreSQL, rows of `app_counter` on SQLite,
# whose writers come one after the other anyway.
event_number = Sequence("app_event_number", metadata=metadata)
message_number = Sequence("app_message_number", metadata=metadata)
app_counter = table(
    "app_counter", words("name", null=False), Column("value", BigInteger, nullable=False), key=("name",)
)

application = table(
    "app",
    words("id", null=False),
    Column("max_runs", Integer),  # The quotas; null is the default of the service.
    Column("max_events", Integer),
    Column("max_queue", Integer),
    words("secret"),  # Sealed; the encryption key of the application's payloads.
    moment("created_at"),
    key=("id",),
)

app_binding = table(
    "app_binding",
    words("namespace", null=False),
    words("account", null=False),
    words("app", null=False),
    moment("created_at"),
    Index("ix_app_binding_app", "tenant_id", "app"),
    key=("namespace", "account", "app"),
)

app_version = table(
    "app_version",
    words("app", null=False),
    words("version", null=False),
    words("status", null=False),  # active, draining, expired.
    moment("created_at"),
    moment("updated_at"),
    key=("app", "version"),
)

app_handler = table(
    "app_handler",
    words("app", null=False),
    words("pod", null=False),
    words("version", null=False),
    words("workflow_url"),
    words("step_url"),
    words("webhook_url"),
    flag("service_scoped"),
    moment("registered_at"),
    moment("seen_at"),
    Index("ix_app_handler_version", "tenant_id", "app", "version"),
    key=("app", "pod"),
)

app_run = table(
    "app_run",
    words("app", null=False),
    words("id", null=False),
    words("workflow", null=False),
    words("deployment", null=False),
    words("status", null=False),  # pending, running, completed, failed, cancelled, expired.
    words("input"),  # JSON text, like the next four; opaque.
    words("output"),
    words("error"),
    words("context"),
    words("attributes", null=False, server_default="{}"),
    Column("spec_version", Integer),
    number("events"),  # The last slot given out: lock, slot and quota counter at once.
    moment("created_at"),
    moment("updated_at"),
    moment("started_at"),
    moment("completed_at"),
    moment("expired_at"),
    Index("ix_app_run_newest", "tenant_id", "app", "created_at", "id"),
    Index("ix_app_run_workflow", "tenant_id", "app", "workflow", "created_at", "id"),
    partial("ix_app_run_open", "tenant_id", "app", "deployment", "created_at", where="completed_at IS NULL"),
    partial(
        "ix_app_run_ended",
        "tenant_id",
        "app",
        "status",
        "created_at",
        "id",
        where="completed_at IS NOT NULL",
    ),
    partial("ix_app_run_retention", "tenant_id", "completed_at", where="completed_at IS NOT NULL"),
    key=("app", "id"),
    **HOT,
)

app_event = table(
    "app_event",
    words("app", null=False),
    words("run_id", null=False),
    Column("seq", Integer, nullable=False),  # The slot: dense from 1 in each run.
    Column("number", BigInteger, nullable=False),  # Counts through all runs: ids of runs below spec 6.
    words("event_type", null=False),
    words("correlation_id"),
    words("data"),  # JSON text as it was sent.
    Column("spec_version", Integer),
    moment("at"),
    partial(
        "uq_app_event_once",
        "tenant_id",
        "app",
        "run_id",
        "event_type",
        "correlation_id",
        where=ONCE,
        unique=True,
    ),
    partial(
        "ix_app_event_correlation",
        "tenant_id",
        "app",
        "correlation_id",
        "number",
        where="correlation_id IS NOT NULL",
    ),
    key=("app", "run_id", "seq"),
)

app_step = table(
    "app_step",
    words("app", null=False),
    words("run_id", null=False),
    words("correlation_id", null=False),
    words("id", null=False),  # A UUID: the id that clients see.
    Column("seq", Integer, nullable=False),  # The slot of the event that made it.
    words("name", null=False),
    words("status", null=False),  # pending, running, completed, failed.
    words("input"),
    words("output"),
    words("error"),
    number("attempt", 1),
    moment("retry_after"),
    Column("spec_version", Integer),
    moment("created_at"),
    moment("updated_at"),
    moment("started_at"),
    moment("completed_at"),
    Index("uq_app_step_id", "tenant_id", "app", "id", unique=True),
    Index("ix_app_step_list", "tenant_id", "app", "run_id", "created_at", "seq"),
    key=("app", "run_id", "correlation_id"),
    **HOT,
)

app_hook = table(
    "app_hook",
    words("app", null=False),
    words("run_id", null=False),
    words("correlation_id", null=False),
    words("token", null=False),
    words("status", null=False),  # pending, received, disposed.
    words("owner", null=False, server_default=""),
    words("project", null=False, server_default=""),
    words("environment", null=False, server_default=""),
    words("metadata"),
    Column("is_webhook", Boolean, nullable=False, server_default=text("false")),
    Column("spec_version", Integer),
    moment("created_at"),
    moment("received_at"),
    moment("disposed_at"),
    # The claim on a token lasts until the hook is disposed or its run ends; what is received afterwards
    # changes the status and claims nothing.
    partial("uq_app_hook_active", "tenant_id", "app", "token", where="disposed_at IS NULL", unique=True),
    Index("ix_app_hook_token", "tenant_id", "app", "token", "created_at"),
    Index("ix_app_hook_id", "tenant_id", "app", "correlation_id"),
    key=("app", "run_id", "correlation_id"),
)

app_wait = table(
    "app_wait",
    words("app", null=False),
    words("run_id", null=False),
    words("correlation_id", null=False),
    words("id", null=False),
    words("status", null=False),  # waiting, completed.
    moment("resume_at"),
    Column("spec_version", Integer),
    moment("created_at"),
    moment("updated_at"),
    moment("completed_at"),
    key=("app", "run_id", "correlation_id"),
)

app_stream = table(
    "app_stream",
    words("app", null=False),
    words("run_id", null=False),
    words("name", null=False),
    number("chunks"),
    flag("closed"),
    moment("touched_at"),
    Index("ix_app_stream_name", "tenant_id", "app", "name"),
    key=("app", "run_id", "name"),
)

app_chunk = table(
    "app_chunk",
    words("app", null=False),
    words("run_id", null=False),
    words("name", null=False),
    Column("number", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    key=("app", "run_id", "name", "number"),
)

app_message = table(
    "app_message",
    Column("id", BigInteger, nullable=False),  # The API says msg_<id>.
    words("app", null=False),
    words("queue", null=False),
    words("run_id", null=False, server_default=""),  # No foreign key: a message may come before its run.
    words("version", null=False, server_default=""),
    words("key"),  # The idempotency key.
    flag("cbor"),
    Column("payload", LargeBinary, nullable=False),  # The very bytes of `message`.
    words("state", null=False),  # open, delivered, dead.
    number("attempts"),
    number("fence"),
    moment("due_at"),  # While it is being delivered: the end of the lease.
    moment("created_at"),
    moment("delivered_at"),
    moment("dead_at"),
    moment("finalized_at"),
    words("failure"),  # JSON text of the last failure.
    partial("ix_app_message_due", "tenant_id", "app", "due_at", where="state = 'open'"),
    partial("uq_app_message_key", "tenant_id", "app", "key", where="key IS NOT NULL", unique=True),
    partial("ix_app_message_dead", "tenant_id", "app", "dead_at", "id", where="state = 'dead'"),
    # Of a run, open or not. What is open of a version is found among all open ones: a claim writes to every
    # index there is, and versions end seldom.
    Index("ix_app_message_origin", "tenant_id", "app", "run_id", "id"),
    key=("id",),
    **HOT,
)
