"""W10: what a run of five no-op steps costs PostgreSQL: log, rows, what writes all indexes, bytes kept.

Counters of the server before and after a burst, divided by its runs. They hardly depend on how busy the
machine is. A backend tells its counters when it has been idle for a while, so each reading waits for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event

from tests.bench.session import Session
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure

FULL, QUICK = 2000, 300  # Runs whose cost is counted.
TOLD_S = 11.0  # PostgreSQL's backends tell what they have counted after 10 s without work.
TABLES = ("run", "step")  # Of ours, each with figures of its own.
LOG = {
    "wal-bytes": "SELECT pg_current_wal_insert_lsn() - '0/0'",
    "wal-records": "SELECT wal_records FROM pg_stat_wal",
    "wal-page-images": "SELECT wal_fpi FROM pg_stat_wal",
    "bytes-kept": "SELECT pg_database_size(current_database())",
}
ROWS = {
    "inserted": "n_tup_ins",
    "updated": "n_tup_upd",
    "hot": "n_tup_hot_upd",
    "deleted": "n_tup_del",
}


@dataclass(frozen=True)
class _Counters:
    log: Mapping[str, int]
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
        return _figures(before, _read(session, tables), self._runs)

    def teardown(self) -> None:
        """Nothing is shared."""


def _read(session: Session, tables: tuple[str, ...]) -> _Counters:
    Event().wait(TOLD_S)
    log = {name: session.recorded(question) for name, question in LOG.items()}
    rows = {
        table: {name: session.recorded(_sum(column, table)) for name, column in ROWS.items()}
        for table in ("", *tables)
    }
    return _Counters(log, rows)


def _sum(column: str, table: str) -> str:
    which = f" WHERE relname = '{table}'" if table else ""
    return f"SELECT coalesce(sum({column}), 0)::bigint FROM pg_stat_user_tables{which}"


def _figures(before: _Counters, after: _Counters, runs: int) -> list[Figure]:
    """What one run has cost; of updates also the share that wrote no index."""
    units = {"wal-bytes": "B", "bytes-kept": "B"}
    figures = [
        Figure(name, (after.log[name] - before.log[name]) / runs, units.get(name, "/run")) for name in LOG
    ]
    for table, counts in after.rows.items():
        spent = {name: count - before.rows[table][name] for name, count in counts.items()}
        said = f"{table}-" if table else "rows-"
        figures += [Figure(f"{said}{name}", spent[name] / runs, "rows/run") for name in ROWS if name != "hot"]
        if spent["updated"]:
            figures.append(Figure(f"{said}hot-share", 100 * spent["hot"] / spent["updated"], "%"))
    return figures


make = Counted
