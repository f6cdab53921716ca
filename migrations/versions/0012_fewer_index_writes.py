"""a reservation stands in a column of its own and in no index; steps are found by their key alone"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("run", "step"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN reserved_until BIGINT")
    op.execute("DROP INDEX uq_step_ordinal")


def downgrade() -> None:
    op.execute("CREATE UNIQUE INDEX uq_step_ordinal ON step (tenant_id, run_id, phase, ordinal)")
    for table in ("run", "step"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN reserved_until")
