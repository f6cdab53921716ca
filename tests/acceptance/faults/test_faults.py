"""Whatever is killed, restarted or emptied in mid-step: every accepted run ends as it should, once.

The lab's ledger is the outside witness of what really happened to the machines.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.faults.bench import BACK_S, Bench, Work
from tests.conftest import POSTGRES_REDIS
from tests.support.servers import until

Fault = Callable[[Work], None]


def pool_process_killed(work: Work) -> None:
    """Kill -9 the process that runs the step."""
    work.kill_child()


def worker_host_killed(work: Work) -> None:
    """Kill -9 the host, its workers and its reconciler."""
    work.bench.kill_host()


def reconciler_killed(work: Work) -> None:
    """Kill -9 the reconciler; its host starts another."""
    work.bench.service.stack.kill("reconciler")


def broker_emptied(work: Work) -> None:
    """FLUSHALL."""
    assert work.bench.store is not None
    with Redis.from_url(work.bench.store.url) as client:
        client.flushall()


def broker_restarted_empty(work: Work) -> None:
    """Kill -9 Redis, let the running steps end without it, and start it without its data."""
    assert work.bench.store is not None
    work.bench.store.kill()
    work.step_ends()
    work.bench.store.restart_empty()


def database_restarted(work: Work) -> None:
    """Kill -9 PostgreSQL and start it again; SQLite has no server that could stop."""
    if work.bench.postgres is not None:
        work.bench.postgres.kill()
        work.bench.postgres.start()


def api_killed(work: Work) -> None:
    """Kill -9 the API, which the installer is about to call."""
    work.bench.service.stack.kill("api")


def everything_killed(work: Work) -> None:
    """All of it at once."""
    assert work.bench.store is not None
    work.kill_child()
    work.bench.store.kill()
    work.bench.kill_host()
    database_restarted(work)
    work.bench.store.restart_empty()
    api_killed(work)


ALL = (
    pool_process_killed,
    worker_host_killed,
    reconciler_killed,
    broker_emptied,
    broker_restarted_empty,
    api_killed,
    everything_killed,
)


# Faults that cost the first run its worker for sure.
COSTLY = (pool_process_killed, worker_host_killed)


@pytest.mark.parametrize("fault", ALL)
def test_nothing_is_lost_or_done_twice(bench: Bench, fault: Fault) -> None:
    work = bench.provisioning()
    fault(work)
    hit = fault in COSTLY and work.is_hit
    work.hurry()
    until(bench.is_ready, BACK_S)
    work.is_done_once()
    assert len(bench.losses(work.run_ids[0])) == 1 or not hit


@pytest.mark.sqlite
def test_with_the_shipped_settings_a_lost_step_is_free_when_its_lease_is_over(embedded: Bench) -> None:
    work = embedded.provisioning()
    held_until = embedded.step(work.run_ids[0], "power")["lease_until"]
    pool_process_killed(work)
    work.is_done_once()
    (lost,) = embedded.losses(work.run_ids[0])
    assert lost < held_until + 1_000 * BACK_S  # And not after the hour that the step itself may take.


@pytest.mark.parametrize("bench", [POSTGRES_REDIS], indirect=True)  # SQLite is a file: nothing to restart.
def test_a_database_server_that_is_restarted_loses_nothing(bench: Bench) -> None:
    work = bench.provisioning()
    database_restarted(work)
    until(bench.is_ready, BACK_S)
    work.is_done_once()


def test_two_reconcilers_publish_for_the_same_runs_without_harm(bench: Bench, tmp_path: Path) -> None:
    with bench.beside("reconciler", log=tmp_path / "reconciler.log"):
        until(lambda: bench.reconcilers() == 2, BACK_S)
        work = bench.provisioning()
        broker_emptied(work)
        work.is_done_once()
