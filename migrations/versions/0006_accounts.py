"""accounts at providers of servers, and the gates before them"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _json() -> sa.JSON[Any]:
    return sa.JSON().with_variant(sa.Text(), "sqlite")


def _number(name: str, default: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text(default), nullable=False)


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("zones", _json(), nullable=True),
        sa.Column("plans", _json(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("ssh_user", sa.Text(), nullable=False),
        _number("ssh_port", "22"),
        _number("calls_at_once", "4"),
        _number("calls_a_second", "5"),
        sa.Column("credential", sa.Text(), nullable=True),
        _number("credential_version", "0"),
        sa.Column("ssh_key", sa.Text(), nullable=True),
        _number("ssh_key_version", "0"),
        sa.Column("public_key", sa.Text(), nullable=True),
        _number("version", "1"),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_account")),
    )
    op.create_index("uq_account_name", "account", ["tenant_id", "name"], unique=True)
    op.create_table(
        "account_gate",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        _number("tokens", "0"),
        sa.Column("refilled_at", sa.BigInteger(), nullable=True),
        _number("rate", "0"),
        sa.Column("rate_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "account", name=op.f("pk_account_gate")),
    )
    op.create_table(
        "account_slot",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "account", "holder", name=op.f("pk_account_slot")),
    )


def downgrade() -> None:
    for name in ("account_slot", "account_gate", "account"):
        op.drop_table(name)
