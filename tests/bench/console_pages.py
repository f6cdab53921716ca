"""How long pages of the console take over many stored runs.

    python -m tests.bench.console_pages --runs 10000

In one process and without a network, so that what is measured is the page: its questions to the API, its
template, its compression. The database is SQLite in a folder of its own, or the one of ``--database``: empty,
or filled already with ``--runs 0``. Milliseconds: median, 95 of 100, the slowest; then CPU of this process
(median) and of PostgreSQL on this machine (mean), which depend less on what else the machine does; then bytes
as they are sent.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import psutil
import psycopg
import structlog
from flask.testing import FlaskClient

from app import collector, create_app
from app.config import load
from app.record import migrate
from app.wiring import wire
from tests.bench import stored

PAGES = {
    "runs": "/runs",
    "runs, failed": "/runs?status=failed",
    "runs, type and status": "/runs?type=server.provision&status=failed",
    "runs, two statuses": "/runs?status=failed&status=cancelled",
    "runs, not two statuses": "/runs?-status=completed&-status=cancelled",
    "runs, not acknowledged": "/runs?status=failed&acknowledged=false",
    "runs, last 30 days": "/runs?since=30d",
    "runs, by somebody": "/runs?by=usr_3",
    "runs, an id": "/runs?q=999999",
    "overview": "/",
    "attention": "/attention",
}
WARM, TIMES = 5, 100


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What one page took, in milliseconds, and its bytes."""

    p50: float
    p95: float
    most: float
    cpu: float
    database: float
    size: int


def measure(client: FlaskClient, path: str, times: int, busy: Callable[[], float]) -> Figure:
    """Ask for a page again and again; ``busy`` is for how many seconds the database has worked."""
    took, spent, at_work = [], [], 0.0
    for number in range(WARM + times):
        at_work = busy() if number == WARM else at_work
        began, cpu = time.perf_counter(), time.process_time()
        answer = client.get(f"/console{path}", headers={"Accept-Encoding": "gzip"})
        if number >= WARM:
            took.append((time.perf_counter() - began) * 1000)
            spent.append((time.process_time() - cpu) * 1000)
        assert answer.status_code == 200, answer.status
    took.sort()
    size = len(answer.get_data())
    return Figure(
        p50=median(took),
        p95=took[max(0, int(0.95 * len(took)) - 1)],
        most=took[-1],
        cpu=median(spent),
        database=(busy() - at_work) * 1000 / times,
        size=size,
    )


def cpu_of_postgres(url: str) -> float:
    """Seconds that the processes of its connections have worked; 0 where they are not of this machine."""
    if url.startswith("sqlite"):
        return 0.0
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        pids = [row[0] for row in connection.execute(asked).fetchall()]
    found = 0.0
    for pid in pids:
        with suppress(psutil.Error):
            used = psutil.Process(pid).cpu_times()
            found += used.user + used.system
    return found


def main() -> None:
    """Store the runs and measure each page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=10_000)
    options.add_argument("--database", default="")
    options.add_argument("--times", type=int, default=TIMES)
    given = options.parse_args()
    collector.look_seldom()  # As in the program that serves the console.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        url = given.database or f"sqlite:///{folder}/windlass.db"
        settings = load(
            {}, database_url=url, state_dir=folder, redis_url="redis://127.0.0.1:1/0", keyless=True
        )
        migrate.upgrade(settings.database)
        if given.runs:
            stored.store(url, given.runs)
        world = wire(settings)
        client = create_app(world).test_client()
        client.environ_base["HTTP_HOST"] = "localhost"
        print(f"{'page':24}{'p50':>8}{'p95':>8}{'most':>8}{'cpu':>8}{'db cpu':>8}{'bytes':>9}")
        for name, path in PAGES.items():
            one = measure(client, path, given.times, lambda: cpu_of_postgres(url))
            times = f"{one.p50:8.1f}{one.p95:8.1f}{one.most:8.1f}{one.cpu:8.1f}{one.database:8.1f}"
            print(f"{name:24}{times}{one.size:9}", flush=True)
        world.db.dispose()


if __name__ == "__main__":
    main()
