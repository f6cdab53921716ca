"""leases as rows of their own, and no index that looks at the status of a step"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TURN = (
    "CASE WHEN kind = 'child' AND status = 'pending' AND pending = 0 THEN 'ready'"
    " WHEN kind = 'child' AND status = 'waiting' THEN 'begun' END"
)
HELD = (
    "INSERT INTO lease (tenant_id, run_id, holder, until)"
    " SELECT tenant_id, run_id, holder, coalesce(max(lease_until), 0) FROM step"
    " WHERE status = 'running' AND holder IS NOT NULL GROUP BY tenant_id, run_id, holder"
)
OLD = {  # Indexes of steps: their columns and conditions.
    "ix_step_leases": ("tenant_id, lease_until", "status = 'running'"),
    "ix_step_ready": ("tenant_id, run_id, ordinal", "kind = 'child' AND status = 'pending' AND pending = 0"),
    "ix_step_children": ("tenant_id, run_id", "kind = 'child' AND status = 'waiting'"),
}


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "holder", name=op.f("pk_lease")),
    )
    op.execute(HELD)
    for name in OLD:
        op.execute(f"DROP INDEX {name}")
    # SQLite computes it when it is asked for, PostgreSQL stores it and copies the table once.
    stored = " STORED" if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(f"ALTER TABLE step ADD COLUMN turn TEXT GENERATED ALWAYS AS ({TURN}){stored}")
    op.execute("CREATE INDEX ix_step_turn ON step (tenant_id, run_id, turn, ordinal) WHERE turn IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX ix_step_turn")
    op.execute("ALTER TABLE step DROP COLUMN turn")
    for name, (columns, condition) in OLD.items():
        op.execute(f"CREATE INDEX {name} ON step ({columns}) WHERE {condition}")
    op.drop_table("lease")
