"""PostgreSQL knows that a run's stage goes with its status, so that it counts along the index of stages"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE STATISTICS run_stage_status (dependencies, mcv) ON stage, status FROM run")
        op.execute("ANALYZE run")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP STATISTICS run_stage_status")
