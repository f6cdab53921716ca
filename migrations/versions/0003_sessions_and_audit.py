"""sessions, the audit log, acknowledged runs, runs by the end of their id and by their error"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FAILED = sa.text("error_code IS NOT NULL")
LISTED = ("created_at", "id", "type", "resource_type", "started_at")
AUDITED = {
    "ix_audit_newest": (),
    "ix_audit_actor": ("actor",),
    "ix_audit_action": ("action",),
    "ix_audit_type": ("resource_type",),
    "ix_audit_resource": ("resource_id",),
}


def _json() -> sa.JSON[Any]:
    return sa.JSON().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("door", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("before", _json(), nullable=True),
        sa.Column("after", _json(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit")),
    )
    for name, columns in AUDITED.items():
        op.create_index(name, "audit", ["tenant_id", *columns, "created_at", "id"])

    op.create_table(
        "session",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_session")),
    )
    op.create_index("uq_session_hash", "session", ["hash"], unique=True)
    op.create_index("ix_session_key", "session", ["tenant_id", "key_id"])
    op.create_index("ix_session_newest", "session", ["tenant_id", "created_at", "id", "key_id"])
    op.create_index("ix_session_expiry", "session", ["tenant_id", "expires_at"])

    op.add_column("run", sa.Column("acknowledged_at", sa.BigInteger(), nullable=True))
    op.add_column("run", sa.Column("acknowledged_by", sa.Text(), nullable=True))
    op.create_index("ix_run_ending", "run", ["tenant_id", sa.text("substr(id, length(id) - 5)")])
    op.create_index(
        "ix_run_error",
        "run",
        ["tenant_id", "error_code", *LISTED],
        postgresql_where=FAILED,
        sqlite_where=FAILED,
    )


def downgrade() -> None:
    op.drop_index("ix_run_error", table_name="run")
    op.drop_index("ix_run_ending", table_name="run")
    op.drop_column("run", "acknowledged_by")
    op.drop_column("run", "acknowledged_at")
    op.drop_table("session")
    op.drop_table("audit")
