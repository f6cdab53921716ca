"""Webhooks, what they subscribed to, and what was delivered."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer

from app.record.tables.columns import flag, json, moment, number, partial, table, words

webhook = table(
    "webhook",
    words("id", null=False),
    words("url", null=False),
    words("description"),
    json("events"),
    flag("active"),
    words("disabled_reason"),
    moment("failing_since"),  # First of the failed attempts in a row; such an endpoint gets one at a time.
    words("run_id"),  # Set for the callback of one run alone.
    words("key_id"),  # The API key whose callback secret signs, for callbacks of runs that a key started.
    words("secret"),  # Sealed.
    words("old_secret"),
    moment("old_until"),
    number("version", 1),
    moment("created_at"),
    moment("updated_at"),
    # Deferred: the callback is there before its run, whose first events it may be told of.
    ForeignKeyConstraint(
        ["tenant_id", "run_id"],
        ["run.tenant_id", "run.id"],
        ondelete="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    ),
    partial("uq_webhook_run", "tenant_id", "run_id", where="run_id IS NOT NULL", unique=True),
    key=("id",),
)

subscription = table(
    "subscription",
    words("event", null=False),
    words("webhook_id", null=False),
    words("run_id", null=False, server_default=""),
    ForeignKeyConstraint(
        ["tenant_id", "webhook_id"], ["webhook.tenant_id", "webhook.id"], ondelete="CASCADE"
    ),
    Index("ix_subscription_webhook", "tenant_id", "webhook_id"),
    key=("run_id", "event", "webhook_id"),
)

delivery = table(
    "delivery",
    words("id", null=False),
    words("webhook_id", null=False),
    words("run_id"),
    Column("seq", Integer),
    words("event", null=False),
    words("body"),  # Rendered once and kept as text, so that every attempt sends the same bytes.
    words("status", null=False),  # pending, delivering, delivered, dead.
    number("attempt"),
    number("tries"),  # Attempts counted against the schedule; a redelivery starts anew.
    number("fence"),
    moment("lease_until"),
    moment("next_at"),
    flag("put_off"),  # Its endpoint had as many under way as it may have; it waits for one of them to end.
    moment("created_at"),
    moment("delivered_at"),
    # No reference to the endpoint: PostgreSQL would lock its row in the transaction of every run's event.
    ForeignKeyConstraint(["tenant_id", "run_id"], ["run.tenant_id", "run.id"], ondelete="CASCADE"),
    partial("ix_delivery_run", "tenant_id", "run_id", where="run_id IS NOT NULL"),
    partial("ix_delivery_under_way", "tenant_id", "webhook_id", "lease_until", where="status = 'delivering'"),
    partial("ix_delivery_put_off", "tenant_id", "webhook_id", "created_at", "seq", where="put_off"),
    partial(
        "uq_delivery_once",
        "tenant_id",
        "webhook_id",
        "run_id",
        "seq",
        where="run_id IS NOT NULL",
        unique=True,
    ),
    partial("ix_delivery_due", "tenant_id", "next_at", where="status IN ('pending', 'delivering')"),
    Index("ix_delivery_webhook", "tenant_id", "webhook_id", "created_at", "id"),
    key=("id",),
)

delivery.add_is_dependent_on(webhook)  # On SQLite it still has the reference.

delivery_attempt = table(
    "delivery_attempt",
    words("delivery_id", null=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Integer),
    Column("latency_ms", Integer),
    words("answer"),
    words("error"),
    moment("at"),
    ForeignKeyConstraint(
        ["tenant_id", "delivery_id"], ["delivery.tenant_id", "delivery.id"], ondelete="CASCADE"
    ),
    key=("delivery_id", "attempt"),
)
