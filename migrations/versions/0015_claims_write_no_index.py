"""what indexes show of a run changes neither with its first claim nor with its start"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COMPUTED = {
    "stage": ("TEXT", "CASE WHEN status IN ('queued', 'running') THEN 'active' ELSE status END"),
    "began": (
        "BIGINT",
        "CASE WHEN started_at - created_at > 60000 THEN started_at ELSE created_at END",
    ),
}
OPEN = (
    "stage IN ('active', 'lock_waiting', 'waiting', 'paused', 'blocked', 'cancelling', 'compensating',"
    " 'failed_held', 'compensation_failed')"
)
HELD = "stage IN ('blocked', 'compensation_failed', 'failed_held')"
MAY_STAND = "(expect_from IS NOT NULL OR CAST(waiting_on AS TEXT) <> 'null')"
THEN = "created_at, id, type, resource_type, began"
NEW = {  # Columns and condition of an index.
    "ix_run_newest": (THEN, None),
    "ix_run_type": ("type, created_at, id, stage, began", None),
    "ix_run_stage": (f"stage, {THEN}, acknowledged_at", None),
    "ix_run_actor": (f"triggered_by, {THEN}, stage", None),
    "ix_run_resource": (f"resource_id, {THEN}", "resource_id IS NOT NULL"),
    "ix_run_held": (THEN, HELD),
    "ix_run_stands": (THEN, f"{OPEN} AND {MAY_STAND}"),
    "ix_run_error": (f"error_code, {THEN}", "error_code IS NOT NULL"),
    "ix_run_late": ("began, created_at", "began > created_at"),
    "ix_run_expected": ("expect_queue, expect_from", "expect_from IS NOT NULL"),
    "uq_run_live_retry": ("retry_of", f"retry_of IS NOT NULL AND {OPEN}"),
    "ix_run_parent": (f"parent_run_id, {THEN}", "parent_run_id IS NOT NULL"),
    "ix_run_ended": ("completed_at, type, stage", "completed_at IS NOT NULL"),
}
OLD_OPEN = "status NOT IN ('completed', 'failed', 'cancelled')"
OLD_STANDS = f"{OLD_OPEN} AND (expect_since IS NOT NULL OR CAST(waiting_on AS TEXT) <> 'null')"
OLD_THEN = "created_at, id, type, resource_type, started_at"
OLD = {
    "ix_run_newest": (OLD_THEN, None),
    "ix_run_type": ("type, created_at, id, status, started_at", None),
    "ix_run_status": (
        f"status, {OLD_THEN}, acknowledged_at",
        "status IN ('completed', 'failed', 'cancelled')",
    ),
    "ix_run_actor": (f"triggered_by, {OLD_THEN}, status", None),
    "ix_run_resource": (f"resource_id, {OLD_THEN}", "resource_id IS NOT NULL"),
    "ix_run_held": (OLD_THEN, "status IN ('blocked', 'compensation_failed', 'failed_held')"),
    "ix_run_open": (f"status, {OLD_THEN}", OLD_OPEN),
    "ix_run_stands": (f"{OLD_THEN}, expect_since", OLD_STANDS),
    "ix_run_error": (f"error_code, {OLD_THEN}", "error_code IS NOT NULL"),
    "ix_run_late": ("started_at, created_at", "started_at - created_at > 60000"),
    "ix_run_expected": ("expect_queue, expect_since", "expect_since IS NOT NULL"),
    "uq_run_live_retry": ("retry_of", f"retry_of IS NOT NULL AND {OLD_OPEN}"),
    "ix_run_parent": (f"parent_run_id, {OLD_THEN}", "parent_run_id IS NOT NULL"),
    "ix_run_ended": ("completed_at, type, status, started_at, error_code", "completed_at IS NOT NULL"),
}


def upgrade() -> None:
    _drop(OLD)
    op.execute("ALTER TABLE run ADD COLUMN expect_from BIGINT")
    op.execute("UPDATE run SET expect_from = expect_since WHERE expect_since IS NOT NULL")
    if op.get_bind().dialect.name == "postgresql":  # Stored; one statement copies the table once.
        added = (f"ADD COLUMN {name} {kind} {_computed(by)} STORED" for name, (kind, by) in COMPUTED.items())
        op.execute(f"ALTER TABLE run {', '.join(added)}")
    else:
        for name, (kind, by) in COMPUTED.items():
            op.execute(f"ALTER TABLE run ADD COLUMN {name} {kind} {_computed(by)}")
    _create(NEW)


def downgrade() -> None:
    _drop(NEW)
    for name in (*COMPUTED, "expect_from"):
        op.execute(f"ALTER TABLE run DROP COLUMN {name}")
    _create(OLD)


def _computed(by: str) -> str:
    return f"GENERATED ALWAYS AS ({by})"


def _drop(indexes: dict[str, tuple[str, str | None]]) -> None:
    for name in indexes:
        op.execute(f"DROP INDEX {name}")


def _create(indexes: dict[str, tuple[str, str | None]]) -> None:
    for name, (columns, condition) in indexes.items():
        kind = "UNIQUE INDEX" if name.startswith("uq_") else "INDEX"
        where = "" if condition is None else f" WHERE {condition}"
        op.execute(f"CREATE {kind} {name} ON run (tenant_id, {columns}){where}")
