"""batches"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

READY = "kind = 'child' AND status = 'pending' AND pending = 0"
AT_WORK = "kind = 'child' AND status = 'waiting'"
LIVE = "state <> 'gone'"


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("storage_backend", sa.Text(), nullable=False),
        sa.Column("parallel_limit", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rollback_enabled", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("definition", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("nickel_version", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("chosen", sa.JSON().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("retry_of", sa.Text(), nullable=True),
        sa.Column("checkpoint_every", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("operations", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("items", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rollback_run", sa.Text(), nullable=True),
        sa.Column("undone", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", name=op.f("pk_batch")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index("ix_batch_lineage", ["tenant_id", "lineage"], unique=False)
        batch_op.create_index("ix_batch_name", ["tenant_id", "name", "created_at", "run_id"], unique=False)
        batch_op.create_index("ix_batch_newest", ["tenant_id", "created_at", "run_id"], unique=False)

    op.create_table(
        "batch_total",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("operations", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "provider", "type", "status", "slot", name=op.f("pk_batch_total")
        ),
    )
    op.create_table(
        "checkpoint",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("upto_seq", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("mirrored_at", sa.BigInteger(), nullable=True),
        sa.Column("mirror_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "sequence", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "edge",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "needs", "key", name=op.f("pk_edge")),
    )
    with op.batch_alter_table("edge", schema=None) as batch_op:
        batch_op.create_index("ix_edge_key", ["tenant_id", "run_id", "key"], unique=False)

    op.create_table(
        "installation",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("taskserv", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_installation")),
    )
    with op.batch_alter_table("installation", schema=None) as batch_op:
        batch_op.create_index("ix_installation_lineage", ["tenant_id", "lineage", "operation"], unique=False)
        batch_op.create_index(
            "uq_installation_live",
            ["tenant_id", "instance", "taskserv"],
            unique=True,
            postgresql_where=sa.text(LIVE),
            sqlite_where=sa.text(LIVE),
        )

    op.create_table(
        "instance",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_instance")),
    )
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.create_index(
            "ix_instance_lineage", ["tenant_id", "lineage", "operation", "name"], unique=False
        )
        batch_op.create_index("ix_instance_token", ["tenant_id", "token"], unique=False)
        batch_op.create_index(
            "uq_instance_live",
            ["tenant_id", "provider", "account", "name"],
            unique=True,
            postgresql_where=sa.text(LIVE),
            sqlite_where=sa.text(LIVE),
        )

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(
            "ix_run_child",
            ["tenant_id", "parent_run_id", "parent_step", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("parent_step IS NOT NULL"),
            sqlite_where=sa.text("parent_step IS NOT NULL"),
        )

    with op.batch_alter_table("step", schema=None) as batch_op:
        batch_op.create_index(
            "ix_step_children",
            ["tenant_id", "run_id"],
            unique=False,
            postgresql_where=sa.text(AT_WORK),
            sqlite_where=sa.text(AT_WORK),
        )
        batch_op.create_index(
            "ix_step_ready",
            ["tenant_id", "run_id", "ordinal"],
            unique=False,
            postgresql_where=sa.text(READY),
            sqlite_where=sa.text(READY),
        )


def downgrade() -> None:
    with op.batch_alter_table("step", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_step_children", postgresql_where=sa.text(AT_WORK), sqlite_where=sa.text(AT_WORK)
        )
        batch_op.drop_index("ix_step_ready", postgresql_where=sa.text(READY), sqlite_where=sa.text(READY))
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_run_child",
            postgresql_where=sa.text("parent_step IS NOT NULL"),
            sqlite_where=sa.text("parent_step IS NOT NULL"),
        )
    op.drop_table("instance")
    op.drop_table("installation")
    op.drop_table("edge")
    op.drop_table("checkpoint")
    op.drop_table("batch_total")
    op.drop_table("batch")
