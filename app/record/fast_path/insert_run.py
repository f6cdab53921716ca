"""A new run as one conditional write: the run, its steps and its first events, or nothing.

Nothing is written when somebody is told of its first events, when the type is paused, or when the run or its
idempotency key is known already; all that is looked into in a transaction. See `fast_path.transition`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from app.domain.rows import picked
from app.domain.rows.runs import EventRow, RunRow, StepRow
from app.record.fast_path.transition import EVENT, bound, numbered, of_size, told_rows, typed
from app.record.runs.event_rows import packed
from app.record.service import subscriptions
from app.record.session import NOW, Database
from app.record.tables import event, run, step, type_state

_RUN = (
    *("id", "type", "status", "resource_type", "resource_id", "triggered_by", "input", "tags", "on_failure"),
    *("idempotency_key", "request_hash", "callback_url", "parent_run_id", "traceparent", "eta_ms"),
    *("kind", "version", "limits"),
    *("event_seq", "log_bytes", "dispatch_gen", "expect_queue"),
)
_STEP = (
    *("run_id", "phase", "key", "ordinal", "name", "kind", "queue", "branch", "status", "given"),
    *("timeout_ms", "alone", "undoable"),
)
_TOLD = tuple(name for name in EVENT if name != "at")


def create(db: Database, new: RunRow, steps: Sequence[StepRow], events: Sequence[EventRow]) -> int | None:
    """Write a new run and expect its message; returns the database's clock, or None: nothing was written."""
    told, rows = subscriptions.public_types(events), packed(events)
    heard = subscriptions.values_of(db.tenant, new["id"], new["type"], told)
    values = [
        [db.tenant, *bound(run, picked(new, _RUN)), db.tenant, new["type"], *heard],
        [v for one in steps for v in (db.tenant, *bound(step, picked(one, _STEP)))],
        [v for one in rows for v in (db.tenant, *bound(event, picked(one, _TOLD)))],
    ]
    shape = (len(steps), len(rows), len(told))
    if db.dialect == "sqlite":
        return db.once(lambda cursor: _one_by_one(db, cursor, _statements(*shape), values))
    text, flat = _statement(*shape), [value for part in values for value in part]

    def at_once(cursor: Any) -> int | None:
        cursor.execute(text, flat)
        found = cursor.fetchone()
        return None if found is None else int(found[0])

    return db.once(at_once)


def _parts(
    steps: int, events: int, heard: int, given: Callable[[], str], source: str, *, cast: bool
) -> list[str]:
    """The insertions; ``source`` names what the later ones depend on, and the clock."""
    columns = ", ".join(typed(run, name, given, cast=cast) for name in ("tenant_id", *_RUN))
    born = (
        # Pause, listeners and keys are part of the statement: looked at before it, each could change in
        # between, and a run of a type that an operator has just paused would begin.
        f"INSERT INTO run (tenant_id, {', '.join(_RUN)}, created_at, expect_since, expect_from)"
        f" SELECT {columns}, clock.now, clock.now, clock.now FROM clock"
        f" WHERE NOT EXISTS (SELECT 1 FROM {type_state.name} WHERE tenant_id = {given()} AND type = {given()}"
        f" AND paused_at IS NOT NULL){subscriptions.unsubscribed(heard, given)} ON CONFLICT DO NOTHING"
    )
    planned = (
        f"INSERT INTO step (tenant_id, {', '.join(_STEP)}) SELECT told.*"
        f" FROM {source}, {told_rows(step, ('tenant_id', *_STEP), steps, given, cast=cast)}"
    )
    told = (
        f"INSERT INTO event (tenant_id, {', '.join(_TOLD)}, at) SELECT told.*, clock.now"
        f" FROM {source}, {told_rows(event, ('tenant_id', *_TOLD), events, given, cast=cast)}"
    )
    return [born, planned, told]


@of_size
def _statement(steps: int, events: int, heard: int) -> str:
    born, planned, told = _parts(steps, events, heard, numbered(), "clock, born", cast=True)
    return (
        # Materialised: the clock goes on during the statement, and run and event have to name the same
        # moment.
        f"WITH clock AS MATERIALIZED (SELECT {NOW['postgresql']} AS now), born AS ({born} RETURNING 1),"
        f" planned AS ({planned}), told AS ({told}) SELECT now FROM clock, born"
    )


@of_size
def _statements(steps: int, events: int, heard: int) -> list[str]:
    parts = _parts(steps, events, heard, lambda: "?", "clock", cast=False)
    return [f"WITH clock(now) AS (SELECT ?) {part}" for part in parts]


def _one_by_one(
    db: Database, cursor: Any, texts: Sequence[str], values: Sequence[Sequence[object]]
) -> int | None:
    with db.immediate(cursor):
        now = int(cursor.execute(f"SELECT {NOW['sqlite']}").fetchone()[0])
        for number, (text, bound_) in enumerate(zip(texts, values, strict=True)):
            cursor.execute(text, (now, *bound_))
            # Not `rowcount`: it stays at -1 for a statement that begins with WITH.
            if number == 0 and cursor.execute("SELECT changes()").fetchone()[0] == 0:
                cursor.execute("ROLLBACK")
                return None
    return now
