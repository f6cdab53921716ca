"""the events of one transition as one row: the last one, and those before it as documents"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# The events inside of rows, each as a row of its own: type, phase, step, attempt, actor, payload.
UNPACK = {
    "postgresql": (
        "INSERT INTO event (tenant_id, run_id, seq, type, phase, step, attempt, actor, payload, at)"
        " SELECT e.tenant_id, e.run_id, e.seq - json_array_length(e.earlier) + told.place - 1,"
        " told.one->>0, told.one->>1, told.one->>2, (told.one->>3)::integer, told.one->>4, told.one->5, e.at"
        " FROM event AS e, json_array_elements(e.earlier) WITH ORDINALITY AS told (one, place)"
        " WHERE e.earlier IS NOT NULL"
    ),
    "sqlite": (
        "INSERT INTO event (tenant_id, run_id, seq, type, phase, step, attempt, actor, payload, at)"
        " SELECT e.tenant_id, e.run_id, e.seq - json_array_length(e.earlier) + told.key,"
        " told.value->>0, told.value->>1, told.value->>2, told.value->>3, told.value->>4, told.value->5, e.at"
        " FROM event AS e, json_each(e.earlier) AS told WHERE e.earlier IS NOT NULL"
    ),
}


def upgrade() -> None:
    kind = "JSON" if op.get_bind().dialect.name == "postgresql" else "TEXT"
    op.execute(f"ALTER TABLE event ADD COLUMN earlier {kind}")


def downgrade() -> None:
    op.execute(UNPACK[op.get_bind().dialect.name])
    op.execute("ALTER TABLE event DROP COLUMN earlier")
