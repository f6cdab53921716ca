"""Batches as the API shows them: snake_case, states in PascalCase, times as RFC 3339."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.auth.secrets import redact
from app.domain.clock import rfc3339
from app.domain.json import JsonObject
from app.domain.states import TERMINAL

Row = Mapping[str, Any]
WORDS = {
    "waiting": "Running",
    "running": "Running",
    "retry_wait": "Retrying",
    "completed": "Completed",
    "resolved": "Completed",
    "failed": "Failed",
    "skipped": "Skipped",
    "cancelled": "Cancelled",
}
UNDOING = {
    "pending": "RollingBack",
    "waiting": "RollingBack",
    "running": "RollingBack",
    "retry_wait": "RollingBack",
    "completed": "RolledBack",
    "failed": "RollbackFailed",
}
_FACTS = ("id", "type", "provider", "dependencies", "on_failure", "priority")
ENDED = ("completed", "failed", "skipped", "cancelled")


def summary(row: Row, counts: Mapping[str, int]) -> JsonObject:
    """A batch as lists show it."""
    return {
        "workflow_id": row["run_id"],
        "name": row["name"],
        "version": row["version"],
        "status": row["shown_status"],
        "detail": row["status"],
        "total_operations": row["operations"],
        "total_items": row["items"],
        "completed_operations": counts.get("completed", 0),
        "failed_operations": counts.get("failed", 0),
        "actor": row["actor"],
        "retry_of": row["retry_of"],
        "created_at": rfc3339(row["created_at"]),
        "started_at": rfc3339(row["started_at"]),
        "completed_at": rfc3339(row["completed_at"]),
        "error": batch_error(row),
    }


def batch_error(row: Row) -> JsonObject | None:
    """Why a batch failed."""
    if row["error_code"] is None:
        return None
    return {"code": row["error_code"], "message": row["error_message"], "operation": row["error_step"]}


def operation(
    member: Row,
    facts: Row,
    *,
    ended: bool,
    retries: bool,
    undo: Row | None,
    items: Sequence[JsonObject] | None,
) -> JsonObject:
    """An operation; ``facts`` are from its definition, ``undo`` is its row in its last rollback."""
    status = operation_status(member, ended=ended, retries=retries, undo=undo)
    error = member["error"]
    shown: JsonObject = {
        **{name: facts[name] for name in _FACTS},
        "account": facts.get("account"),
        "status": status,
        "detail": _detail(member, ended=ended),
        "run_id": member["ref"] if isinstance(member["ref"], str) else None,
        "reused_from": member["reused_from"],
        "attempts": max((one["attempts"] for one in items or ()), default=member["attempt"]),
        "started_at": rfc3339(member["first_started_at"]),
        "completed_at": rfc3339(member["completed_at"]),
        "output": redact(member["output"]),
        "error": redact(error) if error else None,
        "approval": _approval(member),
    }
    return shown if items is None else {**shown, "items": list(items)}


def operation_status(member: Row, *, ended: bool, retries: bool, undo: Row | None) -> str:
    """The public status of an operation.

    ``ended``: its batch has ended; ``retries``: one of its items waits for another attempt.
    """
    if undo is not None and undo["status"] in UNDOING:
        return UNDOING[undo["status"]]
    if member["reused_from"] is not None:
        return "Completed"
    if member["status"] == "pending":
        if ended:
            return "Cancelled"
        return "Blocked" if member["pending"] - _awaits(member) > 0 else "Pending"
    if member["status"] == "waiting" and retries:
        return "Retrying"
    return WORDS[member["status"]]


def item(row: Row, *, ended: bool, undo: Row | None) -> JsonObject:
    """An item of an operation that has begun; ``undo`` is its row in its last rollback."""
    output = row["output"] or {}
    status = "Cancelled" if row["status"] == "pending" and ended else WORDS.get(row["status"], "Pending")
    if undo is not None:
        status = UNDOING.get(undo["status"], status)
    wait = rfc3339(row["retry_at"]) if row["status"] == "retry_wait" else None
    return {
        "name": _item(row)["name"],
        "status": status,
        "resource_id": output.get("resource_id"),
        "effect": output.get("effect"),
        "attempts": row["attempt"],
        "progress": row["progress"],
        "retry_at": wait,
        "started_at": rfc3339(row["first_started_at"]),
        "completed_at": rfc3339(row["completed_at"]),
        "error": redact((undo or {}).get("error") or row["error"]) or None,
    }


def idle_item(name: str, status: str) -> JsonObject:
    """An item of an operation that has not begun."""
    nothing = dict.fromkeys(
        ("resource_id", "effect", "progress", "retry_at", "started_at", "completed_at", "error")
    )
    return {"name": name, "status": status, "attempts": 0, **nothing}


def item_name(row: Row) -> str:
    """The name of an item."""
    return str(_item(row)["name"])


def checkpoint(row: Row, completed: Sequence[str] | None = None, count: int = 0) -> JsonObject:
    """A checkpoint with the number of operations completed by then, and their names as far as given."""
    shown: JsonObject = {
        "id": f"cp-{row['sequence']:04}",
        "sequence": row["sequence"],
        "name": row["name"],
        "reason": row["reason"],
        "created_at": rfc3339(row["created_at"]),
        "mirrored_at": rfc3339(row["mirrored_at"]),
        "mirror_error": row["mirror_error"],
    }
    if completed is None:
        return shown
    return {**shown, "completed_count": count, "completed_operations": list(completed)}


def rollback(row: Row, operations: Sequence[Row]) -> JsonObject:
    """A rollback of a batch."""
    words = {"completed": "RolledBack", "failed": "RollbackFailed", "cancelled": "Cancelled"}
    return {
        "rollback_id": row["id"],
        "status": words.get(row["status"], "RollingBack"),
        "started_at": rfc3339(row["started_at"]),
        "completed_at": rfc3339(row["completed_at"]),
        "operations": [
            {"id": one["key"], "status": UNDOING.get(one["status"], WORDS.get(one["status"], "Pending"))}
            for one in operations
        ],
        "error": row["error_message"],
    }


def has_ended(row: Row) -> bool:
    """Whether the run of a batch has ended."""
    return row["status"] in TERMINAL


def _detail(member: Row, *, ended: bool) -> str | None:
    if member["status"] == "skipped" and member["reused_from"] is None:
        return str((member["output"] or {}).get("skipped"))
    if member["status"] == "pending" and not ended and _awaits(member) and member["pending"] == 1:
        return "awaits_approval"
    return None


def _approval(member: Row) -> JsonObject | None:
    given = member["given"] or {}
    if not given.get("approval"):
        return None
    approved = given.get("approved")
    return {
        "approved": approved is not None,
        "by": (approved or {}).get("by"),
        "at": rfc3339((approved or {}).get("at")),
    }


def _awaits(member: Row) -> int:
    """1 while an approval is missing, else 0."""
    given = member["given"] or {}
    return int(bool(given.get("approval")) and given.get("approved") is None)


def _item(row: Row) -> Mapping[str, object]:
    found: Mapping[str, object] = (row["given"] or {})["item"]
    return found
