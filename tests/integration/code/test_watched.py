"""Runs with subscribed events take the way under the lock, and end as all do."""

from typing import Any

import pytest

from app.record.service import webhooks
from app.record.session import Tx
from tests.integration.code.flows import DONE, TROUBLE, Killed, dies, fails, note, unnote
from tests.support.driver import Driver
from windlass import workflow


@workflow("watched-child")
def watched_child(ctx: Any) -> Any:
    return ctx.wait_for_signal("go")


@workflow("watched")
def watched(ctx: Any) -> Any:
    found = [ctx.step("one", note, "one"), ctx.uuid() != ctx.uuid()]
    found.append(ctx.step("flaky", note, "flaky", retries=2, retry_delay=0, undo=unnote))
    found += ctx.parallel([ctx.call("left", note, "left"), ctx.child("watched-child")])
    ctx.emit("told")
    return [*found, ctx.step("last", note, "last")]


@pytest.fixture
def listened(driver: Driver) -> Driver:
    """An endpoint has subscribed to the events of runs."""
    values = {"id": "whk_1", "url": "https://example.test/", "events": ["run.completed"], "active": True}

    def listen(tx: Tx) -> None:
        webhooks.insert_webhook(tx, {**values, "secret": "sealed"}, ["run.completed"])

    driver.db.write(listen)
    driver.announce(watched_child)
    return driver


def test_a_watched_run_ends_as_all_do(listened: Driver) -> None:
    TROUBLE.update({"flaky": fails(2), "last": dies()})
    run_id = listened.trigger(watched)
    listened.drain()
    listened.signal(str(listened.step(run_id, "watched-child")["ref"]), "go", "on")
    with pytest.raises(Killed):
        listened.drain()
    listened.lose(run_id, "main")
    assert listened.finish(run_id) == "completed"
    assert listened.result(run_id) == ["one", True, "flaky", "left", "on", "last"]
    assert DONE == ["one", "flaky", "flaky", "flaky", "left", "last", "last"]


def test_a_watched_run_is_undone(listened: Driver) -> None:
    TROUBLE["last"] = fails()
    run_id = listened.trigger(watched)
    listened.drain()
    listened.signal(str(listened.step(run_id, "watched-child")["ref"]), "go", "on")
    assert (listened.finish(run_id), DONE[-1]) == ("failed", "undo flaky")
