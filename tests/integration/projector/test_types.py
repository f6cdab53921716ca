"""sync.* ends well, fails, is cancelled, is held and retried from its step, and survives its workers."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from app.lab.kube import Kube
from app.record.inventory import servers
from app.record.runs import doctor
from app.record.session import Database
from app.record.tables import server
from tests.integration.projector.watched import Watched
from tests.integration.types.killer import Moment, Mortal
from tests.support.managed import Scene

MOMENTS: tuple[Moment, ...] = ("before", "after")
pytestmark = [pytest.mark.sqlite, pytest.mark.parametrize("db", ["sqlite"], indirect=True)]


@pytest.fixture
def watched(db: Database) -> Iterator[Watched]:
    """Machines that nobody has looked at yet, and workers that can be killed."""
    with Kube() as lab:
        driver = Mortal(db)
        made = Watched(db=db, lab=lab, driver=driver)
        driver.capabilities = made
        made.plant(3)
        yield made
    assert db.read(doctor.findings) == []


@pytest.fixture
def scene(db: Database) -> Iterator[Scene]:
    """One server, known to be off."""
    driver = Mortal(db)
    made = Scene(db=db, driver=driver)
    driver.capabilities = made
    made.plant_pool(1)
    mine = update(server).where(server.c.tenant_id == db.tenant)
    db.write(lambda tx: tx.execute(mine.values(credential="sealed", power="off")))
    yield made
    assert db.read(doctor.findings) == []


def compare(watched: Watched, **order: Any) -> str:
    """A run that compares everything."""
    where = {"resource_id": watched.management_id, **order}
    return watched.driver.start("sync.cluster-state", {"kind": "vm"}, **where)


def poll(scene: Scene, **order: Any) -> str:
    """A run that polls, and has polled once."""
    run_id = scene.driver.start("sync.server-state", **order)
    scene.driver.drain()
    scene.driver.fire(run_id)
    scene.driver.drain()
    return run_id


def switch(scene: Scene) -> None:
    """Somebody switches the server on; it is due to be asked again."""
    scene.bmcs[next(iter(scene.bmcs))].turn("on")
    mine = update(server).where(server.c.tenant_id == scene.db.tenant)
    scene.db.write(lambda tx: tx.execute(mine.values(polled_at=None)))


def power(scene: Scene) -> str:
    """What the record says of the server."""
    row = scene.db.read(lambda tx: servers.read_server(tx, next(iter(scene.bmcs)))) or {}
    return str(row["power"])


def test_a_comparison_that_is_refused_fails_and_there_is_nothing_to_undo(watched: Watched) -> None:
    watched.suffers(forbidden=True)
    run_id = compare(watched, on_failure="compensate")
    assert watched.driver.finish(run_id) == "failed"
    assert watched.driver.run(run_id)["error_code"] == "KUBERNETES_REFUSED"
    assert (watched.driver.steps(run_id, "comp"), watched.agrees()) == ({}, False)


def test_a_comparison_is_held_mended_and_retried_from_its_step(watched: Watched) -> None:
    run_id = compare(watched, on_failure="hold")
    watched.suffers(forbidden=True, fail_times=1)
    assert watched.driver.finish(run_id) == "failed_held"
    again = watched.driver.retry(run_id, from_step="diff")
    assert (watched.driver.finish(again), watched.agrees()) == ("completed", True)


def test_a_comparison_is_cancelled_while_it_waits_for_its_next_attempt(watched: Watched) -> None:
    watched.suffers(errors=1.0)
    run_id = compare(watched)
    watched.driver.drain()
    assert watched.driver.step(run_id, "diff")["status"] == "retry_wait"
    watched.driver.cancel(run_id)
    assert (watched.driver.finish(run_id), watched.agrees()) == ("cancelled", False)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", ["diff", "upsert"])
def test_a_worker_dies_while_it_compares(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, step: str, moment: Moment
) -> None:
    assert isinstance(watched.driver, Mortal)
    watched.driver.condemn(monkeypatch, "forward", step, moment)
    assert watched.driver.finish(compare(watched)) == "completed"
    assert watched.driver.struck and watched.agrees()


def test_a_poll_that_finds_nothing_for_too_long_fails_and_is_retried(scene: Scene) -> None:
    run_id = poll(scene, on_failure="hold")
    scene.driver.fire(run_id, "deadline")
    assert scene.driver.finish(run_id) == "failed_held"
    switch(scene)
    again = scene.driver.retry(run_id, from_step="poll-power")
    assert (scene.driver.finish(again), power(scene)) == ("completed", "on")


def test_a_poll_is_cancelled(scene: Scene) -> None:
    run_id = poll(scene)
    scene.driver.cancel(run_id)
    switch(scene)
    assert (scene.driver.finish(run_id), power(scene)) == ("cancelled", "off")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", ["poll-power", "keep-power"])
def test_a_worker_dies_while_it_polls_and_the_change_is_told_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, step: str, moment: Moment
) -> None:
    assert isinstance(scene.driver, Mortal)
    scene.driver.condemn(monkeypatch, "forward", step, moment)
    run_id = scene.driver.start("sync.server-state")
    for _ in range(4):
        switch(scene)
        scene.driver.drain()
        scene.driver.fire(run_id)
    assert (scene.driver.finish(run_id), power(scene)) == ("completed", "on")
    told = scene.driver.step(run_id, "poll-power")["output"]["changed"]
    assert scene.driver.struck and list(told.values()) == [{"power": "on"}]
