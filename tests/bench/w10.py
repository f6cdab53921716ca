"""W10: what a run of five no-op steps costs PostgreSQL: log, rows, what writes all indexes, bytes kept.

Counters of the server before and after a burst, divided by its runs. They hardly depend on how busy the
machine is. A backend tells its counters when it has been idle for a while, so each reading waits for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event

import psycopg

from tests.bench.session import Session
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure

FULL, QUICK = 2000, 300  # Runs whose cost is counted.
REPORTED_S = 11.0  # PostgreSQL's backends report what they have counted after 10 s without work.
TABLES = ("run", "step")  # Of ours, each with figures of its own.
KEPT = "SELECT pg_database_size(current_database())"
PLACE = "SELECT pg_current_wal_insert_lsn() - '0/0'"  # Of the log's end, as a number.
# What the log holds between two places. Whole pages, which it has once after each checkpoint, are left out.
LOG = (
    'SELECT "resource_manager/record_type", sum(count), sum(record_size) FROM pg_get_wal_stats(%s, %s)'
    " WHERE count > 0 GROUP BY 1"
)
PARTS = ("Heap", "Btree", "Transaction")
ROWS = {
    "inserted": "n_tup_ins",
    "updated": "n_tup_upd",
    "hot": "n_tup_hot_upd",
    "deleted": "n_tup_del",
}


@dataclass(frozen=True)
class _Counters:
    place: int
    kept: int
    rows: Mapping[str, Mapping[str, int]]  # By table; "" is all of them.


class Counted:
    """Windlass, and the peers that record what they do."""

    name = "W10"
    rounds = FEW
    candidates = ("windlass", "windlass-code", "dbos-direct", "absurd", "procrastinate")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runs = QUICK if stage.quick else FULL

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """One burst, after another that has touched the same pages since the checkpoint."""
        session = self._stage.session(candidate)
        self._stage.postgres.execute("CHECKPOINT")
        session.burst(self._runs // 3)
        tables = TABLES if session.candidate.ours else ()
        before = _read(session, tables)
        session.burst(self._runs)
        after = _read(session, tables)
        log = self._log(before.place, after.place)
        kept = Figure("bytes-kept", (after.kept - before.kept) / self._runs, "B")
        return [*_log(log, self._runs), kept, *_rows(before, after, self._runs)]

    def teardown(self) -> None:
        """Nothing is shared."""

    def _log(self, begin: int, end: int) -> dict[str, tuple[int, int]]:
        """How many records each part of the server has written meanwhile, and of how many bytes."""
        with psycopg.connect(self._stage.postgres.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
            found = connection.execute(LOG.encode(), (_lsn(begin), _lsn(end))).fetchall()
        return {part: (int(count), int(size)) for part, count, size in found}


def _lsn(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def _read(session: Session, tables: tuple[str, ...]) -> _Counters:
    Event().wait(REPORTED_S)
    place, kept = session.recorded(PLACE), session.recorded(KEPT)
    rows = {
        table: {name: session.recorded(_sum(column, table)) for name, column in ROWS.items()}
        for table in ("", *tables)
    }
    return _Counters(place, kept, rows)


def _sum(column: str, table: str) -> str:
    which = f" WHERE relname = '{table}'" if table else ""
    return f"SELECT coalesce(sum({column}), 0)::bigint FROM pg_stat_user_tables{which}"


def _log(found: Mapping[str, tuple[int, int]], runs: int) -> list[Figure]:
    """What one run has written to the log, and how much of it by the parts that write most."""
    records, size = (sum(one[place] for one in found.values()) / runs for place in (0, 1))
    parts = [
        Figure(f"wal-bytes-{part.lower()}", found[part][1] / runs, "B") for part in PARTS if part in found
    ]
    return [Figure("wal-bytes", size, "B"), Figure("wal-records", records, "/run"), *parts]


def _rows(before: _Counters, after: _Counters, runs: int) -> list[Figure]:
    """What one run has changed in all tables, and in some; of updates also the share that wrote no index."""
    figures = []
    for table, counts in after.rows.items():
        spent = {name: count - before.rows[table][name] for name, count in counts.items()}
        said = f"{table}-" if table else "rows-"
        figures += [Figure(f"{said}{name}", spent[name] / runs, "rows/run") for name in ROWS if name != "hot"]
        if spent["updated"]:
            figures.append(Figure(f"{said}hot-share", 100 * spent["hot"] / spent["updated"], "%"))
    return figures


make = Counted
