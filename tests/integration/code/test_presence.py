"""Workers announce workflows, and what a former source has blocked goes on under the next one."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import cast

import pytest

from app.record.service import definitions, heartbeats
from app.services import presence
from app.services.context import AppContext
from tests.support.driver import Driver
from windlass import Context, workflow
from windlass.workflow import _DEFINED, Definition

STEPS = ["a"]  # What the function calls, as the test wishes.


@workflow("shifting", secrets=("password",))
def shifting(ctx: Context, password: str = "") -> list[str]:
    """Its calls are not always the same."""
    done = [ctx.step(name, str.upper, name) for name in STEPS]
    ctx.wait_for_signal("go")
    return done


@pytest.fixture
def world(driver: Driver) -> AppContext:
    """As much of a world as announcing needs."""
    return cast(AppContext, SimpleNamespace(db=driver.db, publish=driver.publish))


@pytest.fixture
def blocked(driver: Driver) -> str:
    """A run whose function went another way than before."""
    STEPS[:] = ["a"]
    run_id = driver.trigger(shifting)
    driver.drain()
    STEPS[:] = ["b"]
    driver.signal(run_id, "go", None)
    driver.drain()
    assert driver.status(run_id) == "blocked"
    return run_id


def fixed(driver: Driver, fingerprint: str) -> Definition:
    """The workflow with the calls that it began with, under another source."""
    STEPS[:] = ["a"]
    made = replace(shifting, fingerprint=fingerprint)
    _DEFINED[made.name, made.version] = made
    return made


def test_a_blocked_run_goes_on_once_another_source_is_announced(
    driver: Driver, world: AppContext, blocked: str
) -> None:
    presence.announce(world, [fixed(driver, "new")])
    driver.drain()
    assert (driver.status(blocked), driver.result(blocked)) == ("completed", ["A"])


def test_the_same_source_again_resumes_nothing(driver: Driver, world: AppContext, blocked: str) -> None:
    presence.announce(world, [shifting])
    driver.drain()
    assert driver.status(blocked) == "blocked"


def test_a_source_that_does_not_help_either_is_tried_once(
    driver: Driver, world: AppContext, blocked: str
) -> None:
    for _ in "ab":
        presence.announce(world, [replace(shifting, fingerprint="worse")])
        driver.drain()
    actions = [event for event in driver.events(blocked) if event.startswith("operator.action")]
    assert (driver.status(blocked), len(actions)) == ("blocked", 1)


def test_what_is_announced_is_kept(driver: Driver, world: AppContext) -> None:
    presence.announce(world, [shifting])
    facts = driver.db.read(lambda tx: definitions.find(tx, "shifting"))
    assert facts is not None
    assert facts["facts"]["secretPlaces"] == {"password": 0}
    assert facts["facts"]["description"] == "Its calls are not always the same."


def test_a_worker_is_there_while_it_is_heard_of(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"workflows": [["shifting", "1"]]}
    driver.db.write(lambda tx: heartbeats.note(tx, presence.KIND, "here:1", facts))
    assert driver.db.read(presence.served) == {("shifting", "1")}
    monkeypatch.setattr(presence, "LIVE_MS", -1_000)
    assert driver.db.read(presence.served) == frozenset()


def test_it_is_asked_for_only_when_a_run_may_wait_for_it(driver: Driver) -> None:
    run = {"kind": "code", "version": "1", "expect_since": None, "status": "running", "waiting_on": None}
    idle, declared = {**run, "waiting_on": {"kind": "signal"}}, {**run, "kind": "declared", "expect_since": 1}
    assert driver.db.read(lambda tx: presence.served_for(tx, [idle, declared])) is None
    for due in ({**run, "expect_since": 1}, {**run, "waiting_on": {"kind": "step"}}):
        asked = partial(presence.served_for, rows=[due])
        assert driver.db.read(asked) == frozenset()
