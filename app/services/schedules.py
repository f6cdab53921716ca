"""Schedules: made, changed, paused and deleted; `app.engine.reconciler.schedules` starts their runs."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from app.auth.keys import Principal
from app.domain.errors import Conflict, InvalidStateTransition, NotFound, PreconditionFailed, ValidationFailed
from app.domain.ids import new_id
from app.domain.rows.runs import RunRow
from app.engine import admission
from app.engine.reconciler import schedules
from app.engine.transitions.journal import Journal
from app.record.service import definitions
from app.record.service import schedules as rows
from app.record.session import Tx
from app.services import audit, authority
from app.services.codeinput import sealed
from app.services.context import AppContext
from app.services.runs import published, resource_input
from chains import catalogue

log = structlog.get_logger(__name__)
Row = dict[str, Any]
WHEN = ("cron", "timezone", "every_ms")
WHAT = ("workflow_version", "resource_id", "input", "on_failure", "tags")
CHANGEABLE = ("name", *WHEN, *WHAT, "overlap", "catch_up", "catch_up_limit")


def create(world: AppContext, principal: Principal, values: Mapping[str, Any]) -> Row:
    """Make a schedule; what it would start is checked as a start is, and every refusal names its field."""
    row = {"id": new_id("sch"), "type": values["type"], **{name: values.get(name) for name in CHANGEABLE}}
    authority.check(principal, row["type"])
    row = _sealed(world, row)

    def work(tx: Tx) -> Row:
        _check_name(tx, row)
        _check_order(tx, row)
        paused = {"paused_at": tx.now} if values.get("paused") else {}
        made = {**row, **_timed(tx, row), **paused, "created_by": principal.actor}
        rows.insert_schedule(tx, made)
        audit.note(tx, principal, "schedule.create", row["id"], after=made)
        return get(tx, row["id"])

    return _logged("schedule.created", principal, world.db.write(work))


def get(tx: Tx, schedule_id: str, *, lock: bool = False) -> Row:
    """One schedule; raises `NotFound`."""
    row = rows.read_schedule(tx, schedule_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id}")
    return row


def change(
    world: AppContext,
    principal: Principal,
    schedule_id: str,
    values: Mapping[str, object],
    version: int | None,
) -> Row:
    """Change a schedule; with a version only when nobody else did meanwhile.

    Of cron and interval the one that is given takes the other's place. What is due next is computed anew
    when it is said anew when the schedule is due.
    """
    changes = {name: values[name] for name in CHANGEABLE if name in values}
    for given, other in (("cron", "every_ms"), ("every_ms", "cron")):
        if changes.get(given) is not None:
            changes.setdefault(other, None)

    def work(tx: Tx) -> Row:
        old = _authorized(tx, principal, schedule_id)
        if version not in (None, old["version"]):
            raise PreconditionFailed(f"It is at version {old['version']} by now.", current=old["version"])
        new = {**old, **changes}
        if "input" in changes:
            new = _sealed(world, new)
        _check_name(tx, new)
        if not changes.keys().isdisjoint(WHAT):
            _check_order(tx, new)
        timed = {} if changes.keys().isdisjoint(WHEN) else _timed(tx, new)
        rows.change_schedule(tx, schedule_id, {**{name: new[name] for name in changes}, **timed})
        changed = get(tx, schedule_id)
        audit.note(tx, principal, "schedule.change", schedule_id, before=old, after=changed)
        return changed

    return _logged("schedule.changed", principal, world.db.write(work))


def delete(world: AppContext, principal: Principal, schedule_id: str) -> None:
    """Delete a schedule with what is known of its due times; its runs stay, and go on."""

    def work(tx: Tx) -> Row:
        row = _authorized(tx, principal, schedule_id)
        rows.delete_schedule(tx, schedule_id)
        audit.note(tx, principal, "schedule.delete", schedule_id, before=row)
        return row

    _logged("schedule.deleted", principal, world.db.write(work))


def pause(world: AppContext, principal: Principal, schedule_id: str, reason: str | None = None) -> Row:
    """Let a schedule start nothing; what would have been due meanwhile does not count as missed."""

    def changes(tx: Tx, row: Row) -> Row:
        return {"paused_at": row["paused_at"] or tx.now, "paused_reason": reason}

    done = _changed(world, principal, schedule_id, "schedule.pause", changes)
    return _logged("schedule.paused", principal, done)


def unpause(world: AppContext, principal: Principal, schedule_id: str) -> Row:
    """Let a schedule go on, with the next due time from now; one that is not paused stays as it is."""

    def changes(tx: Tx, row: Row) -> Row:
        if row["paused_at"] is None:
            return {}
        following = next(schedules.timing(row).after(tx.now), None)
        return {"paused_at": None, "paused_reason": None, "next_due_at": following}

    done = _changed(world, principal, schedule_id, "schedule.unpause", changes)
    return _logged("schedule.unpaused", principal, done)


def run(world: AppContext, principal: Principal, schedule_id: str, key: str | None = None) -> RunRow:
    """Start a run now, also while the schedule is paused; returns its row. The same key starts one."""
    key = key or new_id("ask")  # Made here, so that a transaction that is repeated asks for the same run.

    def work(tx: Tx) -> Journal:
        row = _authorized(tx, principal, schedule_id)
        audit.note(tx, principal, "schedule.run", schedule_id)
        return schedules.run_now(tx, row, key, principal.actor)

    started = published(world, world.db.write(work))
    log.info("schedule.run", schedule=schedule_id, run=started["id"], actor=principal.actor)
    return started


def _authorized(tx: Tx, principal: Principal, schedule_id: str) -> Row:
    """The schedule under a lock, for whoever may have its runs started."""
    row = get(tx, schedule_id, lock=True)
    authority.check(principal, row["type"])
    return row


def _changed(
    world: AppContext,
    principal: Principal,
    schedule_id: str,
    action: str,
    changes: Callable[[Tx, Row], Row],
) -> Row:
    def work(tx: Tx) -> Row:
        row = _authorized(tx, principal, schedule_id)
        found = changes(tx, row)
        if found:
            rows.change_schedule(tx, schedule_id, found)
            reason = found.get("paused_reason")
            audit.note(tx, principal, action, schedule_id, reason=reason, before=row, after={**row, **found})
        return get(tx, schedule_id)

    return world.db.write(work)


def _timed(tx: Tx, row: Row) -> Row:
    """When it is due from now on; raises `ValidationFailed` on ``cron`` or ``timezone``."""
    timing = schedules.timing({**row, "anchor_at": tx.now})
    timing.check()
    return {"anchor_at": tx.now, "next_due_at": next(timing.after(tx.now), None)}


def _check_name(tx: Tx, row: Row) -> None:
    taken = rows.schedule_named(tx, row["name"])
    if taken not in (None, row["id"]):
        raise Conflict(f"Schedule {taken} is called {row['name']!r} already", schedule=taken)


def _check_order(tx: Tx, row: Row) -> None:
    """Refuse what could not be started, except for what may be otherwise when its time comes."""
    name, given = row["type"], row["input"]
    if name not in catalogue.types():
        _check_code(tx, row)
        return
    if not isinstance(given, dict):
        raise ValidationFailed.of("input", f"{name} takes an object")
    kind, order = catalogue.lookup(name), schedules.order_of(row)
    kind.plan({**kind.check(given, order.resource_id), **resource_input(kind, order)})
    with suppress(InvalidStateTransition, Conflict):
        admission.check(tx, order, kind.resource)


def _check_code(tx: Tx, row: Row) -> None:
    name, version = row["type"], row["workflow_version"]
    if definitions.find(tx, name, None) is None:
        raise ValidationFailed.of("type", f"{name!r} is neither in the catalogue nor announced by a worker")
    if definitions.find(tx, name, version) is None:
        raise ValidationFailed.of("workflowVersion", f"No worker has announced {name} in version {version}")
    if not isinstance(row["input"], list):
        raise ValidationFailed.of("input", f"{name} takes a list of arguments")


def _sealed(world: AppContext, row: Row) -> Row:
    """The schedule with the arguments sealed that its code workflow declares as secrets."""
    if row["type"] in catalogue.types() or not isinstance(row["input"], list):
        return row
    return {**row, "input": list(sealed(world, schedules.code_order_of(row)).args)}


def _logged(event: str, principal: Principal, row: Row) -> Row:
    log.info(event, schedule=row["id"], name=row["name"], actor=principal.actor)
    return row
