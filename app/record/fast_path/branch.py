"""A member of a fan-out: reserved for a worker, and its transitions written whatever the others do meanwhile.

The members of a fan-out change one run, so a write on the condition that the run's version is unchanged would
be refused most of the time. The transition of a member changes the run relatively: so many more events, so
many fewer members to wait for. Its conditions are the member's own status, fence and generation, that the
run proceeds, and that the fan-out still waits for others; the last member is settled under the lock.

On PostgreSQL it is a single statement that locks the run's row first, as every transition does. After waiting
there it finds the newest versions of the rows that it changes; when one no longer matches, the statement
fails as a whole. A step is named by its key and its ordinal, so that every index that PostgreSQL may choose
leads to one row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from app.domain.rows import picked
from app.domain.rows.runs import EventRow, RunRow, StepRow
from app.record.fast_path.ready import RUN_COLUMNS, STEP_COLUMNS, put_back, reserving
from app.record.fast_path.transition import (
    EVENT,
    NO_LEASES,
    Leases,
    RunSnapshot,
    bound,
    lease_parts,
    lease_shape,
    lease_values,
    leave_parts,
    leave_values,
    numbered,
    of_size,
    placeholders,
    row_of,
    sets,
    told_rows,
)
from app.record.runs.event_rows import packed
from app.record.service import subscriptions
from app.record.session import NOW, Database, TakenBack
from app.record.tables import event, run, step

COUNTERS = ("pending", "succeeded", "failures")
# Appears in the log of PostgreSQL, in the error that rolls the statement back.
QUICKER = ": expected: an optimistic update lost a race and was rolled back"


@dataclass(frozen=True, kw_only=True)
class Change:
    """The changes of one step, and its row when they were decided."""

    step: StepRow
    changes: StepRow


@dataclass(frozen=True, kw_only=True)
class Counted:
    """By how much the counters of a fan-out change."""

    key: str
    ordinal: int
    pending: int
    succeeded: int
    failures: int


@dataclass(frozen=True, kw_only=True)
class MemberTransition:
    """What is to be written; the events are numbered from 1, and those of the run before it are not known."""

    run_id: str
    type: str
    log_bytes: int  # That the events have.
    steps: Sequence[Change]
    counted: Counted | None
    events: Sequence[EventRow]
    left: tuple[str, str] | None = None  # Phase and key of a step whose timers and hooks are closed.
    leases: Leases = NO_LEASES


@dataclass(frozen=True)
class Reserved:
    """A member that waits, with its run, the main line and the branches of all that were reserved with it."""

    key: str
    branch: str
    seen: RunSnapshot

    @property
    def step(self) -> StepRow:
        """The member as it was when it was reserved."""
        return next(row for row in self.seen.steps if row["key"] == self.key)


def reserve(db: Database, queue: str, most: int) -> list[Reserved]:
    """Take the members that wait longest for a worker of this queue out of the others' sight for a second.

    They are expected again when the second is over, so a worker that dies meanwhile loses nothing.
    """

    def look(cursor: Any) -> list[Reserved]:
        with db.writing(cursor):
            cursor.execute(_reserve(db.dialect, most), (db.tenant, queue))
            found = sorted(cursor.fetchall())
        ids = sorted({run_id for run_id, *_ in found})
        if not ids:
            return []
        cursor.execute(_runs(db.dialect, len(ids)), (db.tenant, *ids))
        runs = {row["id"]: (row, now, watched) for row, now, watched in _run_rows(cursor, db.dialect)}
        branches = sorted({branch for *_, branch in found})
        cursor.execute(_steps(db.dialect, len(ids), len(branches)), (db.tenant, *ids, *branches))
        rows = [cast("StepRow", row_of(step, values, db.dialect)) for values in cursor.fetchall()]
        seen = {run_id: _seen(runs[run_id], rows) for run_id in ids}
        return [Reserved(key, branch, seen[run_id]) for run_id, _, key, branch in found]

    return db.once(look)


def give_back(db: Database, reserved: Reserved) -> None:
    """End the reservation of a member, so that others see it."""
    place = ("run_id", "phase", "key", "ordinal", "gen")
    statement = put_back(db.dialect, "step", ("tenant_id", *place))
    db.change(statement, (db.tenant, *picked(reserved.step, place).values()))


def write(db: Database, wanted: MemberTransition, *, patience_s: float = 5.0) -> int | None:
    """Write a transition; returns the database's clock, or None when something is no longer what was seen."""
    rows = _told_rows(wanted)
    shape = _Shape(
        steps=tuple(tuple(one.changes) for one in wanted.steps),
        counts=wanted.counted is not None,
        leaves=wanted.left is not None,
        events=len(rows),
        told=len(subscriptions.public_types(wanted.events)),
        leases=lease_shape(wanted.leases),
    )
    if db.dialect == "sqlite":
        return db.once(lambda cursor: _one_by_one(db, cursor, shape, wanted, rows), patience_s=patience_s)
    text = _statement(shape)
    values = [value for part in _guarded_values(db.tenant, wanted) for value in part]
    values += _told_values(db.tenant, rows, 0)
    values += [value for part in _other_values(db.tenant, wanted) for value in part]

    def at_once(cursor: Any) -> int | None:
        try:
            cursor.execute(text, values)
        # Somebody was quicker with one of the rows. The error has taken back all that this statement had
        # written.
        except TakenBack:
            return None
        found = cursor.fetchone()
        return None if found is None else int(found[0])

    return db.once(at_once, patience_s=patience_s)


# What a member is found by: unchanged since it was seen, or somebody else was quicker.
_PLACE = ("phase", "key", "ordinal", "status", "fence", "gen")


@dataclass(frozen=True)
class _Shape:
    steps: tuple[tuple[str, ...], ...]
    counts: bool
    leaves: bool
    events: int  # Rows of them.
    told: int
    leases: tuple[int, int]


def _guarded_values(tenant: str, wanted: MemberTransition) -> list[list[object]]:
    """The values of each part that must find its row, in the order of `_guarded`."""
    heard = subscriptions.values_of(
        tenant, wanted.run_id, wanted.type, subscriptions.public_types(wanted.events)
    )
    parts: list[list[object]] = [[len(wanted.events), wanted.log_bytes, tenant, wanted.run_id, *heard]]
    for one in wanted.steps:
        was = picked(one.step, _PLACE).values()
        parts.append([*bound(step, one.changes), tenant, wanted.run_id, *was])
    if (counted := wanted.counted) is not None:
        parts.append(
            [
                *(getattr(counted, name) for name in COUNTERS),
                tenant,
                wanted.run_id,
                counted.key,
                counted.ordinal,
            ]
        )
    return parts


def _told_rows(wanted: MemberTransition) -> list[EventRow]:
    """The rows of the events, numbered from the last one backwards, which has the number 0."""
    return packed([{**one, "seq": one["seq"] - len(wanted.events)} for one in wanted.events])


def _told_values(tenant: str, rows: Sequence[EventRow], last: int) -> list[object]:
    """The values of the events, of which the last has this number."""
    numbered_: list[EventRow] = [{**one, "seq": last + one["seq"]} for one in rows]
    return [value for row in numbered_ for value in (tenant, *bound(event, picked(row, EVENT)))]


def _guarded(shape: _Shape, given: Callable[[], str], source: str) -> list[str]:
    """The writes of which each must find its row, the run's first; ``source``: the others depend on it."""
    parts = [
        f"UPDATE run SET event_seq = event_seq + {given()}, log_bytes = log_bytes + {given()}"
        # A run that is paused, stopped or held meanwhile is no longer `running`, and refuses all its members
        # at once.
        f" WHERE tenant_id = {given()} AND id = {given()} AND status = 'running'"
        f"{subscriptions.unsubscribed(shape.told, given)}"
    ]
    parts += [
        f"UPDATE step SET {sets(columns, given)}{source}"
        f" WHERE tenant_id = {given()} AND run_id = {given()} AND phase = {given()} AND key = {given()}"
        f" AND ordinal = {given()} AND status = {given()} AND fence = {given()} AND gen = {given()}"
        for columns in shape.steps
    ]
    if shape.counts:
        added = ", ".join(f"{name} = step.{name} + {given()}" for name in COUNTERS)
        parts.append(
            f"UPDATE step SET {added}{source}"
            f" WHERE tenant_id = {given()} AND run_id = {given()} AND phase = 'forward' AND key = {given()}"
            # Not the last one: what it leads to is more than these rows, and two that both believe to be the
            # last but one are told apart here, by the newest version of the counter.
            f" AND ordinal = {given()} AND status = 'waiting' AND pending > 1"
        )
    return parts


@of_size
def _statement(shape: _Shape) -> str:
    given = numbered()
    # The run's row is taken first, by everybody: its lock puts the members in line, and their events get
    # numbers without gaps although none of them knew how many there were (I2).
    moved, *others = _guarded(shape, given, " FROM moved")
    bodies = [f"moved AS ({moved} RETURNING event_seq)"]
    bodies += [f"part{number} AS ({body} RETURNING 1)" for number, body in enumerate(others)]
    names = ("tenant_id", *EVENT)
    told = told_rows(event, names, shape.events, given, cast=True)
    number = names.index("seq") + 1
    columns = (f"told.column{place}" for place in range(1, len(names) + 1))
    chosen = ", ".join(
        f"moved.event_seq + {one}" if place == number else one for place, one in enumerate(columns, 1)
    )
    bodies.append(f"log AS (INSERT INTO event ({', '.join(names)}) SELECT {chosen} FROM moved, {told})")
    further = _others(shape, given, "moved", NOW["postgresql"])
    bodies += [f"other{number} AS ({body})" for number, body in enumerate(further)]
    matched = " AND ".join(f"EXISTS (SELECT 1 FROM part{number})" for number in range(len(others)))
    # What was written has to be taken back when a part found nothing: an error does that at once.
    return (
        f"WITH {', '.join(bodies)} SELECT {NOW['postgresql']} FROM moved"
        f" WHERE CASE WHEN {matched} THEN true ELSE (moved.event_seq || '{QUICKER}')::boolean END"
    )


@of_size
def _statements(shape: _Shape) -> list[str]:
    return _guarded(shape, lambda: "?", "")


@of_size
def _other_statements(shape: _Shape) -> list[str]:
    return _others(shape, lambda: "?", "", NOW["sqlite"])


def _others(shape: _Shape, given: Callable[[], str], source: str, now: str) -> list[str]:
    """The writes that may find nothing: timers and hooks of a step that is left, and leases."""
    parts = leave_parts(given, source, now) if shape.leaves else []
    return [*parts, *lease_parts(shape.leases, given, source)]


def _other_values(tenant: str, wanted: MemberTransition) -> list[list[object]]:
    """The values of each part, in the order of `_others`."""
    parts = [] if wanted.left is None else leave_values(tenant, wanted.run_id, *wanted.left)
    return [*parts, *lease_values(tenant, wanted.run_id, wanted.leases)]


def _one_by_one(
    db: Database, cursor: Any, shape: _Shape, wanted: MemberTransition, rows: Sequence[EventRow]
) -> int | None:
    tenant = db.tenant
    with db.immediate(cursor):
        for text, values in zip(_statements(shape), _guarded_values(tenant, wanted), strict=True):
            cursor.execute(text, values)
            if cursor.rowcount == 0:
                cursor.execute("ROLLBACK")
                return None
        place = (tenant, wanted.run_id)
        cursor.execute(f"SELECT event_seq, {NOW['sqlite']} FROM run WHERE tenant_id = ? AND id = ?", place)
        last, now = cursor.fetchone()
        told = told_rows(event, ("tenant_id", *EVENT), shape.events, lambda: "?", cast=False)
        text = f"INSERT INTO event (tenant_id, {', '.join(EVENT)}) SELECT * FROM {told}"
        cursor.execute(text, _told_values(tenant, rows, last))
        for text, values in zip(_other_statements(shape), _other_values(tenant, wanted), strict=True):
            cursor.execute(text, values)
    return int(now)


def _run_rows(cursor: Any, dialect: str) -> list[tuple[RunRow, int, frozenset[str]]]:
    return [
        (cast("RunRow", row_of(run, values, dialect)), now, subscriptions.read(watched))
        for *values, now, watched in cursor.fetchall()
    ]


def _seen(found: tuple[RunRow, int, frozenset[str]], rows: Sequence[StepRow]) -> RunSnapshot:
    row, now, watched = found
    steps = [one for one in rows if one["run_id"] == row["id"]]
    return RunSnapshot(run=row, steps=steps, now=now, watched=watched)


@cache
def _reserve(dialect: str, most: int) -> str:
    key = ("tenant_id", "run_id", "phase", "key", "ordinal")
    return reserving(dialect, step, key, most) + " RETURNING step.run_id, step.ordinal, step.key, step.branch"


@of_size
def _runs(dialect: str, ids: int) -> str:
    given, now = placeholders(dialect), NOW[dialect]
    return (
        f"SELECT {RUN_COLUMNS}, {now}, {subscriptions.subscribed(dialect)} FROM run"
        f" WHERE tenant_id = {given()} AND id IN ({_many(ids, given)})"
    )


@of_size
def _steps(dialect: str, ids: int, branches: int) -> str:
    given = placeholders(dialect)
    return (
        f"SELECT {STEP_COLUMNS} FROM step WHERE tenant_id = {given()} AND run_id IN ({_many(ids, given)})"
        f" AND phase = 'forward' AND branch IN ('', {_many(branches, given)}) ORDER BY run_id, ordinal"
    )


def _many(number: int, given: Callable[[], str]) -> str:
    return ", ".join(given() for _ in range(number))
