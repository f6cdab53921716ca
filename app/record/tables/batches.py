"""Batches: what was asked for, the edges of their graphs, checkpoints, and the inventory of what they made.

The operations of a batch are the member steps of its run, and their items the member steps of its child
runs: neither has a second copy here.
"""

from sqlalchemy import BigInteger, Column, Index, Integer

from app.record.tables.columns import flag, json, moment, number, partial, table, words

batch = table(
    "batch",
    words("run_id", null=False),  # The id of the batch is that of its run.
    words("name", null=False),
    words("version", null=False),
    words("storage_backend", null=False),
    number("parallel_limit"),
    flag("rollback_enabled"),
    json("definition"),  # As JSON, whatever it was written in.
    words("source"),  # The Nickel text, when that was sent.
    words("nickel_version"),
    json("warnings"),
    json("chosen"),  # The names given as `only` and `except`.
    words("lineage", null=False),  # The first run of those that retried one another.
    words("retry_of"),
    number("checkpoint_every"),
    number("operations"),
    number("items"),
    words("rollback_run"),  # The last run that undid what the batch made.
    words("undone"),  # What that came to: all, part, failed.
    words("actor", null=False),
    moment("created_at"),
    Index("ix_batch_newest", "tenant_id", "created_at", "run_id"),
    Index("ix_batch_name", "tenant_id", "name", "created_at", "run_id"),
    Index("ix_batch_lineage", "tenant_id", "lineage"),
    key=("run_id",),
)

edge = table(  # Without a foreign key, as steps: a graph and its edges are written by one transaction.
    "edge",
    words("run_id", null=False),
    words("needs", null=False),
    words("key", null=False),  # Of the member that needs the other one.
    words("kind", null=False),  # hard, soft, optional.
    words("condition", null=False),  # success, failure, finished.
    Index("ix_edge_key", "tenant_id", "run_id", "key"),
    key=("run_id", "needs", "key"),
)

checkpoint = table(
    "checkpoint",
    words("run_id", null=False),
    Column("sequence", Integer, nullable=False),
    words("name"),
    words("reason", null=False),  # interval, pause, failure, before_rollback, manual.
    Column("upto_seq", Integer, nullable=False),  # The number of the last event that counts.
    words("actor"),
    moment("created_at"),
    moment("mirrored_at"),
    words("mirror_error"),
    key=("run_id", "sequence"),
)

LIVE = "state <> 'gone'"

instance = table(
    "instance",
    words("id", null=False),
    words("provider", null=False),
    words("account", null=False),
    words("name", null=False),
    words("plan", null=False),
    words("zone", null=False),
    words("resource_id"),  # What the provider calls it; null until its answer came.
    words("address"),
    words("fingerprint"),  # Of its SSH host key, at first sight.
    words("state", null=False),  # intended, creating, running, removing, gone.
    words("token", null=False),  # The idempotency key of its creation.
    number("incarnation", 1),
    words("lineage", null=False),
    words("operation", null=False),
    words("run_id", null=False),  # The run that made it.
    moment("created_at"),
    moment("updated_at"),
    partial("uq_instance_live", "tenant_id", "provider", "account", "name", where=LIVE, unique=True),
    Index("ix_instance_lineage", "tenant_id", "lineage", "operation", "name"),
    Index("ix_instance_token", "tenant_id", "token"),
    key=("id",),
)

installation = table(
    "installation",
    words("id", null=False),
    words("instance", null=False),
    words("taskserv", null=False),
    words("version"),
    words("state", null=False),  # intended, installed, removing, gone.
    words("token", null=False),
    number("incarnation", 1),
    words("lineage", null=False),
    words("operation", null=False),
    words("run_id", null=False),
    moment("created_at"),
    moment("updated_at"),
    partial("uq_installation_live", "tenant_id", "instance", "taskserv", where=LIVE, unique=True),
    Index("ix_installation_lineage", "tenant_id", "lineage", "operation"),
    key=("id",),
)

batch_total = table(  # As `totals`: bumped when a batch ends, so that retention takes nothing away.
    "batch_total",
    words("provider", null=False),
    words("type", null=False),
    words("status", null=False),
    Column("slot", Integer, nullable=False),
    Column("operations", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    key=("provider", "type", "status", "slot"),
)
