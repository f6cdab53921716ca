"""The worker host over real Celery workers."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from celery import Celery

from app.config import Settings, environment
from app.host import worker
from app.host.child import CannotStart
from tests.support.servers import KeyValue, is_alive, until

# It lingers once it has let go of its pid file, as an interpreter under load does.
HOST = """
from threading import Event
from app.host import worker
from app.config import load
settings = load()
worker.run(settings, worker.children(settings, processes=1, reconcile=False))
Event().wait(0.5)
"""


@pytest.fixture
def patience() -> int:
    """Seconds that running work gets to end; more than any test waits for."""
    return 60


@pytest.fixture
def settings(state: Path, valkey_server: KeyValue, patience: int) -> Settings:
    """Settings with an empty Valkey."""
    valkey_server.restart_empty()
    return Settings(state_dir=str(state), redis_url=valkey_server.url, soft_shutdown_s=patience)


@pytest.fixture
def host(settings: Settings, tmp_path: Path) -> Iterator[psutil.Process]:
    """A worker host whose `tasks` is the app beside this file."""
    shutil.copy(Path(__file__).with_name("hosted_tasks.py"), tmp_path / "tasks.py")
    (tmp_path / "worker").write_text(HOST)
    search = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    process = subprocess.Popen(
        [sys.executable, "worker"], cwd=tmp_path, env=environment(settings, PYTHONPATH=search)
    )
    yield psutil.Process(process.pid)
    for _ in "ab":  # A second signal ends the patience.
        process.terminate()
    process.wait(300)


def main_of(host: psutil.Process, kind: str) -> psutil.Process | None:
    """The Celery main of one class of queues."""
    for each in host.children():
        with suppress(psutil.Error):  # It may end at any moment.
            if is_alive(each.pid) and f"{kind}@%h" in each.cmdline():
                return each
    return None


def begin_work(settings: Settings, folder: Path, seconds: float) -> int:
    """Send a task and wait until it runs; the pool process that runs it."""
    with Celery(broker=settings.redis) as client:
        client.send_task("work", args=(str(folder), seconds), queue="default")
    return int(until(lambda: (folder / "begun").exists() and (folder / "begun").read_text(), 30))


def test_a_killed_main_starts_again_and_leaves_no_orphans(
    host: psutil.Process, settings: Settings, tmp_path: Path
) -> None:
    pool = begin_work(settings, tmp_path, 60)
    first = main_of(host, "default")
    assert first is not None
    first.kill()
    again = until(lambda: (now := main_of(host, "default")) != first and now)
    assert again
    until(lambda: not is_alive(pool))


def test_draining_lets_running_work_end(host: psutil.Process, settings: Settings, tmp_path: Path) -> None:
    begin_work(settings, tmp_path, 2)
    assert worker.drain(settings) == host.pid
    assert ((tmp_path / "ended").exists(), is_alive(host.pid)) == (True, False)


@pytest.mark.parametrize("patience", [1])
def test_draining_ends_work_that_takes_longer_than_allowed(
    host: psutil.Process, settings: Settings, tmp_path: Path
) -> None:
    pool = begin_work(settings, tmp_path, 60)
    worker.drain(settings)
    assert ((tmp_path / "ended").exists(), is_alive(pool)) == (False, False)


def test_workers_end_when_their_host_is_killed(
    host: psutil.Process, settings: Settings, tmp_path: Path
) -> None:
    begin_work(settings, tmp_path, 0)
    family = host.children(recursive=True)
    host.send_signal(signal.SIGKILL)
    until(lambda: not any(is_alive(each.pid) for each in family), 20)


def test_there_is_nothing_to_drain_without_a_host(settings: Settings) -> None:
    with pytest.raises(CannotStart, match="No worker host runs"):
        worker.drain(settings)


def test_a_second_host_of_the_same_name_is_refused_and_leaves_the_first_alone(settings: Settings) -> None:
    with (
        worker._pid_file(settings.state, "a"),
        worker._pid_file(settings.state, "b"),
        pytest.raises(CannotStart, match=rf"called 'a' \(process {os.getpid()}\) .* with --name"),
        worker._pid_file(settings.state, "a"),
    ):
        pass
    with worker._pid_file(settings.state, "a"):
        assert (settings.state / "worker-a.pid").read_text() == str(os.getpid())


def test_every_queue_has_a_worker_and_the_reconciler_stands_beside(settings: Settings) -> None:
    names = [child.name for child in worker.children(settings)]
    assert names == [
        "worker-default",
        "worker-bmc",
        "worker-kube",
        "worker-cloud",
        "worker-webhook",
        "worker-app",
        "reconciler",
    ]


def test_a_queue_without_processes_is_left_to_other_hosts(settings: Settings) -> None:
    names = [child.name for child in worker.children(replace(settings, kube_processes=0, cloud_processes=0))]
    assert names == ["worker-default", "worker-bmc", "worker-webhook", "worker-app", "reconciler"]


def test_messages_of_apps_are_delivered_by_threads_unless_that_is_left_to_others(settings: Settings) -> None:
    pools = {child.name: child.argv for child in worker.children(settings, queues=("bmc", "app"))}
    without = [child.name for child in worker.children(replace(settings, apps_poller=False))]

    assert list(pools) == ["worker-app", "worker-bmc", "reconciler"]
    assert "threads" in pools["worker-app"] and "prefork" in pools["worker-bmc"]
    assert "worker-app" not in without


def test_a_host_for_one_queue_serves_that_queue_alone(settings: Settings) -> None:
    (child,) = worker.children(settings, queues=("bmc",), reconcile=False)
    assert child.argv[child.argv.index("-Q") + 1] == "bmc"
