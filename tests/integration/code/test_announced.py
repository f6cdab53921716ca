"""A definition that was announced is the one that is used, at once, in every process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.auth.keys import Principal
from app.config import load
from app.domain.rows.runs import RunRow
from app.engine.code.start import CodeOrder
from app.record.service import definitions, schedules
from app.record.session import Database
from app.services import presence, workflows
from app.services.context import AppContext
from app.wiring import wire
from tests.support.driver import Driver
from windlass import workflow

SOMEBODY = Principal(name="test", scopes=frozenset({"runs:write"}))
FACTS = {"maxEvents": 50, "executionTimeoutMs": None, "stepTimeoutMs": 300_000}
SECRET = {**FACTS, "secretPlaces": {"password": 1}}


@pytest.fixture
def world(driver: Driver, tmp_path: Path) -> Iterator[AppContext]:
    """An API process with connections of its own."""
    made = wire(load({}, database_url="sqlite://", state_dir=str(tmp_path)))
    own = Database(driver.db.url.render_as_string(hide_password=False), driver.db.tenant)
    yield replace(made, db=own, publish=driver.publish)
    own.dispose()


def announce(driver: Driver, version: str, facts: dict[str, Any], source: str = "f") -> None:
    """What a worker in another process does."""
    driver.db.write(lambda tx: definitions.announce(tx, "rotate", version, facts, source))


def trigger(world: AppContext, *args: Any) -> RunRow:
    """A run that was started right now."""
    return workflows.trigger(world, SOMEBODY, CodeOrder(workflow="rotate", args=args))[0]


def test_a_version_that_was_just_announced_is_started(driver: Driver, world: AppContext) -> None:
    announce(driver, "1", FACTS)
    assert trigger(world)["version"] == "1"
    announce(driver, "2", FACTS)
    assert trigger(world)["version"] == "2"


def test_a_parameter_that_was_just_declared_a_secret_is_sealed(driver: Driver, world: AppContext) -> None:
    announce(driver, "1", FACTS)
    trigger(world, "web1", "open")
    announce(driver, "1", SECRET, "g")
    row = trigger(world, "web1", "hunter2")
    assert "hunter2" not in str(driver.run(row["id"])) + str(driver.log(row["id"]))
    assert row["input"]["args"][0] == "web1"


@workflow("rotate", secrets=("password",))
def rotate(ctx: Any, host: str, password: Any) -> None:
    """A workflow whose schedule was made before its parameter was a secret."""


def test_what_a_schedule_keeps_is_sealed_with_the_announcement(driver: Driver, world: AppContext) -> None:
    row = {
        "id": "sch_1",
        "name": "nightly",
        "type": "rotate",
        "input": ["web1", "hunter2"],
        "every_ms": 60_000,
    }
    row |= {"timezone": "UTC", "overlap": "skip", "catch_up": "latest", "created_by": "usr_test"}
    driver.db.write(lambda tx: schedules.insert_schedule(tx, row))
    presence.announce(world, [rotate])
    kept = driver.db.read(lambda tx: schedules.read_schedule(tx, "sch_1"))
    assert kept is not None
    assert (kept["input"][0], "hunter2" in str(kept)) == ("web1", False)
