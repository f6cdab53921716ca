"""deliveries lock no row of their endpoint"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (["tenant_id", "webhook_id"], ["tenant_id", "id"])


def upgrade() -> None:
    # SQLite locks no rows, and would have to copy the table to forget the reference.
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_delivery_webhook", "delivery", type_="foreignkey")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "DELETE FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM webhook w"
            " WHERE w.tenant_id = d.tenant_id AND w.id = d.webhook_id)"
        )
        op.create_foreign_key("fk_delivery_webhook", "delivery", "webhook", *COLUMNS, ondelete="CASCADE")
