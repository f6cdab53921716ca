"""Work that waits for a worker: runs and members of fan-outs for which a message is expected.

1. A worker that has received a message for one run asks here for further work in the same queue.
2. It reserves the rows that have waited longest: other workers do not see them for a second. The reservation
   is a column that is in no index, and the time since when the row waits stays as it is.
3. It claims what it has reserved, or gives it back. A reservation is no claim: the message of the run itself
   may claim it meanwhile (test_what_is_reserved_may_be_claimed_by_its_own_message).
4. When a worker dies in between, the reservation expires after the second, and others see the rows again.
"""

from functools import cache
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Table

from app.domain.errors import Unavailable
from app.domain.rows.runs import RunRow, StepRow
from app.record.fast_path.transition import (
    RunSnapshot,
    earliest,
    free,
    of_size,
    placeholders,
    queue_of,
    row_of,
    since_of,
    waits,
)
from app.record.service import subscriptions
from app.record.session import MOMENT, NOW, Database
from app.record.tables import run, step

RUN_COLUMNS = ", ".join(f"run.{column.name}" for column in run.columns)
RESERVED_MS = 1_000  # How long other workers do not see what a worker has reserved.
STEP_COLUMNS = ", ".join(f"step.{column.name}" for column in step.columns)


def anything(db: Database, queue: str, for_ms: int = 0, *, patience_s: float = 5.0) -> bool:
    """Whether something has been waiting in this queue for so long."""
    return any(kinds(db, queue, for_ms, patience_s=patience_s))


def more(db: Database, queue: str) -> bool:
    """Whether something waits in this queue; also False when the database cannot answer at once.

    A worker asks this between a claim and its body, to wake others: the body must not wait for the answer.
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
    """Reserve the runs of this queue that have waited longest: others do not see them for a second.

    Returned as they were, with the steps of their main lines, which show whether there is a fan-out. The
    reservation expires by itself, so nothing is lost when the worker dies.
    """

    def look(cursor: Any) -> list[RunSnapshot]:
        with db.writing(cursor):
            cursor.execute(_reserve(db.dialect, most), (db.tenant, queue))
            found = sorted(cursor.fetchall(), key=itemgetter(_SINCE))
        if not found:
            return []
        # A second statement, which may see a newer state than the first. The version tells: a claim that is
        # decided from the mixture is refused.
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
    """End the reservation of a run, so that others see it."""
    # Under the generation that was reserved: a run that was published anew may be another worker's
    # reservation by now.
    statement = put_back(db.dialect, "run", ("tenant_id", "id", "dispatch_gen"))
    db.change(statement, (db.tenant, seen.run["id"], seen.run["dispatch_gen"]))


_ID, _SINCE = ([column.name for column in run.columns].index(name) for name in ("id", "expect_since"))


@cache
def _reserve(dialect: str, most: int) -> str:
    same = ("tenant_id", "id")
    told = f"{RUN_COLUMNS}, {NOW[dialect]}, {subscriptions.subscribed(dialect)}"
    return reserving(dialect, run, same, most) + f" RETURNING {told}"


def reserving(dialect: str, table: Table, key: tuple[str, ...], most: int) -> str:
    """Reserves the rows of a queue that wait longest; asks for tenant and queue.

    The time since when they wait is not touched: no index is written for a reservation.
    """
    # How many stands in the text: a limit that it does not know PostgreSQL takes for a tenth of all rows.
    given, now, moment = placeholders(dialect), NOW[dialect], MOMENT[dialect]
    # Two workers take different rows instead of waiting for one another. Not FOR UPDATE, which would also
    # pass over a run of which somebody only arms a timer. SQLite has one writer at a time.
    locked = " FOR NO KEY UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    chosen = (
        f"SELECT {', '.join(key)} FROM {table.name} WHERE tenant_id = {given()}"
        f" AND {queue_of(table)} = {given()} AND {since_of(table)} <= {moment} AND {waits(table, table.name)}"
        f" AND {free(table.name, moment)} ORDER BY {since_of(table)} LIMIT {most:d}{locked}"
    )
    update = f"UPDATE {table.name} SET reserved_until = {now} + {RESERVED_MS}"
    if dialect == "sqlite":
        return f"{update} WHERE ({', '.join(key)}) IN ({chosen})"
    same = " AND ".join(f"{table.name}.{name} = chosen.{name}" for name in key)
    return f"{update} FROM ({chosen}) AS chosen WHERE {same}"


@cache
def put_back(dialect: str, table: str, place: tuple[str, ...]) -> str:
    """Ends the reservation of the row at this place."""
    given = placeholders(dialect)
    same = " AND ".join(f"{name} = {given()}" for name in place)
    return f"UPDATE {table} SET reserved_until = NULL WHERE {same} AND reserved_until IS NOT NULL"


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
    given, now, moment = placeholders(dialect), NOW[dialect], MOMENT[dialect]
    due = (f"{earliest(each, given(), given(), moment=moment)} <= {now} - {given()}" for each in (run, step))
    return f"SELECT {', '.join(due)}"
