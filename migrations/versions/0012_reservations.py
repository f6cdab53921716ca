"""a reservation as a column of its own, which stands in no index"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("run", "step"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN reserved_until BIGINT")


def downgrade() -> None:
    for table in ("run", "step"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN reserved_until")
