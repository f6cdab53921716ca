"""the columns of a step that a claim and a settlement change stand side by side at the end of its row"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TURN = (
    "CASE WHEN kind = 'child' AND status = 'pending' AND pending = 0 THEN 'ready'"
    " WHEN kind = 'child' AND status = 'waiting' THEN 'begun' END"
)
COUNT, FLAG, MOMENT, WORDS = "INTEGER NOT NULL DEFAULT 0", "BOOLEAN NOT NULL DEFAULT false", "BIGINT", "TEXT"
OLD = {  # As revision 0016 has them.
    **dict.fromkeys(("tenant_id", "run_id", "phase", "key"), "TEXT NOT NULL"),
    "ordinal": "BIGINT NOT NULL",
    **dict.fromkeys(("name", "kind", "queue"), "TEXT NOT NULL"),
    "branch": "TEXT NOT NULL DEFAULT ''",
    "status": "TEXT NOT NULL",
    **dict.fromkeys(("given", "output", "error", "ref"), "JSON"),
    "progress": WORDS,
    "timeout_ms": "BIGINT NOT NULL",
    **dict.fromkeys(("alone", "undoable"), FLAG),
    **dict.fromkeys(("attempt", "tries", "lost", "fence", "gen", "polls"), COUNT),
    **dict.fromkeys(("pending", "succeeded", "failures"), COUNT),
    "outcome": "TEXT NOT NULL DEFAULT 'none'",
    "unsure": FLAG,
    **dict.fromkeys(("holder", "task_id"), WORDS),
    **dict.fromkeys(("lease_until", "retry_at", "deadline_at", "expect_since"), MOMENT),
    "signal": "JSON",
    **dict.fromkeys(("reused_from", "undoes"), WORDS),
    **dict.fromkeys(("compensated_at", "first_started_at", "started_at", "completed_at"), MOMENT),
    "turn": f"TEXT GENERATED ALWAYS AS ({TURN}) STORED",
    "reserved_until": MOMENT,
}
# PostgreSQL logs an update from the first byte that changed to the last: those of a claim come before those
# that its settlement changes again.
LAST = (
    *("expect_since", "reserved_until", "attempt", "tries", "fence", "first_started_at", "started_at"),
    *("holder", "task_id", "lease_until", "completed_at", "unsure", "status", "outcome", "progress"),
    *("output", "error"),
)
# Before them, wide numbers first, so that little is left empty between them.
NUMBERS = (
    *("ordinal", "timeout_ms", "compensated_at", "lost", "gen", "polls", "pending", "succeeded", "failures"),
    *("alone", "undoable"),
)
INDEXES = (
    ("ix_step_expected", "queue, expect_since", "expect_since"),
    ("ix_step_turn", "run_id, turn, ordinal", "turn"),
)
NEW = (*(name for name in OLD if name not in (*NUMBERS, *LAST)), *NUMBERS, *LAST)


def upgrade() -> None:
    _order(NEW)


def downgrade() -> None:
    _order(tuple(OLD))


def _order(columns: Sequence[str]) -> None:
    """Copy the table into one whose columns have this order; SQLite writes whole rows, in whatever order."""
    if op.get_bind().dialect.name != "postgresql":
        return
    copied = ", ".join(name for name in columns if name != "turn")
    op.execute("ALTER TABLE step RENAME TO step_before")
    op.execute(
        f"CREATE TABLE step ({', '.join(f'{name} {OLD[name]}' for name in columns)}) WITH (fillfactor = 70)"
    )
    op.execute(f"INSERT INTO step ({copied}) SELECT {copied} FROM step_before")
    op.execute("DROP TABLE step_before")
    op.execute("ALTER TABLE step ADD CONSTRAINT pk_step PRIMARY KEY (tenant_id, run_id, phase, key)")
    for name, indexed, present in INDEXES:
        op.execute(f"CREATE INDEX {name} ON step (tenant_id, {indexed}) WHERE {present} IS NOT NULL")
    # Not a table without rows: plans would be made and kept as for one that is always empty.
    if op.get_bind().scalar(text("SELECT EXISTS (SELECT 1 FROM step)")):
        op.execute("ANALYZE step")
