"""The log of a run: its events at dense slots.

The run's row is the lock of its log. In one transaction a writer locks it, increases ``events`` and writes
each event at the slot that this gives: no reader sees slot n+1 before slot n.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, select, update

from app.domain.apps.decide import NewEvent, text_of
from app.domain.apps.words import AppEventType
from app.record.apps import numbers
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_event, app_run

Row = dict[str, Any]
MOST_REPORTED = 500


def locked_run(tx: Tx, scope: Scope, run_id: str) -> Row | None:
    """The row of a run, locked until the transaction ends."""
    found = select(app_run).where(scope.owns(app_run), app_run.c.id == run_id)
    # `event_statement` changes the same row: every writer that takes a slot locks it in one of the two ways.
    # SQLite has one writer at a time.
    return tx.row(found.with_for_update() if tx.dialect == "postgresql" else found)


def append(tx: Tx, scope: Scope, run_id: str, events: Sequence[NewEvent]) -> list[Row]:
    """Write events at the next slots of a run whose row is locked; returns the rows of the log."""
    if not events:
        return []
    raised = update(app_run).where(scope.owns(app_run), app_run.c.id == run_id)
    raised = raised.values(events=app_run.c.events + len(events))
    last = int(tx.value(raised.returning(app_run.c.events)))
    rows = [
        {
            **scope.key,
            "run_id": run_id,
            "seq": seq,
            "number": number,
            "event_type": str(event.type),
            "correlation_id": event.correlation_id,
            "data": text_of(event.data),
            "spec_version": event.spec_version,
            "at": tx.now,
        }
        for event, seq, number in zip(
            events,
            range(last - len(events) + 1, last + 1),
            numbers.next_event(tx, len(events)),
            strict=True,
        )
    ]
    tx.execute(app_event.insert(), rows)
    return rows


def logged(tx: Tx, scope: Scope, run_id: str, correlation_id: str) -> frozenset[AppEventType]:
    """The types of events that the log of a run has for a correlation id."""
    # From the log and not from the entity's status: a repeated event must always get the same answer, and a
    # status changes.
    found = select(app_event.c.event_type).distinct().where(_of(scope, run_id, correlation_id))
    return frozenset(AppEventType(row["event_type"]) for row in tx.rows(found))


def latest(tx: Tx, scope: Scope, run_id: str, kind: AppEventType, correlation_id: str | None) -> Row | None:
    """The latest event of a type, for one correlation id if it is given."""
    found = select(app_event).where(scope.owns(app_event), app_event.c.run_id == run_id)
    found = found.where(app_event.c.event_type == str(kind))
    if correlation_id is not None:
        found = found.where(app_event.c.correlation_id == correlation_id)
    return tx.row(found.order_by(app_event.c.seq.desc()).limit(1))


def one(tx: Tx, scope: Scope, run_id: str, place: tuple[str, int]) -> Row | None:
    """One event by its slot ("seq") or its number, with the spec version of its run."""
    name, value = place
    return tx.row(_read(scope).where(app_event.c.run_id == run_id, app_event.c[name] == value))


def page(
    tx: Tx,
    scope: Scope,
    run_id: str,
    *,
    after: tuple[str, int] | None,
    limit: int,
    newest_first: bool = False,
) -> list[Row]:
    """Events of a run strictly after (newest first: before) a place, at most ``limit``."""
    found = _read(scope).where(app_event.c.run_id == run_id)
    return tx.rows(_walked(found, after, "seq", newest_first).limit(limit))


def between(tx: Tx, scope: Scope, run_id: str, first: int, last: int) -> list[Row]:
    """The events at slots ``first`` to ``last``, at most 501: the last one shows that there are more."""
    found = select(app_event).where(
        scope.owns(app_event), app_event.c.run_id == run_id, app_event.c.seq.between(first, last)
    )
    return tx.rows(found.order_by(app_event.c.seq).limit(MOST_REPORTED + 1))


def by_correlation(
    tx: Tx,
    scope: Scope,
    correlation_id: str,
    *,
    run_id: str | None = None,
    after: int | None,
    limit: int,
    newest_first: bool = False,
) -> list[Row]:
    """Events with a correlation id in all runs of the application (or in one), by number."""
    found = _read(scope).where(app_event.c.correlation_id == correlation_id)
    if run_id is not None:
        found = found.where(app_event.c.run_id == run_id)
    place = None if after is None else ("number", after)
    return tx.rows(_walked(found, place, "number", newest_first).limit(limit))


def _read(scope: Scope) -> Any:
    """Events with the spec version of their run, which decides the form of their ids."""
    joined = app_event.join(
        app_run,
        and_(
            app_run.c.tenant_id == app_event.c.tenant_id,
            app_run.c.app == app_event.c.app,
            app_run.c.id == app_event.c.run_id,
        ),
    )
    found = select(app_event, app_run.c.spec_version.label("run_version")).select_from(joined)
    return found.where(scope.owns(app_event))


def _of(scope: Scope, run_id: str, correlation_id: str) -> Any:
    return and_(
        scope.owns(app_event), app_event.c.run_id == run_id, app_event.c.correlation_id == correlation_id
    )


def _walked(found: Any, after: tuple[str, int] | None, order: str, newest_first: bool) -> Any:
    if after is not None:
        column = app_event.c[after[0]]
        found = found.where(column < after[1] if newest_first else column > after[1])
    return found.order_by(app_event.c[order].desc() if newest_first else app_event.c[order])
