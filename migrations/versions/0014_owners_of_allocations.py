"""servers of pools are taken by clusters and by items of batches"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE allocation RENAME COLUMN cluster_id TO owner_id")
    op.execute("DROP INDEX ix_allocation_cluster")
    op.execute("CREATE INDEX ix_allocation_owner ON allocation (tenant_id, owner_id)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_allocation_owner")
    op.execute("ALTER TABLE allocation RENAME COLUMN owner_id TO cluster_id")
    op.execute("CREATE INDEX ix_allocation_cluster ON allocation (tenant_id, cluster_id)")
