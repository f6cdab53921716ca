"""Schedules, and what became of each of their due times."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, text

from app.record.tables.columns import flag, json, moment, number, partial, table, words

schedule = table(
    "schedule",
    words("id", null=False),
    words("name", null=False),
    words("type", null=False),  # Of the catalogue, or a code workflow.
    words("workflow_version"),
    words("resource_id"),
    json("input"),  # An object for a type of the catalogue, a list of arguments for a code workflow.
    words("on_failure"),
    json("tags"),
    words("cron"),
    words("timezone", null=False),
    Column("every_ms", BigInteger),
    moment("anchor_at"),  # What intervals are counted from.
    words("overlap", null=False),  # skip, queue, replace, allow.
    words("catch_up", null=False),  # none, latest, all.
    number("catch_up_limit", 1),
    moment("next_due_at"),
    moment("paused_at"),
    words("paused_reason"),
    words("created_by", null=False),
    Column("started", BigInteger, nullable=False, server_default=text("0")),
    Column("missed", BigInteger, nullable=False, server_default=text("0")),
    json("last"),  # What became of the last due time.
    number("version", 1),
    moment("created_at"),
    moment("updated_at"),
    partial("ix_schedule_due", "tenant_id", "next_due_at", where="paused_at IS NULL"),
    Index("uq_schedule_name", "tenant_id", "name", unique=True),
    Index("ix_schedule_newest", "tenant_id", "created_at", "id"),
    key=("id",),
)

occurrence = table(
    "occurrence",
    words("id", null=False),
    words("schedule_id", null=False),
    Column("due_at", BigInteger, nullable=False),
    flag("manual"),  # Asked for by somebody, at this time.
    words("outcome", null=False),  # queued, started, skipped, refused, missed.
    words("reason"),
    words("run_id"),  # Kept when the run is deleted.
    Column("times", BigInteger, nullable=False, server_default=text("1")),  # Due times missed in a row.
    words("actor"),
    moment("noted_at"),
    moment("closed_at"),  # When nothing more was to come of it: its run had ended, or none was started.
    ForeignKeyConstraint(
        ["tenant_id", "schedule_id"], ["schedule.tenant_id", "schedule.id"], ondelete="CASCADE"
    ),
    Index("uq_occurrence_due", "tenant_id", "schedule_id", "due_at", "manual", unique=True),
    partial("ix_occurrence_open", "tenant_id", "schedule_id", "due_at", where="closed_at IS NULL"),
    partial("ix_occurrence_queued", "tenant_id", "schedule_id", where="outcome = 'queued'"),
    partial("ix_occurrence_closed", "tenant_id", "closed_at", where="closed_at IS NOT NULL"),
    key=("id",),
)
