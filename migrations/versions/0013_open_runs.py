"""open runs by status, and an index of those that may stand still"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

THEN = "created_at, id, type, resource_type, started_at"
OPEN = "status NOT IN ('completed', 'failed', 'cancelled')"
MAY_STAND = "(expect_since IS NOT NULL OR CAST(waiting_on AS TEXT) <> 'null')"


def upgrade() -> None:
    op.execute("DROP INDEX ix_run_open")
    op.execute(f"CREATE INDEX ix_run_open ON run (tenant_id, status, {THEN}) WHERE {OPEN}")
    where = f"{OPEN} AND {MAY_STAND}"
    op.execute(f"CREATE INDEX ix_run_stands ON run (tenant_id, {THEN}, expect_since) WHERE {where}")


def downgrade() -> None:
    op.execute("DROP INDEX ix_run_stands")
    op.execute("DROP INDEX ix_run_open")
    op.execute(f"CREATE INDEX ix_run_open ON run (tenant_id, {THEN}, status) WHERE {OPEN}")
