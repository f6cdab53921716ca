"""A server of a batch that is a machine of a pool: taken, installed, kept, and given back."""

from typing import Any

import pytest

from app.domain.batch.invalid import InvalidDefinition
from app.domain.errors import Conflict
from app.engine import admission
from app.engine.transitions.accept import Order
from app.record.inventory import allocations
from app.services import batches
from app.services.batches import pools
from tests.integration.batches.rig import Rig, definition_of, failing, servers
from tests.support.managed import Scene

IMAGE = {"url": "http://images.example/debian.qcow2", "checksum_type": "sha256", "checksum": "ab"}


@pytest.fixture
def scene(rig: Rig) -> Scene:
    """A pool's machines for the engine of the rig."""
    made = Scene(rig.db, rig.driver)
    rig.world.metal = made
    return made


def metal(id_: str, *names: str, pool: str = "rack", **more: Any) -> dict[str, Any]:
    """An operation that takes machines of a pool."""
    made = servers(id_, *names, **more)
    for config in made["server_configs"]:
        config |= {"plan": f"pool/{pool}", "image": IMAGE}
    return made


def items(rig: Rig, batch: str, operation: int = 0) -> list[dict[str, Any]]:
    """The items of an operation, as people see them."""
    found: list[dict[str, Any]] = batches.detail(rig.ctx, batch)["operations"][operation]["items"]
    return found


def test_it_is_taken_from_the_pool_and_installed(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(2)

    batch = rig.run(metal("db", "db-01"))

    assert scene.servers() == [("available", False), ("provisioned", True)]
    (item,) = items(rig, batch)
    assert (item["status"], item["effect"], item["resource_id"][:4]) == ("Completed", "created", "srv_")
    (child,) = rig.children(rig.children(batch)[0]["id"])
    image = {"url": IMAGE["url"], "checksumType": "sha256", "checksum": "ab"}
    assert (child["type"], child["input"]["image"]) == ("server.provision", image)


def test_a_rollback_wipes_it_and_gives_it_back(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(1)
    batch = rig.run(metal("db", "db-01"))

    rig.roll_back(batch)

    assert scene.servers() == [("available", False)]
    assert scene.boot.orders[-1].startswith("wipe ")
    assert [row["state"] for row in rig.inventory()] == ["gone"]
    assert batches.find(rig.ctx, batch)["status"] == "RolledBack"


def test_with_a_sandbox_that_fails_both_are_undone(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(1)

    batch = rig.run(metal("db", "db-01"), failing("web", needs=["db"]))

    assert scene.servers() == [("available", False)] and rig.servers() == set()
    assert batches.find(rig.ctx, batch)["status"] == "RolledBack"


def test_an_empty_pool_is_waited_for_as_the_retry_policy_says(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(1)
    first = rig.run(metal("db", "db-01"))
    patient = {"max_attempts": 100, "initial_delay": 0, "max_delay": 0}
    second = rig.submit(metal("web", "web-01"), retry_policy=patient)
    rig.driver.drain()
    assert rig.statuses(second) == {"web": "waiting"}
    rig.roll_back(first)

    rig.finish(second)

    assert rig.statuses(second) == {"web": "completed"}
    assert scene.servers() == [("provisioned", True)]


def test_a_pool_that_stays_empty_fails_the_item(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(1)

    batch = rig.run(metal("db", "db-01", "db-02"))

    assert rig.driver.run(batch)["error_code"] == "POOL_CAPACITY_EXCEEDED"
    assert scene.servers() == [("available", False)]


def test_a_failed_installation_fails_the_item_and_a_retry_takes_another_machine(
    rig: Rig, scene: Scene
) -> None:
    scene.plant_pool(2)
    first = next(iter(scene.bmcs))
    scene.boot.broken.add(f"{first}:623")
    batch = rig.submit(metal("db", "db-01", on_failure="fail"))
    rig.driver.drain()
    (child,) = rig.children(rig.children(batch)[0]["id"])
    rig.driver.cancel(child["id"])
    rig.finish(batch)
    assert "installation run_" in items(rig, batch)[0]["error"]["message"]

    again = str(batches.retry(rig.ctx, batch)["workflow_id"])
    rig.finish(again)

    assert items(rig, again)[0]["resource_id"] != first
    assert rig.driver.status(again) == "completed"


def test_a_worker_that_dies_after_it_took_a_machine_takes_no_second_one(
    rig: Rig, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.plant_pool(2)
    real = scene.children.start
    failures = iter([RuntimeError("the worker is gone")])

    def start(*order: Any) -> None:
        for failure in failures:
            raise failure
        real(*order)

    monkeypatch.setattr(type(scene.children), "start", lambda _self, *order: start(*order))
    rig.run(metal("db", "db-01"))

    assert scene.servers() == [("available", False), ("provisioned", True)]


def test_another_batch_keeps_it_and_does_not_give_it_back(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(2)
    rig.run(metal("db", "db-01"))
    batch = rig.run(metal("db", "db-01"))

    assert items(rig, batch)[0]["effect"] == "kept"
    assert rig.roll_back(batch) is None
    assert scene.servers() == [("available", False), ("provisioned", True)]


def test_the_name_of_a_sandbox_is_in_its_way(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(1)
    rig.run(servers("web", "db-01"))

    batch = rig.run(metal("db", "db-01"))

    assert rig.driver.run(batch)["error_code"] == "CONFIGURATION_CONFLICT"
    assert scene.servers() == [("available", False)] and rig.servers() == {"db-01"}


def test_no_operator_takes_it_away_by_hand(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(1)
    batch = rig.run(metal("db", "db-01"))
    (server_id,) = scene.bmcs
    order = Order(type="server.lifecycle", input={"action": "deprovision"}, resource_id=server_id)

    with pytest.raises(Conflict) as refused:
        rig.db.read(lambda tx: admission.check(tx, order, "server"))

    assert refused.value.details["batch"] == batch
    assert rig.db.read(lambda tx: allocations.owner_of(tx, server_id)) == rig.inventory()[0]["id"]


def test_a_dry_run_says_for_which_a_machine_is_free(rig: Rig, scene: Scene) -> None:
    scene.plant_pool(2)
    rig.run(metal("db", "db-01"))

    planned = batches.plan(rig.ctx, definition_of(metal("db", "db-01", "db-02", "db-03")))

    (operation,) = planned["plan"]["operations"]
    assert [one["action"] for one in operation["items"]] == ["keep", "create", "conflict"]
    assert operation["items"][2]["reason"] == "1 of 2 servers of the pool rack are free"
    assert scene.servers() == [("available", False), ("provisioned", True)]


def test_a_pool_that_is_not_there_is_refused(rig: Rig) -> None:
    wanted = definition_of(metal("db", pool="cellar")).operations

    with pytest.raises(InvalidDefinition) as refused:
        rig.db.read(lambda tx: pools.check(tx, wanted))

    assert (refused.value.code, refused.value.details["pool"]) == ("UNKNOWN_POOL", "cellar")
