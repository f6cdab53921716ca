"""apps of the Workflow DevKit"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ONCE = (
    "event_type IN ('step_created','hook_created','hook_conflict','wait_created','wait_completed','attr_set')"
    " AND correlation_id IS NOT NULL"
)
SEQUENCES = ("app_event_number", "app_message_number")


def upgrade() -> None:

    if op.get_bind().dialect.name == "postgresql":
        for name in SEQUENCES:
            op.execute(sa.schema.CreateSequence(sa.Sequence(name)))

    op.create_table(
        "app",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("max_runs", sa.Integer(), nullable=True),
        sa.Column("max_events", sa.Integer(), nullable=True),
        sa.Column("max_queue", sa.Integer(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_app")),
    )
    op.create_table(
        "app_binding",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "namespace", "account", "app", name=op.f("pk_app_binding")),
    )
    with op.batch_alter_table("app_binding", schema=None) as batch_op:
        batch_op.create_index("ix_app_binding_app", ["tenant_id", "app"], unique=False)

    op.create_table(
        "app_chunk",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "app", "run_id", "name", "number", name=op.f("pk_app_chunk")),
    )
    op.create_table(
        "app_counter",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_app_counter")),
    )
    op.create_table(
        "app_event",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "run_id", "seq", name=op.f("pk_app_event")),
    )
    with op.batch_alter_table("app_event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_app_event_correlation",
            ["tenant_id", "app", "correlation_id", "number"],
            unique=False,
            postgresql_where=sa.text("correlation_id IS NOT NULL"),
            sqlite_where=sa.text("correlation_id IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_app_event_once",
            ["tenant_id", "app", "run_id", "event_type", "correlation_id"],
            unique=True,
            postgresql_where=sa.text(ONCE),
            sqlite_where=sa.text(ONCE),
        )

    op.create_table(
        "app_handler",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("pod", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("workflow_url", sa.Text(), nullable=True),
        sa.Column("step_url", sa.Text(), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("service_scoped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "pod", name=op.f("pk_app_handler")),
    )
    with op.batch_alter_table("app_handler", schema=None) as batch_op:
        batch_op.create_index("ix_app_handler_version", ["tenant_id", "app", "version"], unique=False)

    op.create_table(
        "app_hook",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("project", sa.Text(), server_default="", nullable=False),
        sa.Column("environment", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("is_webhook", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("disposed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "run_id", "correlation_id", name=op.f("pk_app_hook")),
    )
    with op.batch_alter_table("app_hook", schema=None) as batch_op:
        batch_op.create_index("ix_app_hook_id", ["tenant_id", "app", "correlation_id"], unique=False)
        batch_op.create_index("ix_app_hook_token", ["tenant_id", "app", "token", "created_at"], unique=False)
        batch_op.create_index(
            "uq_app_hook_active",
            ["tenant_id", "app", "token"],
            unique=True,
            postgresql_where=sa.text("disposed_at IS NULL"),
            sqlite_where=sa.text("disposed_at IS NULL"),
        )

    op.create_table(
        "app_message",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("cbor", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("dead_at", sa.BigInteger(), nullable=True),
        sa.Column("finalized_at", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_app_message")),
        postgresql_with={"fillfactor": "70"},
    )
    with op.batch_alter_table("app_message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_app_message_dead",
            ["tenant_id", "app", "dead_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'dead'"),
            sqlite_where=sa.text("state = 'dead'"),
        )
        batch_op.create_index(
            "ix_app_message_due",
            ["tenant_id", "app", "due_at"],
            unique=False,
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        )
        batch_op.create_index("ix_app_message_origin", ["tenant_id", "app", "run_id", "id"], unique=False)
        batch_op.create_index(
            "ix_app_message_run",
            ["tenant_id", "app", "run_id"],
            unique=False,
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        )
        batch_op.create_index(
            "ix_app_message_version",
            ["tenant_id", "app", "version"],
            unique=False,
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        )
        batch_op.create_index(
            "uq_app_message_key",
            ["tenant_id", "app", "key"],
            unique=True,
            postgresql_where=sa.text("key IS NOT NULL"),
            sqlite_where=sa.text("key IS NOT NULL"),
        )

    op.create_table(
        "app_run",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=True),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), server_default="{}", nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("events", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("expired_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "id", name=op.f("pk_app_run")),
        postgresql_with={"fillfactor": "70"},
    )
    with op.batch_alter_table("app_run", schema=None) as batch_op:
        batch_op.create_index(
            "ix_app_run_ended",
            ["tenant_id", "app", "status", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("completed_at IS NOT NULL"),
            sqlite_where=sa.text("completed_at IS NOT NULL"),
        )
        batch_op.create_index("ix_app_run_newest", ["tenant_id", "app", "created_at", "id"], unique=False)
        batch_op.create_index(
            "ix_app_run_open",
            ["tenant_id", "app", "deployment", "created_at"],
            unique=False,
            postgresql_where=sa.text("completed_at IS NULL"),
            sqlite_where=sa.text("completed_at IS NULL"),
        )
        batch_op.create_index(
            "ix_app_run_retention",
            ["tenant_id", "completed_at"],
            unique=False,
            postgresql_where=sa.text("completed_at IS NOT NULL"),
            sqlite_where=sa.text("completed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_app_run_workflow", ["tenant_id", "app", "workflow", "created_at", "id"], unique=False
        )

    op.create_table(
        "app_step",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=True),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("retry_after", sa.BigInteger(), nullable=True),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "run_id", "correlation_id", name=op.f("pk_app_step")),
        postgresql_with={"fillfactor": "70"},
    )
    with op.batch_alter_table("app_step", schema=None) as batch_op:
        batch_op.create_index(
            "ix_app_step_list", ["tenant_id", "app", "run_id", "created_at", "seq"], unique=False
        )
        batch_op.create_index("uq_app_step_id", ["tenant_id", "app", "id"], unique=True)

    op.create_table(
        "app_stream",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("chunks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "run_id", "name", name=op.f("pk_app_stream")),
    )
    with op.batch_alter_table("app_stream", schema=None) as batch_op:
        batch_op.create_index("ix_app_stream_name", ["tenant_id", "app", "name"], unique=False)

    op.create_table(
        "app_version",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "version", name=op.f("pk_app_version")),
    )
    op.create_table(
        "app_wait",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("resume_at", sa.BigInteger(), nullable=True),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "app", "run_id", "correlation_id", name=op.f("pk_app_wait")),
    )


def downgrade() -> None:

    op.drop_table("app_wait")
    op.drop_table("app_version")
    with op.batch_alter_table("app_stream", schema=None) as batch_op:
        batch_op.drop_index("ix_app_stream_name")

    op.drop_table("app_stream")
    with op.batch_alter_table("app_step", schema=None) as batch_op:
        batch_op.drop_index("uq_app_step_id")
        batch_op.drop_index("ix_app_step_list")

    op.drop_table("app_step")
    with op.batch_alter_table("app_run", schema=None) as batch_op:
        batch_op.drop_index("ix_app_run_workflow")
        batch_op.drop_index(
            "ix_app_run_retention",
            postgresql_where=sa.text("completed_at IS NOT NULL"),
            sqlite_where=sa.text("completed_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_app_run_open",
            postgresql_where=sa.text("completed_at IS NULL"),
            sqlite_where=sa.text("completed_at IS NULL"),
        )
        batch_op.drop_index("ix_app_run_newest")
        batch_op.drop_index(
            "ix_app_run_ended",
            postgresql_where=sa.text("completed_at IS NOT NULL"),
            sqlite_where=sa.text("completed_at IS NOT NULL"),
        )

    op.drop_table("app_run")
    with op.batch_alter_table("app_message", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_app_message_key",
            postgresql_where=sa.text("key IS NOT NULL"),
            sqlite_where=sa.text("key IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_app_message_version",
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index(
            "ix_app_message_run",
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index("ix_app_message_origin")
        batch_op.drop_index(
            "ix_app_message_due",
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index(
            "ix_app_message_dead",
            postgresql_where=sa.text("state = 'dead'"),
            sqlite_where=sa.text("state = 'dead'"),
        )

    op.drop_table("app_message")
    with op.batch_alter_table("app_hook", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_app_hook_active",
            postgresql_where=sa.text("disposed_at IS NULL"),
            sqlite_where=sa.text("disposed_at IS NULL"),
        )
        batch_op.drop_index("ix_app_hook_token")
        batch_op.drop_index("ix_app_hook_id")

    op.drop_table("app_hook")
    with op.batch_alter_table("app_handler", schema=None) as batch_op:
        batch_op.drop_index("ix_app_handler_version")

    op.drop_table("app_handler")
    with op.batch_alter_table("app_event", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_app_event_once",
            postgresql_where=sa.text(ONCE),
            sqlite_where=sa.text(ONCE),
        )
        batch_op.drop_index(
            "ix_app_event_correlation",
            postgresql_where=sa.text("correlation_id IS NOT NULL"),
            sqlite_where=sa.text("correlation_id IS NOT NULL"),
        )

    op.drop_table("app_event")
    op.drop_table("app_counter")
    op.drop_table("app_chunk")
    with op.batch_alter_table("app_binding", schema=None) as batch_op:
        batch_op.drop_index("ix_app_binding_app")

    op.drop_table("app_binding")
    op.drop_table("app")

    if op.get_bind().dialect.name == "postgresql":
        for name in SEQUENCES:
            op.execute(sa.schema.DropSequence(sa.Sequence(name)))
