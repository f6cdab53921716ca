"""Who is measured: what it is, with which settings, and what it must have done when it reports the end.

Counts are asked in SQL after every measurement. ``commits`` is the least number of writing transactions that
a run of five steps has when every outcome is durable before the next step begins; a candidate that needs
fewer does not record what it claims.
"""

import os
from dataclasses import dataclass, replace

from app.config import Settings

STEPS = 5  # Of a line.


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One competitor."""

    name: str
    what: str  # For people.
    settings: str  # For people: what was chosen, beyond defaults.
    driver: tuple[str, ...]  # ``python -m`` arguments of the process that triggers.
    drivers: int = 1  # How many of them share the triggers.
    worker: tuple[
        str, ...
    ] = ()  # ``python -m`` arguments of a worker process; empty: the drivers do the work.
    workers: int = 1  # How many worker processes.
    within: tuple[str, ...] = ()  # What the workers are started by.
    slots: int = 1  # Steps at once in each worker (or working driver), the best setting that was found.
    prepare: tuple[str, ...] = ()  # ``python -m`` arguments of what sets up the database.
    ended: str = ""  # SQL: number of runs recorded as completed. Empty: nothing is recorded.
    steps: str = ""  # SQL: number of steps recorded as completed.
    commits: int = 0  # Writing transactions of one run, at least.
    ours: bool = False  # Runs in Windlass's own environment.
    sqlite: bool = False  # On SQLite with synchronous=FULL; ours with the embedded Valkey.
    children: bool = False  # Whether each member of a fan-out is a run of its own.

    def slots_each(self, total: int | None) -> int:
        """Steps at once in each process when there shall be so many in all; None takes the best setting."""
        return self.slots if total is None else total // (self.workers if self.worker else self.drivers)


CELERY = (
    *("celery", "-A", "tests.bench.peers.celery_app", "worker", "-P", "prefork", "-c", "{slots}"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"),
)
WINDLASS = Candidate(
    name="windlass",
    what="this project, triggered through app.services in a client process",
    settings="as shipped: `windlass worker`",
    driver=("tests.bench.windlass_driver",),
    worker=("tests.bench.host",),
    slots=Settings.worker_processes,
    ended="SELECT count(*) FROM run WHERE status = 'completed'",
    steps="SELECT count(*) FROM step WHERE status = 'completed' AND kind = 'task'",
    commits=STEPS + 1,
    ours=True,
)
DBOS = Candidate(
    name="dbos-direct",
    what="DBOS, workflows run in the two processes that start them",
    settings="max_executor_threads 8",
    driver=("tests.bench.peers.dbos_driver", "direct"),
    drivers=2,
    slots=8,
    children=True,
    ended="SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'",
    steps="SELECT count(*) FROM dbos.operation_outputs WHERE function_name LIKE '%work'",
    commits=STEPS + 2,
)
DBOS_SQLITE = replace(
    DBOS,
    name="dbos-sqlite",
    what="DBOS on SQLite, workflows run in the process that starts them",
    settings="journal_mode=WAL, synchronous=FULL, max_executor_threads 8",
    drivers=1,
    ended=DBOS.ended.replace("dbos.", ""),
    steps=DBOS.steps.replace("dbos.", ""),
    sqlite=True,
)
CODE = replace(
    WINDLASS,
    name="windlass-code",
    what="this project, a workflow written as a function; plain steps",
    settings="as shipped: `windlass worker --import`",
    driver=("tests.bench.code_driver", "plain"),
    worker=("app.cli", "worker", "--import", "tests.bench.authored"),
    commits=STEPS + 2,  # Its start, the claim, and one for each outcome.
)
CODE_UNDO = replace(
    CODE,
    name="windlass-code-undo",
    what="the same with undo=: that a step begins is durable before its body does",
    driver=("tests.bench.code_driver", "undo"),
    commits=STEPS + 3,
)
ALL = (
    WINDLASS,
    CODE,
    CODE_UNDO,
    Candidate(
        name="celery-bare",
        what="a Celery chain of five tasks; nothing is recorded",
        settings="prefork 2, no results, no gossip, mingle or heartbeat, hiredis",
        driver=("tests.bench.peers.celery_driver", "driver"),
        worker=CELERY,
        slots=2,
    ),
    Candidate(
        name="celery-naive",
        prepare=("tests.bench.peers.celery_driver", "prepare"),
        what="the same chain with one commit at the start and one at the end of every step (psycopg)",
        settings="as celery-bare",
        driver=("tests.bench.peers.celery_driver", "driver"),
        worker=CELERY,
        slots=2,
        ended="SELECT count(*) FROM step WHERE place = 5 AND status = 'done'",
        steps="SELECT count(*) FROM step WHERE status = 'done'",
        commits=2 * STEPS + 1,
    ),
    DBOS,
    Candidate(
        name="dbos-queue",
        what="DBOS, enqueued by a DBOSClient and run by two worker processes",
        settings="polling_interval_sec 0.05, max_executor_threads 8",
        prepare=("tests.bench.peers.dbos_worker", "prepare"),
        driver=("tests.bench.peers.dbos_driver", "queue"),
        worker=("tests.bench.peers.dbos_worker", "serve"),
        workers=2,
        slots=8,
        children=True,
        ended=DBOS.ended,
        steps=DBOS.steps,
        commits=STEPS + 2,
    ),
    Candidate(
        name="absurd",
        what="Absurd, eight worker processes",
        settings="claim_timeout 10, poll_interval 0.25 (its default)",
        driver=("tests.bench.peers.absurd_app", "driver"),
        worker=("tests.bench.peers.absurd_app", "worker"),
        workers=8,
        prepare=("tests.bench.peers.absurd_app", "prepare"),
        ended="SELECT count(*) FROM absurd.t_bench WHERE state = 'completed'",
        steps="SELECT count(*) FROM absurd.c_bench",
        commits=STEPS + 3,
    ),
    Candidate(
        name="procrastinate",
        what="procrastinate, two worker processes; every job defers the next one",
        settings="concurrency 10 in each",
        prepare=("tests.bench.peers.procrastinate_app", "prepare"),
        driver=("tests.bench.peers.procrastinate_app", "driver"),
        worker=("tests.bench.peers.procrastinate_app", "worker"),
        workers=2,
        slots=10,
        ended=f"SELECT count(*) / {STEPS} FROM procrastinate_jobs WHERE status = 'succeeded'",
        steps="SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded' AND task_name = 'step'",
        commits=3 * STEPS,
    ),
    Candidate(
        name="floor",
        what="no engine: a narrow statement and a commit for each outcome, a Redis list; nothing is checked",
        settings="statements prepared at once, hiredis, four worker processes",
        prepare=("tests.bench.peers.floor", "prepare"),
        driver=("tests.bench.peers.floor", "driver"),
        worker=("tests.bench.peers.floor", "worker"),
        workers=4,
        ended="SELECT count(*) FROM run WHERE status = 'completed'",
        steps="SELECT count(*) FROM outcome",
        commits=STEPS + 2,
    ),
    replace(
        WINDLASS,
        name="floor-record",
        what="no engine: the statements that windlass issues for a run, replayed under other ids",
        settings="as many processes as a worker host has, a Redis list",
        driver=("tests.bench.replayed", "driver"),
        worker=("tests.bench.replayed", "host"),
        commits=STEPS + 2,
    ),
)
EVERYONE = tuple(candidate.name for candidate in ALL)  # On PostgreSQL and Redis.
SQLITE = (
    replace(WINDLASS, name="windlass-sqlite", what="this project on SQLite and Valkey", sqlite=True),
    DBOS_SQLITE,
)
# A worker host that shares nothing with its neighbours but SQL and Redis, as `app.engine.process_id.place`
# tells apart. Without root a namespace of users is needed as well.
_USERS = () if os.geteuid() == 0 else ("--user", "--map-root-user")
AWAY = ("unshare", *_USERS, "--pid", "--fork", "--kill-child", "--mount-proc")
REMOTE = replace(WINDLASS, name="windlass-remote", what="this project on another machine", within=AWAY)
CANDIDATES = {candidate.name: candidate for candidate in (*ALL, *SQLITE, REMOTE)}
