"""Use cases of batches: submit, read, act, roll back. Results have the form of the public API."""

from app.services.batches.actions import approve, cancel, checkpoint, pause, resume, retry, rollback
from app.services.batches.copies import restore_check
from app.services.batches.read import detail, find, operation_items, page, progress, stats
from app.services.batches.submit import plan, submit

__all__ = [
    "approve",
    "cancel",
    "checkpoint",
    "detail",
    "find",
    "operation_items",
    "page",
    "pause",
    "plan",
    "progress",
    "restore_check",
    "resume",
    "retry",
    "rollback",
    "stats",
    "submit",
]
