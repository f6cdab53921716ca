"""open messages of a run and of a version are found along indexes that other questions need anyway"""

from alembic import op
from sqlalchemy import text

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

OPEN = text("state = 'open'")
GONE = {"ix_app_message_run": "run_id", "ix_app_message_version": "version"}


def upgrade() -> None:
    for name in GONE:
        op.drop_index(name, "app_message")


def downgrade() -> None:
    for name, column in GONE.items():
        columns = ["tenant_id", "app", column]
        op.create_index(name, "app_message", columns, postgresql_where=OPEN, sqlite_where=OPEN)
