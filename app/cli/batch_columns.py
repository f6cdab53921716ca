"""What tables and sheets show of batches."""

from app.cli.tables import Columns

BATCHES: Columns = (
    ("ID", "workflow_id"),
    ("NAME", "name"),
    ("STATUS", "status"),
    ("OPERATIONS", "total_operations", 4),
    ("DONE", "completed_operations", 3),
    ("FAILED", "failed_operations", 2),
    ("CREATED", "created_at", 1),
)
BATCH: Columns = (
    ("Batch", "workflow_id"),
    ("Name", "name"),
    ("Version", "version"),
    ("Status", "status"),
    ("Waits", "waiting_on.text"),
    ("Storage", "storage_backend"),
    ("At once", "parallel_limit"),
    ("Rollback enabled", "rollback_enabled"),
    ("Created", "created_at"),
    ("Started", "started_at"),
    ("Completed", "completed_at"),
    ("Retry of", "retry_of"),
    ("Rollback", "rollback.status"),
    ("Checkpoints", "checkpoints.id"),
    ("Warnings", "warnings"),
    ("Error", "error"),
)
OPERATIONS: Columns = (
    ("OPERATION", "id"),
    ("TYPE", "type", 4),
    ("PROVIDER", "provider", 3),
    ("STATUS", "status"),
    ("ITEMS", "told", 2),
    ("ERROR", "problem", 1),
)
SUBMITTED: Columns = (
    ("Batch", "workflow_id"),
    ("Name", "name"),
    ("Version", "version"),
    ("Operations", "total_operations"),
    ("Items", "total_items"),
    ("Levels", "told"),
    ("Warnings", "warnings"),
    ("Seconds", "plan.estimated_seconds"),
    ("Order of rollback", "plan.rollback_order"),
)
PLANNED: Columns = (
    ("OPERATION", "operation"),
    ("ITEM", "name"),
    ("ACTION", "action"),
    ("WHY", "reason"),
)
ROLLBACK: Columns = (
    ("Rollback", "rollback_id"),
    ("Batch", "workflow_id"),
    ("Status", "status"),
    ("Operations", "told"),
)
STATS: Columns = (
    ("Batches", "total"),
    ("By status", "by_status"),
    ("By provider", "by_provider"),
    ("By type", "by_operation_type"),
    ("Success rate", "success_rate"),
    ("Average seconds", "avg_duration_seconds"),
    ("Rollbacks", "rollbacks"),
    ("Active", "active"),
    ("Queued", "queued"),
)
COPIES: Columns = (
    ("COPY", "name"),
    ("STATE", "copy"),
    ("BACKEND", "backend", 1),
    ("PROBLEM", "problem"),
)
