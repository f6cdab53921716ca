"""an index of runs that wait for an operator, and acknowledgements in that of ended ones"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATUS = "tenant_id, status, created_at, id, type, resource_type, started_at"
ENDED = "status IN ('completed', 'failed', 'cancelled')"
HELD = "status IN ('blocked', 'compensation_failed', 'failed_held')"


def upgrade() -> None:
    op.execute("DROP INDEX ix_run_status")
    op.execute(f"CREATE INDEX ix_run_status ON run ({STATUS}, acknowledged_at) WHERE {ENDED}")
    held = "tenant_id, created_at, id, type, resource_type, started_at"
    op.execute(f"CREATE INDEX ix_run_held ON run ({held}) WHERE {HELD}")


def downgrade() -> None:
    op.execute("DROP INDEX ix_run_held")
    op.execute("DROP INDEX ix_run_status")
    op.execute(f"CREATE INDEX ix_run_status ON run ({STATUS}) WHERE {ENDED}")
