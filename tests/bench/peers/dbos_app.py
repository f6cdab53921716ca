"""DBOS: a line of five steps, and a fan-out over a queue with a step after it."""

import os

import sqlalchemy
from dbos import DBOS, DBOSConfig

from tests.bench import body

QUEUE, POLL_S, STEPS = "bench", 0.05, 5


@DBOS.step()
def work(run: str, place: int, ms: int) -> None:
    """One step."""
    body.work(run, place, ms)


@DBOS.workflow()
def line(ms: int) -> None:
    """Five steps in a row."""
    run = DBOS.workflow_id or ""
    for place in range(1, STEPS + 1):
        work(run, place, ms)


@DBOS.workflow()
def member(run: str, place: int) -> int:
    """One member of a fan-out."""
    work(run, place, 0)
    return place


@DBOS.workflow()
def fan(count: int) -> None:
    """So many members in this process, and a step after them all."""
    run = DBOS.workflow_id or ""
    for handle in [DBOS.start_workflow(member, run, place) for place in range(1, count + 1)]:
        handle.get_result()
    work(run, 0, 0)


@DBOS.workflow()
def queued_fan(count: int) -> None:
    """So many members through the queue, and a step after them all."""
    run = DBOS.workflow_id or ""
    for handle in [DBOS.enqueue_workflow(QUEUE, member, run, place) for place in range(1, count + 1)]:
        handle.get_result()
    work(run, 0, 0)


def launch() -> None:
    """Make this process an executor."""
    url = os.environ["BENCH_DATABASE"]
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url,
        "executor_id": os.environ["BENCH_EXECUTOR"],
        "log_level": "ERROR",
        "max_executor_threads": int(os.environ["BENCH_SLOTS"]),
    }
    if url.startswith("sqlite"):
        config["system_database_engine"] = durable_sqlite(url)
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=POLL_S)


def durable_sqlite(url: str) -> sqlalchemy.Engine:
    """SQLite as DBOS sets it up, with the journal and the flushes that Windlass asks for."""
    engine = sqlalchemy.create_engine(url)

    @sqlalchemy.event.listens_for(engine, "connect")
    def prepare(connection: object, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # type: ignore[attr-defined]
        pragmas = ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

    return engine
