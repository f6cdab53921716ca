"""PostgreSQL knows that a run's stage goes with its status, so that it counts along the index of stages"""

from alembic import op
from sqlalchemy import text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE STATISTICS run_stage_status (dependencies, mcv) ON stage, status FROM run")
        # Not a table without rows: plans would be made and kept as for one that is always empty.
        if op.get_bind().scalar(text("SELECT EXISTS (SELECT 1 FROM run)")):
            op.execute("ANALYZE run")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP STATISTICS run_stage_status")
