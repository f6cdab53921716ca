"""Schedules and their due times as their answers need them."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from app.api.http.context import world
from app.auth.secrets import hidden
from app.domain.clock import rfc3339
from app.domain.states import API_STATUS, RunStatus
from app.engine.reconciler import schedules as schedule
from app.record.paging import Page, Window
from app.record.service import schedules
from app.record.session import Tx
from app.services import schedules as service
from windlass.decode import camel

Object = dict[str, Any]
NEXT_TIMES = 5
SAME = (
    *("id", "name", "type", "workflow_version", "resource_id", "on_failure", "cron", "timezone"),
    *("every_ms", "overlap", "catch_up", "catch_up_limit", "paused_reason", "started", "missed"),
    "created_by",
)


def one(schedule_id: str) -> tuple[Object, Object]:
    """A schedule's row and its object; raises `NotFound`."""
    return world().db.read(lambda tx: _one(tx, service.get(tx, schedule_id)))


def shown(row: Object) -> Object:
    """The object of a schedule that was just changed."""
    return world().db.read(lambda tx: _one(tx, row))[1]


def page(type_: str | None, window: Window) -> tuple[Page, list[Object]]:
    """A page of schedules."""
    return world().db.read(lambda tx: _page(tx, type_, window))


def occurrences(schedule_id: str, outcome: str | None, window: Window) -> tuple[Page, list[Object]]:
    """A page of what became of due times; raises `NotFound`."""

    def read(tx: Tx) -> Page:
        service.get(tx, schedule_id)
        return schedules.list_occurrences(tx, schedule_id, outcome, window)

    found = world().db.read(read)
    return found, [_occurrence(row) for row in found.rows]


def _one(tx: Tx, row: Object) -> tuple[Object, Object]:
    return row, _schedule(tx, row, _statuses(tx, [row]))


def _page(tx: Tx, type_: str | None, window: Window) -> tuple[Page, list[Object]]:
    found = schedules.list_schedules(tx, type_, window)
    statuses = _statuses(tx, found.rows)
    return found, [_schedule(tx, row, statuses) for row in found.rows]


def _statuses(tx: Tx, rows: list[Object]) -> dict[str, str]:
    return schedules.statuses_of(tx, [row["last"]["runId"] for row in rows if row["last"]])


def _schedule(tx: Tx, row: Object, statuses: Mapping[str, str]) -> Object:
    coming = islice(schedule.timing(row).after(tx.now), NEXT_TIMES) if row["paused_at"] is None else ()
    return {
        **{camel(name): row[name] for name in SAME},
        "input": hidden(row["input"]),
        "tags": row["tags"] or [],
        "paused": row["paused_at"] is not None,
        "nextDueAt": rfc3339(row["next_due_at"]) if row["paused_at"] is None else None,
        "nextDueTimes": [rfc3339(at) for at in coming],
        "last": _last(row["last"], statuses),
        "triggeredBy": schedule.actor(row["id"]),
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }


def _last(told: Object | None, statuses: Mapping[str, str]) -> Object | None:
    if told is None:
        return None
    status = statuses.get(told["runId"])
    return {
        **told,
        "dueAt": rfc3339(told["dueAt"]),
        "runStatus": None if status is None else API_STATUS[RunStatus(status)],
    }


def _occurrence(row: Object) -> Object:
    return {
        **{name: row[name] for name in ("id", "outcome", "reason", "times", "actor")},
        "runId": row["run_id"],
        "manual": bool(row["manual"]),
        "dueAt": rfc3339(row["due_at"]),
        "notedAt": rfc3339(row["noted_at"]),
    }
