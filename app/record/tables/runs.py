"""Runs and what keeps them moving."""

from sqlalchemy import BigInteger, Column, Computed, ForeignKeyConstraint, Index, Integer, Text, text

from app.record.tables.columns import JsonText, flag, json, moment, number, partial, table, words

# A run's status as indexes show it: a run that is claimed for the first time changes no column of an index,
# so PostgreSQL writes to none. The same holds for `BEGAN` and `run.expect_from`.
ACTIVE = "active"  # The stage of what is queued or running; any other status is a stage of its own.
STAGE = f"CASE WHEN status IN ('queued', 'running') THEN '{ACTIVE}' ELSE status END"
OPEN = (
    "stage IN ('active', 'lock_waiting', 'waiting', 'paused', 'blocked', 'cancelling', 'compensating',"
    " 'failed_held', 'compensation_failed')"
)
HELD = "stage IN ('blocked', 'compensation_failed', 'failed_held')"  # An operator has to decide.
# Whose turn it is in a graph, told by a column: that no index looks at the status or the lease of a step is
# what lets PostgreSQL change one without writing to every index of the table.
TURN = (
    "CASE WHEN kind = 'child' AND status = 'pending' AND pending = 0 THEN 'ready'"
    " WHEN kind = 'child' AND status = 'waiting' THEN 'begun' END"
)
READY, BEGUN = "ready", "begun"  # A member that may begin; one whose child run has not ended.
# What may stand still: it says what it waits for, or a message to it is under way, for too long perhaps.
MAY_STAND = "(expect_from IS NOT NULL OR CAST(waiting_on AS TEXT) <> 'null')"
NOT_DECLARED = "kind <> 'declared'"
LATE_MS = 60_000
# When a run began, or was created if it waited for less than `LATE_MS` for a lock or a worker.
BEGAN = f"CASE WHEN started_at - created_at > {LATE_MS} THEN started_at ELSE created_at END"
LATE = "began > created_at"
ENDING = 6  # So many last characters of an id are looked up by an index.
ID_ENDING = f"substr(id, length(id) - {ENDING - 1})"
_THEN = ("created_at", "id", "type", "resource_type", "began")

run = table(
    "run",
    words("id", null=False),
    words("type", null=False),
    words("kind", null=False, server_default="declared"),  # RunKind.
    words("status", null=False),
    words("goal"),  # Where unwinding ends: "failed" or "cancelled".
    words("resource_type"),
    words("resource_id"),
    words("triggered_by", null=False),
    json("input"),
    json("output"),
    json("tags"),
    words("on_failure", null=False),  # One of ON_FAILURE in app.domain.states.
    words("error_code"),
    words("error_message"),
    words("error_step"),
    json("waiting_on"),
    number("priority", 5),
    words("idempotency_key"),
    words("request_hash"),
    words("callback_url"),
    words("parent_run_id"),
    words("parent_step"),  # The call of a code workflow that waits for this run.
    words("version"),  # Of the code workflow; none for a declared type.
    words("origin"),  # The first run of those that went on afresh (ctx.restart), if this is not it;
    number("restarts"),  # and how often that has happened until this one.
    json("limits"),  # Of a code workflow: events, milliseconds of work.
    json("context"),  # Of a code workflow: what clients keep with the run.
    words("retry_of"),
    words("from_step"),
    words("traceparent"),
    number("event_seq"),
    Column("log_bytes", BigInteger, nullable=False, server_default=text("0")),  # Of its events and signals.
    number("dispatch_gen"),
    moment("expect_since"),  # When a commit last implied that a message is or should be in flight.
    moment("expect_from"),  # The same, as the index has it: a claim leaves it as it is.
    words("expect_queue"),
    moment("reserved_until"),  # A worker means to claim it; nobody else need look before.
    number("dispatch_attempts"),
    words("paused_from"),
    moment("cancel_requested_at"),
    words("cancel_mode"),
    Column("eta_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("held_ms", BigInteger, nullable=False, server_default=text("0")),  # It stood still for people.
    moment("created_at"),
    moment("started_at"),
    moment("completed_at"),
    moment("acknowledged_at"),  # Somebody has seen that it failed.
    words("acknowledged_by"),
    Column("stage", Text, Computed(STAGE)),
    Column("began", BigInteger, Computed(BEGAN)),
    # For lists, newest first; what follows the id saves looking at the row.
    Index("ix_run_newest", "tenant_id", *_THEN),
    Index("ix_run_type", "tenant_id", "type", "created_at", "id", "stage", "began"),
    Index("ix_run_stage", "tenant_id", "stage", *_THEN, "acknowledged_at"),
    Index("ix_run_actor", "tenant_id", "triggered_by", *_THEN, "stage"),
    partial("ix_run_resource", "tenant_id", "resource_id", *_THEN, where="resource_id IS NOT NULL"),
    partial("ix_run_held", "tenant_id", *_THEN, where=HELD),  # Each page asks how many there are.
    partial("ix_run_stands", "tenant_id", *_THEN, where=f"{OPEN} AND {MAY_STAND}"),
    partial("ix_run_error", "tenant_id", "error_code", *_THEN, where="error_code IS NOT NULL"),
    Index("ix_run_ending", "tenant_id", text(ID_ENDING)),
    partial("ix_run_late", "tenant_id", "began", "created_at", where=LATE),
    partial("ix_run_expected", "tenant_id", "expect_queue", "expect_from", where="expect_from IS NOT NULL"),
    partial(
        "uq_run_idempotency", "tenant_id", "idempotency_key", where="idempotency_key IS NOT NULL", unique=True
    ),
    partial(
        "uq_run_live_retry", "tenant_id", "retry_of", where=f"retry_of IS NOT NULL AND {OPEN}", unique=True
    ),
    partial("ix_run_retries", "tenant_id", "retry_of", where="retry_of IS NOT NULL"),
    partial("ix_run_parent", "tenant_id", "parent_run_id", *_THEN, where="parent_run_id IS NOT NULL"),
    partial(  # The child that a step waits for.
        "ix_run_child",
        *("tenant_id", "parent_run_id", "parent_step", "created_at", "id"),
        where="parent_step IS NOT NULL",
    ),
    partial("ix_run_origin", "tenant_id", "origin", "restarts", where="origin IS NOT NULL"),
    partial("ix_run_kind", "tenant_id", "kind", "created_at", "id", where=NOT_DECLARED),
    partial(
        "ix_run_ended",
        *("tenant_id", "completed_at", "type", "stage"),
        where="completed_at IS NOT NULL",
    ),
    key=("id",),
    postgresql_with={"fillfactor": "80"},
)

run_tag = table(
    "run_tag",
    words("run_id", null=False),
    words("tag", null=False),
    words("type", null=False),  # Of the run, as is its time: counting looks at no run.
    moment("created_at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    Index("ix_run_tag_newest", "tenant_id", "tag", "created_at", "run_id", "type"),
    key=("run_id", "tag"),
)

step = table(  # Without a foreign key, as events: a run and its steps are written by one transaction.
    "step",
    words("run_id", null=False),
    words("phase", null=False),  # "forward" or "comp".
    words("key", null=False),
    words("name", null=False),
    words("kind", null=False),
    words("queue", null=False),
    words("branch", null=False, server_default=""),
    json("given"),  # Values that the plan wrote for this step.
    json("ref"),  # Reference of an external operation.
    moment("retry_at"),
    moment("deadline_at"),
    json("signal"),  # What a hook delivered and no poll has seen yet.
    words("reused_from"),
    words("undoes"),  # Key of the forward step that an undo belongs to.
    Column("turn", Text, Computed(TURN)),
    Column("ordinal", BigInteger, nullable=False),
    Column("timeout_ms", BigInteger, nullable=False),
    moment("compensated_at"),
    number("lost"),
    number("gen"),
    number("polls"),  # How often an operation was asked how far it is.
    number("pending"),  # Open members of a fan-out; of a member of a graph, how much it waits for.
    number("succeeded"),
    number("failures"),
    flag("alone"),
    flag("undoable"),
    # What a claim changes, then what its settlement changes again: PostgreSQL logs a row from the first byte
    # that has changed to the last (revision 0017).
    moment("expect_since"),
    moment("reserved_until"),
    number("attempt"),
    number("tries"),  # Attempts counted against the retry policy; an operator's resume starts anew.
    number("fence"),
    moment("first_started_at"),
    moment("started_at"),
    words("holder"),
    words("task_id"),
    moment("lease_until"),
    moment("completed_at"),
    flag("unsure"),  # The last attempt was lost or failed, and may have taken effect.
    words("status", null=False),
    words("outcome", null=False, server_default="none"),  # StepOutcome.
    words("progress"),
    json("output"),
    json("error"),
    partial("ix_step_expected", "tenant_id", "queue", "expect_since", where="expect_since IS NOT NULL"),
    partial("ix_step_turn", "tenant_id", "run_id", "turn", "ordinal", where="turn IS NOT NULL"),
    key=("run_id", "phase", "key"),
    postgresql_with={"fillfactor": "70"},
)

lease = table(  # Who holds a running step of which run: such steps are found here, and by no index of them.
    "lease",
    words("run_id", null=False),
    words("holder", null=False),
    Column("until", BigInteger, nullable=False),  # Nobody need look before; the step's own lease decides.
    key=("run_id", "holder"),
)

event = table(  # Without a foreign key: the run that numbers an event is written with it, always.
    "event",
    words("run_id", null=False),
    Column("seq", Integer, nullable=False),  # Of the last event of the row (app.record.runs.event_rows).
    words("type", null=False),
    words("phase"),
    words("step"),
    Column("attempt", Integer),
    words("actor"),
    json("payload"),
    moment("at"),
    Column("earlier", JsonText(none_as_null=True)),  # The events that the same transition told before.
    key=("run_id", "seq"),
)

timer = table(
    "timer",
    words("id", null=False),
    words("run_id", null=False),
    words("phase"),
    words("step"),
    words("purpose", null=False),  # retry, poll, deadline, hold.
    Column("due_at", BigInteger, nullable=False),
    moment("fired_at"),
    moment("cancelled_at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    partial("ix_timer_due", "tenant_id", "due_at", where="fired_at IS NULL AND cancelled_at IS NULL"),
    Index("ix_timer_run", "tenant_id", "run_id"),
    partial(
        "uq_timer_open",
        "tenant_id",
        "run_id",
        "phase",
        "step",
        "purpose",
        where="fired_at IS NULL AND cancelled_at IS NULL",
        unique=True,
    ),
    key=("id",),
)

hook = table(
    "hook",
    words("id", null=False),
    words("token_hash", null=False),
    words("run_id", null=False),
    words("step", null=False),
    words("name"),  # Of the signal that it sends to a code workflow, and what for.
    words("action"),
    json("metadata"),
    words("status", null=False),  # open, executed, expired.
    json("payload"),
    words("payload_hash"),
    moment("created_at"),
    moment("expires_at"),
    moment("executed_at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    Index("uq_hook_token", "token_hash", unique=True),
    Index("ix_hook_step", "tenant_id", "run_id", "step"),
    key=("id",),
)

signal = table(
    "signal",
    words("id", null=False),
    words("run_id", null=False),
    Column("seq", Integer, nullable=False),  # Of the event that tells of it: the order of signals.
    words("name", null=False),
    json("payload"),
    words("idempotency_key"),
    words("payload_hash"),
    words("sender"),
    moment("received_at"),
    words("consumed_by"),  # Key of the wait that took it.
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    partial("ix_signal_unread", "tenant_id", "run_id", "name", "seq", where="consumed_by IS NULL"),
    partial(
        "uq_signal_idempotency",
        *("tenant_id", "run_id", "idempotency_key"),
        where="idempotency_key IS NOT NULL",
        unique=True,
    ),
    key=("id",),
)

definition = table(  # A code workflow as its workers announce it.
    "definition",
    words("name", null=False),
    words("version", null=False),
    json("facts"),  # maxEvents, executionTimeoutMs, stepTimeoutMs, secrets, description.
    words("fingerprint", null=False),  # Of its source text.
    moment("created_at"),
    moment("updated_at"),
    key=("name", "version"),
)

lock = table(
    "lock",
    words("resource", null=False),  # "server/srv_…".
    words("run_id", null=False),
    Column("fence", BigInteger, nullable=False),
    moment("granted_at"),
    Index("ix_lock_run", "tenant_id", "run_id"),
    key=("resource",),
)

lock_fence = table(
    "lock_fence",
    words("resource", null=False),
    Column("fence", BigInteger, nullable=False),
    key=("resource",),
)

lock_waiter = table(
    "lock_waiter",
    words("resource", null=False),
    words("ticket", null=False),
    words("run_id", null=False),
    moment("since"),
    Index("ix_lock_waiter_run", "tenant_id", "run_id"),
    key=("resource", "ticket"),
)

TOTAL_SLOTS = 16  # Runs that end at the same moment seldom meet on one row.
totals = table(  # Bumped by the finishing transaction, so that retention makes no counter fall.
    "totals",
    words("type", null=False),
    words("status", null=False),
    Column("slot", Integer, nullable=False),
    Column("runs", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    key=("type", "status", "slot"),
)

type_state = table(
    "type_state",
    words("type", null=False),
    moment("paused_at"),
    words("reason"),
    words("actor"),
    key=("type",),
)

intent = table(  # Written right before an order that must never be sent twice.
    "intent",
    words("operation", null=False),
    Column("fence", Integer, nullable=False),
    moment("at"),
    key=("operation", "fence"),
)
