"""The power of servers is asked for now and then, by workers; a run ends when something has changed."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import update

from app.projector.projector import Projector
from app.record.inventory import power, servers, sources
from app.record.runs import doctor
from app.record.session import Database, Limits
from app.record.tables import server
from tests.integration.projector.watched import SETTINGS
from tests.support.driver import Driver
from tests.support.managed import Scene

MINUTE = 60_000


@pytest.fixture
def scene(db: Database) -> Iterator[Scene]:
    """Servers with controllers in memory."""
    driver = Driver(db)
    made = Scene(db=db, driver=driver)
    driver.capabilities = made
    yield made
    assert db.read(doctor.findings) == []


@pytest.fixture
def ids(scene: Scene) -> list[str]:
    """Three servers that are known to be off."""
    scene.plant_pool(3)
    change(scene, credential="sealed", power="off")
    return sorted(scene.bmcs)


def change(scene: Scene, **values: Any) -> None:
    """Change the rows of all servers."""
    where = server.c.tenant_id == scene.db.tenant
    scene.db.write(lambda tx: tx.execute(update(server).where(where).values(**values)))


def row(scene: Scene, server_id: str) -> dict[str, Any]:
    """A server's row."""
    return scene.db.read(lambda tx: servers.read_server(tx, server_id)) or {}


def polled(scene: Scene, run_id: str) -> dict[str, Any]:
    """The step after one more poll of whatever is due."""
    change(scene, polled_at=None)
    scene.driver.drain()
    assert scene.driver.fire(run_id)
    scene.driver.drain()
    return scene.driver.step(run_id, "poll-power")


def test_a_run_goes_on_until_something_has_changed(scene: Scene, ids: list[str]) -> None:
    run_id = scene.driver.start("sync.server-state")
    for _ in range(3):
        assert polled(scene, run_id)["progress"] == "3 servers asked, nothing has changed"
    scene.bmcs[ids[1]].turn("on")
    assert polled(scene, run_id)["output"]["changed"] == {ids[1]: {"power": "on"}}
    assert scene.driver.status(run_id) == "completed"
    assert [row(scene, one)["power"] for one in ids] == ["off", "on", "off"]


def test_each_server_is_asked_once_in_its_time(scene: Scene, ids: list[str]) -> None:
    run_id = scene.driver.start("sync.server-state", {"everyMs": MINUTE})
    polled(scene, run_id)
    scene.driver.fire(run_id)
    scene.driver.drain()
    assert scene.driver.step(run_id, "poll-power")["progress"].startswith("0 servers asked")
    assert all(row(scene, one)["last_check_at"] for one in ids)


def test_a_controller_that_falls_silent_is_told_once_and_so_is_its_return(
    scene: Scene, ids: list[str]
) -> None:
    change(scene, health="healthy")
    for dead, health in ((True, "unhealthy"), (False, "healthy")):
        scene.bmcs[ids[0]].faults = {"dead"} if dead else set()
        run_id = scene.driver.start("sync.server-state")
        assert polled(scene, run_id)["output"]["changed"][ids[0]]["health"] == health
        again = scene.driver.start("sync.server-state")
        assert polled(scene, again)["output"] is None
    assert (row(scene, ids[0])["power"], row(scene, ids[0])["failure_reasons"]) == ("off", [])


def test_what_a_run_found_wrong_is_not_mended_by_an_answer(scene: Scene, ids: list[str]) -> None:
    change(scene, health="unhealthy", failure_reasons=["server.provision failed"])
    polled(scene, scene.driver.start("sync.server-state"))
    assert row(scene, ids[0])["failure_reasons"] == ["server.provision failed"]


def test_an_answer_from_before_a_run_changed_the_server_is_forgotten(scene: Scene, ids: list[str]) -> None:
    seen = scene.db.read(lambda tx: power.due(tx, 0, 10))[0]
    scene.db.write(lambda tx: servers.change_server(tx, seen["id"], {"power": "on"}))
    kept = {"server_id": seen["id"], "version": seen["version"], "new": {"power": "off"}}
    scene.db.write(lambda tx: power.keep(tx, **kept, answered=True))
    assert row(scene, seen["id"])["power"] == "on"


def test_a_poll_changes_nothing_that_people_would_have_to_merge(scene: Scene, ids: list[str]) -> None:
    scene.bmcs[ids[0]].turn("on")
    before = row(scene, ids[0])["version"]
    polled(scene, scene.driver.start("sync.server-state"))
    assert row(scene, ids[0])["version"] == before


def test_who_cannot_be_asked_is_left_alone(scene: Scene, ids: list[str]) -> None:
    change(scene, state="decommissioned")
    assert scene.db.read(lambda tx: power.due(tx, 0, 10)) == []
    change(scene, state="available", credential=None)
    assert scene.db.read(lambda tx: power.due(tx, 0, 10)) == []


def test_a_server_that_a_run_works_on_is_left_to_the_run(scene: Scene, ids: list[str]) -> None:
    scene.start("server.lifecycle", ids[0], {"action": "powerOn"})
    assert {one["id"] for one in scene.db.read(lambda tx: power.due(tx, 0, 10))} == set(ids[1:])


def projector(scene: Scene, every_s: int = 60) -> Projector:
    """A projector that watches servers alone."""
    settings = type(SETTINGS)(lease_ms=1_500, heartbeat_ms=0, power_poll_s=every_s)

    def nowhere(management_id: str) -> Any:
        raise AssertionError(management_id)

    return Projector(
        settings=settings,
        db=scene.db,
        publish=scene.driver.publish,
        reach=nowhere,
        instance="elsewhere.0:1/projector",
    )


def polling(scene: Scene) -> str | None:
    """The run that asks servers now."""
    rows = scene.db.read(sources.all_sources)
    return rows[0]["run_id"] if rows else None


@pytest.mark.usefixtures("ids")
def test_there_is_one_run_at_a_time_that_asks(scene: Scene) -> None:
    one, other = projector(scene), projector(scene)
    for _ in range(3):
        one.one_pass()
        other.one_pass()
    first = polling(scene)
    assert first is not None and scene.driver.run(first)["input"] == {"everyMs": MINUTE}
    scene.driver.cancel(first)
    scene.driver.finish(first)
    scene.db.write(lambda tx: sources.told(tx, {**sources.all_sources(tx)[0]}, first))
    one.one_pass()
    assert polling(scene) == first  # The next one waits a little.


@pytest.mark.usefixtures("ids")
def test_nobody_is_asked_when_nobody_wants_to_know(scene: Scene) -> None:
    one = projector(scene, every_s=0)
    one.one_pass()
    one.one_pass()
    assert polling(scene) is None


@pytest.mark.parametrize("trouble", ["a foreign error", "a refused login"])
def test_one_odd_controller_hides_none_of_the_others(
    scene: Scene, ids: list[str], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    odd, _, well = ids
    run_id = scene.driver.start("sync.server-state")
    scene.driver.drain()
    if trouble == "a refused login":
        scene.bmcs[odd].faults.add("wrongPassword")
    else:
        monkeypatch.setattr(scene.bmcs[odd], "bmc", lambda: 1 / 0)
    scene.bmcs[well].power = "on"
    polled(scene, run_id)
    assert (row(scene, well)["power"], row(scene, odd)["health"]) == ("on", "unhealthy")
    assert row(scene, odd)["failure_reasons"][0].startswith("its controller")


def test_trouble_that_a_poll_found_is_over_when_it_is_answered(scene: Scene, ids: list[str]) -> None:
    for why in power.TROUBLES:
        change(scene, health="unhealthy", failure_reasons=[why])
        assert power.news(row(scene, ids[0]), "off") == {"health": "healthy", "failure_reasons": []}


@pytest.mark.postgres
@pytest.mark.parametrize("db", ["postgres"], indirect=True)
def test_a_server_whose_row_somebody_holds_does_not_keep_the_others(scene: Scene, ids: list[str]) -> None:
    url = scene.db.url
    scene.driver.db = limited = Database(str(url), scene.db.tenant, limits=Limits(lock_ms=1_000))
    run_id = scene.driver.start("sync.server-state")
    for one in ids:
        scene.bmcs[one].turn("on")
    with psycopg.connect(str(url.set(drivername="postgresql"))) as stranger:
        stranger.execute("SELECT id FROM server WHERE id = %s FOR UPDATE", [ids[0]])
        scene.driver.drain()
        scene.driver.fire(run_id)
        scene.driver.drain()
        assert scene.driver.status(run_id) == "completed"
        assert [row(scene, one)["power"] for one in ids] == ["off", "on", "on"]
    limited.dispose()
