"""initial schema"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allocation",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column(
            "image",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("provision_run", sa.Text(), nullable=True),
        sa.Column("release_run", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_allocation")),
    )
    with op.batch_alter_table("allocation", schema=None) as batch_op:
        batch_op.create_index("ix_allocation_cluster", ["tenant_id", "cluster_id"], unique=False)
        batch_op.create_index(
            "uq_allocation_server",
            ["tenant_id", "server_id"],
            unique=True,
            postgresql_where=sa.text("released_at IS NULL"),
            sqlite_where=sa.text("released_at IS NULL"),
        )

    op.create_table(
        "api_key",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column(
            "scopes",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("callback_secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_key")),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index(
            "uq_api_key_name",
            ["tenant_id", "name"],
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL"),
            sqlite_where=sa.text("revoked_at IS NULL"),
        )
        batch_op.create_index("uq_api_key_prefix", ["prefix"], unique=True)

    op.create_table(
        "api_request",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column(
            "headers",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "body",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "principal", "route", "key", name=op.f("pk_api_request")),
    )
    with op.batch_alter_table("api_request", schema=None) as batch_op:
        batch_op.create_index("ix_api_request_age", ["tenant_id", "at"], unique=False)

    op.create_table(
        "beat",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column(
            "facts",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "instance", name=op.f("pk_beat")),
    )
    op.create_table(
        "bmc_gate",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("login_after", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "server_id", name=op.f("pk_bmc_gate")),
    )
    op.create_table(
        "cluster",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("management_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=True),
        sa.Column("resource_version", sa.Text(), nullable=True),
        sa.Column(
            "observed",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "tags",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=True),
        sa.Column("slow_since", sa.BigInteger(), nullable=True),
        sa.Column(
            "failure_reasons",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column(
            "config",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "node_pools",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("cleanup_on_deletion", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column(
            "access",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_cluster")),
    )
    with op.batch_alter_table("cluster", schema=None) as batch_op:
        batch_op.create_index("ix_cluster_newest", ["tenant_id", "created_at", "id"], unique=False)
        batch_op.create_index(
            "uq_cluster_name",
            ["tenant_id", "management_id", "name"],
            unique=True,
            postgresql_where=sa.text("state <> 'deleted'"),
            sqlite_where=sa.text("state <> 'deleted'"),
        )

    op.create_table(
        "definition",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "facts",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "name", "version", name=op.f("pk_definition")),
    )
    op.create_table(
        "event",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column(
            "payload",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "seq", name=op.f("pk_event")),
    )
    op.create_table(
        "intent",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "operation", "fence", name=op.f("pk_intent")),
    )
    op.create_table(
        "lock",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "resource", name=op.f("pk_lock")),
    )
    with op.batch_alter_table("lock", schema=None) as batch_op:
        batch_op.create_index("ix_lock_run", ["tenant_id", "run_id"], unique=False)

    op.create_table(
        "lock_fence",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "resource", name=op.f("pk_lock_fence")),
    )
    op.create_table(
        "lock_waiter",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "resource", "ticket", name=op.f("pk_lock_waiter")),
    )
    with op.batch_alter_table("lock_waiter", schema=None) as batch_op:
        batch_op.create_index("ix_lock_waiter_run", ["tenant_id", "run_id"], unique=False)

    op.create_table(
        "machine_claim",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "identity", name=op.f("pk_machine_claim")),
    )
    with op.batch_alter_table("machine_claim", schema=None) as batch_op:
        batch_op.create_index("ix_machine_claim_server", ["tenant_id", "server_id"], unique=False)

    op.create_table(
        "management",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("cluster_namespace", sa.Text(), nullable=False),
        sa.Column("machine_namespace", sa.Text(), nullable=False),
        sa.Column("access", sa.Text(), nullable=True),
        sa.Column("access_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_management")),
    )
    with op.batch_alter_table("management", schema=None) as batch_op:
        batch_op.create_index("uq_management_name", ["tenant_id", "name"], unique=True)

    op.create_table(
        "meta",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_meta")),
    )
    op.create_table(
        "pool",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "labels",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_pool")),
    )
    with op.batch_alter_table("pool", schema=None) as batch_op:
        batch_op.create_index("uq_pool_name", ["tenant_id", "name"], unique=True)

    op.create_table(
        "run",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=True),
        sa.Column("resource_type", sa.Text(), nullable=True),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("triggered_by", sa.Text(), nullable=False),
        sa.Column(
            "input",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "output",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "tags",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("on_failure", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_step", sa.Text(), nullable=True),
        sa.Column(
            "waiting_on",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("priority", sa.Integer(), server_default=sa.text("5"), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.Text(), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("parent_run_id", sa.Text(), nullable=True),
        sa.Column("parent_step", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("restarts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "limits",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "context",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("retry_of", sa.Text(), nullable=True),
        sa.Column("from_step", sa.Text(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("event_seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("log_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("dispatch_gen", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expect_since", sa.BigInteger(), nullable=True),
        sa.Column("expect_queue", sa.Text(), nullable=True),
        sa.Column("dispatch_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("paused_from", sa.Text(), nullable=True),
        sa.Column("cancel_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("cancel_mode", sa.Text(), nullable=True),
        sa.Column("eta_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_run")),
        postgresql_with={"fillfactor": "80"},
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(
            "ix_run_actor",
            [
                "tenant_id",
                "triggered_by",
                "created_at",
                "id",
                "type",
                "resource_type",
                "started_at",
                "status",
            ],
            unique=False,
        )
        batch_op.create_index(
            "ix_run_code",
            ["tenant_id", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("version IS NOT NULL"),
            sqlite_where=sa.text("version IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_ended",
            ["tenant_id", "completed_at", "type", "status", "started_at", "error_code"],
            unique=False,
            postgresql_where=sa.text("completed_at IS NOT NULL"),
            sqlite_where=sa.text("completed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_expected",
            ["tenant_id", "expect_queue", "expect_since"],
            unique=False,
            postgresql_where=sa.text("expect_since IS NOT NULL"),
            sqlite_where=sa.text("expect_since IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_late",
            ["tenant_id", "started_at", "created_at"],
            unique=False,
            postgresql_where=sa.text("started_at - created_at > 60000"),
            sqlite_where=sa.text("started_at - created_at > 60000"),
        )
        batch_op.create_index(
            "ix_run_newest",
            ["tenant_id", "created_at", "id", "type", "resource_type", "started_at"],
            unique=False,
        )
        batch_op.create_index(
            "ix_run_open",
            ["tenant_id", "created_at", "id", "type", "resource_type", "started_at", "status"],
            unique=False,
            postgresql_where=sa.text("status NOT IN ('completed', 'failed', 'cancelled')"),
            sqlite_where=sa.text("status NOT IN ('completed', 'failed', 'cancelled')"),
        )
        batch_op.create_index(
            "ix_run_origin",
            ["tenant_id", "origin", "restarts"],
            unique=False,
            postgresql_where=sa.text("origin IS NOT NULL"),
            sqlite_where=sa.text("origin IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_parent",
            ["tenant_id", "parent_run_id", "created_at", "id", "type", "resource_type", "started_at"],
            unique=False,
            postgresql_where=sa.text("parent_run_id IS NOT NULL"),
            sqlite_where=sa.text("parent_run_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_resource",
            ["tenant_id", "resource_id", "created_at", "id", "type", "resource_type", "started_at"],
            unique=False,
            postgresql_where=sa.text("resource_id IS NOT NULL"),
            sqlite_where=sa.text("resource_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_retries",
            ["tenant_id", "retry_of"],
            unique=False,
            postgresql_where=sa.text("retry_of IS NOT NULL"),
            sqlite_where=sa.text("retry_of IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_status",
            ["tenant_id", "status", "created_at", "id", "type", "resource_type", "started_at"],
            unique=False,
            postgresql_where=sa.text("status IN ('completed', 'failed', 'cancelled')"),
            sqlite_where=sa.text("status IN ('completed', 'failed', 'cancelled')"),
        )
        batch_op.create_index(
            "ix_run_type", ["tenant_id", "type", "created_at", "id", "status", "started_at"], unique=False
        )
        batch_op.create_index(
            "uq_run_idempotency",
            ["tenant_id", "idempotency_key"],
            unique=True,
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
            sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_run_live_retry",
            ["tenant_id", "retry_of"],
            unique=True,
            postgresql_where=sa.text(
                "retry_of IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled')"
            ),
            sqlite_where=sa.text(
                "retry_of IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled')"
            ),
        )

    op.create_table(
        "schedule",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("workflow_version", sa.Text(), nullable=True),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column(
            "input",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("on_failure", sa.Text(), nullable=True),
        sa.Column(
            "tags",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("cron", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("every_ms", sa.BigInteger(), nullable=True),
        sa.Column("anchor_at", sa.BigInteger(), nullable=True),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("catch_up", sa.Text(), nullable=False),
        sa.Column("catch_up_limit", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("next_due_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "last",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_schedule")),
    )
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.create_index(
            "ix_schedule_due",
            ["tenant_id", "next_due_at"],
            unique=False,
            postgresql_where=sa.text("paused_at IS NULL"),
            sqlite_where=sa.text("paused_at IS NULL"),
        )
        batch_op.create_index("ix_schedule_newest", ["tenant_id", "created_at", "id"], unique=False)
        batch_op.create_index("uq_schedule_name", ["tenant_id", "name"], unique=True)

    op.create_table(
        "server",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "tags",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("persona", sa.Text(), nullable=True),
        sa.Column("pool_id", sa.Text(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("bmc_address", sa.Text(), nullable=False),
        sa.Column("bmc_system", sa.Text(), nullable=True),
        sa.Column("bmc_fingerprint", sa.Text(), nullable=True),
        sa.Column("credential", sa.Text(), nullable=True),
        sa.Column("credential_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("boot_mac", sa.Text(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=True),
        sa.Column("maintenance", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("maintenance_reason", sa.Text(), nullable=True),
        sa.Column("power", sa.Text(), nullable=True),
        sa.Column("health", sa.Text(), server_default="unknown", nullable=False),
        sa.Column(
            "failure_reasons",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("identified_at", sa.BigInteger(), nullable=True),
        sa.Column("last_check_at", sa.BigInteger(), nullable=True),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "hardware",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "image",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("reserved_by", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_server")),
    )
    with op.batch_alter_table("server", schema=None) as batch_op:
        batch_op.create_index("ix_server_newest", ["tenant_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_server_pool", ["tenant_id", "pool_id", "state"], unique=False)
        batch_op.create_index(
            "uq_server_bmc",
            ["tenant_id", "bmc_address"],
            unique=True,
            postgresql_where=sa.text("state <> 'decommissioned'"),
            sqlite_where=sa.text("state <> 'decommissioned'"),
        )

    op.create_table(
        "source",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("management_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("listed_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("objects", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "tally",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "management_id", "kind", name=op.f("pk_source")),
    )
    op.create_table(
        "totals",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "type", "status", "slot", name=op.f("pk_totals")),
    )
    op.create_table(
        "type_state",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "type", name=op.f("pk_type_state")),
    )
    op.create_table(
        "vm",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("management_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=True),
        sa.Column("resource_version", sa.Text(), nullable=True),
        sa.Column(
            "observed",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "tags",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=True),
        sa.Column("slow_since", sa.BigInteger(), nullable=True),
        sa.Column(
            "failure_reasons",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("run_strategy", sa.Text(), nullable=False),
        sa.Column(
            "content",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_vm")),
    )
    with op.batch_alter_table("vm", schema=None) as batch_op:
        batch_op.create_index("ix_vm_newest", ["tenant_id", "created_at", "id"], unique=False)
        batch_op.create_index(
            "uq_vm_name",
            ["tenant_id", "management_id", "name"],
            unique=True,
            postgresql_where=sa.text("state <> 'deleted'"),
            sqlite_where=sa.text("state <> 'deleted'"),
        )

    op.create_table(
        "hook",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column(
            "metadata",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "payload",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("payload_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("executed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["run.tenant_id", "run.id"], name=op.f("fk_hook_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_hook")),
    )
    with op.batch_alter_table("hook", schema=None) as batch_op:
        batch_op.create_index("ix_hook_step", ["tenant_id", "run_id", "step"], unique=False)
        batch_op.create_index("uq_hook_token", ["token_hash"], unique=True)

    op.create_table(
        "occurrence",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("manual", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("times", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("noted_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "schedule_id"],
            ["schedule.tenant_id", "schedule.id"],
            name=op.f("fk_occurrence_schedule"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_occurrence")),
    )
    with op.batch_alter_table("occurrence", schema=None) as batch_op:
        batch_op.create_index(
            "ix_occurrence_closed",
            ["tenant_id", "closed_at"],
            unique=False,
            postgresql_where=sa.text("closed_at IS NOT NULL"),
            sqlite_where=sa.text("closed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_occurrence_open",
            ["tenant_id", "schedule_id", "due_at"],
            unique=False,
            postgresql_where=sa.text("closed_at IS NULL"),
            sqlite_where=sa.text("closed_at IS NULL"),
        )
        batch_op.create_index(
            "ix_occurrence_queued",
            ["tenant_id", "schedule_id"],
            unique=False,
            postgresql_where=sa.text("outcome = 'queued'"),
            sqlite_where=sa.text("outcome = 'queued'"),
        )
        batch_op.create_index(
            "uq_occurrence_due", ["tenant_id", "schedule_id", "due_at", "manual"], unique=True
        )

    op.create_table(
        "run_tag",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["run.tenant_id", "run.id"],
            name=op.f("fk_run_tag_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "tag", name=op.f("pk_run_tag")),
    )
    with op.batch_alter_table("run_tag", schema=None) as batch_op:
        batch_op.create_index(
            "ix_run_tag_newest", ["tenant_id", "tag", "created_at", "run_id", "type"], unique=False
        )

    op.create_table(
        "signal",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "payload",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("payload_hash", sa.Text(), nullable=True),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("consumed_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["run.tenant_id", "run.id"],
            name=op.f("fk_signal_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_signal")),
    )
    with op.batch_alter_table("signal", schema=None) as batch_op:
        batch_op.create_index(
            "ix_signal_unread",
            ["tenant_id", "run_id", "name", "seq"],
            unique=False,
            postgresql_where=sa.text("consumed_by IS NULL"),
            sqlite_where=sa.text("consumed_by IS NULL"),
        )
        batch_op.create_index(
            "uq_signal_idempotency",
            ["tenant_id", "run_id", "idempotency_key"],
            unique=True,
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
            sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        )

    op.create_table(
        "step",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "given",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "output",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "error",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column(
            "ref",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("timeout_ms", sa.BigInteger(), nullable=False),
        sa.Column("alone", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("undoable", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("gen", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("polls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="none", nullable=False),
        sa.Column("unsure", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("expect_since", sa.BigInteger(), nullable=True),
        sa.Column(
            "signal",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("reused_from", sa.Text(), nullable=True),
        sa.Column("undoes", sa.Text(), nullable=True),
        sa.Column("compensated_at", sa.BigInteger(), nullable=True),
        sa.Column("first_started_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "phase", "key", name=op.f("pk_step")),
        postgresql_with={"fillfactor": "70"},
    )
    with op.batch_alter_table("step", schema=None) as batch_op:
        batch_op.create_index(
            "ix_step_expected",
            ["tenant_id", "queue", "expect_since"],
            unique=False,
            postgresql_where=sa.text("expect_since IS NOT NULL"),
            sqlite_where=sa.text("expect_since IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_step_leases",
            ["tenant_id", "lease_until"],
            unique=False,
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        )
        batch_op.create_index("uq_step_ordinal", ["tenant_id", "run_id", "phase", "ordinal"], unique=True)

    op.create_table(
        "timer",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("fired_at", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["run.tenant_id", "run.id"],
            name=op.f("fk_timer_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_timer")),
    )
    with op.batch_alter_table("timer", schema=None) as batch_op:
        batch_op.create_index(
            "ix_timer_due",
            ["tenant_id", "due_at"],
            unique=False,
            postgresql_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
            sqlite_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
        )
        batch_op.create_index("ix_timer_run", ["tenant_id", "run_id"], unique=False)
        batch_op.create_index(
            "uq_timer_open",
            ["tenant_id", "run_id", "phase", "step", "purpose"],
            unique=True,
            postgresql_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
            sqlite_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
        )

    op.create_table(
        "webhook",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "events",
            sa.JSON().with_variant(sa.Text(), "sqlite"),
            nullable=True,
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_until", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["run.tenant_id", "run.id"],
            name=op.f("fk_webhook_run"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhook")),
    )
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.create_index(
            "uq_webhook_run",
            ["tenant_id", "run_id"],
            unique=True,
            postgresql_where=sa.text("run_id IS NOT NULL"),
            sqlite_where=sa.text("run_id IS NOT NULL"),
        )

    op.create_table(
        "delivery",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("put_off", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["run.tenant_id", "run.id"],
            name=op.f("fk_delivery_run"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "webhook_id"],
            ["webhook.tenant_id", "webhook.id"],
            name=op.f("fk_delivery_webhook"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_due",
            ["tenant_id", "next_at"],
            unique=False,
            postgresql_where=sa.text("status IN ('pending', 'delivering')"),
            sqlite_where=sa.text("status IN ('pending', 'delivering')"),
        )
        batch_op.create_index(
            "ix_delivery_put_off",
            ["tenant_id", "webhook_id", "created_at", "seq"],
            unique=False,
            postgresql_where=sa.text("put_off"),
            sqlite_where=sa.text("put_off"),
        )
        batch_op.create_index(
            "ix_delivery_run",
            ["tenant_id", "run_id"],
            unique=False,
            postgresql_where=sa.text("run_id IS NOT NULL"),
            sqlite_where=sa.text("run_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_delivery_under_way",
            ["tenant_id", "webhook_id", "lease_until"],
            unique=False,
            postgresql_where=sa.text("status = 'delivering'"),
            sqlite_where=sa.text("status = 'delivering'"),
        )
        batch_op.create_index(
            "ix_delivery_webhook", ["tenant_id", "webhook_id", "created_at", "id"], unique=False
        )
        batch_op.create_index(
            "uq_delivery_once",
            ["tenant_id", "webhook_id", "run_id", "seq"],
            unique=True,
            postgresql_where=sa.text("run_id IS NOT NULL"),
            sqlite_where=sa.text("run_id IS NOT NULL"),
        )

    op.create_table(
        "subscription",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "webhook_id"],
            ["webhook.tenant_id", "webhook.id"],
            name=op.f("fk_subscription_webhook"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "event", "webhook_id", name=op.f("pk_subscription")),
    )
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.create_index("ix_subscription_webhook", ["tenant_id", "webhook_id"], unique=False)

    op.create_table(
        "delivery_attempt",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["delivery.tenant_id", "delivery.id"],
            name=op.f("fk_delivery_attempt_delivery"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", "attempt", name=op.f("pk_delivery_attempt")),
    )


def downgrade() -> None:
    op.drop_table("delivery_attempt")
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.drop_index("ix_subscription_webhook")

    op.drop_table("subscription")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_delivery_once",
            postgresql_where=sa.text("run_id IS NOT NULL"),
            sqlite_where=sa.text("run_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_delivery_webhook")
        batch_op.drop_index(
            "ix_delivery_under_way",
            postgresql_where=sa.text("status = 'delivering'"),
            sqlite_where=sa.text("status = 'delivering'"),
        )
        batch_op.drop_index(
            "ix_delivery_run",
            postgresql_where=sa.text("run_id IS NOT NULL"),
            sqlite_where=sa.text("run_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_delivery_put_off", postgresql_where=sa.text("put_off"), sqlite_where=sa.text("put_off")
        )
        batch_op.drop_index(
            "ix_delivery_due",
            postgresql_where=sa.text("status IN ('pending', 'delivering')"),
            sqlite_where=sa.text("status IN ('pending', 'delivering')"),
        )

    op.drop_table("delivery")
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_webhook_run",
            postgresql_where=sa.text("run_id IS NOT NULL"),
            sqlite_where=sa.text("run_id IS NOT NULL"),
        )

    op.drop_table("webhook")
    with op.batch_alter_table("timer", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_timer_open",
            postgresql_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
            sqlite_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
        )
        batch_op.drop_index("ix_timer_run")
        batch_op.drop_index(
            "ix_timer_due",
            postgresql_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
            sqlite_where=sa.text("fired_at IS NULL AND cancelled_at IS NULL"),
        )

    op.drop_table("timer")
    with op.batch_alter_table("step", schema=None) as batch_op:
        batch_op.drop_index("uq_step_ordinal")
        batch_op.drop_index(
            "ix_step_leases",
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        )
        batch_op.drop_index(
            "ix_step_expected",
            postgresql_where=sa.text("expect_since IS NOT NULL"),
            sqlite_where=sa.text("expect_since IS NOT NULL"),
        )

    op.drop_table("step")
    with op.batch_alter_table("signal", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_signal_idempotency",
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
            sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_signal_unread",
            postgresql_where=sa.text("consumed_by IS NULL"),
            sqlite_where=sa.text("consumed_by IS NULL"),
        )

    op.drop_table("signal")
    with op.batch_alter_table("run_tag", schema=None) as batch_op:
        batch_op.drop_index("ix_run_tag_newest")

    op.drop_table("run_tag")
    with op.batch_alter_table("occurrence", schema=None) as batch_op:
        batch_op.drop_index("uq_occurrence_due")
        batch_op.drop_index(
            "ix_occurrence_queued",
            postgresql_where=sa.text("outcome = 'queued'"),
            sqlite_where=sa.text("outcome = 'queued'"),
        )
        batch_op.drop_index(
            "ix_occurrence_open",
            postgresql_where=sa.text("closed_at IS NULL"),
            sqlite_where=sa.text("closed_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_occurrence_closed",
            postgresql_where=sa.text("closed_at IS NOT NULL"),
            sqlite_where=sa.text("closed_at IS NOT NULL"),
        )

    op.drop_table("occurrence")
    with op.batch_alter_table("hook", schema=None) as batch_op:
        batch_op.drop_index("uq_hook_token")
        batch_op.drop_index("ix_hook_step")

    op.drop_table("hook")
    with op.batch_alter_table("vm", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_vm_name",
            postgresql_where=sa.text("state <> 'deleted'"),
            sqlite_where=sa.text("state <> 'deleted'"),
        )
        batch_op.drop_index("ix_vm_newest")

    op.drop_table("vm")
    op.drop_table("type_state")
    op.drop_table("totals")
    op.drop_table("source")
    with op.batch_alter_table("server", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_server_bmc",
            postgresql_where=sa.text("state <> 'decommissioned'"),
            sqlite_where=sa.text("state <> 'decommissioned'"),
        )
        batch_op.drop_index("ix_server_pool")
        batch_op.drop_index("ix_server_newest")

    op.drop_table("server")
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.drop_index("uq_schedule_name")
        batch_op.drop_index("ix_schedule_newest")
        batch_op.drop_index(
            "ix_schedule_due",
            postgresql_where=sa.text("paused_at IS NULL"),
            sqlite_where=sa.text("paused_at IS NULL"),
        )

    op.drop_table("schedule")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_run_live_retry",
            postgresql_where=sa.text(
                "retry_of IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled')"
            ),
            sqlite_where=sa.text(
                "retry_of IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled')"
            ),
        )
        batch_op.drop_index(
            "uq_run_idempotency",
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
            sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        )
        batch_op.drop_index("ix_run_type")
        batch_op.drop_index(
            "ix_run_status",
            postgresql_where=sa.text("status IN ('completed', 'failed', 'cancelled')"),
            sqlite_where=sa.text("status IN ('completed', 'failed', 'cancelled')"),
        )
        batch_op.drop_index(
            "ix_run_retries",
            postgresql_where=sa.text("retry_of IS NOT NULL"),
            sqlite_where=sa.text("retry_of IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_run_resource",
            postgresql_where=sa.text("resource_id IS NOT NULL"),
            sqlite_where=sa.text("resource_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_run_origin",
            postgresql_where=sa.text("origin IS NOT NULL"),
            sqlite_where=sa.text("origin IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_run_parent",
            postgresql_where=sa.text("parent_run_id IS NOT NULL"),
            sqlite_where=sa.text("parent_run_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_run_open",
            postgresql_where=sa.text("status NOT IN ('completed', 'failed', 'cancelled')"),
            sqlite_where=sa.text("status NOT IN ('completed', 'failed', 'cancelled')"),
        )
        batch_op.drop_index("ix_run_newest")
        batch_op.drop_index(
            "ix_run_late",
            postgresql_where=sa.text("started_at - created_at > 60000"),
            sqlite_where=sa.text("started_at - created_at > 60000"),
        )
        batch_op.drop_index(
            "ix_run_expected",
            postgresql_where=sa.text("expect_since IS NOT NULL"),
            sqlite_where=sa.text("expect_since IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_run_ended",
            postgresql_where=sa.text("completed_at IS NOT NULL"),
            sqlite_where=sa.text("completed_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_run_code",
            postgresql_where=sa.text("version IS NOT NULL"),
            sqlite_where=sa.text("version IS NOT NULL"),
        )
        batch_op.drop_index("ix_run_actor")

    op.drop_table("run")
    with op.batch_alter_table("pool", schema=None) as batch_op:
        batch_op.drop_index("uq_pool_name")

    op.drop_table("pool")
    op.drop_table("meta")
    with op.batch_alter_table("management", schema=None) as batch_op:
        batch_op.drop_index("uq_management_name")

    op.drop_table("management")
    with op.batch_alter_table("machine_claim", schema=None) as batch_op:
        batch_op.drop_index("ix_machine_claim_server")

    op.drop_table("machine_claim")
    with op.batch_alter_table("lock_waiter", schema=None) as batch_op:
        batch_op.drop_index("ix_lock_waiter_run")

    op.drop_table("lock_waiter")
    op.drop_table("lock_fence")
    with op.batch_alter_table("lock", schema=None) as batch_op:
        batch_op.drop_index("ix_lock_run")

    op.drop_table("lock")
    op.drop_table("intent")
    op.drop_table("event")
    op.drop_table("definition")
    with op.batch_alter_table("cluster", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_cluster_name",
            postgresql_where=sa.text("state <> 'deleted'"),
            sqlite_where=sa.text("state <> 'deleted'"),
        )
        batch_op.drop_index("ix_cluster_newest")

    op.drop_table("cluster")
    op.drop_table("bmc_gate")
    op.drop_table("beat")
    with op.batch_alter_table("api_request", schema=None) as batch_op:
        batch_op.drop_index("ix_api_request_age")

    op.drop_table("api_request")
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_index("uq_api_key_prefix")
        batch_op.drop_index(
            "uq_api_key_name",
            postgresql_where=sa.text("revoked_at IS NULL"),
            sqlite_where=sa.text("revoked_at IS NULL"),
        )

    op.drop_table("api_key")
    with op.batch_alter_table("allocation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_allocation_server",
            postgresql_where=sa.text("released_at IS NULL"),
            sqlite_where=sa.text("released_at IS NULL"),
        )
        batch_op.drop_index("ix_allocation_cluster")

    op.drop_table("allocation")
