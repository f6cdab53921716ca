"""One transition of one run as one conditional write: all of it, or nothing when the run has moved on.

1. The number of the run's last event is its version: every change of a run appends an event. A decision that
   was made from rows read earlier is still valid while the number is the same.
2. The first part changes the run on the condition that version and generation are those that were read. On
   PostgreSQL it waits while another transaction has the row locked, then checks its newest version.
3. Every other part depends on the first: when that finds no row, they write nothing.
4. PostgreSQL gets all parts as a single statement, which commits by itself. So no lock is held over a round
   trip, and nothing is read a second time. SQLite, whose statements need no round trip, gets several
   statements in one transaction.
5. When nothing was written, the caller decides again under the run's lock (`transitions.optimistic`).

The text of the statement is made once for each shape, so that the database plans it once.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import count
from typing import Any, cast

from sqlalchemy import JSON, Boolean, Table
from sqlalchemy.dialects import postgresql

from app.domain.json import JsonObject
from app.domain.rows import picked
from app.domain.rows.runs import EventRow, RunRow, StepRow
from app.record.runs.event_rows import packed
from app.record.runs.runs import total_slot
from app.record.service import subscriptions
from app.record.session import MOMENT, NOW, Database, dump
from app.record.tables import event, hook, lease, run, step, timer, totals

MOST_STEPS = 64  # Runs with more steps are read and written step by step, under the lock.
# A cache for statements whose text depends on how much they read or write: only common sizes are kept.
of_size = lru_cache(maxsize=256)
_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]
NEW_STEP = (  # Columns that a new call of a code workflow has values for; the others have their defaults.
    *("run_id", "phase", "key", "ordinal", "name", "kind", "queue", "branch", "status", "given", "output"),
    *("error", "timeout_ms", "alone", "undoable", "attempt", "outcome", "unsure"),
    *("first_started_at", "started_at", "completed_at"),
)
EVENT = tuple(column.name for column in event.columns if column.name != "tenant_id")


@dataclass(frozen=True, kw_only=True)
class RunSnapshot:
    """A run and the steps of its main lines, as they were at one moment."""

    run: RunRow = field(repr=False)
    steps: list[StepRow] = field(repr=False)
    now: int  # The database's clock then.
    watched: frozenset[str] = subscriptions.NOBODY  # Types of events that webhooks subscribe to.
    others: bool = False  # Whether other work waits in the run's queue.
    read_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A run that ends with this transition, for the totals."""

    type: str
    status: str
    duration_ms: int


@dataclass(frozen=True, kw_only=True)
class OtherTimer:
    """A timer of another run that is due at once: a step of that run waits for this one."""

    timer_id: str
    run_id: str
    purpose: str
    step: str
    due_at: int


@dataclass(frozen=True)
class Leases:
    """The leases that begin and end with this transition, by the holder of the step."""

    begun: Mapping[str, int] = field(default_factory=dict)  # By holder: until when, at first.
    ended: Sequence[str] = ()


NO_LEASES = Leases()


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What is to be written, and the version it was decided on."""

    run_id: str
    type: str
    version: int  # The run's event number, and
    gen: int  # its dispatch generation, as they were seen.
    run: RunRow
    steps: Sequence[tuple[str, str, StepRow]]  # phase, key, changed columns
    events: Sequence[EventRow]
    new: Sequence[StepRow] = ()  # Steps that the run gets.
    ending: Ending | None = None
    other_timer: OtherTimer | None = None  # Of a run that ends.
    leases: Leases = NO_LEASES


def see(db: Database, run_id: str) -> RunSnapshot | None:
    """The run, the steps of its main lines and the clock; None if unknown, very long or with a fan-out.

    The two are read one after the other: a transition that came between them changes the version, and a
    write that was decided on the mixture is refused.
    """

    def look(cursor: Any) -> RunSnapshot | None:
        cursor.execute(_see_run(db.dialect), (db.tenant, run_id))
        found = cursor.fetchone()
        if found is None or found[-1]:
            return None
        cursor.execute(_see_steps(db.dialect), (db.tenant, run_id))
        steps = cursor.fetchall()
        if len(steps) > MOST_STEPS:
            return None
        *columns, now, watched, others, _forked = found
        return RunSnapshot(
            run=cast("RunRow", row_of(run, columns, db.dialect)),
            steps=[cast("StepRow", row_of(step, values, db.dialect)) for values in steps],
            now=now,
            watched=subscriptions.read(watched),
            others=bool(others),
        )

    return db.once(look)


def write(db: Database, wanted: Transition, *, patience_s: float = 5.0) -> int | None:
    """Write a transition; returns the database's clock, or None when the run is no longer what was seen."""
    rows, told = packed(wanted.events), subscriptions.public_types(wanted.events)
    shape = _Shape(
        run=tuple(wanted.run),
        steps=tuple(tuple(changes) for _, _, changes in wanted.steps),
        new=len(wanted.new),
        events=len(rows),
        ends=wanted.ending is not None,
        arms_other=wanted.other_timer is not None,
        told=len(told),
        leases=lease_shape(wanted.leases),
    )
    if db.dialect == "sqlite":
        parts = _values(db.tenant, wanted, rows, told)
        return db.once(lambda cursor: _one_by_one(db, cursor, shape, parts), patience_s=patience_s)
    text = _statement(shape)

    def at_once(cursor: Any) -> int | None:
        # Made anew for each attempt: totals that somebody holds are left for another of their rows.
        cursor.execute(text, [value for part in _values(db.tenant, wanted, rows, told) for value in part])
        found = cursor.fetchone()
        return None if found is None else int(found[0])

    return db.once(at_once, patience_s=patience_s)


@dataclass(frozen=True)
class _Shape:
    run: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    new: int
    events: int  # Rows of them.
    ends: bool
    arms_other: bool
    told: int
    leases: tuple[int, int]


def _values(
    tenant: str, wanted: Transition, rows: Sequence[EventRow], told: Sequence[str]
) -> list[list[object]]:
    """The values of each part of the statement, in the order of `_parts`."""
    # The generation besides the version: publishing again (T10) raises it without an event, and a claim that
    # was decided before would go on under a message that is out of date.
    version = [tenant, wanted.run_id, wanted.version, wanted.gen]
    condition = subscriptions.values_of(tenant, wanted.run_id, wanted.type, told)
    parts = [[*bound(run, wanted.run), *version, *condition]]
    parts += [
        [*bound(step, changes), tenant, wanted.run_id, phase, key] for phase, key, changes in wanted.steps
    ]
    if wanted.new:
        parts.append([value for one in wanted.new for value in (tenant, *bound(step, picked(one, NEW_STEP)))])
    if rows:
        parts.append([value for one in rows for value in (tenant, *bound(event, picked(one, EVENT)))])
    if wanted.ending is not None:
        ending = wanted.ending
        parts.append([tenant, wanted.run_id])
        parts.append([tenant, wanted.run_id])
        parts.append([tenant, ending.type, ending.status, total_slot(), ending.duration_ms])
    if (other := wanted.other_timer) is not None:
        timed = (tenant, other.timer_id, other.run_id, "forward", other.step, other.purpose, other.due_at)
        parts.append([*timed, tenant, other.run_id])
    return [*parts, *lease_values(tenant, wanted.run_id, wanted.leases)]


def _parts(shape: _Shape, given: Callable[[], str], source: str, now: str) -> list[str]:
    """The writes of a transition, the guarded one first; ``source`` makes the others depend on it."""
    parts = [
        f"UPDATE run SET {sets(shape.run, given)} WHERE tenant_id = {given()} AND id = {given()}"
        f" AND event_seq = {given()} AND dispatch_gen = {given()}"
        f"{subscriptions.unsubscribed(shape.told, given)}"
    ]
    # All parts of a PostgreSQL statement see the rows as they were before it, also those that another part
    # changes. `FROM moved` is what makes them depend on the first: `moved` is empty when the run is no longer
    # what was seen.
    from_ = f" FROM {source}" if source else ""
    parts += [
        f"UPDATE step SET {sets(columns, given)}{from_}"
        f" WHERE tenant_id = {given()} AND run_id = {given()} AND phase = {given()} AND key = {given()}"
        for columns in shape.steps
    ]
    for table, columns, rows in ((step, NEW_STEP, shape.new), (event, EVENT, shape.events)):
        if rows:
            names = ("tenant_id", *columns)
            told = told_rows(table, names, rows, given, cast=bool(source))
            chosen = f"SELECT told.* FROM {source}, {told}" if source else f"SELECT * FROM {told}"
            parts.append(f"INSERT INTO {table.name} ({', '.join(names)}) {chosen}")
    if shape.ends:
        parts.append(
            # By the run, not by the rows that were read: a draft knows no timers and no hooks.
            f"UPDATE {timer.name} SET cancelled_at = {now}{from_}"
            f" WHERE tenant_id = {given()} AND run_id = {given()}"
            " AND fired_at IS NULL AND cancelled_at IS NULL"
        )
        parts.append(
            f"UPDATE {hook.name} SET status = 'expired'{from_}"
            f" WHERE tenant_id = {given()} AND run_id = {given()} AND status = 'open'"
        )
        key = ("tenant_id", "type", "status", "slot")
        added = [typed(totals, name, given, cast=bool(source)) for name in (*key, "duration_ms")]
        parts.append(
            f"INSERT INTO totals ({', '.join(key)}, duration_ms, runs) SELECT {', '.join(added)}, 1"
            f"{from_ or ' WHERE true'} ON CONFLICT ({', '.join(key)}) DO UPDATE"
            " SET runs = totals.runs + 1, duration_ms = totals.duration_ms + excluded.duration_ms"
        )
    if shape.arms_other:
        parts.append(_arm_other(given, source))
    return [*parts, *lease_parts(shape.leases, given, source)]


def _arm_other(given: Callable[[], str], source: str) -> str:
    """Arms a timer of another run that has not ended.

    One that is open already is touched, so that whoever fires it meanwhile looks after this write.
    """
    open_ = "(tenant_id, run_id, phase, step, purpose) WHERE fired_at IS NULL AND cancelled_at IS NULL"
    names = ("tenant_id", "id", "run_id", "phase", "step", "purpose", "due_at")
    values = [typed(timer, name, given, cast=bool(source)) for name in names]
    return (
        f"INSERT INTO {timer.name} ({', '.join(names)}) SELECT {', '.join(values)}"
        f"{f' FROM {source}' if source else ''} WHERE EXISTS (SELECT 1 FROM run AS other"
        f" WHERE other.tenant_id = {given()} AND other.id = {given()} AND other.completed_at IS NULL)"
        f" ON CONFLICT {open_} DO UPDATE SET due_at = excluded.due_at"
    )


def leave_parts(given: Callable[[], str], source: str, now: str) -> list[str]:
    """The writes that close the timers and hooks of a step that is done."""
    from_ = f" FROM {source}" if source else ""
    return [
        f"UPDATE {timer.name} SET cancelled_at = {now}{from_}"
        f" WHERE tenant_id = {given()} AND run_id = {given()} AND phase = {given()} AND step = {given()}"
        " AND fired_at IS NULL AND cancelled_at IS NULL",
        f"UPDATE {hook.name} SET status = 'expired'{from_}"
        f" WHERE tenant_id = {given()} AND run_id = {given()} AND step = {given()} AND status = 'open'",
    ]


def leave_values(tenant: str, run_id: str, phase: str, key: str) -> list[list[object]]:
    """The values of each part, in the order of `leave_parts`."""
    return [[tenant, run_id, phase, key], [tenant, run_id, key]]


def lease_shape(leases: Leases) -> tuple[int, int]:
    """How many leases begin and end: the sizes of what `lease_parts` writes."""
    return len(leases.begun), len(leases.ended)


def lease_parts(shape: tuple[int, int], given: Callable[[], str], source: str) -> list[str]:
    """The writes of leases; ``source`` makes them depend on the write that is guarded."""
    begun, ended = shape
    key = ("tenant_id", "run_id", "holder")
    parts = []
    if begun:
        told = told_rows(lease, (*key, "until"), begun, given, cast=bool(source))
        chosen = f"SELECT told.* FROM {source}, {told}" if source else f"SELECT * FROM {told}"
        parts.append(
            f"INSERT INTO {lease.name} ({', '.join(key)}, until) {chosen} WHERE true"
            f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET until = excluded.until"
        )
    using = f" USING {source}" if source else ""
    same = "tenant_id = {} AND run_id = {} AND holder = {}"
    parts += [
        f"DELETE FROM {lease.name}{using} WHERE {same.format(given(), given(), given())}"
        for _ in range(ended)
    ]
    return parts


def lease_values(tenant: str, run_id: str, leases: Leases) -> list[list[object]]:
    """The values of each part, in the order of `lease_parts`."""
    begun: list[object] = []
    for holder, until in leases.begun.items():
        begun += (tenant, run_id, holder, until)
    parts = [begun] if begun else []
    parts += [[tenant, run_id, holder] for holder in leases.ended]
    return parts


@of_size
def _statement(shape: _Shape) -> str:
    guarded, *others = _parts(shape, numbered(), "moved", NOW["postgresql"])
    bodies = [f"moved AS ({guarded} RETURNING 1)"]
    bodies += [f"part{number} AS ({body})" for number, body in enumerate(others)]
    return f"WITH {', '.join(bodies)} SELECT {NOW['postgresql']} FROM moved"


@of_size
def _statements(shape: _Shape) -> list[str]:
    return _parts(shape, lambda: "?", "", NOW["sqlite"])


def _one_by_one(db: Database, cursor: Any, shape: _Shape, parts: Sequence[Sequence[object]]) -> int | None:
    with db.immediate(cursor):
        for number, (text, values) in enumerate(zip(_statements(shape), parts, strict=True)):
            cursor.execute(text, values)
            # The writer's lock was taken before this look (`BEGIN IMMEDIATE`), so nobody comes in between the
            # parts.
            if number == 0 and cursor.rowcount == 0:
                cursor.execute("ROLLBACK")
                return None
        return int(cursor.execute(f"SELECT {NOW['sqlite']}").fetchone()[0])


@cache
def _see_run(dialect: str) -> str:
    given = placeholders(dialect)
    columns = ", ".join(column.name for column in run.columns)
    now, same, moment = NOW[dialect], ("run.tenant_id", "run.expect_queue"), MOMENT[dialect]
    other_runs = earliest(run, *same, but=" AND o.id <> run.id", moment=moment)
    # Asked in the statement that reads the run anyhow: it decides whether a claim wakes others.
    others = f"{other_runs} <= {now} OR {earliest(step, *same, moment=moment)} <= {now}"
    # The calls of a code workflow are branches as well, but of them `main` alone is moved optimistically.
    forked = (
        "EXISTS (SELECT 1 FROM step AS f WHERE f.tenant_id = run.tenant_id AND f.run_id = run.id"
        " AND f.branch <> '' AND run.version IS NULL)"
    )
    return (
        f"SELECT {columns}, {now}, {subscriptions.subscribed(dialect)}, {others}, {forked} FROM run"
        f" WHERE tenant_id = {given()} AND id = {given()}"
    )


@cache
def _see_steps(dialect: str) -> str:
    given = placeholders(dialect)
    columns = ", ".join(column.name for column in step.columns)
    return (
        f"SELECT {columns} FROM step WHERE tenant_id = {given()} AND run_id = {given()} AND branch = ''"
        f" ORDER BY phase DESC, ordinal LIMIT {MOST_STEPS + 1}"
    )


def earliest(table: Table, tenant: str, queue: str, *, but: str = "", moment: str) -> str:
    """Since when a message is expected in a queue, the first of all runs or steps; NULL when none is.

    Whoever wants to know whether one is due asks for the least. Asked for any, PostgreSQL takes a third of
    the table to be due, and reads it from its beginning for the first of them, though there may be none.
    What somebody has reserved is left out.
    """
    which = f"o.tenant_id = {tenant} AND o.{queue_of(table)} = {queue}{but} AND {waits(table, 'o')}"
    least = f"min(o.{since_of(table)})"
    return f"(SELECT {least} FROM {table.name} AS o WHERE {which} AND {free('o', moment)})"


def since_of(table: Table) -> str:
    """The column by which an index has what is expected, in order."""
    return "expect_from" if table is run else "expect_since"


def waits(table: Table, row: str) -> str:
    """A message is expected for a run or a step: in words that let SQLite use the index.

    A run that was claimed stays in the index until its worker leaves it: there are no more of them than
    workers have places.
    """
    said = f"{row}.expect_since IS NOT NULL"
    return f"{row}.expect_from IS NOT NULL AND {said}" if table is run else said


def queue_of(table: Table) -> str:
    """The column with the queue in which a run or a step is expected."""
    return "expect_queue" if table is run else "queue"


def free(row: str, moment: str) -> str:
    """Nobody has reserved this run or step, or no longer."""
    return f"coalesce({row}.reserved_until <= {moment}, TRUE)"


def numbered() -> Callable[[], str]:
    """The placeholders of PostgreSQL, one after the other."""
    numbers = count(1)
    return lambda: f"${next(numbers)}"


def placeholders(dialect: str) -> Callable[[], str]:
    return (lambda: "?") if dialect == "sqlite" else numbered()


def sets(columns: Sequence[str], given: Callable[[], str]) -> str:
    """The columns that are set, each to a value that is given."""
    return ", ".join(f"{name} = {given()}" for name in columns)


def typed(table: Table, name: str, given: Callable[[], str], *, cast: bool) -> str:
    """A value with its type, which PostgreSQL cannot guess outside of an assignment."""
    return f"{given()}::{table.c[name].type.compile(_POSTGRES)}" if cast else given()


def told_rows(table: Table, names: Sequence[str], rows: int, given: Callable[[], str], *, cast: bool) -> str:
    """So many rows of values, as a table named ``told``."""
    texts = (
        "(" + ", ".join(typed(table, name, given, cast=cast) for name in names) + ")" for _ in range(rows)
    )
    return f"(VALUES {', '.join(texts)}) AS told"


def bound(table: Table, values: Mapping[str, object]) -> list[object]:
    documents = _documents(table)
    return [
        dump(value) if name in documents and value is not None else value for name, value in values.items()
    ]


def row_of(table: Table, values: Sequence[Any], dialect: str) -> JsonObject:
    row = dict(zip(table.columns.keys(), values, strict=True))
    # SQLite gives numbers for booleans and text for JSON; psycopg has converted both already.
    if dialect == "sqlite":
        for name in _flags(table):
            row[name] = bool(row[name])
        for name in _documents(table):
            if row[name] is not None:
                row[name] = json.loads(row[name])
    return row


@cache
def _flags(table: Table) -> list[str]:
    return [column.name for column in table.columns if isinstance(column.type, Boolean)]


@cache
def _documents(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if isinstance(column.type, JSON))
