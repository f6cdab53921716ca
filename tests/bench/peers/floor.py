"""The floor: no engine at all, one narrow prepared statement and one commit for each outcome, a Redis list.

Whoever makes every outcome durable before the next step begins pays at least this: the acceptance, the claim
and five outcomes, each a commit that is waited for, and one message. Nothing is checked, leased or repeated,
so it is no durable workflow; it shows what the machine, PostgreSQL and psycopg leave to those that are.
"""

import json
import os
import sys
import threading
import uuid
from typing import Any

import psycopg
import redis

from tests.bench import body
from tests.bench.peers.driver import serve

STEPS = 5
LIST = "floor"
SCHEMA = """
    CREATE TABLE run (id uuid PRIMARY KEY, status text NOT NULL);
    CREATE TABLE outcome (run uuid, place int, PRIMARY KEY (run, place));
"""
ACCEPT = "INSERT INTO run VALUES ($1, 'queued')"
CLAIM = "UPDATE run SET status = 'running' WHERE id = $1 AND status = 'queued'"
DONE = "INSERT INTO outcome VALUES ($1, $2)"
LAST = f"WITH last AS ({DONE}) UPDATE run SET status = 'completed' WHERE id = $1"


class Runs:
    """Starts runs, over one connection a thread."""

    def __init__(self) -> None:
        self._own = threading.local()

    def trigger(self, ms: int) -> None:
        """Commit a run and report that."""
        if not hasattr(self._own, "cursor"):
            self._own.cursor, self._own.redis = connect()
        run = str(uuid.uuid4())
        self._own.cursor.execute(ACCEPT, (run,))
        self._own.redis.lpush(LIST, json.dumps([run, ms]))

    def fan(self, count: int) -> None:
        """Not measured."""
        raise NotImplementedError(count)


def connect() -> tuple["psycopg.RawCursor[Any]", "redis.Redis"]:
    """A cursor whose every statement is a transaction, prepared at once, and a client of Redis."""
    connection = psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True, prepare_threshold=0)
    return psycopg.RawCursor(connection), redis.Redis.from_url(os.environ["BENCH_REDIS"])


def work() -> None:
    """Take runs and do their steps, one after the other, until the process is ended."""
    cursor, broker = connect()
    while True:
        taken: Any = broker.brpop(LIST)
        run, ms = json.loads(taken[1])
        cursor.execute(CLAIM, (run,))
        for place in range(1, STEPS + 1):
            body.work(run, place, ms)
            cursor.execute(DONE if place < STEPS else LAST, (run, place))


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True).execute(SCHEMA)
    elif sys.argv[1] == "driver":
        serve(Runs())
    else:
        for _ in range(int(os.environ["BENCH_SLOTS"])):
            threading.Thread(target=work).start()
