"""The tables. Times are integers: milliseconds since 1970 in UTC, from the database's clock.

Every table starts its key with ``tenant_id``; every index names the question it serves and is partial by
the statuses that the question asks for.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
Json = JSON().with_variant(JSONB(), "postgresql")


def _text(name: str, null: bool = True, **kw: Any) -> Column[Any]:
    return Column(name, Text, nullable=null, **kw)


def _time(name: str) -> Column[Any]:
    return Column(name, BigInteger)


def _int(name: str, default: int = 0) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _json(name: str) -> Column[Any]:
    return Column(name, Json)


def _partial(name: str, *columns: Any, where: str, unique: bool = False) -> Index:
    clause = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=clause, sqlite_where=clause)


def _table(name: str, *items: Any, key: tuple[str, ...], **kw: Any) -> Table:
    tenant = Column("tenant_id", Text, nullable=False)
    return Table(name, metadata, tenant, *items, PrimaryKeyConstraint("tenant_id", *key), **kw)


OPEN = "status NOT IN ('completed', 'failed', 'cancelled')"

run = _table(
    "run",
    _text("id", null=False),
    _text("type", null=False),
    _text("status", null=False),
    _text("goal"),  # Where unwinding ends: "failed" or "cancelled".
    _text("resource_type"),
    _text("resource_id"),
    _text("triggered_by", null=False),
    _json("input"),
    _json("output"),
    _json("tags"),
    _text("on_failure", null=False),  # "compensate" or "hold".
    _text("error_code"),
    _text("error_message"),
    _text("error_step"),
    _json("waiting_on"),
    _int("priority", 5),
    _text("idempotency_key"),
    _text("request_hash"),
    _text("callback_url"),
    _text("parent_run_id"),
    _text("retry_of"),
    _text("from_step"),
    _text("traceparent"),
    _int("event_seq"),
    _int("dispatch_gen"),
    _time("expect_since"),  # When a commit last implied that a message is or should be in flight.
    _text("expect_queue"),
    _int("dispatch_attempts"),
    _text("paused_from"),
    _time("cancel_requested_at"),
    _text("cancel_mode"),
    Column("eta_ms", BigInteger, nullable=False, server_default=text("0")),
    _time("created_at"),
    _time("started_at"),
    _time("completed_at"),
    Index("ix_run_newest", "tenant_id", "created_at", "id"),
    Index("ix_run_status", "tenant_id", "status", "created_at", "id"),
    Index("ix_run_type", "tenant_id", "type", "created_at", "id"),
    Index("ix_run_type_status", "tenant_id", "type", "status", "created_at", "id"),
    Index("ix_run_resource", "tenant_id", "resource_type", "resource_id", "created_at", "id"),
    Index("ix_run_actor", "tenant_id", "triggered_by", "created_at", "id"),
    _partial("ix_run_expected", "tenant_id", "expect_since", where="expect_since IS NOT NULL"),
    _partial(
        "uq_run_idempotency", "tenant_id", "idempotency_key", where="idempotency_key IS NOT NULL", unique=True
    ),
    _partial(
        "uq_run_live_retry", "tenant_id", "retry_of", where=f"retry_of IS NOT NULL AND {OPEN}", unique=True
    ),
    _partial("ix_run_retries", "tenant_id", "retry_of", where="retry_of IS NOT NULL"),
    _partial("ix_run_parent", "tenant_id", "parent_run_id", where="parent_run_id IS NOT NULL"),
    _partial("ix_run_ended", "tenant_id", "completed_at", "type", "status", where="completed_at IS NOT NULL"),
    _partial("ix_run_open", "tenant_id", "created_at", "id", where=OPEN),
    key=("id",),
    postgresql_with={"fillfactor": "80"},
)

step = _table(
    "step",
    _text("run_id", null=False),
    _text("phase", null=False),  # "forward" or "comp".
    _text("key", null=False),
    Column("ordinal", BigInteger, nullable=False),
    _text("name", null=False),
    _text("kind", null=False),
    _text("queue", null=False),
    _text("branch", null=False, server_default=""),
    _text("status", null=False),
    _json("given"),  # Values that the plan wrote for this step.
    _json("output"),
    _json("error"),
    _json("ref"),  # Reference of an external operation.
    _text("progress"),
    Column("timeout_ms", BigInteger, nullable=False),
    _flag("alone"),
    _flag("undoable"),
    _int("attempt"),
    _int("tries"),  # Attempts counted against the retry policy; an operator's resume starts anew.
    _int("lost"),
    _int("fence"),
    _int("gen"),
    _int("polls"),  # How often an operation was asked how far it is.
    _int("pending"),  # Members of a fan-out that have not ended.
    _int("succeeded"),
    _int("failures"),
    _text("outcome", null=False, server_default="none"),  # none, done, unknown.
    _flag("unsure"),  # The last attempt was lost or failed, and may have taken effect.
    _text("holder"),
    _text("task_id"),
    _time("lease_until"),
    _time("retry_at"),
    _time("deadline_at"),
    _time("expect_since"),
    _json("signal"),  # What a hook delivered and no poll has seen yet.
    _text("reused_from"),
    _text("undoes"),  # Key of the forward step that an undo belongs to.
    _time("compensated_at"),
    _time("first_started_at"),
    _time("started_at"),
    _time("completed_at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    Index("uq_step_ordinal", "tenant_id", "run_id", "phase", "ordinal", unique=True),
    _partial("ix_step_leases", "tenant_id", "lease_until", where="status = 'running'"),
    _partial("ix_step_expected", "tenant_id", "expect_since", where="expect_since IS NOT NULL"),
    _partial("ix_step_task", "tenant_id", "task_id", where="status = 'running'"),
    key=("run_id", "phase", "key"),
    postgresql_with={"fillfactor": "70"},
)

event = _table(
    "event",
    _text("run_id", null=False),
    Column("seq", Integer, nullable=False),
    _text("type", null=False),
    _text("phase"),
    _text("step"),
    Column("attempt", Integer),
    _text("actor"),
    _json("payload"),
    _time("at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    key=("run_id", "seq"),
)

timer = _table(
    "timer",
    _text("id", null=False),
    _text("run_id", null=False),
    _text("phase"),
    _text("step"),
    _text("purpose", null=False),  # retry, poll, deadline, hold.
    Column("due_at", BigInteger, nullable=False),
    _time("fired_at"),
    _time("cancelled_at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    _partial("ix_timer_due", "tenant_id", "due_at", where="fired_at IS NULL AND cancelled_at IS NULL"),
    Index("ix_timer_run", "tenant_id", "run_id"),
    _partial(
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

hook = _table(
    "hook",
    _text("id", null=False),
    _text("token_hash", null=False),
    _text("run_id", null=False),
    _text("step", null=False),
    _text("status", null=False),  # open, executed, expired.
    _json("payload"),
    _text("payload_hash"),
    _time("created_at"),
    _time("expires_at"),
    _time("executed_at"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    Index("uq_hook_token", "token_hash", unique=True),
    Index("ix_hook_step", "tenant_id", "run_id", "step"),
    key=("id",),
)

lock = _table(
    "lock",
    _text("resource", null=False),  # "server/srv_…".
    _text("run_id", null=False),
    Column("fence", BigInteger, nullable=False),
    _time("granted_at"),
    Index("ix_lock_run", "tenant_id", "run_id"),
    key=("resource",),
)

lock_fence = _table(
    "lock_fence",
    _text("resource", null=False),
    Column("fence", BigInteger, nullable=False),
    key=("resource",),
)

lock_waiter = _table(
    "lock_waiter",
    _text("resource", null=False),
    _text("ticket", null=False),
    _text("run_id", null=False),
    _time("since"),
    Index("ix_lock_waiter_run", "tenant_id", "run_id"),
    key=("resource", "ticket"),
)

totals = _table(  # Bumped by the finishing transaction, so that retention makes no counter fall.
    "totals",
    _text("type", null=False),
    _text("status", null=False),
    Column("runs", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    key=("type", "status"),
)

type_state = _table(
    "type_state",
    _text("type", null=False),
    _time("paused_at"),
    _text("reason"),
    _text("actor"),
    key=("type",),
)

pool = _table(
    "pool",
    _text("id", null=False),
    _text("name", null=False),
    _json("labels"),
    _int("version", 1),
    _time("created_at"),
    _time("updated_at"),
    Index("uq_pool_name", "tenant_id", "name", unique=True),
    key=("id",),
)

server = _table(
    "server",
    _text("id", null=False),
    _text("display_name"),
    _text("description"),
    _json("tags"),
    _text("persona"),
    _text("pool_id"),
    _text("protocol", null=False),
    _text("bmc_address", null=False),
    _text("bmc_fingerprint"),
    _text("credential"),  # Sealed; only workers can open it.
    _int("credential_version"),
    _text("boot_mac"),
    _text("serial"),
    _text("state", null=False),
    _text("state_before"),  # What a cancelled run gives back.
    _flag("maintenance"),
    _text("power"),
    _text("health", null=False, server_default="unknown"),
    _json("failure_reasons"),
    _time("last_check_at"),
    _json("hardware"),
    _json("image"),
    _text("reserved_by"),
    _text("run_id"),  # The run that last changed the state.
    _int("version", 1),
    _time("created_at"),
    _time("updated_at"),
    _partial("uq_server_bmc", "tenant_id", "bmc_address", where="state <> 'decommissioned'", unique=True),
    Index("ix_server_newest", "tenant_id", "created_at", "id"),
    Index("ix_server_pool", "tenant_id", "pool_id", "state"),
    key=("id",),
)

bmc_gate = _table(  # One session at a time, and no login storm after a refused one.
    "bmc_gate",
    _text("server_id", null=False),
    _text("holder"),
    _time("held_until"),
    _int("refused"),
    _time("login_after"),
    key=("server_id",),
)

intent = _table(  # Written right before an order that must never be sent twice.
    "intent",
    _text("operation", null=False),
    Column("fence", Integer, nullable=False),
    _time("at"),
    key=("operation", "fence"),
)

webhook = _table(
    "webhook",
    _text("id", null=False),
    _text("url", null=False),
    _text("description"),
    _json("events"),
    _flag("active"),
    _text("disabled_reason"),
    _time("failing_since"),  # First of the failed attempts in a row; such an endpoint gets one at a time.
    _text("run_id"),  # Set for the callback of one run alone.
    _text("key_id"),  # The API key whose callback secret signs, for callbacks of runs that a key started.
    _text("secret"),  # Sealed.
    _text("old_secret"),
    _time("old_until"),
    _int("version", 1),
    _time("created_at"),
    _time("updated_at"),
    # Deferred: the callback is there before its run, whose first events it may be told of.
    ForeignKeyConstraint(
        ["tenant_id", "run_id"],
        ["run.tenant_id", "run.id"],
        ondelete="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    ),
    _partial("uq_webhook_run", "tenant_id", "run_id", where="run_id IS NOT NULL", unique=True),
    key=("id",),
)

subscription = _table(
    "subscription",
    _text("event", null=False),
    _text("webhook_id", null=False),
    _text("run_id", null=False, server_default=""),
    ForeignKeyConstraint(
        ["tenant_id", "webhook_id"], ["webhook.tenant_id", "webhook.id"], ondelete="CASCADE"
    ),
    Index("ix_subscription_webhook", "tenant_id", "webhook_id"),
    key=("event", "run_id", "webhook_id"),
)

delivery = _table(
    "delivery",
    _text("id", null=False),
    _text("webhook_id", null=False),
    _text("run_id"),
    Column("seq", Integer),
    _text("event", null=False),
    _text("body"),  # Rendered once and kept as text, so that every attempt sends the same bytes.
    _text("status", null=False),  # pending, delivering, delivered, dead.
    _int("attempt"),
    _int("tries"),  # Attempts counted against the schedule; a redelivery starts anew.
    _int("fence"),
    _time("lease_until"),
    _time("next_at"),
    _time("created_at"),
    _time("delivered_at"),
    ForeignKeyConstraint(
        ["tenant_id", "webhook_id"], ["webhook.tenant_id", "webhook.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    _partial("ix_delivery_run", "tenant_id", "run_id", where="run_id IS NOT NULL"),
    _partial(
        "ix_delivery_under_way", "tenant_id", "webhook_id", "lease_until", where="status = 'delivering'"
    ),
    _partial(
        "uq_delivery_once",
        "tenant_id",
        "webhook_id",
        "run_id",
        "seq",
        where="run_id IS NOT NULL",
        unique=True,
    ),
    _partial("ix_delivery_due", "tenant_id", "next_at", where="status IN ('pending', 'delivering')"),
    Index("ix_delivery_webhook", "tenant_id", "webhook_id", "created_at", "id"),
    key=("id",),
)

delivery_attempt = _table(
    "delivery_attempt",
    _text("delivery_id", null=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Integer),
    Column("latency_ms", Integer),
    _text("answer"),
    _text("error"),
    _time("at"),
    ForeignKeyConstraint(
        ["tenant_id", "delivery_id"], ["delivery.tenant_id", "delivery.id"], ondelete="CASCADE"
    ),
    key=("delivery_id", "attempt"),
)

api_key = _table(
    "api_key",
    _text("id", null=False),
    _text("name", null=False),
    _text("prefix", null=False),
    _text("hash", null=False),
    _json("scopes"),
    _text("callback_secret"),  # Sealed; signs the callbacks of runs that this key started.
    _time("created_at"),
    _time("expires_at"),
    _time("revoked_at"),
    _time("used_at"),
    Index("uq_api_key_prefix", "prefix", unique=True),
    _partial("uq_api_key_name", "tenant_id", "name", where="revoked_at IS NULL", unique=True),
    key=("id",),
)

api_request = _table(  # Idempotency-Key of any POST: the stored answer, for 24 hours.
    "api_request",
    _text("principal", null=False),
    _text("route", null=False),
    _text("key", null=False),
    _text("hash", null=False),
    Column("status", Integer),
    _json("headers"),
    _json("body"),
    _time("at"),
    Index("ix_api_request_age", "tenant_id", "at"),
    key=("principal", "route", "key"),
)

beat = _table(
    "beat",
    _text("kind", null=False),  # reconciler, worker, api.
    _text("instance", null=False),
    _json("facts"),
    _time("started_at"),
    _time("at"),
    key=("kind", "instance"),
)

meta = _table("meta", _text("key", null=False), _text("value"), _time("at"), key=("key",))
