"""Schedules and their occurrences: what was due, when, and what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal, select, update

from app.domain.ids import new_id
from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import occurrence, run, schedule

Row = dict[str, Any]


def insert_schedule(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new schedule."""
    tx.execute(
        insert(schedule), {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now, **values}
    )


def read_schedule(tx: Tx, schedule_id: str, *, lock: bool = False) -> Row | None:
    """A schedule, locked until the transaction ends when asked for."""
    found = select(schedule).where(*_one(tx, schedule_id))
    return tx.row(found.with_for_update() if lock else found)


def of_type(tx: Tx, type_: str) -> list[Row]:
    """The schedules of a type or a code workflow, locked."""
    where = (schedule.c.tenant_id == tx.tenant, schedule.c.type == type_)
    return tx.rows(select(schedule).where(*where).order_by(schedule.c.id).with_for_update())


def take_schedule(tx: Tx, schedule_id: str) -> Row | None:
    """A schedule that is not paused, locked; None when somebody else has it just now."""
    found = select(schedule).where(*_one(tx, schedule_id), schedule.c.paused_at.is_(None))
    # Not waited for: whoever holds it does the very same, and the next look finds what is left.
    return tx.row(found.with_for_update(skip_locked=True))


def schedule_named(tx: Tx, name: str) -> str | None:
    """Which schedule has this name?"""
    where = (schedule.c.tenant_id == tx.tenant, schedule.c.name == name)
    found: str | None = tx.value(select(schedule.c.id).where(*where))
    return found


def change_schedule(tx: Tx, schedule_id: str, changes: Mapping[str, Any]) -> None:
    """Change what people say about a schedule; its version grows."""
    values = {**changes, "version": schedule.c.version + 1, "updated_at": tx.now}
    tx.execute(update(schedule).where(*_one(tx, schedule_id)).values(**values))


def note_turn(tx: Tx, schedule_id: str, changes: Mapping[str, Any]) -> None:
    """Keep what became of due times; its version stays."""
    tx.execute(update(schedule).where(*_one(tx, schedule_id)).values(**changes))


def delete_schedule(tx: Tx, schedule_id: str) -> bool:
    """Delete a schedule with its occurrences; false when there is none."""
    return tx.execute(delete(schedule).where(*_one(tx, schedule_id))).rowcount == 1


def list_schedules(tx: Tx, type_: str | None, window: Window) -> Page:
    """Which schedules are there?"""
    where = [schedule.c.tenant_id == tx.tenant, *([schedule.c.type == type_] if type_ else [])]
    return page(tx, schedule, where, window)


def due(tx: Tx, limit: int) -> list[str]:
    """The schedules whose time has come, and those of which something waits no longer for a run."""
    where = (schedule.c.tenant_id == tx.tenant, schedule.c.paused_at.is_(None))
    # Without locks. Each is taken and looked at again by `take_schedule`.
    come = select(schedule.c.id).where(*where, schedule.c.next_due_at <= tx.now)
    found = [str(row["id"]) for row in tx.rows(come.order_by(schedule.c.next_due_at).limit(limit))]
    return found + [one for one in _released(tx, limit) if one not in found]


def next_due(tx: Tx, after: int) -> int | None:
    """When, later than this, the next schedule is due."""
    where = (
        schedule.c.tenant_id == tx.tenant,
        schedule.c.paused_at.is_(None),
        schedule.c.next_due_at > after,
    )
    found: int | None = tx.value(select(func.min(schedule.c.next_due_at)).where(*where))
    return found


def add_occurrence(tx: Tx, values: Mapping[str, Any]) -> None:
    """Note what became of a due time; it is noted once, or the transaction fails."""
    tx.execute(
        insert(occurrence), {"tenant_id": tx.tenant, "id": new_id("occ"), "noted_at": tx.now, **values}
    )


def drop_occurrence(tx: Tx, occurrence_id: str) -> None:
    """Take back what was noted of a due time that is to be noted anew."""
    where = (occurrence.c.tenant_id == tx.tenant, occurrence.c.id == occurrence_id)
    tx.execute(delete(occurrence).where(*where))


def follow(tx: Tx, schedule_id: str, run_id: str, following: str) -> None:
    """Another run goes on in place of one that was started."""
    mine = (occurrence.c.tenant_id == tx.tenant, occurrence.c.schedule_id == schedule_id, _still_open())
    # Otherwise the due time would seem to be over when the function restarts, and the next run would begin
    # beside it.
    tx.execute(update(occurrence).where(*mine, occurrence.c.run_id == run_id).values(run_id=following))


def free_moment(tx: Tx, schedule_id: str) -> int:
    """Now, or as soon after it as nobody else asked for a run."""
    mine = (occurrence.c.tenant_id == tx.tenant, occurrence.c.schedule_id == schedule_id)
    asked = (*mine, occurrence.c.manual, occurrence.c.due_at >= tx.now)
    latest = tx.value(select(func.max(occurrence.c.due_at)).where(*asked))
    return tx.now if latest is None else int(latest) + 1


def open_occurrences(tx: Tx, schedule_id: str) -> list[Row]:
    """The occurrences that wait, and those whose run has not ended, oldest first.

    Those whose run has ended since are closed on this occasion, so that nobody looks at them again.
    """
    mine = (occurrence.c.tenant_id == tx.tenant, occurrence.c.schedule_id == schedule_id, _still_open())
    # A run that retention has deleted counts as ended: with a join instead of NOT EXISTS its occurrence would
    # stay open, and `overlap: skip` would skip for ever.
    ended = (*mine, occurrence.c.outcome == "started", ~_run_is_open(tx))
    tx.execute(update(occurrence).where(*ended).values(closed_at=tx.now))
    return tx.rows(select(occurrence).where(*mine).order_by(occurrence.c.due_at))


def list_occurrences(tx: Tx, schedule_id: str, outcome: str | None, window: Window) -> Page:
    """What became of the due times of a schedule, the latest first?"""
    told = select(occurrence, occurrence.c.due_at.label("created_at")).subquery("told")
    where = [told.c.tenant_id == tx.tenant, told.c.schedule_id == schedule_id]
    return page(tx, told, where + ([told.c.outcome == outcome] if outcome else []), window)


def statuses_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, str]:
    """The fine status of these runs, of those that there still are."""
    where = (run.c.tenant_id == tx.tenant, run.c.id.in_(run_ids))
    return {row["id"]: row["status"] for row in tx.rows(select(run.c.id, run.c.status).where(*where))}


def forget_before(tx: Tx, at: int, limit: int = 1_000) -> int:
    """Delete occurrences that were closed before this time, in one small batch; returns how many."""
    old = (occurrence.c.tenant_id == tx.tenant, occurrence.c.closed_at < at)
    found = select(occurrence.c.id).where(*old).limit(limit)
    ids = [row["id"] for row in tx.rows(found.with_for_update(skip_locked=True))]
    tx.execute(delete(occurrence).where(occurrence.c.tenant_id == tx.tenant, occurrence.c.id.in_(ids)))
    return len(ids)


def _released(tx: Tx, limit: int) -> list[str]:
    waiting, before = occurrence.alias("waiting"), occurrence.alias("before")
    same = (before.c.tenant_id == tx.tenant, before.c.schedule_id == waiting.c.schedule_id)
    holds = (*same, before.c.closed_at.is_(None), before.c.outcome == "started")
    where = (
        waiting.c.tenant_id == tx.tenant,
        waiting.c.outcome == literal("queued", literal_execute=True),  # For its index.
        ~exists(select(literal(1)).where(*holds, _run_is_open(tx, before.c.run_id))),
        exists(select(literal(1)).where(*_one(tx, waiting.c.schedule_id), schedule.c.paused_at.is_(None))),
    )
    query = select(waiting.c.schedule_id).where(*where).distinct().limit(limit)
    return [str(row["schedule_id"]) for row in tx.rows(query)]


def _run_is_open(tx: Tx, run_id: Any = occurrence.c.run_id) -> Any:
    mine = (run.c.tenant_id == tx.tenant, run.c.id == run_id)
    return exists(select(literal(1)).select_from(run).where(*mine, run.c.completed_at.is_(None)))


def _still_open() -> Any:
    return occurrence.c.closed_at.is_(None)


def _one(tx: Tx, schedule_id: Any) -> tuple[Any, ...]:
    return (schedule.c.tenant_id == tx.tenant, schedule.c.id == schedule_id)
