"""the kind of a run as a column, and an index of those that are not declared"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("kind", sa.Text(), nullable=False, server_default="declared"))
    op.execute("UPDATE run SET kind = 'code' WHERE version IS NOT NULL")
    op.execute("UPDATE run SET kind = 'batch' WHERE version IS NULL AND substr(type, 1, 6) = 'batch.'")
    op.execute("DROP INDEX ix_run_code")
    op.execute("CREATE INDEX ix_run_kind ON run (tenant_id, kind, created_at, id) WHERE kind <> 'declared'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_run_kind")
    op.execute("CREATE INDEX ix_run_code ON run (tenant_id, created_at, id) WHERE version IS NOT NULL")
    op.drop_column("run", "kind")
