"""The audit log: who changed what, why and through which interface; written with the change.

Runs that are started are not repeated here: each says itself who started it. What is done to a run stands
here and in its log.
"""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.auth.secrets import redact
from app.domain.clock import rfc3339
from app.domain.ids import new_id
from app.record.paging import Page, Window
from app.record.service import audit_log
from app.record.service.audit_log import AuditFilters
from app.record.session import Tx
from app.services.context import AppContext
from windlass.decode import camel

Row = Mapping[str, Any]
Object = dict[str, object]
MOST_EXPORTED = 10_000
BATCH = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What a change changes without anybody wanting it, and what is nobody's to read.
LEFT_OUT = frozenset(
    {"tenant_id", "version", "created_at", "updated_at", "hash", "secret", "old_secret", "access"}
    | {"credential", "callback_secret", "ssh_key"}
)


def note(
    tx: Tx,
    principal: Principal,
    action: str,
    resource_id: str | None,
    *,
    reason: str | None = None,
    before: Row | None = None,
    after: Row | None = None,
) -> None:
    """Add an entry in the transaction of the change; the first part of "pool.change" is the resource.

    Of ``before`` and ``after`` only what differs is kept, and nothing that is a secret.
    """
    old, new = _differences(before or {}, after or {})
    audit_log.insert_entry(
        tx,
        {
            "id": new_id("aud"),
            "actor": principal.actor,
            "key_id": principal.key_id,
            "door": principal.door,
            "action": action,
            "resource_type": action.partition(".")[0],
            "resource_id": resource_id,
            "reason": reason,
            "before": old or None,
            "after": new or None,
            "request_id": principal.request_id,
        },
    )


def entries(world: AppContext, filters: AuditFilters, window: Window) -> Page:
    """A page of the log, the newest entry first."""
    return world.db.read(lambda tx: audit_log.list_entries(tx, filters, window))


def as_csv(world: AppContext, filters: AuditFilters, limit: int = MOST_EXPORTED) -> str:
    """The log as comma-separated lines, the newest entry first; changes as JSON.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    file = io.StringIO()
    table = csv.writer(file)
    header_due, after = True, None
    while limit > 0:
        found = entries(world, filters, Window(limit=min(limit, BATCH), after=after))
        shown = [entry_object(row) for row in found.rows]
        if header_due and shown:
            table.writerow(shown[0])
            header_due = False
        table.writerows([_cell(value) for value in one.values()] for one in shown)
        limit -= len(shown)
        if not found.more:
            break
        after = (found.rows[-1]["created_at"], found.rows[-1]["id"])
    return file.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def entry_object(row: Row) -> Object:
    """An entry as answers show it."""
    return {
        "id": row["id"],
        "at": rfc3339(row["created_at"]),
        "actor": row["actor"],
        "keyId": row["key_id"],
        "door": row["door"],
        "action": row["action"],
        "resourceType": row["resource_type"],
        "resourceId": row["resource_id"],
        "reason": row["reason"],
        "before": row["before"],
        "after": row["after"],
        "requestId": row["request_id"],
    }


def _differences(before: Row, after: Row) -> tuple[Object, Object]:
    """The members that differ, as they were and as they are."""
    changed = sorted(name for name in {*before, *after} - LEFT_OUT if before.get(name) != after.get(name))
    old = {camel(name): before[name] for name in changed if name in before}
    new = {camel(name): after[name] for name in changed if name in after}
    return redact(old), redact(new)
