"""Heartbeats of pools, queues that no pool serves, and how operators are warned."""

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from app.cli.main import cli
from app.config import Settings, load, release
from app.domain.ids import new_id
from app.engine.transitions import accept
from app.record.tables import run
from app.services import workers
from app.services.context import AppContext
from app.wiring import wire
from tests.conftest import Backend
from tests.support import probes


@pytest.fixture
def settings(backend: Backend) -> Settings:
    return load({**backend.environ})


@pytest.fixture
def world(settings: Settings) -> Iterator[AppContext]:
    made = wire(settings, role="cli")
    yield made
    made.db.dispose()


def heartbeat(world: AppContext, name: str, *queues: str, processes: int = 2) -> None:
    """A pool of this name reports once that it serves these queues."""
    workers.beat(world.db, name, queues, processes)


def test_a_pool_is_known_by_its_name_with_its_release(world: AppContext) -> None:
    for processes in (2, 3):
        heartbeat(world, "bmc@here", "bmc", processes=processes)

    (one,) = world.db.read(workers.working)

    assert (one["name"], one["kind"], one["queues"], one["processes"]) == ("bmc@here", "worker", ["bmc"], 3)
    assert one["release"] == release()


def test_who_was_silent_for_long_does_not_work(world: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat(world, "default@here", "default")
    monkeypatch.setattr(workers, "LIVE_MS", -1)
    assert world.db.read(workers.working) == []


def test_a_queue_in_which_something_waits_is_missed(world: AppContext) -> None:
    heartbeat(world, "bmc@here", "bmc")
    assert world.db.read(workers.unserved) == ["default"]
    assert world.db.read(lambda tx: workers.unserved(tx, needed=())) == []

    order = accept.Order(type=probes.line.name, input={})
    world.db.write(lambda tx: accept.accept(tx, new_id("run"), order, "usr_test"))

    assert world.db.read(lambda tx: workers.unserved(tx, needed=())) == ["default"]


def test_queues_tell_their_length_and_who_serves_them(world: AppContext) -> None:
    heartbeat(world, "default@a", "default", processes=8)
    heartbeat(world, "default@b", "default", "wf.mine", processes=2)
    world.redis.lpush(f"{world.settings.redis_prefix}bmc", "a message")

    found = {row["queue"]: row for row in workers.queues(world)}

    served = {"length": 0, "workers": 2, "processes": 10, "expected": False}
    assert found["default"] == {"queue": "default", **served}
    assert found["bmc"] == {"queue": "bmc", "length": 1, "workers": 0, "processes": 0, "expected": False}
    assert sorted(found) == ["app", "bmc", "cloud", "default", "kube", "webhook", "wf.mine"]


def test_each_queue_in_which_work_is_expected_is_found_once(world: AppContext) -> None:
    order = accept.Order(type=probes.line.name, input={})
    for queue in ("kube", "bmc", "bmc"):
        made = world.db.write(lambda tx: accept.accept(tx, new_id("run"), order, "usr_test"))
        change = update(run).where(run.c.id == made.id).values(expect_queue=queue)
        world.db.write(lambda tx, change=change: tx.execute(change))  # type: ignore[misc]

    expected = [row["queue"] for row in workers.queues(world) if row["expected"]]

    assert expected == ["bmc", "kube"] == world.db.read(lambda tx: workers.unserved(tx, needed=()))


@pytest.fixture
def lone(sqlite_url: str) -> Iterator[AppContext]:
    """A service without workers."""
    made = wire(load({"DATABASE_URL": sqlite_url}), role="cli")
    yield made
    made.db.dispose()


def call(lone: AppContext, *words: str) -> Any:
    """A command line on its database."""
    return CliRunner().invoke(cli, list(words), env={"DATABASE_URL": lone.settings.database_url})


@pytest.mark.sqlite
def test_the_command_line_lists_workers_and_names_what_is_missed(lone: AppContext) -> None:
    heartbeat(lone, "bmc@here", "bmc")
    result = call(lone, "worker", "list", "-o", "json")
    assert (result.exit_code, "bmc@here" in result.stdout) == (0, True)
    assert "Nobody serves the queue default" in result.stderr


@pytest.mark.sqlite
def test_the_doctor_finds_what_waits_for_no_worker(lone: AppContext) -> None:
    order = accept.Order(type=probes.line.name, input={})
    lone.db.write(lambda tx: accept.accept(tx, new_id("run"), order, "usr_test"))

    result = call(lone, "doctor", "-o", "json")

    assert (result.exit_code, "nobody serves it" in result.stdout) == (1, True)
    assert "Heard of within the last half minute: 0 workers, 0 reconcilers, 0 projectors." in result.stderr
