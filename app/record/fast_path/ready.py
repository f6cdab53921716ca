"""What waits for a worker, asked by workers: runs and members of fan-outs for which a message is expected.

The messages themselves are hints: a worker that has one asks here what else there is to do.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from app.domain.errors import Unavailable
from app.domain.rows.runs import RunRow, StepRow
from app.record.fast_path.transition import RunSnapshot, earliest, of_size, placeholders, row_of
from app.record.service import subscriptions
from app.record.session import MOMENT, NOW, Database
from app.record.tables import run, step

RUN_COLUMNS = ", ".join(f"run.{column.name}" for column in run.columns)
RESERVED_MS = 1_000
STEP_COLUMNS = ", ".join(f"step.{column.name}" for column in step.columns)


def anything(db: Database, queue: str, for_ms: int = 0, *, patience_s: float = 5.0) -> bool:
    """Whether something has been waiting in this queue for so long."""
    return any(kinds(db, queue, for_ms, patience_s=patience_s))


def more(db: Database, queue: str) -> bool:
    """Whether something waits in this queue; no, too, when the database cannot say so at once.

    For who has just claimed a step, and only wants to tell others: that must not keep the step from its body.
    """
    try:
        return anything(db, queue, patience_s=0)
    except Unavailable:
        return False


def kinds(db: Database, queue: str, for_ms: int = 0, *, patience_s: float = 5.0) -> tuple[bool, bool]:
    """Whether runs, and whether members of fan-outs, have been waiting in this queue for so long."""

    def look(cursor: Any) -> tuple[bool, bool]:
        cursor.execute(_kinds(db.dialect), (db.tenant, queue, for_ms, db.tenant, queue, for_ms))
        runs, members = cursor.fetchone()
        return bool(runs), bool(members)

    return db.once(look, patience_s=patience_s)


def reserve(db: Database, queue: str, most: int) -> list[RunSnapshot]:
    """Take the runs that wait longest for a worker of this queue out of the others' sight for a second.

    They come as they were, with the steps of their main lines, which show whether there is a fan-out.
    They are expected again when the second is over, so a worker that dies meanwhile loses nothing.
    """

    def look(cursor: Any) -> list[RunSnapshot]:
        found = hidden(db, cursor, _reserve, (db.tenant, queue, most))
        if not found:
            return []
        cursor.execute(_steps(db.dialect, len(found)), (db.tenant, *(one[_ID] for one in found)))
        steps: dict[str, list[StepRow]] = {}
        for values in cursor.fetchall():
            row = cast("StepRow", row_of(step, values, db.dialect))
            steps.setdefault(row["run_id"], []).append(row)
        return [
            RunSnapshot(
                run=cast("RunRow", row_of(run, values, db.dialect)),
                steps=steps.get(values[_ID], []),
                now=now,
                watched=subscriptions.read(watched),
            )
            for *values, now, watched in found
        ]

    return db.once(look)


def give_back(db: Database, seen: RunSnapshot) -> None:
    """Put a run that was reserved back to where it stood, so that its wait is as long as it is."""
    since, gen = seen.run["expect_since"], seen.run["dispatch_gen"]
    statement = put_back(db.dialect, "run", ("tenant_id", "id", "dispatch_gen"))
    values = (since, db.tenant, seen.run["id"], gen, since)
    db.change(statement, values)


def hidden(
    db: Database, cursor: Any, statements: Callable[[str], tuple[str, ...]], values: tuple[Any, ...]
) -> list[Any]:
    """What a reservation found, as it was before: one statement, or on SQLite two in a transaction."""
    if db.dialect == "postgresql":
        cursor.execute(statements(db.dialect)[0], values)
        return list(cursor.fetchall())
    with db.immediate(cursor):
        found = list(cursor.execute(statements(db.dialect)[0], values).fetchall())
        if found:
            cursor.execute(statements(db.dialect)[1], values)
    return found


_ID = [column.name for column in run.columns].index("id")


@cache
def _reserve(dialect: str) -> tuple[str, ...]:
    given, now, moment = placeholders(dialect), NOW[dialect], MOMENT[dialect]
    watched = subscriptions.heard(dialect)
    chosen = (
        f" FROM run WHERE tenant_id = {given()} AND expect_queue = {given()}"
        f" AND expect_since <= {moment} ORDER BY expect_since LIMIT {given()}"
    )
    later = f"UPDATE run SET expect_since = {now} + {RESERVED_MS}"
    if dialect == "sqlite":
        looked = f"SELECT {RUN_COLUMNS}, {now}, {watched}{chosen}"
        return looked, f"{later} WHERE (tenant_id, id) IN (SELECT tenant_id, id{chosen})"
    before = RUN_COLUMNS.replace("run.expect_since", "chosen.since")
    locked = f"SELECT tenant_id, id, expect_since AS since{chosen} FOR NO KEY UPDATE SKIP LOCKED"
    return (
        f"{later} FROM ({locked}) AS chosen WHERE run.tenant_id = chosen.tenant_id AND run.id = chosen.id"
        f" RETURNING {before}, {now}, {watched}",
    )


@cache
def put_back(dialect: str, table: str, place: tuple[str, ...]) -> str:
    """Ends the reservation of the row at this place, if it is still expected: it is as before."""
    given = placeholders(dialect)
    since, same = given(), " AND ".join(f"{name} = {given()}" for name in place)
    return f"UPDATE {table} SET expect_since = {since} WHERE {same} AND expect_since > {given()}"


@of_size
def _steps(dialect: str, runs: int) -> str:
    given = placeholders(dialect)
    return (
        f"SELECT {STEP_COLUMNS} FROM step WHERE tenant_id = {given()}"
        f" AND run_id IN ({', '.join(given() for _ in range(runs))}) AND branch = ''"
        " ORDER BY run_id, phase DESC, ordinal"
    )


@cache
def _kinds(dialect: str) -> str:
    given, now = placeholders(dialect), NOW[dialect]
    due = (f"{earliest(table, given(), given())} <= {now} - {given()}" for table in (run, step))
    return f"SELECT {', '.join(due)}"
